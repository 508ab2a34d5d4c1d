"""Real numbers that are known as well as somebody asks: what is no rational stays exact.

A number is a Fraction or a ``Real``: a Fraction plus multiples of *atoms*, numbers such as
``exp(3/4)`` or ``erf(1/2)``. An atom encloses itself between two rationals as closely as it is
asked to. A question (is it above this border, which is the larger) is refined until it is
decided, and where that would take more than ``MOST_BITS`` it is an error and never a guess.

Equal atoms are one object, so that a sum of them has one form: what is equal because it was
computed in the same way (the two probabilities of a tie) is equal without any refinement.

Every enclosure is an open interval: the number is neither end of it. An atom is made only where
its function has no rational value, and a bound that is a limit (the 1 of ``erf``) is not reached.
So a number that approaches a border without bounds is on its side of it all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import isqrt
from typing import TypeAlias, TypeVar
from weakref import WeakValueDictionary

from lutloom.streamline.oracle_enclosures import (
    Bounds,
    TooCoarseError,
    argument_of,
    enclosed,
    factors_of,
)
from lutloom.streamline.oracle_values import HALF, ONE, ZERO, OracleError

MOST_BITS = 16384
_FIRST_BITS = 64
_PATIENCE = 512
_LARGEST_POWER = 2**20

Answer = TypeVar("Answer")


class Atom:
    """A number that is no sum of others: ``kind`` of its arguments. Compared by identity."""

    __slots__ = ("__weakref__", "_bits", "_bounds", "arguments", "kind", "order")

    def __init__(self, kind: str, arguments: tuple[Number | Atom, ...], order: int) -> None:
        self.kind, self.arguments, self.order = kind, arguments, order
        self._bits, self._bounds = 0, (ZERO, ZERO)

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(map(repr, self.arguments))})"

    def bounds(self, bits: int) -> Bounds:
        """Return an open interval that holds it; it shrinks to nothing as ``bits`` grow."""
        if self._bits < bits:
            self._bounds = enclosed(self, bits)
            self._bits = bits
        return self._bounds


class Real:
    """``constant + sum of coefficient * atom``: at least one coefficient, and none that is zero."""

    __slots__ = ("constant", "terms")
    __hash__ = None  # type: ignore[assignment]  # equality may take a refinement

    def __init__(self, constant: Fraction, terms: Mapping[Atom, Fraction]) -> None:
        self.constant, self.terms = constant, terms

    def __repr__(self) -> str:
        return " + ".join([str(self.constant), *(f"{c}*{a!r}" for a, c in self.terms.items())])

    def bounds(self, bits: int) -> Bounds:
        """Return an open interval that holds it; it shrinks to nothing as ``bits`` grow."""
        low = high = self.constant
        for atom, factor in self.terms.items():
            first, second = atom.bounds(bits)
            if factor < 0:
                first, second = second, first
            low += factor * first
            high += factor * second
        return low, high

    def enclosure(self, bits: int) -> Bounds:
        """Return an open interval that holds it and is at most ``2**-bits`` wide."""
        widest = Fraction(1, 1 << bits)
        return _refined(
            self,
            lambda low, high: (low, high) if high - low <= widest else None,
            MOST_BITS + 2 * bits,
        )

    def __add__(self, other: object) -> Number:
        if isinstance(other, int | Fraction):
            return Real(self.constant + other, self.terms)
        if not isinstance(other, Real):
            return NotImplemented
        terms = dict(self.terms)
        for atom, factor in other.terms.items():
            terms[atom] = terms.get(atom, ZERO) + factor
        return _number(self.constant + other.constant, terms)

    def __mul__(self, other: object) -> Number:
        if isinstance(other, int | Fraction):
            terms = {atom: factor * other for atom, factor in self.terms.items()}
            return _number(self.constant * other, terms)
        if not isinstance(other, Real):
            return NotImplemented
        (c, left), (d, right) = _factored(self), _factored(other)
        return _product_of([*left, *right]) * (c * d)

    def __neg__(self) -> Number:
        return self * -1

    def __sub__(self, other: object) -> Number:
        return self + -other if isinstance(other, int | Fraction | Real) else NotImplemented

    def __rsub__(self, other: object) -> Number:
        return -self + other if isinstance(other, int | Fraction) else NotImplemented

    def __truediv__(self, other: object) -> Number:
        if isinstance(other, int | Fraction):
            return self * (1 / Fraction(other))
        if not isinstance(other, Real):
            return NotImplemented
        atom = next(iter(other.terms))
        ratio = self.terms.get(atom, ZERO) / other.terms[atom]
        if ratio and isinstance(rest := self - other * ratio, Fraction) and rest == 0:
            return ratio
        return self * _inverse(other)

    def __rtruediv__(self, other: object) -> Number:
        return _inverse(self) * other if isinstance(other, int | Fraction) else NotImplemented

    __radd__ = __add__
    __rmul__ = __mul__

    def __abs__(self) -> Number:
        return self if sign(self) > 0 else -self

    def __eq__(self, other: object) -> bool:
        return sign(self - other) == 0 if _is_number(other) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return sign(self - other) < 0 if _is_number(other) else NotImplemented

    def __le__(self, other: object) -> bool:
        return sign(self - other) <= 0 if _is_number(other) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return sign(self - other) > 0 if _is_number(other) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return sign(self - other) >= 0 if _is_number(other) else NotImplemented

    def __float__(self) -> float:
        low, high = self.enclosure(_FIRST_BITS)
        return float((low + high) / 2)


Number: TypeAlias = Fraction | Real


def _is_number(x: object) -> bool:
    return isinstance(x, int | Fraction | Real)


def _number(constant: Fraction, terms: Mapping[Atom, Fraction]) -> Number:
    kept = {atom: factor for atom, factor in terms.items() if factor}
    return Real(constant, kept) if kept else constant


# Questions, each refined until it is decided.


def sign(x: Number) -> int:
    """Return -1, 0 or 1. Raises ``OracleError`` where no refinement decides it."""
    if isinstance(x, Fraction):
        return (x > 0) - (x < 0)
    try:
        return _refined(x, _side, most_bits=_PATIENCE)
    except OracleError:
        # Probabilities add up to 1: without denominators that is plain.
        cleared = _cleared(x)
        return 0 if isinstance(cleared, Fraction) and cleared == 0 else _refined(x, _side)


def _side(low: Fraction, high: Fraction) -> int | None:
    return 1 if low >= 0 else -1 if high <= 0 else None


def _cleared(x: Real) -> Number:
    """Return ``x`` times each of its denominators."""
    result: Number = x
    for inverse in {f for atom in x.terms for f in factors_of(atom) if f.kind == "inverse"}:
        denominator = argument_of(inverse)
        if isinstance(result, Fraction):
            break
        cleared = result.constant * denominator
        for atom, factor in result.terms.items():
            kept = list(factors_of(atom))
            if inverse in kept:
                kept.remove(inverse)
                cleared = cleared + _product_of(kept) * factor
            else:
                cleared = cleared + _distributed(atom, denominator) * factor
        result = cleared
    return result


def _distributed(atom: Atom, x: Number) -> Number:
    """Return their product, as a sum."""
    result: Number = Real(ZERO, {atom: ONE})
    if isinstance(x, Fraction):
        return result * x
    return sum(
        (_product_of([atom, *factors_of(other)]) * factor for other, factor in x.terms.items()),
        start=result * x.constant,
    )


def step_of(x: Number, step: Callable[[Fraction], int], border: Callable[[int], Fraction]) -> int:
    """Return ``step(x)``, an integer that does not fall as ``x`` rises.

    ``border(k)`` is where ``step`` passes from ``k`` to ``k + 1``.
    """
    if isinstance(x, Fraction):
        return step(x)

    def decided(low: Fraction, high: Fraction) -> int | None:
        k = step((low + high) / 2)
        return k if border(k - 1) <= low and high <= border(k) else None

    return _refined(x, decided)


def _refined(
    x: Real,
    decide: Callable[[Fraction, Fraction], Answer | None],
    most_bits: int = MOST_BITS,
) -> Answer:
    bits = _FIRST_BITS
    while bits <= most_bits:
        try:
            answer = decide(*x.bounds(bits))
        except TooCoarseError:
            answer = None
        if answer is not None:
            return answer
        bits *= 2
    raise OracleError(f"{most_bits} bits do not tell a number from its nearest border: {x!r:.200}")


# Atoms, and the functions that make them where there is no simpler value.

_ATOMS: WeakValueDictionary[object, Atom] = WeakValueDictionary()
_count = 0


def _atom(kind: str, *arguments: Number | Atom) -> Atom:
    global _count  # noqa: PLW0603 - the order in which atoms were made, for products
    key = (
        kind,
        *(
            (x.constant, frozenset(x.terms.items())) if isinstance(x, Real) else x
            for x in arguments
        ),
    )
    found = _ATOMS.get(key)
    if found is None:
        _count += 1
        found = _ATOMS[key] = Atom(kind, arguments, _count)
    return found


def _real(kind: str, *arguments: Number | Atom) -> Real:
    return Real(ZERO, {_atom(kind, *arguments): ONE})


def _only(x: Number, kind: str) -> Atom | None:
    """Return the atom that ``x`` is, if it is one of this kind."""
    if isinstance(x, Fraction) or x.constant or len(x.terms) > 1:
        return None
    ((atom, factor),) = x.terms.items()
    return atom if factor == 1 and atom.kind == kind else None


def exp(x: Number) -> Number:
    """Return ``e**x``."""
    if isinstance(x, Fraction) and x == 0:
        return ONE
    inner = _only(x, "log")
    return _real("exp", x) if inner is None else argument_of(inner)


def log(x: Number) -> Number:
    """Return the natural logarithm of ``x``."""
    if isinstance(x, Fraction):
        if x <= 0:
            raise OracleError(f"the logarithm of {x} is no number")
        return ZERO if x == 1 else _real("log", x)
    inner = _only(x, "exp")
    return _real("log", x) if inner is None else argument_of(inner)


def sqrt(x: Number) -> Number:
    """Return the root of ``x``."""
    if isinstance(x, Fraction):
        if x < 0:
            raise OracleError(f"the root of {x} is no number")
        root = Fraction(isqrt(x.numerator), isqrt(x.denominator))
        if root * root == x:
            return root
    return _real("sqrt", x)


def erf(x: Number) -> Number:
    """Return the error function; it is odd."""
    if isinstance(x, Fraction):
        if x == 0:
            return ZERO
        return _real("erf", x) if x > 0 else -_real("erf", -x)
    is_turned = x.constant == 0 and next(iter(x.terms.values())) < 0
    return -_real("erf", -x) if is_turned else _real("erf", x)


def sigmoid(x: Number) -> Number:
    """Return ``1 / (1 + e**-x)``."""
    return HALF if isinstance(x, Fraction) and x == 0 else _real("sigmoid", x)


def tanh(x: Number) -> Number:
    """Return the hyperbolic tangent: ``2 sigmoid(2 x) - 1``, which is odd."""
    if isinstance(x, Fraction) and x < 0:
        return -tanh(-x)
    return 2 * sigmoid(2 * x) - 1


def softplus(x: Number) -> Number:
    """Return ``ln(1 + e**x)``, which is ``x + ln(1 + e**-x)``."""
    side = sign(x)
    if side == 0:
        return log(Fraction(2))
    return x + _real("softplus_rest", x) if side > 0 else _real("softplus_rest", -x)


def power(x: Number, exponent: Number) -> Number:
    """Return ``x**exponent``, which is no number for a negative ``x`` unless ``exponent`` is whole.

    Raises ``OracleError`` for that, for zero to the power of what is negative, and for a result
    too long to be written down.
    """
    if isinstance(exponent, Real):
        return exp(exponent * log(x))
    if exponent.denominator == 1:
        return _whole_power(x, exponent.numerator)
    if isinstance(x, Real):
        return sqrt(x) if exponent == HALF else exp(log(x) * exponent)
    if x == 0 and exponent > 0:
        return ZERO
    if x <= 0:
        raise OracleError(f"{x} to the power of {exponent} is no number")
    root = _exact_root(x, exponent.denominator)
    if root is not None:
        return _whole_power(root, exponent.numerator)
    if exponent.denominator == 2:
        return sqrt(x) * _whole_power(x, exponent.numerator // 2)
    return _real("power", x, exponent)


def _exact_root(x: Fraction, degree: int) -> Fraction | None:
    """Return the root of ``x > 0``, where it is rational."""
    parts = []
    for number in (x.numerator, x.denominator):
        # The largest integer whose power is not above the number; 1 where not even 2 is.
        low, high = 1, (1 << -(-number.bit_length() // degree)) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
        if low**degree != number:
            return None
        parts.append(low)
    return Fraction(*parts)


def _whole_power(x: Number, exponent: int) -> Number:
    if exponent < 0:
        return 1 / _whole_power(x, -exponent)
    if isinstance(x, Fraction):
        length = max(abs(x.numerator), x.denominator).bit_length()
        if length > 1 and exponent * length > _LARGEST_POWER:
            raise OracleError(f"{x} to the power of {exponent} is too long to be written down")
        return x ** (exponent if length > 1 else exponent % 2 or 2)
    if exponent > MOST_BITS:
        raise OracleError(f"a power of {exponent} is too high")
    result: Number = ONE
    for _ in range(exponent):
        result = result * x
    return result


def root_of_two_by_pi() -> Real:
    """Return ``sqrt(2 / pi)``."""
    return _real("root_of_two_by_pi")


def _factored(x: Real) -> tuple[Fraction, tuple[Atom, ...]]:
    """Return a rational and atoms whose product is ``x``; a sum is one atom, and stays together.

    Expanded, sums of what approaches a border would no longer be seen to stay on their side.
    """
    atom = min(x.terms, key=lambda atom: atom.order)
    factor = x.terms[atom]
    if x.constant == 0 and len(x.terms) == 1:
        return factor, factors_of(atom)
    return factor, (_atom("sum", x * (1 / factor)),)


def _product_of(factors: Sequence[Atom]) -> Number:
    """Return the product of atoms: an atom that names its factors in one order."""
    kept: list[Atom] = []
    outside: Number = ONE
    for atom in sorted(factors, key=lambda atom: atom.order):
        if atom.kind == "sqrt" and kept and kept[-1] is atom:
            kept.pop()
            outside = outside * argument_of(atom)
        else:
            kept.append(atom)
    if not kept:
        return outside
    product = kept[0] if len(kept) == 1 else _atom("product", *kept)
    return Real(ZERO, {product: ONE}) * outside


def _inverse(x: Real) -> Number:
    """Return ``1 / x``; multiples of one number have multiples of one inverse."""
    atom = min(x.terms, key=lambda atom: atom.order)
    factor = x.terms[atom]
    unit = x * (1 / factor)
    if _only(unit, "exp"):
        return exp(-argument_of(atom)) / factor
    if _only(unit, "sqrt"):
        return unit / argument_of(atom) / factor
    return _real("inverse", unit) / factor
