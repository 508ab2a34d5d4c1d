"""What a model's file notes of an input: the integers that stand for its floats.

``uint8 1/255`` under the key ``lutloom.input.pixels`` says that the floats of ``pixels`` are bytes
times 1/255. The exporter writes it into the metadata of the ONNX file, where other programs pass
over it.
"""

from __future__ import annotations

from fractions import Fraction

from lutloom.core.number_text import integers_of, rational_of
from lutloom.core.types import IntType

BYTES = "uint8"
"""The integers of images, as a note calls them."""


def note_key(name: str) -> str:
    """Return the key of the metadata under which the input ``name`` has its note."""
    return f"lutloom.input.{name}"


def write_note(integers: str, scale: Fraction) -> str:
    """Return the note that an input is ``scale`` times ``integers``: ``uint8``, ``0..9``, ..."""
    return f"{integers} {scale}"


def read_note(text: str) -> tuple[IntType, Fraction] | None:
    """Return the integers and the scale that a note says; None where it is none."""
    integers, _, number = text.partition(" ")
    type_, scale = integers_of(integers), rational_of(number)
    return None if type_ is None or not scale else (type_, scale)
