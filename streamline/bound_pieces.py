"""Error bounds of functions made of straight pieces: comparisons round nothing, products may.

The error of the argument goes through with the slope of its piece; where float32 holds the products
there is no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lutloom.streamline.bound_arithmetic import sum_arrays
from lutloom.streamline.bounded import TINY, Bounded, U, is_float32, rounded, shifted
from lutloom.streamline.rules.functions import attribute

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Bound, Floats, Operands, Tensors
    from lutloom.streamline.source import SourceNode


def _relu(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """Bound ``max(x, 0)``: never rounded."""
    return _between(operands[0], 0.0, float("inf"))


def _clip(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Bound ``min(max(x, lo), hi)``: never rounded."""
    import numpy as np

    lo: Any = node.attributes.get("min", -np.inf)
    hi: Any = node.attributes.get("max", np.inf)
    names = [name for name in node.inputs if name]
    for name, operand in zip(names[1:], operands[1:], strict=True):
        if node.inputs.index(name, 1) == 1:
            lo = operand.value
        else:
            hi = operand.value
    y = _between(operands[0], lo, hi)
    if not any(operand.error.any() for operand in operands[1:]):
        return y
    return Bounded(y.value, sum_arrays([x.error for x in operands]))


def _between(x: Bounded, lo: Any, hi: Any) -> Bounded:  # noqa: ANN401 - numbers or arrays
    import numpy as np

    def limited(v: Floats) -> Floats:
        return np.asarray(np.minimum(np.maximum(v, lo), hi))

    value = limited(x.value)
    change = np.maximum(
        np.abs(limited(x.value + x.error) - value), np.abs(limited(x.value - x.error) - value)
    )
    # The ends are rounded in float64: a clamp never makes an error larger.
    inner = np.where(change > 0, x.error, 0.0)
    return Bounded(value, np.where(np.isfinite(inner), inner, change), x.is_exact)


def _absolute(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    import numpy as np

    (x,) = operands
    return Bounded(np.abs(x.value), x.error, x.is_exact)


def _extreme(kind: str) -> Bound:
    """Bound the largest or the smallest of several: off by no more than those that can be it."""

    def bound(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
        import numpy as np

        sign = 1.0 if kind == "Max" else -1.0
        y = operands[0]
        for x in operands[1:]:
            lead = sign * (y.value - x.value)
            room = y.error + x.error
            error = np.where(
                lead > room, y.error, np.where(-lead > room, x.error, np.maximum(y.error, x.error))
            )
            value = np.where(lead >= 0, y.value, x.value)
            y = Bounded(value, error, y.is_exact and x.is_exact)
        return y

    return bound


def _leaky_relu(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    import numpy as np

    slope = np.asarray(float(attribute(node, "alpha")))
    return _by_sign(operands[0], Bounded(slope, np.zeros(())))


def _prelu(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    return _by_sign(operands[0], operands[1])


def _by_sign(x: Bounded, slope: Bounded) -> Bounded:
    """``x`` above zero, ``slope * x`` below: one product, which may be exact."""
    import numpy as np

    above, below = x.error, np.abs(slope.value) * x.error
    value = np.where(x.value >= 0, x.value, slope.value * x.value)
    is_above, is_below = x.value - x.error >= 0, x.value + x.error < 0
    change = np.where(is_above, above, np.where(is_below, below, np.maximum(above, below)))
    size = np.abs(x.value) + x.error
    of_slope = np.where(is_above, 0.0, slope.error * size)
    own = U * (np.abs(slope.value) + slope.error) * size + TINY
    is_exact = (change + of_slope == 0) & is_float32(value)
    error = np.where(is_above | is_exact, change, change + of_slope + own)
    return Bounded(value, error)


def _hard_sigmoid(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """``max(0, min(1, alpha x + beta))``: a product, a sum, and a clamp."""
    import numpy as np

    (x,) = operands
    alpha, beta = (float(attribute(node, name)) for name in ("alpha", "beta"))
    product = rounded(alpha * x.value, abs(alpha) * x.error)
    place = np.asarray(beta)
    return _between(shifted(product, place, np.zeros(())), 0.0, 1.0)


def _thresholded_relu(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """``x`` above ``alpha``, else 0: it jumps."""
    import numpy as np

    (x,) = operands
    alpha = float(attribute(node, "alpha"))
    value = np.where(x.value > alpha, x.value, 0.0)
    is_above, is_below = x.value - x.error > alpha, x.value + x.error <= alpha
    anywhere = np.maximum(np.abs(x.value) + x.error, abs(alpha)) + np.abs(value)
    error = np.where(is_above, x.error, np.where(is_below, 0.0, anywhere))
    return Bounded(value, np.where(x.error == 0, 0.0, error))


PIECE_BOUNDS: Mapping[str, Bound] = {
    "Abs": _absolute,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky_relu,
    "Max": _extreme("Max"),
    "Min": _extreme("Min"),
    "PRelu": _prelu,
    "Relu": _relu,
    "ThresholdedRelu": _thresholded_relu,
}
