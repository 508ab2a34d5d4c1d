"""Sums that are not in the graph: branches whose exact multipliers are too wide, or vary along
several axes. Only a quantizer can read one (``settled_sum``). What moves, repeats or adds up
elements of the sum does that to each of its terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from lutloom.core.ops import SumPool
from lutloom.core.types import IntType, TensorType
from lutloom.streamline.align import varies_in_place
from lutloom.streamline.errors import ModelError
from lutloom.streamline.moves import Move, moved_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.op import Op
    from lutloom.core.rational import Rationals
    from lutloom.streamline.source import SourceNode

# Of the largest magnitude of a sum: enough to tell which levels of a quantizer are near.
_TYPE_BITS = 40


@dataclass(frozen=True, eq=False)
class DeferredSum:
    """``sum(factors[name] * name)`` over values of the graph: a rational number.

    The factors broadcast to the shape of the values, in their order of axes. ``because`` says
    what is wrong with the exact sum of ``node``.
    """

    factors: Mapping[str, Rationals]
    node: SourceNode
    because: str

    def factors_behind(self, op: Op, shape: tuple[int, ...]) -> list[Rationals] | None:
        """Return the factors behind ``op``, which is applied to values of the ``shape``.

        None where the sum behind ``op`` is not that of the values behind it.
        """
        factors = list(self.factors.values())
        if isinstance(op, Move):
            return [moved_array(factor, op, shape) for factor in factors]
        return factors if isinstance(op, SumPool) and not varies_in_place(*factors) else None

    def refusal(self, reader: str) -> ModelError:
        """Return the error for a ``reader`` that is no quantizer."""
        return ModelError(
            f"{self.node}: {self.because}, which only a quantizer could do without, and {reader}"
            " reads the sum itself; put a quantizer behind it, train with one quantizer shared by"
            " both branches, or with scales that are powers of two"
        )


def unit_and_type(
    factors: Mapping[str, Rationals], types: Mapping[str, TensorType]
) -> tuple[Fraction, TensorType]:
    """Return a power of two, and the type of the integers around the sum in units of it."""
    least = most = Fraction(0)
    for name, factor in factors.items():
        element = types[name].element
        ends = [f * end for f in factor.ravel() for end in (element.lo, element.hi)]
        least, most = least + min(ends), most + max(ends)
    largest = max(-least, most)
    exponent = 0
    if largest:
        exponent = largest.numerator.bit_length() - largest.denominator.bit_length() - _TYPE_BITS
    unit = Fraction(2) ** exponent
    shape = types[next(iter(factors))].shape
    return unit, TensorType(IntType(floor(least / unit), ceil(most / unit)), shape)
