"""The options that say what integers a model's inputs hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.errors import LutloomError
from lutloom.core.types import BIPOLAR, IntType

if TYPE_CHECKING:
    from lutloom.streamline.importer import RawInput

    ByInput: TypeAlias = str | Mapping[str, str] | None

_MOST_BITS = 32
_LONGEST_NUMBER = 100
_BEYOND = Fraction(2**128)
"""No float32 is as large as this."""


class InputTypeError(LutloomError, ValueError):
    """An ``--input-...`` option that says nothing usable."""


def raw_input(
    input_type: ByInput, input_scale: ByInput, input_bias: ByInput
) -> RawInput | dict[str, RawInput] | None:
    """Return what the three options say together; None where none is given.

    ``input_type`` is ``uint8``, ``int4``, ..., ``bipolar``, or a range: ``0..9``. Scale and
    bias are exact rationals such as ``1/255`` or ``0.5``, or one a channel, with commas. Each may
    be a mapping by the names of the model's inputs: what is returned is one then, too.

    Raises ``InputTypeError`` for anything else.
    """
    if not isinstance(input_type, Mapping):
        for option, given in (("--input-scale", input_scale), ("--input-bias", input_bias)):
            if isinstance(given, Mapping):
                raise InputTypeError(
                    f"{option} names inputs, and --input-type does not: write NAME=uint8 there, too"
                )
        assert not isinstance(input_scale, Mapping)
        assert not isinstance(input_bias, Mapping)
        return _raw_input(input_type, input_scale, input_bias)
    scales = _by_name("--input-scale", input_scale, input_type)
    biases = _by_name("--input-bias", input_bias, input_type)
    found = {}
    for name, type_ in input_type.items():
        raw = _raw_input(type_, scales.get(name), biases.get(name))
        if raw is not None:
            found[name] = raw
    return found


def by_input(items: Sequence[str] | None) -> ByInput:
    """Return what the values of an option say: one for the only input, or ``NAME=VALUE`` for each.

    Raises ``InputTypeError`` for several that have no name, or one name.
    """
    if not items:
        return None
    if len(items) == 1 and "=" not in items[0]:
        return items[0]
    found: dict[str, str] = {}
    for item in items:
        name, sign, value = item.rpartition("=")
        if not sign or name in found:
            raise InputTypeError(
                f"'{item}' is one of several values of an option: write NAME=VALUE once for each"
                " input"
            )
        found[name] = value
    return found


def _by_name(option: str, given: ByInput, types: Mapping[str, str]) -> Mapping[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not set(given) <= set(types):
        raise InputTypeError(
            f"{option} should be NAME=NUMBER, for inputs that --input-type names: {[*types]}"
        )
    return given


def _raw_input(
    input_type: str | None, input_scale: str | None, input_bias: str | None
) -> RawInput | None:
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
    if found := re.fullmatch(r"(u?)int([1-9][0-9]?)", name.lower()):
        bits = int(found[2])
        below = 0 if found[1] else 2 ** (bits - 1)
        if bits <= _MOST_BITS:
            return IntType(-below, 2**bits - 1 - below)
    if found := re.fullmatch(r"(-?[0-9]{1,10})\.\.(-?[0-9]{1,10})", name):
        lo, hi = int(found[1]), int(found[2])
        if -(2 ** (_MOST_BITS - 1)) <= lo < hi < 2**_MOST_BITS:
            return IntType(lo, hi)
    raise InputTypeError(
        f"--input-type is '{name}': use uint8, int8, uint1 to int32, bipolar, or a range such as"
        " 0..9"
    )


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
