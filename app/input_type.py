"""The options that say what integers a model's input holds."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.errors import LutloomError
from lutloom.core.types import BIPOLAR, IntType

if TYPE_CHECKING:
    from lutloom.streamline.importer import RawInput

_MOST_BITS = 32
_LONGEST_NUMBER = 100
_BEYOND = Fraction(2**128)
"""No float32 is as large as this."""


class InputTypeError(LutloomError, ValueError):
    """An ``--input-...`` option that says nothing usable."""


def raw_input(
    input_type: str | None, input_scale: str | None, input_bias: str | None
) -> RawInput | None:
    """Return what the three options say together; None where none is given.

    ``input_type`` is ``uint8``, ``int4``, ..., or ``bipolar``. Scale and bias are exact rationals
    such as ``1/255`` or ``0.5``, or one a channel, with commas.

    Raises ``InputTypeError`` for anything else.
    """
    if input_type is None:
        if input_scale is not None or input_bias is not None:
            raise InputTypeError("--input-scale and --input-bias need --input-type, such as uint8")
        return None
    from lutloom.streamline.importer import RawInput

    return RawInput(
        _type(input_type),
        _rationals("--input-scale", "1" if input_scale is None else input_scale),
        _rationals("--input-bias", "0" if input_bias is None else input_bias),
    )


def _type(name: str) -> IntType:
    if name.lower() == "bipolar":
        return BIPOLAR
    found = re.fullmatch(r"(u?)int([1-9][0-9]?)", name.lower())
    if found is None or int(found[2]) > _MOST_BITS:
        raise InputTypeError(
            f"--input-type is '{name}': use uint8, int8, uint1 to int32, or bipolar"
        )
    bits = int(found[2])
    if found[1]:
        return IntType(0, 2**bits - 1)
    return IntType(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _rationals(option: str, text: str) -> tuple[Fraction, ...]:
    numbers = []
    for part in text.split(","):
        number = _rational(part.strip())
        if number is None or abs(number) >= _BEYOND:
            raise InputTypeError(
                f"{option} is '{text[:_LONGEST_NUMBER]}': use a number such as 1/255 or 0.5, or one"
                " a channel, with commas"
            )
        numbers.append(number)
    return tuple(numbers)


def _rational(text: str) -> Fraction | None:
    # Exponents of many digits are numbers of as many more, all of which would be computed.
    if len(text) > _LONGEST_NUMBER or re.search(r"[eE][+-]?[0-9_]{4}", text):
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
