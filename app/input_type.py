"""The options that say what integers a model's inputs hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.errors import LutloomError
from lutloom.core.number_text import LONGEST_NUMBER, integers_of, rational_of

if TYPE_CHECKING:
    from lutloom.streamline.importer import FloatInput, RawInput

    ByInput: TypeAlias = str | Mapping[str, str] | None

FLOATS = "float"
"""The type of an input that holds floats, whatever its file notes."""


class InputTypeError(LutloomError, ValueError):
    """An ``--input-...`` option that says nothing usable."""


def raw_input(
    input_type: ByInput, input_scale: ByInput, input_bias: ByInput
) -> RawInput | FloatInput | dict[str, RawInput | FloatInput] | None:
    """Return what the three options say together; None where none is given.

    ``input_type`` is ``uint8``, ``int4``, ..., ``bipolar``, or a range: ``0..9``; or ``float``,
    where the file notes integers that are not meant. Scale and bias are exact rationals such as
    ``1/255`` or ``0.5``, or one a channel, with commas. Each may be a mapping by the names of the
    model's inputs: what is returned is one then, too.

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
) -> RawInput | FloatInput | None:
    if input_type is None:
        if input_scale is not None or input_bias is not None:
            raise InputTypeError("--input-scale and --input-bias need --input-type, such as uint8")
        return None
    from lutloom.streamline.importer import FloatInput, RawInput

    if input_type == FLOATS:
        if input_scale is not None or input_bias is not None:
            raise InputTypeError(
                "--input-scale and --input-bias need integers: floats are taken as they are"
            )
        return FloatInput()
    type_ = integers_of(input_type)
    if type_ is None:
        raise InputTypeError(
            f"--input-type is '{input_type}': use uint8, int8, uint1 to int32, bipolar, a range"
            " such as 0..9, or float"
        )
    return RawInput(
        type_,
        _rationals("--input-scale", "1" if input_scale is None else input_scale),
        _rationals("--input-bias", "0" if input_bias is None else input_bias),
    )


def _rationals(option: str, text: str) -> tuple[Fraction, ...]:
    numbers = []
    for part in text.split(","):
        number = rational_of(part.strip())
        if number is None:
            raise InputTypeError(
                f"{option} is '{text[:LONGEST_NUMBER]}': use a number such as 1/255 or 0.5, or one"
                " a channel, with commas"
            )
        numbers.append(number)
    return tuple(numbers)
