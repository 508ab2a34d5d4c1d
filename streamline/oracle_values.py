"""The oracle's numbers: exact reals in object arrays of Fractions, and constants of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[Any]


class OracleError(ValueError):
    """A model that the oracle has no exact reading of."""


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor that no input reaches.

    ``array`` is what float32 makes of it; ``exact`` what it stands for, where a quantizer of
    weights gave it: integers times the scale, not rounded again.
    """

    array: Array
    exact: Array | None = None

    def reals(self) -> Array:
        """Return the numbers it stands for, as Fractions."""
        return self.exact if self.exact is not None else fractions(self.array)


@dataclass(frozen=True, eq=False)
class Operation:
    """A node of the file: its kind, and its attributes as Python values."""

    kind: str
    attributes: Mapping[str, Any]
    opset: int
    batch: int | None
    """The batch that the file fixes, where it does."""


Value: TypeAlias = "Known | Array | None"
"""A constant, the data (an object array, batch 1 in front), or an omitted input."""
Values: TypeAlias = Sequence[Value]


def fractions(values: ArrayLike) -> Array:
    """Return ``values`` as Fractions, exactly, in their shape.

    Raises ``OracleError`` for NaN and infinities.
    """
    array = np.asarray(values)
    out = np.empty(array.shape, dtype=object)
    for index, value in zip(np.ndindex(array.shape), array.ravel().tolist(), strict=True):
        try:
            out[index] = Fraction(value)
        except (ValueError, OverflowError) as error:
            raise OracleError(f"{value} is no number") from error
    return out


def data(value: Value) -> Array:
    """Return a tensor that depends on the input."""
    if value is None or isinstance(value, Known):
        raise OracleError("an operator should have data, and has a constant or nothing")
    return value


def known(value: Value) -> Known:
    """Return a constant."""
    if not isinstance(value, Known):
        raise OracleError("an operator should have a constant, and has data or nothing")
    return value


def real(value: Value) -> Array:
    """Return either, as exact numbers."""
    if value is None:
        raise OracleError("an operator lacks an input")
    return value.reals() if isinstance(value, Known) else value


def each(function: Any, *arrays: Array) -> Array:  # noqa: ANN401 - any function of Fractions
    """Return ``function`` of every element, the arrays broadcast against one another."""
    wide = np.broadcast_arrays(*arrays)
    out = np.empty(wide[0].shape, dtype=object)
    for index in np.ndindex(out.shape):
        out[index] = function(*(array[index] for array in wide))
    return out
