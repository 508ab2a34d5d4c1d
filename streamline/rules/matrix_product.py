"""``y[.., i, j] = sum over k of x[.., i, k] * w[.., k, j]`` of two results, as in attention.

With ``x = s p`` and ``w = t q`` it is ``s t`` times the product of the integers, where no scale
depends on ``k``. Offsets that are integer multiples of the scales are added to the integers first.
Exact: rational arithmetic.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.ops import MatMul
from lutloom.streamline.align import compact
from lutloom.streamline.border_classes import expanded
from lutloom.streamline.broadcast import of_one_rank, repeated
from lutloom.streamline.clamp_terms import integers_of
from lutloom.streamline.context import required_scaled
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered
from lutloom.streamline.rules.product import shifted
from lutloom.streamline.symbols import Scaled

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode

_MATRIX = 2


def matrix_product(node: SourceNode, inputs: Inputs, context: Context) -> Scaled:
    """Return the product of the matrices in the last two axes, leading axes broadcast.

    Raises ``ModelError`` where shapes do not fit, the batch would take part, or scales and offsets
    can't be taken out of the sum.
    """
    import numpy as np

    left, right = (_whole(node, inputs, index, context) for index in (0, 1))
    left, right = _with_shapes(node, left, right, context)
    rank = len(left.shape)
    *leading, last = range(rank)
    left = reordered(context.build, node, left, (*leading, last))
    right = reordered(context.build, node, right, (*leading[:-1], last, last - 1))
    left, right = (_integers(node, x, context) for x in (left, right))
    value = context.build.add(node, "", MatMul(), (left.value, right.value))
    return Scaled(
        value,
        tuple(range(rank)),
        (*left.shape[:-1], right.shape[-1]),
        compact(np.asarray(left.slope * right.slope.swapaxes(-1, -2))),
        np.full((1,) * rank, Fraction(0), dtype=object),
    )


def _whole(node: SourceNode, inputs: Inputs, index: int, context: Context) -> Scaled:
    """Return a factor, which must be integers in disguise."""
    x = required_scaled(node, inputs, index, "a product")
    return integers_of(node, x, context.build)


def _with_shapes(
    node: SourceNode, left: Scaled, right: Scaled, context: Context
) -> tuple[Scaled, Scaled]:
    """Return both factors with equal leading axes."""
    shapes = f"{['N', *left.shape]} and {['N', *right.shape]}"
    if min(len(left.shape), len(right.shape)) < _MATRIX:
        raise ModelError(
            f"{node} multiplies results of the shapes {shapes}, which mixes images of a batch:"
            " both should be matrices behind their batch"
        )
    left, right = of_one_rank(node, left, right, context)
    sizes = tuple(zip(left.shape[:-2], right.shape[:-2], strict=True))
    if left.shape[-1] != right.shape[-2] or any(a != b and 1 not in (a, b) for a, b in sizes):
        raise ModelError(
            f"{node} multiplies results of the shapes {shapes}; they should be [.., n, k] and"
            " [.., k, m], with the same sizes in front, or 1 to be repeated"
        )
    whole = tuple(max(a, b) for a, b in sizes)
    left, right = (repeated(node, x, whole + x.shape[-2:], context) for x in (left, right))
    return left, right


def _integers(node: SourceNode, x: Scaled, context: Context) -> Scaled:
    """Return ``x``, whose last axis is that of the sum, with one scale along it and no offset."""
    x = shifted(node, expanded(node, x), context.build)
    if x.slope.shape[-1] > 1:
        raise ModelError(
            f"{node}: the scale of a factor varies along the dimension of the sum; quantize it with"
            " one scale for the tensor"
        )
    if x.offset.any():
        raise ModelError(
            f"{node} multiplies two results, and an offset of one of them is no integer"
            " multiple of its scale; put a quantizer behind the bias"
        )
    return x
