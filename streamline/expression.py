"""Real functions of one integer, element by element: what may lie between a value and a quantizer.

An expression is a graph without cycles: leaves are the integer itself and arrays of exact
rationals, one a channel or one for all; inner nodes apply a few primitives, of which everything
else is composed. It is only ever evaluated by enclosures (``intervals``, ``exact_intervals``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.rational import Rationals
    from lutloom.streamline.source import SourceNode


class Function(Enum):
    """A primitive."""

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    ABSOLUTE = "absolute"
    IS_POSITIVE = "is_positive"
    """1 above zero, else 0."""
    POWER = "power"
    EXP = "exp"
    LOG = "log"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    ERF = "erf"
    SOFTPLUS = "softplus"
    PI = "pi"
    """The number: a function of nothing."""


@dataclass(frozen=True, slots=True)
class Argument:
    """The integer."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Exact rationals, which broadcast to the value's shape (in its own order of axes)."""

    values: Rationals


@dataclass(frozen=True, slots=True, eq=False)
class Apply:
    """``function(*operands)``, on behalf of ``node`` of the model.

    Functions that are defined everywhere need no node to blame.
    """

    function: Function
    operands: tuple[Expression, ...]
    node: SourceNode | None = None
    exponent: Fraction = Fraction(1)
    """Of a power: any rational; one that is no integer means the principal root."""


Expression: TypeAlias = Argument | Numbers | Apply


def parts(expression: Expression) -> tuple[Expression, ...]:
    """Return every part of ``expression`` once, operands before what is made of them."""
    ordered: dict[int, Expression] = {}
    waiting = [(expression, False)]
    while waiting:
        part, has_operands = waiting.pop()
        if id(part) in ordered:
            continue
        if has_operands or not isinstance(part, Apply):
            ordered[id(part)] = part
            continue
        waiting.append((part, True))
        waiting.extend((operand, False) for operand in reversed(part.operands))
    return tuple(ordered.values())


def arrays_of(expression: Expression) -> tuple[Rationals, ...]:
    """Return the arrays of rationals in ``expression``."""
    return tuple(part.values for part in parts(expression) if isinstance(part, Numbers))


def with_arrays(expression: Expression, change: Callable[[Rationals], Rationals]) -> Expression:
    """Return ``expression`` with each of its arrays changed; what was shared stays shared."""
    changed: dict[int, Expression] = {}
    for part in parts(expression):
        match part:
            case Argument():
                changed[id(part)] = part
            case Numbers(values):
                changed[id(part)] = Numbers(change(values))
            case Apply(function, operands, node, exponent):
                new = tuple(changed[id(operand)] for operand in operands)
                changed[id(part)] = Apply(function, new, node, exponent)
    return changed[id(expression)]


def of(outer: Expression, inner: Expression) -> Expression:
    """Return ``outer`` of ``inner``, which takes the place of the integer."""
    changed: dict[int, Expression] = {}
    for part in parts(outer):
        match part:
            case Argument():
                changed[id(part)] = inner
            case Numbers():
                changed[id(part)] = part
            case Apply(function, operands, node, exponent):
                new = tuple(changed[id(operand)] for operand in operands)
                changed[id(part)] = Apply(function, new, node, exponent)
    return changed[id(outer)]
