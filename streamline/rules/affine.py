"""Add, Sub, Mul, Div and Neg: exact affine maps of a real, and the sum of two branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.rational import rationals
from lutloom.streamline.align import aligned
from lutloom.streamline.context import required
from lutloom.streamline.errors import ModelError
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.rules.join import join
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.symbols import Constant, Scaled

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol


def add(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x + c``, or the sum of two branches."""
    return _with_constant(node, inputs, context, scale=1, sign=1)


def sub(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x - c``, ``c - x``, or the difference of two branches."""
    return _with_constant(node, inputs, context, scale=1, sign=-1)


def _with_constant(
    node: SourceNode, inputs: Inputs, context: Context, *, scale: int, sign: int
) -> Symbol:
    import numpy as np

    left, right = required(node, inputs, 0), required(node, inputs, 1)
    match left, right:
        case Scaled(), Constant():
            shift = aligned(node, left, right.reals(), "addend")
            return scale_and_shift(left, rationals(scale), np.asarray(shift * sign)).after(node)
        case Constant(), Scaled():
            shift = aligned(node, right, left.reals(), "addend")
            return scale_and_shift(right, rationals(scale * sign), shift).after(node)
        case Scaled(), Scaled():
            return join(node, left, right, context, sign=sign)
        case _:
            return host_only(node, inputs, context)


def mul(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x * c``."""
    left, right = required(node, inputs, 0), required(node, inputs, 1)
    match left, right:
        case (Scaled() as x, Constant() as factor) | (Constant() as factor, Scaled() as x):
            factors = aligned(node, x, factor.reals(), "factor")
            return scale_and_shift(x, factors, rationals(0)).after(node)
        case _:
            return host_only(node, inputs, context)


def div(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x / c``; ``c / x`` has no integer form.

    Raises ``ModelError`` for a division by zero.
    """
    import numpy as np

    left, right = required(node, inputs, 0), required(node, inputs, 1)
    match left, right:
        case Scaled(), Constant():
            divisor = aligned(node, left, right.reals(), "divisor")
            if 0 in divisor.ravel():
                raise ModelError(f"{node} divides by zero: train or export the model again")
            return scale_and_shift(left, np.asarray(1 / divisor), rationals(0)).after(node)
        case _:
            return host_only(node, inputs, context)


def neg(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``-x``."""
    x = required(node, inputs, 0)
    if not isinstance(x, Scaled):
        return host_only(node, inputs, context)
    return scale_and_shift(x, rationals(-1), rationals(0)).after(node)
