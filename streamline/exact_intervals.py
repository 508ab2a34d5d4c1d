"""Enclosures in rational numbers: exact where the expression is rational, arbitrarily tight else.

The same arithmetic as in ``intervals``, one interval at a time, without a rounding: ends are
Fractions, or infinite. What leaves the rationals (``exp`` of anything but 0, the root of 2) comes
from Arb's balls, which are proved to hold the number, at the precision that is asked for. It is cut
to what is known of the function: ``tanh`` is strictly below 1 at every precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, isqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.expression import Function

if TYPE_CHECKING:
    from collections.abc import Callable

    from flint import arb

# Of an infinite end the sign is all that matters, so a float may stand for it.
End: TypeAlias = "Fraction | float"

# Exact numbers that are longer than this are given up: 128 kilobytes.
MOST_BITS = 2**20
# An exponential beyond 2^this is known by its size only: writing it down would take memory.
_MOST_EXPONENT_BITS = 2**16


@dataclass(frozen=True, slots=True)
class ExactInterval:
    """The reals from ``lo`` to ``hi``; infinite ends are open."""

    lo: End
    hi: End
    lo_open: bool = False
    hi_open: bool = False

    def __neg__(self) -> ExactInterval:
        return ExactInterval(-self.hi, -self.lo, self.hi_open, self.lo_open)

    def holds(self, number: int) -> bool:
        """Whether ``number`` lies in the interval."""
        above = self.lo < number or (self.lo == number and not self.lo_open)
        return above and (self.hi > number or (self.hi == number and not self.hi_open))


class UndefinedError(ArithmeticError):
    """A function has no real result at its operand: the message says which and where."""


class TooWideError(ArithmeticError):
    """Some operand may lie outside of the function's domain and some may not, or it is too long."""


def point(value: Fraction) -> ExactInterval:
    """Return the interval of one number."""
    return ExactInterval(value, value)


def _is_infinite(end: End) -> bool:
    return isinstance(end, float)


def _plus(a: End, b: End) -> End:
    if _is_infinite(a):
        return a
    return b if _is_infinite(b) else a + b


def _sign(end: End) -> int:
    return (end > 0) - (end < 0)


def _times(a: End, b: End) -> End:
    if _is_infinite(a) or _is_infinite(b):
        sign = _sign(a) * _sign(b)
        return sign * inf if sign else Fraction(0)
    return a * b


def _inverse(a: End) -> End:
    return Fraction(0) if _is_infinite(a) else 1 / Fraction(a)


def add(x: ExactInterval, y: ExactInterval) -> ExactInterval:
    """``x + y``."""
    return ExactInterval(
        _plus(x.lo, y.lo), _plus(x.hi, y.hi), x.lo_open or y.lo_open, x.hi_open or y.hi_open
    )


def multiply(x: ExactInterval, y: ExactInterval) -> ExactInterval:
    """``x * y``: the extremes are at corners."""
    corners = []
    for a, a_open in ((x.lo, x.lo_open), (x.hi, x.hi_open)):
        for b, b_open in ((y.lo, y.lo_open), (y.hi, y.hi_open)):
            is_attained_zero = (a == 0 and not a_open) or (b == 0 and not b_open)
            corners.append((_times(a, b), (a_open or b_open) and not is_attained_zero))
    lo = min(value for value, _ in corners)
    hi = max(value for value, _ in corners)
    return ExactInterval(
        lo,
        hi,
        all(is_open for value, is_open in corners if value == lo),
        all(is_open for value, is_open in corners if value == hi),
    )


def divide(x: ExactInterval, y: ExactInterval) -> ExactInterval:
    """``x / y``.

    Raises ``UndefinedError`` for a divisor of zero, ``TooWideError`` for one that may be zero.
    """
    if y.lo == y.hi == 0:
        raise UndefinedError("divides by zero")
    if y.holds(0):
        raise TooWideError
    lo = _inverse(y.hi) if y.hi != 0 else -inf
    hi = _inverse(y.lo) if y.lo != 0 else inf
    return multiply(x, ExactInterval(lo, hi, y.hi_open, y.lo_open))


def maximum(x: ExactInterval, y: ExactInterval) -> ExactInterval:
    """``max(x, y)``: the lower end, where both meet, needs both; the upper one either."""
    lo, hi = max(x.lo, y.lo), max(x.hi, y.hi)
    return ExactInterval(
        lo,
        hi,
        (x.lo == lo and x.lo_open) or (y.lo == lo and y.lo_open),
        (x.hi != hi or x.hi_open) and (y.hi != hi or y.hi_open),
    )


