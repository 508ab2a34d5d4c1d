"""What an expression can be over ranges of integers: many at once in float64, or one exactly.

The expression is first written as a list of instructions, equal ones once. A product of something
with itself is its square, which knows that it is not negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from lutloom.streamline import exact_intervals, interval_functions, intervals
from lutloom.streamline.derivative import Dual, derived
from lutloom.streamline.errors import ModelError
from lutloom.streamline.exact_intervals import ExactInterval, TooWideError, UndefinedError
from lutloom.streamline.expression import Apply, Argument, Expression, Function, Numbers, parts
from lutloom.streamline.intervals import Interval, point

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from lutloom.streamline.error_free import Bools
    from lutloom.streamline.source import SourceNode

    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A rational for each channel, or one for all, and the floats around it."""

    exact: tuple[Fraction, ...]
    lo: NDArray[np.float64]
    hi: NDArray[np.float64]
    is_open: Bools


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """``function(*operands)``, the operands being the numbers of earlier instructions."""

    function: Function
    operands: tuple[int, ...]
    exponent: Fraction
    node: SourceNode | None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """An expression as a list; None stands for the integer, and the last entry is the result."""

    instructions: tuple[_Table | _Call | None, ...]

    @property
    def channels(self) -> int:
        """For how many channels there are numbers: 1 where all share them."""
        tables = (entry for entry in self.instructions if isinstance(entry, _Table))
        return max((len(table.exact) for table in tables), default=1)


def program_of(expression: Expression) -> Program:
    """Return ``expression`` as instructions; its arrays vary along their last axis at most."""
    instructions: list[_Table | _Call | None] = []
    numbers: dict[Hashable, int] = {}
    place: dict[int, int] = {}
    for part in parts(expression):
        key: Hashable
        made: _Table | _Call | None
        match part:
            case Argument():
                key, made = None, None
            case Numbers(values):
                exact = tuple(values.reshape(-1).tolist())
                key, made = exact, _table(exact) if exact not in numbers else None
            case Apply():
                made = _call(part, tuple(place[id(operand)] for operand in part.operands))
                key = (made.function, made.operands, made.exponent)
        if key not in numbers:
            numbers[key] = len(instructions)
            instructions.append(made)
        place[id(part)] = numbers[key]
    # A result that an earlier part equals is that part.
    return Program(tuple(instructions[: place[id(expression)] + 1]))


def _table(exact: tuple[Fraction, ...]) -> _Table:
    around = [intervals.rational(value) for value in exact]
    lo, hi, is_open = (np.array(column) for column in zip(*around, strict=True))
    return _Table(exact, lo, hi, is_open)


def _call(part: Apply, operands: tuple[int, ...]) -> _Call:
    if part.function is Function.MULTIPLY and operands[0] == operands[1]:
        return _Call(Function.POWER, operands[:1], Fraction(2), part.node)
    return _Call(part.function, operands, part.exponent, part.node)


def enclose(program: Program, channel: Ints, lo: Ints, hi: Ints) -> tuple[Interval, Bools, Bools]:
    """Enclose the program's results over the integers ``lo[i] .. hi[i]`` of ``channel[i]``.

    Also returns where some, and where surely all of the integers have no real result.
    """
    somewhere = np.zeros(lo.shape, dtype=np.bool_)
    everywhere = np.zeros(lo.shape, dtype=np.bool_)
    results: list[Interval] = []
    with np.errstate(all="ignore"):
        for instruction in program.instructions:
            match instruction:
                case None:
                    results.append(intervals.integers(lo, hi))
                case _Table():
                    results.append(_numbers(instruction, channel))
                case _Call(function=Function.PI):
                    results.append(intervals.pi_of(lo.shape))
                case _Call(function, places, exponent):
                    operands = tuple(results[place] for place in places)
                    some, every = interval_functions.outside(function, operands, exponent)
                    somewhere |= some
                    everywhere |= every
                    results.append(interval_functions.apply(function, operands, exponent))
    return results[-1], somewhere, everywhere


def is_monotone(program: Program, channel: Ints, lo: Ints, hi: Ints) -> Bools:
    """Return where the program surely does not fall, or does not rise, from ``lo`` to ``hi``."""
    zero = point(np.zeros(lo.shape))
    results: list[Dual] = []
    with np.errstate(all="ignore"):
        for instruction in program.instructions:
            match instruction:
                case None:
                    results.append((intervals.integers(lo, hi), point(np.ones(lo.shape))))
                case _Table():
                    results.append((_numbers(instruction, channel), zero))
                case _Call(function=Function.PI):
                    results.append((intervals.pi_of(lo.shape), zero))
                case _Call(function, places, exponent):
                    operands = tuple(results[place] for place in places)
                    results.append(derived(function, operands, exponent))
    _, slope = results[-1]
    return np.asarray((slope.lo >= 0) | (slope.hi <= 0))


def estimate(program: Program, channel: Ints, x: Ints) -> NDArray[np.float64]:
    """Return about what the program gives for ``x``: a guess that nothing may rest on."""
    results: list[NDArray[np.float64]] = []
    with np.errstate(all="ignore"):
        for instruction in program.instructions:
            match instruction:
                case None:
                    results.append(x.astype(np.float64))
                case _Table(exact, lo):
                    results.append(lo[channel if len(exact) > 1 else np.zeros_like(channel)])
                case _Call(function=Function.PI):
                    results.append(np.full(x.shape, np.pi))
                case _Call(function, places, exponent):
                    operands = tuple(results[place] for place in places)
                    results.append(interval_functions.estimated(function, operands, exponent))
    return results[-1]


def _numbers(table: _Table, channel: Ints) -> Interval:
    index = channel if len(table.exact) > 1 else np.zeros_like(channel)
    is_open = table.is_open[index]
    return Interval(table.lo[index], table.hi[index], is_open, is_open)


def enclose_exactly(
    program: Program, channel: int, lo: int | Fraction, hi: int | Fraction, bits: int
) -> ExactInterval:
    """Enclose the program's results over ``lo .. hi``, with ``bits`` where they are no rationals.

    Raises ``ModelError`` if they have no real result, ``TooWideError`` if that can't be told.
    """
    results: list[ExactInterval] = []
    for instruction in program.instructions:
        match instruction:
            case None:
                results.append(ExactInterval(Fraction(lo), Fraction(hi)))
            case _Table(exact):
                number = exact[channel if len(exact) > 1 else 0]
                results.append(exact_intervals.point(number))
            case _Call(function, places, exponent, node):
                operands = tuple(results[place] for place in places)
                try:
                    results.append(exact_intervals.apply(function, operands, exponent, bits))
                except UndefinedError as error:
                    raise ModelError(
                        f"{node} {error}, where the integers before it can lead; keep its input"
                        " away from there (Clip) or quantize before it"
                    ) from error
                if not exact_intervals.is_writable(results[-1]):
                    raise TooWideError
    return results[-1]
