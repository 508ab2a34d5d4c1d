"""Types of integers by the names that FINN and qonnx give them: ``UINT4``, ``BIPOLAR``, ..."""

from __future__ import annotations

from lutloom.core.types import BIPOLAR, IntType

_NAMED = {"BIPOLAR": BIPOLAR, "BINARY": IntType(0, 1), "TERNARY": IntType(-1, 1)}


def datatype_name(type_: IntType) -> str:
    """Return the name of the narrowest type that holds all integers of ``type_``.

    >>> datatype_name(IntType(-3, 4))
    'INT4'
    """
    for name, named in _NAMED.items():
        if type_ == named:
            return name
    if type_.lo >= 0:
        return f"UINT{max(1, type_.hi.bit_length())}"
    return f"INT{max(~type_.lo, type_.hi).bit_length() + 1}"


def datatype_named(name: str, most_bits: int = 32) -> IntType | None:
    """Return the integers of the type called ``name``, in any case, or None if there is none.

    >>> datatype_named("uint4")
    IntType(lo=0, hi=15, step=1)
    """
    name = name.upper()
    if name in _NAMED:
        return _NAMED[name]
    digits = name.removeprefix("U").removeprefix("INT")
    if not digits.isdecimal() or not name.endswith(f"INT{digits}"):
        return None
    if len(digits) > len(str(most_bits)) or not 1 <= int(digits) <= most_bits:
        return None
    bits = int(digits)
    if name.startswith("U"):
        return IntType(0, 2**bits - 1)
    return IntType(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
