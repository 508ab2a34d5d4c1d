"""Error bounds of the arithmetic: sums, products, quotients, dot products, batch normalization.

A sum of n products in any order is off by at most gamma_n * sum |w x|, gamma_n = n u / (1 - n u),
of that very output's operands; by nothing where all products are multiples of one power of two, and
their magnitudes add up to less than 2^24 of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lutloom.streamline.bounded import (
    TINY,
    Bounded,
    U,
    is_float32,
    rounded,
    shifted,
)
from lutloom.streamline.error_free import lost_by_adding
from lutloom.streamline.rules.batch_norm import epsilon_of

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Floats, Operands, Tensors
    from lutloom.streamline.source import SourceNode


def add(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """Bound ``a + b``."""
    left, right = operands
    return shifted(left, right.value, right.error)


def subtract(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """Bound ``a - b``."""
    left, right = operands
    return shifted(left, -right.value, right.error)


def negate(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """Bound ``-a``: never rounded."""
    (x,) = operands
    return Bounded(-x.value, x.error, x.is_exact)


def multiply(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """Bound ``a * b``, whether their errors are independent or not."""
    import numpy as np

    left, right = operands
    inherited = (
        np.abs(left.value) * right.error
        + np.abs(right.value) * left.error
        + left.error * right.error
    )
    # Where neither has an error both are float32: float64 holds their product.
    return rounded(left.value * right.value, inherited)


def divide(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """Bound ``a / b``; without a bound where ``b`` may be zero."""
    left, right = operands
    return quotient(left, right)


def quotient(left: Bounded, right: Bounded) -> Bounded:
    """Return ``left / right``: ``|a/b - a'/b'| <= (e_a + |a/b| e_b) / (|b| - e_b)``."""
    import numpy as np

    value = left.value / right.value
    least = np.abs(right.value) - right.error
    inherited = (left.error + np.abs(value) * right.error) / least
    inherited = np.where(least > 0, inherited, np.inf)
    return rounded(value, inherited, value * right.value - left.value)


def sum_of(_: SourceNode, operands: Operands, tensors: Tensors) -> Bounded:
    """Bound the sum of any number of addends, in any order."""
    import numpy as np

    if len(operands) == 1:
        return operands[0]
    if len(operands) == 2:
        return add(_, operands, tensors)
    inherited = sum_arrays([x.error for x in operands])
    magnitude = sum_arrays([np.abs(x.value) for x in operands])
    gamma = len(operands) * U / (1 - len(operands) * U)
    value = sum_arrays([x.value for x in operands])
    return Bounded(value, inherited + gamma * (magnitude + inherited) + len(operands) * TINY)


def mean_of(node: SourceNode, operands: Operands, tensors: Tensors) -> Bounded:
    """Divide the sum by the number of addends."""
    import numpy as np

    total = sum_of(node, operands, tensors)
    count = np.float64(len(operands))
    return quotient(total, Bounded(np.asarray(count), np.zeros(())))


def sum_arrays(arrays: Sequence[Floats]) -> Floats:
    """Return the sum of arrays that broadcast."""
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return total


def batch_norm(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Bound both usual orders of evaluation: ``(x - m) * s + b`` and ``x * s + (b - m * s)``.

    ``s = gamma / sqrt(var + eps)`` takes three roundings, each term at most six in all. There is no
    error where no intermediate result of either order is rounded.
    """
    import numpy as np

    x = operands[0]
    column = (1, -1, *[1] * (x.value.ndim - 2))
    gamma, beta, mean, variance = (operand.value.reshape(column) for operand in operands[1:5])
    epsilon = np.asarray(epsilon_of(node))
    square = variance + epsilon
    root = np.sqrt(square)
    scale = gamma / root
    centred = x.value - mean
    value = centred * scale + beta
    terms = (np.abs(x.value) + np.abs(mean)) * np.abs(scale) + np.abs(beta)
    inherited = np.abs(scale) * x.error
    bound = inherited * (1 + 8 * U) + 8 * (U * terms + TINY)
    if any(operand.error.any() for operand in operands[1:5]):
        # Constants that are off themselves, by 64 u at most, each in one factor of a term.
        return Bounded(value, bound * (1 + 2**-10) + 4 * 64 * U * terms)
    shift = beta - mean * scale
    is_exact = (x.error == 0) & is_float32(value)
    for step in (square, root, scale, mean * scale, shift, x.value * scale, centred):
        is_exact = is_exact & is_float32(step)
    is_exact = is_exact & is_float32(centred * scale)
    # A float64 that is a float32 number may still be a rounding of what is none.
    is_exact = is_exact & (root * root == square) & (scale * root == gamma)
    for left, right in (
        (variance, epsilon),
        (x.value, -mean),
        (beta, -mean * scale),
        (centred * scale, beta),
    ):
        is_exact = is_exact & (lost_by_adding(left, right) == 0)
    return Bounded(value, np.where(is_exact, 0.0, bound))


