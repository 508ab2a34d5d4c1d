"""What injectors of several kinds share."""

from __future__ import annotations

from lutloom.qat.brevitas_parts import (
    BitWidthImplType,
    FloatToIntImplType,
    QuantType,
    SingleArgStatelessBuffer,
    ZeroZeroPoint,
)

INTEGERS = {
    "bit_width_impl_type": BitWidthImplType.CONST,
    "float_to_int_impl_type": FloatToIntImplType.ROUND,
    "quant_type": QuantType.INT,
    "zero_point_impl": ZeroZeroPoint,
}
"""Rounded to even, and no zero point."""


class One(SingleArgStatelessBuffer):  # type: ignore[misc]
    """1 for any number of bits, where a parameter is the scale itself and no largest value.

    Each quantizer has its own: a model that moves to another device takes no other one's along.
    """

    def __init__(self) -> None:
        super().__init__(1.0)


LEAST_SCALE = 2.0**-20
"""A channel of zeros has a scale as well."""
