"""What sums start from: a constant for each channel, or class of places, or none at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import constants, counters, spanning_bits
from lutloom.codegen.costs.parts import Adder, Parts

if TYPE_CHECKING:
    from lutloom.codegen.kernels.places import ByPlace


@dataclass(frozen=True, slots=True)
class Starts:
    """Constants of ``bits`` bits for ``classes`` of ``height`` by ``width`` places.

    ``is_shared``: they are one number; ``is_nothing``: that is 0.
    """

    bits: int
    classes: int
    height: int
    width: int
    is_shared: bool
    is_nothing: bool

    @classmethod
    def of(cls, starts: ByPlace, largest_bits: int) -> Starts:
        """Return what is there of ``starts``, of which results hold ``largest_bits``."""
        values = starts.values
        lo, hi = int(values.min()), int(values.max())
        rows, columns = values.shape[:2]
        sizes = len(starts.rows), len(starts.columns)
        bits = min(spanning_bits(lo, hi), largest_bits)
        return cls(bits, rows * columns, *sizes, lo == hi, lo == hi == 0)

    def parts(self, folds: int, pe: int) -> Parts:
        """Return the tables of ``pe`` lanes, of ``folds`` constants each a class.

        And what walks over the places (``places.hpp``), where there are several classes.
        """
        words = 1 if self.is_shared else folds * self.classes
        return (*constants(pe, words, self.bits), *self.places(folds))

    def places(self, folds: int) -> Parts:
        """Return what says where the constants of a place begin."""
        return place_parts(self.classes, self.height, self.width, folds)


def place_parts(classes: int, height: int, width: int, folds: int) -> Parts:
    """Return two counters, a table for each, and the sum of what they hold."""
    if classes == 1:
        return ()
    address = (classes * folds - 1).bit_length()
    tables = (*constants(1, height, address), *constants(1, width, address))
    return (*counters(height, width), *tables, (1, Adder(address)))
