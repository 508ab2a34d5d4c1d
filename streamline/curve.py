"""Curves made of formulas: one function more, or two functions of one value (a diamond)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.streamline.align import compact
from lutloom.streamline.border_classes import in_one_form
from lutloom.streamline.expression import Apply, Argument, Expression, Function, Numbers
from lutloom.streamline.symbols import Curve, Fork, Scaled

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Trail


def number(x: Formula, value: Fraction | int) -> Numbers:
    """Return one rational for the whole tensor."""
    import numpy as np

    return Numbers(np.full((1,) * len(x.shape), Fraction(value), dtype=object))


def expression_of(node: SourceNode, x: Formula) -> Expression:
    """Return what ``x`` is of its value, on behalf of ``node``."""
    if isinstance(x, Curve):
        return x.expression
    result = affine(len(x.shape), Argument(), x.slope, x.offset)
    for bounds, function in ((x.lower, Function.MAXIMUM), (x.upper, Function.MINIMUM)):
        if bounds is not None:
            result = Apply(function, (result, _bound(result, bounds)), node)
    return result


def _bound(x: Expression, bounds: Rationals) -> Expression:
    """Return ``bounds``, and ``x`` itself where one is absent: it limits nothing."""
    import numpy as np

    zero, one = Fraction(0), Fraction(1)
    if all(bound is not None for bound in bounds.ravel().tolist()):
        return Numbers(bounds)
    present = np.frompyfunc(lambda bound: zero if bound is None else bound, 1, 1)(bounds)
    own = np.frompyfunc(lambda bound: one if bound is None else zero, 1, 1)(bounds)
    factor, addend = (Numbers(np.asarray(array, dtype=object)) for array in (own, present))
    return Apply(Function.ADD, (Apply(Function.MULTIPLY, (x, factor)), addend))


def affine(rank: int, x: Expression, slope: Rationals, offset: Rationals) -> Expression:
    """Return ``slope * x + offset``; a single number is given ``rank`` axes."""
    for numbers, neutral, function in ((slope, 1, Function.MULTIPLY), (offset, 0, Function.ADD)):
        if any(entry != neutral for entry in numbers.ravel()):
            wide = numbers.reshape((1,) * rank) if not numbers.ndim else numbers
            x = Apply(function, (x, Numbers(wide)))
    return x


def curve(node: SourceNode, x: Formula, expression: Expression) -> Curve:
    """Return ``expression`` of the value of ``x``, one node further."""
    return Curve(x.value, x.axes, x.shape, expression, x.root, (*x.trail, node), x.classes)


def are_of_one_value(left: Formula, right: Formula) -> bool:
    """Whether both are functions of the same value, element by element."""
    return (left.value, left.axes, left.shape, left.root) == (
        right.value,
        right.axes,
        right.shape,
        right.root,
    )


def diamond(node: SourceNode, function: Function, left: Formula, right: Formula) -> Formula:
    """Return ``function`` of two functions of one value; sums of affine ones are affine again."""
    trail = forked(node, left.trail, right.trail)
    left, right = in_one_form(node, left, right)
    match left, right:
        case Scaled(is_clamped=False), Scaled(is_clamped=False) if function in _SIGNS:
            sign = _SIGNS[function]
            slope, offset = (
                compact(a + sign * b)
                for a, b in ((left.slope, right.slope), (left.offset, right.offset))
            )
            return replace(left, slope=slope, offset=offset, trail=trail)
    expression = Apply(function, (expression_of(node, left), expression_of(node, right)), node)
    return Curve(left.value, left.axes, left.shape, expression, left.root, trail, left.classes)


_SIGNS = {Function.ADD: 1, Function.SUBTRACT: -1}


def forked(node: SourceNode, left: Trail, right: Trail) -> Trail:
    """Return the trail of what ``node`` makes of the ends of two trails that begin at one value."""
    shared = 0
    for a, b in zip(left, right, strict=False):
        if a is not b:
            break
        shared += 1
    return (*left[:shared], Fork(node, left[shared:], right[shared:]))
