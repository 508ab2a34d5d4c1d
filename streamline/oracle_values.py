"""The oracle's tensors: exact reals in object arrays, and constants of the file.

Data have an axis in front of the model's own: the sample. Along it nothing ever meets, so that the
model is evaluated for each sample by itself, as its file is written for one, and for all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[Any]

ZERO, HALF, ONE = Fraction(0), Fraction(1, 2), Fraction(1)


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
    results: int = 1

    def number(self, name: str, default: float) -> Fraction:
        """Return a float attribute; its default is a float32 too, as the standard stores it."""
        return Fraction(float(np.float32(self.attributes.get(name, default))))


Value: TypeAlias = "Known | Array | None"
"""A constant, the data (an object array, samples in front), or an omitted input."""
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


def given(inputs: Values, index: int) -> Known | None:
    """Return a constant that may be omitted."""
    if len(inputs) <= index or inputs[index] is None:
        return None
    return known(inputs[index])


def axis_of(axis: int, x: Array) -> int:
    """Return the axis of the array ``x`` that the model calls ``axis``."""
    rank = x.ndim - 1
    if not -rank <= axis < rank:
        raise OracleError(f"there is no axis {axis} in data of {rank} dimensions")
    return axis % rank + 1


def aligned(*values: Value) -> list[Array]:
    """Return exact numbers that NumPy broadcasts as the model does: all data of one rank."""
    arrays = [real(value) for value in values]
    ranks = [
        array.ndim - (0 if isinstance(value, Known) else 1)
        for value, array in zip(values, arrays, strict=True)
    ]
    return [
        array
        if isinstance(value, Known)
        else array.reshape(len(array), *[1] * (max(ranks) - rank), *array.shape[1:])
        for value, array, rank in zip(values, arrays, ranks, strict=True)
    ]


def each(function: Callable[..., Any], *arrays: Array) -> Array:
    """Return ``function`` of every element, the arrays broadcast against one another."""
    return np.asarray(np.frompyfunc(function, len(arrays), 1)(*arrays), dtype=object)
