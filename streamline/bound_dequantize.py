"""Error bounds of QuantizeLinear and DequantizeLinear: one quotient, and one product."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.streamline.bound_arithmetic import quotient
from lutloom.streamline.bounded import Bounded, rounded, without_error
from lutloom.streamline.linear_quantizers import linear_quantizer

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Floats, Operands, Tensors
    from lutloom.streamline.source import SourceNode

# A difference of integers below it, times a float32, is exact in float64.
_EXACT = 2.0**29


def divided_by_scale(node: SourceNode, operands: Operands) -> Bounded:
    """Bound ``x / scale``: what a QuantizeLinear rounds to an integer."""
    return quotient(operands[0], without_error(_constants(node, operands)[0]))


def dequantized(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Bound ``(x - zero_point) * scale``: integers, whose difference is not rounded."""
    import numpy as np

    x = operands[0]
    scale, zero_point = _constants(node, operands)
    integers = x.value - zero_point
    y = rounded(integers * scale, x.error * np.abs(scale))
    is_exact = x.is_exact and float(np.abs(integers).max(initial=0.0)) < _EXACT
    return replace(y, is_exact=is_exact)


def _constants(node: SourceNode, operands: Operands) -> tuple[Floats, Floats]:
    """Return the scale and the zero point, as they broadcast to the data."""
    import numpy as np

    scale, *others = (operand.value for operand in operands[1:])
    integers = [array.astype(np.int64) for array in others]
    shape = operands[0].value.shape
    quantizer = linear_quantizer(node, shape, [scale.astype(np.float32), *integers])
    return quantizer.scale.astype(np.float64), quantizer.zero_point.astype(np.float64)
