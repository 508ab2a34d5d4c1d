"""What injectors of several kinds share."""

from __future__ import annotations

from lutloom.qat.brevitas_parts import (
    BitWidthImplType,
    FloatToIntImplType,
    QuantType,
    ZeroZeroPoint,
)

INTEGERS = {
    "bit_width_impl_type": BitWidthImplType.CONST,
    "float_to_int_impl_type": FloatToIntImplType.ROUND,
    "quant_type": QuantType.INT,
    "zero_point_impl": ZeroZeroPoint,
}
"""Rounded to even, and no zero point."""

LEAST_SCALE = 2.0**-20
"""A channel of zeros has a scale as well."""
