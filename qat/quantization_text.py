"""How a recipe says a quantization: bits in a name, or a table.

::

    quantization = "1W2A"

    [quantization]
    weights = "binary"                                    # or {kind = "lsq", bits = 4}
    activations = {kind = "relu", bits = 2, limit = 2.0}

    [quantization.layers."features.conv0*"]               # the last pattern that matches counts
    weights = {kind = "integer", bits = 8, per_channel = true}

A kind whose bits are fixed may stand alone, and ``"binary"`` and ``"sign"`` are one bit with a
constant scale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

from lutloom.qat.errors import TrainingError
from lutloom.qat.quantization import (
    ACTIVATION_BITS,
    WEIGHT_BITS,
    ActivationKind,
    ActivationSpec,
    Quantization,
    WeightKind,
    WeightSpec,
    of_bits,
)

_BITS = re.compile(r"([0-9]+)W([0-9]+)A", re.IGNORECASE)
# What an entry may be, and in words.
_Type: TypeAlias = tuple[tuple[type, ...], str]
_TABLE = ("weights", "activations", "layers")
_EXAMPLE = '{kind = "lsq", bits = 4}'
# Their papers have a scale for each channel.
_PER_CHANNEL = {WeightKind.XNOR, WeightKind.A2Q}
_WHOLE: _Type = ((int,), "an integer")
_TRUTH: _Type = ((bool,), "true or false")
_NUMBER: _Type = ((int, float), "a number")
_WEIGHT_TYPES = {"bits": _WHOLE, "per_channel": _TRUTH, "accumulator_bits": _WHOLE}
_ACTIVATION_TYPES = {"bits": _WHOLE, "per_channel": _TRUTH, "limit": _NUMBER}


@dataclass(frozen=True, slots=True)
class _Word:
    """What names a kind, the bits that it can have, and what need not be said of it."""

    kind: WeightKind | ActivationKind
    bits: tuple[int, int]

    @property
    def defaults(self) -> dict[str, Any]:
        least, most = self.bits
        found: dict[str, Any] = {"bits": least} if least == most else {}
        return found | ({"per_channel": True} if self.kind in _PER_CHANNEL else {})


_WEIGHTS = {kind.value: _Word(kind, bits) for kind, bits in WEIGHT_BITS.items()} | {
    "binary": _Word(WeightKind.CONSTANT, (1, 1))
}
_ACTIVATIONS = {kind.value: _Word(kind, bits) for kind, bits in ACTIVATION_BITS.items()} | {
    "sign": _Word(ActivationKind.SIGNED, (1, 1))
}
_Spec = TypeVar("_Spec", WeightSpec, ActivationSpec)


def parse_quantization(
    text: Mapping[str, object] | str,
    *,
    kind: ActivationKind = ActivationKind.RELU,
    default: Quantization | None = None,
    key: str = "quantization",
) -> Quantization:
    """Return what a name's bits or a recipe's table say.

    ``kind`` is what activations of two bits and more are if only their bits are given. What a table
    leaves out is as in ``default``, whose overrides come first. Errors name the entry behind
    ``key``. Raises :class:`TrainingError` for what can't be meant.
    """
    if isinstance(text, str):
        return _of_name(text, kind, key)
    _check_keys(text, _TABLE, key)
    for name in ("weights", "activations"):
        if name not in text and default is None:
            raise TrainingError(f"{key} has no {name}: name a kind, or write {_EXAMPLE}")
    weights, activations = _specs(text, key)
    weights_of, activations_of = _layers(text.get("layers", {}), f"{key}.layers")
    if default is not None:
        weights, activations = weights or default.weights, activations or default.activations
        weights_of = _behind(default.weight_overrides, weights_of)
        activations_of = _behind(default.activation_overrides, activations_of)
    assert weights is not None, "checked above"
    assert activations is not None, "checked above"
    return Quantization(weights, activations, weights_of, activations_of)


def quantization_table(quantization: Quantization) -> dict[str, object]:
    """Return the table that :func:`parse_quantization` makes the same quantization of.

    Raises ValueError for that of a part of a net, which has a place, and for overrides of weights
    and of activations whose patterns are in two orders.
    """
    if quantization.prefix:
        raise ValueError(f"{quantization.prefix} is a part of a net: write the whole net's")
    weights, activations = quantization.weight_overrides, quantization.activation_overrides
    order: TopologicalSorter[str] = TopologicalSorter()
    for names in (list(weights), list(activations)):
        for name in names:
            order.add(name)
        for before, behind in pairwise(names):
            order.add(behind, before)
    try:
        patterns = list(order.static_order())
    except CycleError as error:
        raise ValueError(f"layers in two orders can't be one table: {error.args[1]}") from error
    layers = {
        pattern: {
            name: _spec_table(specs[pattern])
            for name, specs in (("weights", weights), ("activations", activations))
            if pattern in specs
        }
        for pattern in patterns
    }
    table: dict[str, object] = {
        "weights": _spec_table(quantization.weights),
        "activations": _spec_table(quantization.activations),
    }
    return table | ({"layers": layers} if layers else {})


def _behind(first: Mapping[str, _Spec], then: Mapping[str, _Spec]) -> dict[str, _Spec]:
    """Return the overrides of both; of two for a pattern the latter, in its place."""
    return {name: spec for name, spec in first.items() if name not in then} | dict(then)


def _of_name(name: str, kind: ActivationKind, key: str) -> Quantization:
    found = _BITS.fullmatch(name.strip())
    if found is None:
        raise TrainingError(
            f"{key} is {name!r}: say the bits of weights and activations as 1W2A, or write a table"
        )
    weights, activations = map(int, found.groups())
    try:
        return of_bits(weights, activations, kind)
    except TrainingError as error:
        raise TrainingError(f"{key} is {name!r}: {error}") from error


def _specs(
    table: Mapping[str, object], key: str
) -> tuple[WeightSpec | None, ActivationSpec | None]:
    weights = activations = None
    if "weights" in table:
        weights = _spec(WeightSpec, _WEIGHTS, table["weights"], f"{key}.weights")
    if "activations" in table:
        activations = _spec(
            ActivationSpec, _ACTIVATIONS, table["activations"], f"{key}.activations"
        )
    return weights, activations


def _layers(layers: object, key: str) -> tuple[dict[str, WeightSpec], dict[str, ActivationSpec]]:
    if not isinstance(layers, Mapping):
        raise TrainingError(f'{key} is {layers!r}: write a table for each pattern, as "conv0*"')
    weights: dict[str, WeightSpec] = {}
    activations: dict[str, ActivationSpec] = {}
    for pattern, table in layers.items():
        here = f'{key}."{pattern}"'
        if not isinstance(table, Mapping) or not table:
            raise TrainingError(f"{here} is {table!r}: write a table with weights or activations")
        _check_keys(table, _TABLE[:2], here)
        of_weights, of_activations = _specs(table, here)
        if of_weights is not None:
            weights[pattern] = of_weights
        if of_activations is not None:
            activations[pattern] = of_activations
    return weights, activations


def _spec(spec: Callable[..., _Spec], words: Mapping[str, _Word], text: object, key: str) -> _Spec:
    """Return the spec that a word or a table says, with the defaults of its kind."""
    table = {"kind": text} if isinstance(text, str) else text
    if not isinstance(table, Mapping):
        raise TrainingError(f"{key} is {text!r}: name a kind, or write {_EXAMPLE}")
    types: Mapping[str, _Type] = _WEIGHT_TYPES if words is _WEIGHTS else _ACTIVATION_TYPES
    _check_keys(table, ("kind", *types), key)
    if "kind" not in table:
        raise TrainingError(f"{key} has no kind: use one of {', '.join(words)}")
    name = table["kind"]
    if not isinstance(name, str) or name not in words:
        close = get_close_matches(str(name), words, n=1)
        nearest = f" (did you mean {close[0]}?)" if close else ""
        raise TrainingError(f"{key} is of kind {name!r}{nearest}: use one of {', '.join(words)}")
    word = words[name]
    values = {**word.defaults, **{entry: table[entry] for entry in table if entry != "kind"}}
    for entry, value in values.items():
        allowed, legal = types[entry]
        # true is an int of Python, too
        if type(value) not in allowed:
            raise TrainingError(f"{key}.{entry} is {value!r}: use {legal}")
    least, most = word.bits
    if "bits" not in values:
        raise TrainingError(f"{key} has no bits: use {least} to {most}, as in {_EXAMPLE}")
    if not least <= values["bits"] <= most:
        use = f"{least}" if least == most else f"{least} to {most}"
        raise TrainingError(f"{key}.bits is {values['bits']}: use {use}")
    try:
        return spec(word.kind, **values)
    except TrainingError as error:
        raise TrainingError(f"{key}: {error}") from error


def _check_keys(table: Mapping[str, object], known: tuple[str, ...], key: str) -> None:
    for name in table:
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            nearest = f" (did you mean {close[0]}?)" if close else ""
            raise TrainingError(f"{key}.{name} is not known{nearest}: use {', '.join(known)}")


def _spec_table(spec: WeightSpec | ActivationSpec) -> dict[str, object]:
    """Return the entries of a spec, without those that are as by default."""
    words = _WEIGHTS if isinstance(spec, WeightSpec) else _ACTIVATIONS
    word = words[spec.kind.value]
    table: dict[str, object] = {"kind": spec.kind.value}
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name != "kind" and value != word.defaults.get(field.name, field.default):
            table[field.name] = value
    return table