def matmul(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """Bound ``x @ w``, of matrices and vectors as NumPy has it."""
    left, right = operands
    return dot(left, right)


def gemm(node: SourceNode, operands: Operands, tensors: Tensors) -> Bounded:
    """Bound ``alpha * x @ w + beta * c``."""
    left, right = (
        Bounded(x.value.T, x.error.T) if node.integer(name, 0) else x
        for name, x in zip(("transA", "transB"), operands, strict=False)
    )
    y = _scaled_by(dot(left, right), node.number("alpha", 1.0))
    if len(operands) > 2:
        y = add(node, [y, _scaled_by(operands[2], node.number("beta", 1.0))], tensors)
    return y


def _scaled_by(x: Bounded, factor: float) -> Bounded:
    if factor == 1.0:
        return x
    return rounded(x.value * factor, x.error * abs(factor))


def xnor_popcount(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """Bound ``(K + (2 x - 1) @ (2 w - 1)) / 2``: how many of K bits are equal."""
    import numpy as np

    x, weights = (Bounded(2 * bits.value - 1, 2 * bits.error) for bits in operands)
    fan_in = np.asarray(float(x.value.shape[-1]))
    y = shifted(dot(x, weights), fan_in, np.zeros(()))
    return Bounded(y.value / 2, y.error / 2 + TINY * (y.error > 0))


def dot(x: Bounded, weights: Bounded) -> Bounded:
    """Return the matrix product of ``x [..., n]`` and ``weights [..., n, m]``."""
    import numpy as np

    fan_in = x.value.shape[-1]
    value = np.matmul(x.value, weights.value)
    magnitude = np.matmul(np.abs(x.value), np.abs(weights.value))
    inherited = np.zeros_like(value)
    if x.error.any():
        inherited = np.matmul(x.error, np.abs(weights.value) + weights.error)
    if weights.error.any():
        inherited = inherited + np.matmul(np.abs(x.value), weights.error)
    axis = max(weights.value.ndim - 2, 0) if weights.value.ndim > 1 else None
    step = grid_of(x.value) * grid_of(weights.value, axis)
    return summed(value, magnitude, inherited, fan_in, step)


def summed(value: Floats, magnitude: Floats, inherited: Floats, terms: int, step: Any) -> Bounded:  # noqa: ANN401 - a number or an array
    """Return sums of so many ``terms``, whose magnitudes add up to ``magnitude``, in any order.

    The terms, without the ``inherited`` errors, are multiples of ``step``.
    """
    import numpy as np

    gamma = terms * U / (1 - terms * U) if terms * U < 1 else np.inf
    is_exact = (inherited == 0) & (magnitude < 2.0**24 * step) & (step >= TINY)
    bound = inherited * (1 + gamma) + gamma * magnitude + terms * TINY
    bound = np.where(magnitude + inherited >= 2.0**127, np.inf, bound)
    return Bounded(value, np.where(is_exact, 0.0, bound))


def averaged(total: Bounded, count: Floats) -> Bounded:
    """Divide a sum by ``count``, or multiply it by the float32 next to ``1 / count``.

    There is no error if it has none, and ``count`` is a power of two.
    """
    import numpy as np

    value = total.value / count
    inherited = total.error / count
    is_exact = (inherited == 0) & (np.frexp(count)[0] == 0.5) & is_float32(value)
    bound = inherited + 3 * U * (np.abs(value) + inherited) + TINY
    return Bounded(value, np.where(is_exact, 0.0, bound))


def grid_of(values: Floats, axes: int | tuple[int, ...] | None = None) -> Any:  # noqa: ANN401 - a number or an array
    """Return the largest power of two of which all ``values`` (along ``axes``) are multiples.

    It is infinite where all are zero.
    """
    import numpy as np

    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)
    steps = np.where(whole == 0, np.inf, np.ldexp(lowest, exponent - 53))
    return steps.min(axis=axes, keepdims=axes is not None, initial=np.inf)
