"""Codes of one type as codes of another: ``recode.hpp`` as parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.parts import Adder, Parts
from lutloom.codegen.costs.products import constant_product, times
from lutloom.codegen.kernels.kernel import recoding

if TYPE_CHECKING:
    from lutloom.core.types import IntType


def recoded(x: IntType, y: IntType, lanes: int) -> Parts:
    """Return what makes ``lanes`` codes of ``x`` those of ``y``, which holds all its values."""
    base, factor = recoding(x, y)
    offset: Parts = ((lanes, Adder(y.bits)),) if base else ()
    return (*times(lanes, constant_product(x.bits, factor)), *offset)
