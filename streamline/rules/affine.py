"""Add, Sub, Mul, Div and Neg: affine maps, functions of one value, sums and products of two."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.rational import rationals
from lutloom.streamline.align import aligned
from lutloom.streamline.context import required
from lutloom.streamline.curve import are_of_one_value, curve, diamond, expression_of, number
from lutloom.streamline.errors import ModelError
from lutloom.streamline.expression import Apply, Function, Numbers
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.rules.join import join
from lutloom.streamline.rules.product import product
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.symbols import Constant, Curve, Scaled

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol


def add(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x + c``, or the sum of two branches."""
    return _sum(node, inputs, context, 1)


def sub(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x - c``, ``c - x``, or the difference of two branches."""
    return _sum(node, inputs, context, -1)


def _sum(node: SourceNode, inputs: Inputs, context: Context, sign: int) -> Symbol:
    import numpy as np

    left, right = required(node, inputs, 0), required(node, inputs, 1)
    match left, right:
        case Scaled() | Curve(), Constant():
            shift = aligned(node, left, right.reals(), "addend")
            return scale_and_shift(left, rationals(1), np.asarray(shift * sign)).after(node)
        case Constant(), Scaled() | Curve():
            shift = aligned(node, right, left.reals(), "addend")
            return scale_and_shift(right, rationals(sign), shift).after(node)
        case Scaled() | Curve(), Scaled() | Curve() if are_of_one_value(left, right):
            function = Function.ADD if sign > 0 else Function.SUBTRACT
            return diamond(node, function, left, right)
        case Scaled() | Curve(), Scaled() | Curve():
            return join(node, left, right, context, sign=sign)
        case _:
            return host_only(node, inputs, context)


def sum_(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x``, ``x + y``, or the sum of several branches.

    Raises ``ModelError`` for three inputs or more that are no branches of different values.
    """
    if len(inputs) == 1:
        return required(node, inputs, 0)
    total, *others = (required(node, inputs, index) for index in range(len(inputs)))
    values = [x.value for x in (total, *others) if isinstance(x, Scaled)]
    # What the host or a function may have to repeat is a step of two operands.
    if others[1:] and len(set(values)) < len(inputs):
        raise ModelError(f"{node} has {len(inputs)} inputs: write it as several of two inputs")
    for other in others:
        total = add(node, (total, other), context)
    return total


def mean(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x``, ``(x + y) / 2``, or the mean of several branches."""
    total = sum_(node, inputs, context)
    if len(inputs) > 1 and isinstance(total, (Scaled, Curve)):
        share = number(total, Fraction(1, len(inputs))).values
        return scale_and_shift(total, share, rationals(0))
    return total


def mul(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x * c``, or the product of two results or of two functions of one value."""
    left, right = required(node, inputs, 0), required(node, inputs, 1)
    match left, right:
        case (Scaled() | Curve() as x, Constant() as factor) | (
            Constant() as factor,
            Scaled() | Curve() as x,
        ):
            factors = aligned(node, x, factor.reals(), "factor")
            return scale_and_shift(x, factors, rationals(0)).after(node)
        case Scaled() | Curve(), Scaled() | Curve() if are_of_one_value(left, right):
            return diamond(node, Function.MULTIPLY, left, right)
        case Scaled() | Curve(), Scaled() | Curve():
            return product(node, left, right, context)
        case _:
            return host_only(node, inputs, context)


def div(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x / c``, ``c / x``, or the quotient of two functions of one value.

    Raises ``ModelError`` for a division by a constant zero.
    """
    import numpy as np

    left, right = required(node, inputs, 0), required(node, inputs, 1)
    match left, right:
        case Scaled() | Curve(), Constant():
            divisor = aligned(node, left, right.reals(), "divisor")
            if 0 in divisor.ravel():
                raise ModelError(f"{node} divides by zero: train or export the model again")
            return scale_and_shift(left, np.asarray(1 / divisor), rationals(0)).after(node)
        case Constant(), Scaled() | Curve():
            dividend = Numbers(aligned(node, right, left.reals(), "dividend"))
            quotient = Apply(Function.DIVIDE, (dividend, expression_of(node, right)), node)
            return curve(node, right, quotient)
        case Scaled() | Curve(), Scaled() | Curve() if are_of_one_value(left, right):
            return diamond(node, Function.DIVIDE, left, right)
        case _:
            return host_only(node, inputs, context)


def neg(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``-x``."""
    x = required(node, inputs, 0)
    if not isinstance(x, (Scaled, Curve)):
        return host_only(node, inputs, context)
    return scale_and_shift(x, rationals(-1), rationals(0)).after(node)
