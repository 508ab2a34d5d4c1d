"""A staircase as a memory: the level of every code of the input, looked up by that code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.initializer import decimal
from lutloom.codegen.kernels.kernel import Code, Site, bound, by_lane, number_table
from lutloom.codegen.kernels.stairs import staircases, stairs_of

if TYPE_CHECKING:
    from lutloom.codegen.kernels.stairs import Stairs
    from lutloom.core.plan import Folding
    from lutloom.core.types import IntArray

MOST_ENTRIES = 1 << 16
"""Levels of all staircases together up to which they may be a table."""

NO_TABLE = f"its levels by code and channel would be a table of more than {MOST_ENTRIES} entries"

# A look-up table is a memory of so many bits.
_LUT_BITS = 64


def has_table(site: Site) -> bool:
    """Return whether a threshold process may look its levels up."""
    return site.inputs[0].element.count * staircases(site) <= MOST_ENTRIES


def look_up_tables(site: Site, folding: Folding) -> int:
    """Return a rough size of the memories in look-up tables, an offset of the codes included.

    A lane has a memory of its own. It has not been held against Vitis.
    """
    x, y = (tensor.element for tensor in (*site.inputs, *site.outputs))
    stairs = stairs_of(site)
    rows = staircases(site)
    folds = rows // folding.pe if rows == site.inputs[0].channels else 1
    entries = -(-x.count * folds // _LUT_BITS)
    # That of two's complement is a flipped sign.
    is_offset = stairs.first not in (0, -(1 << (x.bits - 1)))
    return (y.bits * entries + x.bits * is_offset) * folding.pe


def levels_by_code(stairs: Stairs) -> IntArray:
    """Return the code of the level for every code of the input: ``[C, codes]``."""
    import numpy as np

    # One behind the last code might not be an int64.
    codes = stairs.first + np.arange(stairs.final - stairs.first + 1)
    return np.stack(
        [
            levels[np.searchsorted(row[:count], codes, side="right")]
            for row, levels, count in zip(
                stairs.thresholds, stairs.levels, stairs.counts.tolist(), strict=True
            )
        ]
    )


def table(site: Site, folding: Folding, layout: tuple[int, int]) -> Code:
    """Return a memory of levels for each lane, of ``folds * lanes`` rows as in ``layout``."""
    stairs, tensor = stairs_of(site), site.inputs[0]
    note = "Codes of the levels, by the code of the input."
    levels = by_lane(levels_by_code(stairs), layout, folding.pe)
    return Code(
        tables=(bound(number_table("levels", levels, note, (1,)), folding.memory),),
        facts={
            "form": "table",
            "channels": tensor.channels,
            "vectors": tensor.size // tensor.channels,
            "first": decimal(stairs.first),
        },
    )