def absolute(x: ExactInterval) -> ExactInterval:
    """``|x|``."""
    positive = maximum(x, -x)
    if x.holds(0):
        return ExactInterval(Fraction(0), positive.hi, lo_open=False, hi_open=positive.hi_open)
    return positive


def is_positive(x: ExactInterval) -> ExactInterval:
    """Return 1 above zero, else 0."""
    always = x.lo > 0 or (x.lo == 0 and x.lo_open)
    return ExactInterval(Fraction(always), Fraction(x.hi > 0))


def pi_at(bits: int) -> ExactInterval:
    """Return pi."""
    from flint import arb, ctx

    with ctx.workprec(bits):
        ball = arb.pi()
    lo, hi = _fraction(ball.lower()), _fraction(ball.upper())
    return ExactInterval(lo, hi, lo_open=True, hi_open=True)


def power(x: ExactInterval, exponent: Fraction, bits: int) -> ExactInterval:
    """``x`` to a rational power.

    Raises ``UndefinedError`` and ``TooWideError`` as ``divide`` does, and for negative roots.
    """
    if exponent < 0:
        if x.lo == x.hi == 0:
            raise UndefinedError("divides by zero")
        return divide(point(Fraction(1)), power(x, -exponent, bits))
    if exponent.denominator == 1:
        count = int(exponent)
        if max(_size(x.lo), _size(x.hi)) * count > MOST_BITS:
            raise TooWideError
        base = absolute(x) if count % 2 == 0 else x
        lo, hi = (
            _sign(end) ** count * inf if _is_infinite(end) and count else Fraction(end) ** count
            for end in (base.lo, base.hi)
        )
        return ExactInterval(lo, hi, base.lo_open, base.hi_open)
    if x.hi < 0 or (x.hi == 0 and x.hi_open):
        raise UndefinedError(f"takes the power {exponent} of {_shown(x.hi)}, which is negative")
    if x.lo < 0:
        raise TooWideError
    return _monotone(
        x,
        lambda end: _rational_root(end, exponent),
        lambda ball: ball ** _ball(exponent),
        bits,
        ExactInterval(Fraction(0), inf),
    )


def _size(end: End) -> int:
    """Return how many bits it takes to write ``end`` down."""
    if isinstance(end, float):
        return 0
    return max(end.numerator.bit_length(), end.denominator.bit_length())


def is_writable(x: ExactInterval) -> bool:
    """Whether the ends of ``x`` are numbers of a moderate size."""
    return max(_size(x.lo), _size(x.hi)) <= MOST_BITS


def _rational_root(value: Fraction, exponent: Fraction) -> Fraction | None:
    """Return ``value ** exponent`` if that is rational; the denominator is a power of 2."""
    root = value
    for _ in range(exponent.denominator.bit_length() - 1):
        ends = isqrt(root.numerator), isqrt(root.denominator)
        if ends[0] ** 2 != root.numerator or ends[1] ** 2 != root.denominator:
            return None
        root = Fraction(*ends)
    return Fraction(root**exponent.numerator)


def _ball(value: Fraction) -> arb:
    from flint import arb, fmpq

    return arb(fmpq(value.numerator, value.denominator))


def _shown(value: End) -> str:
    return f"{float(value):.6g}"


def _fraction(ball: Any) -> Fraction:  # noqa: ANN401 - flint has no type for an exact ball
    mantissa, exponent = (int(part) for part in ball.man_exp())
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


def _monotone(
    x: ExactInterval,
    rational: Callable[[Fraction], Fraction | None],
    function: Callable[[Any], Any],
    bits: int,
    reach: ExactInterval,
) -> ExactInterval:
    """Return an increasing function of ``x``, at ``bits``, cut to ``reach`` (never attained)."""
    from flint import ctx

    ends: list[tuple[End, bool]] = []
    for end, is_open, limit, upwards in (
        (x.lo, x.lo_open, reach.lo, False),
        (x.hi, x.hi_open, reach.hi, True),
    ):
        if _is_infinite(end):
            ends.append((limit, True))
            continue
        exact = rational(Fraction(end))
        if exact is not None:
            ends.append((exact, is_open))
            continue
        with ctx.workprec(bits):
            ball = function(_ball(Fraction(end)))
            edge = ball.upper() if upwards else ball.lower()
        found = _fraction(edge) if edge.is_finite() else (inf if upwards else -inf)
        ends.append((min(found, limit) if upwards else max(found, limit), True))
    return ExactInterval(ends[0][0], ends[1][0], ends[0][1], ends[1][1])


