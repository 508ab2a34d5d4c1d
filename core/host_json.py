"""Host programs as JSON values, and back; arrays keep their float32 bits."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any, get_args

from lutloom.core import host
from lutloom.core.rounding import Rounding

_STEPS = {step.__name__: step for step in get_args(host.HostStep)}
_ENUMS = {kind.__name__: kind for kind in (host.BinaryKind, host.UnaryKind, Rounding)}


def program_to_json(program: host.HostProgram) -> list[dict[str, Any]]:
    """Return ``program`` as JSON values."""
    return [
        {"step": type(step).__name__}
        | {field.name: _to_json(getattr(step, field.name)) for field in fields(step)}
        for step in program
    ]


def program_from_json(document: Sequence[Mapping[str, Any]]) -> host.HostProgram:
    """Return what ``program_to_json`` wrote.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else.
    """
    return tuple(
        _STEPS[entry["step"]](
            **{key: _from_json(value) for key, value in entry.items() if key != "step"}
        )
        for entry in document
    )


def _to_json(value: object) -> object:
    import numpy as np

    if isinstance(value, get_args(host.HostStep)):
        (document,) = program_to_json((value,))
        return document
    match value:
        case Enum():
            return {type(value).__name__: value.value}
        case tuple():
            return [_to_json(entry) for entry in value]
        case np.ndarray():
            raw = np.ascontiguousarray(value, dtype="<f4").tobytes()
            return {"float32": base64.b64encode(raw).decode("ascii"), "shape": list(value.shape)}
        case _:
            return value


def _from_json(value: Any) -> object:  # noqa: ANN401 - whatever JSON holds
    import numpy as np

    if isinstance(value, list):
        return tuple(map(_from_json, value))
    if not isinstance(value, dict):
        return value
    if "step" in value:
        (step,) = program_from_json((value,))
        return step
    if "float32" in value:
        raw = base64.b64decode(value["float32"], validate=True)
        return np.frombuffer(raw, dtype="<f4").reshape(value["shape"]).astype(np.float32)
    ((kind, name),) = value.items()
    return _ENUMS[kind](name)
