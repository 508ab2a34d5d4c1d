"""Functions of one value that are sums of clamps: ReLUs, LeakyReLUs, absolute values, differences.

``max(a, b)`` of affine ``a`` and ``b`` is ``max(a - b, 0) + b``, and ``|a|`` is ``max(a, -a)``.
Exact: rational arithmetic. Other functions are no sums of clamps; nothing is approximated.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.rational import rationals
from lutloom.streamline.align import compact
from lutloom.streamline.expression import Apply, Argument, Function, Numbers, parts
from lutloom.streamline.rules.clamp import clamped
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals
    from lutloom.streamline.source import SourceNode

    Pieces: TypeAlias = tuple[Scaled, ...]

# A function with more is no activation.
_MOST_PIECES = 8


def linear_pieces(node: SourceNode, x: Curve) -> Pieces | None:
    """Return clamps of the value of ``x`` that add up to ``x``; None where there are none."""
    import numpy as np

    one, zero = (np.full((1,) * len(x.shape), Fraction(n), dtype=object) for n in (1, 0))
    line = Scaled(x.value, x.axes, x.shape, one, zero, None, None, x.root, x.trail, x.classes)
    known: dict[int, Pieces | None] = {}
    for part in parts(x.expression):
        match part:
            case Argument():
                found: Pieces | None = (line,)
            case Numbers(values):
                found = (_constant(line, values),)
            case Apply():
                operands = [known[id(operand)] for operand in part.operands]
                whole = [operand for operand in operands if operand is not None]
                found = _applied(node, part, whole) if len(whole) == len(operands) else None
        known[id(part)] = found if found is None or len(found) <= _MOST_PIECES else None
    return known[id(x.expression)]


def _constant(line: Scaled, values: Rationals) -> Scaled:
    import numpy as np

    wide = values.reshape((1,) * line.slope.ndim) if not values.ndim else values
    return replace(line, slope=np.asarray(line.slope * 0), offset=wide)


def _applied(node: SourceNode, part: Apply, operands: list[Pieces]) -> Pieces | None:
    first, last = operands[0], operands[-1]
    match part.function:
        case Function.ADD:
            return _sum(first, last)
        case Function.SUBTRACT:
            return _sum(first, _times(last, rationals(-1)))
        case Function.MULTIPLY if (factor := _number(last)) is not None:
            return _times(first, factor)
        case Function.MULTIPLY if (factor := _number(first)) is not None:
            return _times(last, factor)
        case Function.DIVIDE if (divisor := _number(last)) is not None and divisor.all():
            return _times(first, 1 / divisor)
        case Function.MAXIMUM:
            return _larger(node, first, last)
        case Function.MINIMUM:
            minus = rationals(-1)
            larger = _larger(node, _times(first, minus), _times(last, minus))
            return None if larger is None else _times(larger, rationals(-1))
        case Function.ABSOLUTE:
            return _larger(node, first, _times(first, rationals(-1)))
    return None


def _larger(node: SourceNode, first: Pieces, last: Pieces) -> Pieces | None:
    """Return ``max(first - last, 0) + last``, where the difference is one clamp."""
    difference = _sum(first, _times(last, rationals(-1)))
    if len(difference) != 1:
        return None
    positive = clamped(node, difference[0], Fraction(0), None)
    assert isinstance(positive, Scaled)
    return _sum((positive,), last)


def _times(pieces: Pieces, factor: Rationals) -> Pieces:
    return tuple(scale_and_shift(piece, factor, rationals(0)) for piece in pieces)


def _sum(first: Pieces, last: Pieces) -> Pieces:
    """Return all pieces; those without bounds are one, behind the others, unless it is zero."""
    import numpy as np

    every = (*first, *last)
    bounded = tuple(piece for piece in every if piece.is_clamped)
    lines = [piece for piece in every if not piece.is_clamped]
    if not lines:
        return bounded
    slope, offset = (
        compact(np.asarray(sum(arrays)))
        for arrays in zip(*((line.slope, line.offset) for line in lines), strict=True)
    )
    if len(bounded) == 1 and not slope.any():
        # A constant beside one clamp is a shift of it.
        return (scale_and_shift(bounded[0], rationals(1), offset),)
    line = replace(lines[0], slope=slope, offset=offset)
    return (*bounded, line) if slope.any() or offset.any() or not bounded else bounded


def _number(pieces: Pieces) -> Rationals | None:
    """Return the numbers that ``pieces`` stand for, if that does not depend on the value."""
    if len(pieces) != 1 or pieces[0].is_clamped or pieces[0].slope.any():
        return None
    return pieces[0].offset
