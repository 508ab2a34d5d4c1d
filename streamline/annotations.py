"""What a file says of its tensors besides their numbers: ``finn_datatype``, as FINN writes it.

The type of the model's input is taken at its word: its integers arrive as they are. So is a note of
our exporter, which gives them a scale, too (:mod:`lutloom.core.input_note`). The types of
constants are checked, since whoever wrote them computed with what they say. The others follow
from the model itself, and are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutloom.core.input_note import note_key, read_note
from lutloom.streamline.errors import ModelError, show
from lutloom.streamline.finn_datatypes import datatype_named

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from lutloom.core.types import IntType
    from lutloom.streamline.source import Port, Source


def annotated_input(source: Source, port: Port) -> IntType | None:
    """Return the integers that the input is annotated with; float types say nothing.

    Raises ``ModelError`` for a type that is not known.
    """
    name = source.datatypes.get(port.name, "FLOAT32")
    if name.upper().startswith("FLOAT"):
        return None
    type_ = datatype_named(name)
    if type_ is None:
        raise ModelError(
            f"{source.path}: the input {show(port.name)} is annotated as {show(name)}, which is no"
            " integer type known here; annotate it as UINT8 or the like, or pass --input-type"
        )
    return type_


def noted_input(source: Source, port: Port) -> tuple[IntType, Fraction] | None:
    """Return the integers that the file's metadata note for the input, and their scale.

    Raises ``ModelError`` for a note that says nothing usable.
    """
    key = note_key(port.name)
    if key not in source.notes:
        return None
    noted = read_note(source.notes[key])
    if noted is None:
        raise ModelError(
            f"{source.path}: {show(key)} in its metadata is {show(source.notes[key])}, where it"
            " should be as 'uint8 1/255'; correct it, or say what the input holds with --input-type"
        )
    return noted


def check_input_type(
    source: Source, port: Port, given: IntType | None, *, is_scaled: bool = False
) -> None:
    """Raise ``ModelError`` if the input is annotated, and somebody says that it holds others.

    ``given`` is None for floats. ``is_scaled``: it stands for other numbers than its integers.
    """
    name = source.datatypes.get(port.name, "")
    annotated = datatype_named(name)
    if annotated is None:
        return
    if is_scaled or given is None or not _is_within(given, annotated):
        raise ModelError(
            f"{source.path}: the input {show(port.name)} is annotated as {show(name)}: it holds"
            " such integers as they are, and --input-type, --input-scale or --input-bias say"
            " otherwise; leave them out, or correct the annotation"
        )


def _is_within(given: IntType, annotated: IntType) -> bool:
    inside = annotated.lo <= given.lo and given.hi <= annotated.hi
    return inside and given.step % annotated.step == 0


def check_constants(source: Source) -> None:
    """Raise ``ModelError`` for a constant that holds what its annotated type can't."""
    for tensor, name in source.datatypes.items():
        type_ = datatype_named(name)
        if type_ is None or tensor not in source.constants:
            continue
        array = source.constants[tensor]
        if array.dtype.kind not in "iuf" or not _holds(type_, array):
            raise ModelError(
                f"{source.path}: the constant {show(tensor)} is annotated as {show(name)}, but"
                " holds other numbers; correct the annotation, or export the model again"
            )


def _holds(type_: IntType, array: NDArray[Any]) -> bool:
    """Return whether all numbers of ``array`` are of ``type_``."""
    inside = (array >= type_.lo) & (array <= type_.hi)
    return bool((inside & ((array - type_.lo) % type_.step == 0)).all())