def _at(argument: int, value: Fraction) -> Callable[[Fraction], Fraction | None]:
    return lambda end: value if end == argument else None


def _sigmoid(ball: Any) -> Any:  # noqa: ANN401 - see _fraction
    return 1 / (1 + (-ball).exp())


def _odd(x: ExactInterval, function: Callable[[Any], Any], bits: int) -> ExactInterval:
    """Return an odd increasing function of ``x`` between -1 and 1."""
    reach = ExactInterval(Fraction(-1), Fraction(1))
    return _monotone(_small(x), _at(0, Fraction(0)), function, bits, reach)


def _small(x: ExactInterval) -> ExactInterval:
    """Return ``x`` with ends whose exponentials are beyond writing down moved to infinity."""
    lo = -inf if x.lo < -_MOST_EXPONENT_BITS else min(x.lo, Fraction(_MOST_EXPONENT_BITS))
    hi = inf if x.hi > _MOST_EXPONENT_BITS else max(x.hi, Fraction(-_MOST_EXPONENT_BITS))
    lo_open = x.lo_open or lo != x.lo
    return ExactInterval(lo, hi, lo_open, x.hi_open or hi != x.hi)


def increasing(function: Function, x: ExactInterval, bits: int) -> ExactInterval:
    """Return ``function`` of ``x``, one of those that increase.

    Raises ``UndefinedError`` and ``TooWideError`` for logarithms of what is not positive.
    """
    zero, one = Fraction(0), Fraction(1)
    match function:
        case Function.EXP:
            reach = ExactInterval(zero, inf)
            return _monotone(_small(x), _at(0, one), lambda ball: ball.exp(), bits, reach)
        case Function.LOG:
            if x.hi <= 0:
                raise UndefinedError(f"takes the logarithm of {_shown(x.hi)}")
            if x.lo < 0 or (x.lo == 0 and not x.lo_open):
                raise TooWideError
            if x.lo == 0:
                x = ExactInterval(-inf, x.hi, lo_open=True, hi_open=x.hi_open)
            reach = ExactInterval(-inf, inf)
            return _monotone(x, _at(1, zero), lambda ball: ball.log(), bits, reach)
        case Function.TANH:
            return _odd(x, lambda ball: ball.tanh(), bits)
        case Function.ERF:
            return _odd(x, lambda ball: ball.erf(), bits)
        case Function.SIGMOID:
            half, reach = _at(0, Fraction(1, 2)), ExactInterval(zero, one)
            return _monotone(_small(x), half, _sigmoid, bits, reach)
        case Function.SOFTPLUS:
            return _softplus(x, bits)
        case _:  # pragma: no cover - ``apply`` knows the others
            raise AssertionError(function)


def _softplus(x: ExactInterval, bits: int) -> ExactInterval:
    """``max(x, 0) + log(1 + exp(-|x|))``, which is strictly above ``max(x, 0)``."""

    def function(ball: Any) -> Any:  # noqa: ANN401 - see _fraction
        if ball > 0:
            return ball + (-ball).exp().log1p()
        return ball.exp().log1p()

    reach = ExactInterval(max(x.lo, Fraction(0)), inf)
    found = _monotone(_small(x), lambda _: None, function, bits, reach)
    if _is_infinite(x.hi) or x.hi <= _MOST_EXPONENT_BITS:
        return found
    # log(1 + exp(-x)) is below exp(-x), and e above 2.
    most = _plus(x.hi, Fraction(1, 1 << _MOST_EXPONENT_BITS))
    return ExactInterval(found.lo, most, found.lo_open, hi_open=True)


def apply(
    function: Function, operands: tuple[ExactInterval, ...], exponent: Fraction, bits: int
) -> ExactInterval:
    """Return ``function`` of ``operands``, at a precision of ``bits`` where it is no rational."""
    match function:
        case Function.ADD:
            return add(*operands)
        case Function.SUBTRACT:
            return add(operands[0], -operands[1])
        case Function.MULTIPLY:
            return multiply(*operands)
        case Function.DIVIDE:
            return divide(*operands)
        case Function.MINIMUM:
            return -maximum(-operands[0], -operands[1])
        case Function.MAXIMUM:
            return maximum(*operands)
        case Function.ABSOLUTE:
            return absolute(*operands)
        case Function.IS_POSITIVE:
            return is_positive(*operands)
        case Function.PI:
            return pi_at(bits)
        case Function.POWER:
            return power(operands[0], exponent, bits)
        case _:
            return increasing(function, operands[0], bits)
