"""Atoms of the oracle's numbers, enclosed: by those of their arguments, and by series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias, cast

from lutloom.streamline import oracle_series as series
from lutloom.streamline.oracle_values import ONE, ZERO, OracleError

if TYPE_CHECKING:
    from lutloom.streamline.oracle_reals import Atom, Number

Bounds: TypeAlias = tuple[Fraction, Fraction]


class TooCoarseError(Exception):
    """An enclosure that says nothing yet: a denominator may be zero, or the like."""


def factors_of(atom: Atom) -> tuple[Atom, ...]:
    """Return the atoms whose product ``atom`` is."""
    if atom.kind != "product":
        return (atom,)
    return tuple(factor for factor in atom.arguments if isinstance(factor, type(atom)))


def argument_of(atom: Atom) -> Number:
    """Return what the function of ``atom`` is of."""
    (x,) = atom.arguments
    return cast("Number", x)  # only a product is of other atoms


_RISING: Mapping[str, Callable[..., int]] = {
    "erf": series.erf,
    "exp": series.exp,
    "log": series.log,
    "sigmoid": series.sigmoid,
    "sqrt": series.sqrt,
}


def enclosed(atom: Atom, bits: int) -> Bounds:
    """Return an open interval that holds ``atom``.

    Arithmetic is exact, so that a limit (the 1 of ``erf``) stays what it is through it.

    Raises ``TooCoarseError`` where ``bits`` are too few, ``OracleError`` where none are enough.
    """
    match atom.kind:
        case "product":
            return _product(atom, bits)
        case "sum":
            return _bounds(argument_of(atom), bits)
        case "inverse":
            low, high = _bounds(argument_of(atom), bits)
            if low <= 0 <= high:
                raise TooCoarseError
            return 1 / high, 1 / low
    try:
        below, above = _by_series(atom, bits)
    except series.OutOfRangeError as error:
        raise OracleError(f"{atom!r:.200}: {error}") from error
    return Fraction(below, 1 << bits), Fraction(above, 1 << bits)


def _bounds(x: Number, bits: int) -> Bounds:
    return (x, x) if isinstance(x, Fraction) else x.bounds(bits)


def _product(atom: Atom, bits: int) -> Bounds:
    low = high = ONE
    for factor in factors_of(atom):
        corners = [a * b for a in (low, high) for b in factor.bounds(bits)]
        low, high = min(corners), max(corners)
    return low, high


def _by_series(atom: Atom, bits: int) -> tuple[int, int]:
    match atom.kind:
        case "root_of_two_by_pi":
            below, above = (Fraction(2 << bits, series.pi(bits, up=up)) for up in (True, False))
            return series.sqrt(below, bits, up=False), series.sqrt(above, bits, up=True)
        case "power":
            return _power(atom, bits)
    low, high = _bounds(argument_of(atom), bits)
    match atom.kind:
        case "softplus_rest":
            first = series.softplus_rest(high, bits, up=False)
            return first, series.softplus_rest(low, bits, up=True)
        case "log" | "sqrt":
            if high <= 0:
                raise OracleError(f"{atom!r:.200} is no number")
            if atom.kind == "log" and low <= 0:
                raise TooCoarseError
            low = max(low, ZERO)
    function = _RISING[atom.kind]
    return function(low, bits, up=False), function(high, bits, up=True)


def _power(atom: Atom, bits: int) -> tuple[int, int]:
    x, exponent = atom.arguments
    assert isinstance(x, Fraction) and isinstance(exponent, Fraction)  # noqa: PT018
    below = series.power(x, exponent, bits, up=False)
    return below, series.power(x, exponent, bits, up=True)
