"""Gather of a constant table by data: an embedding, a row for each integer."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from lutloom.core.ops import Lookup
from lutloom.core.rational import common_divisor, rationals
from lutloom.core.types import INT64_MAX, Const
from lutloom.streamline.align import compact
from lutloom.streamline.context import required_scaled
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import in_model_order, reshaped
from lutloom.streamline.symbols import Scaled
from lutloom.streamline.weights import grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntArray, IntType
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Constant

# Of one table: beyond, nobody's memory on a chip holds it.
_MOST_NUMBERS = 1 << 24


def lookup(node: SourceNode, table: Constant, inputs: Inputs, context: Context) -> Scaled:
    """Return the rows of ``table [rows, ...]`` that the data name.

    Raises ``ModelError`` where the data are no integers, or lie outside of the table.
    """
    import numpy as np

    x = required_scaled(node, inputs, 1, "a table")
    reals = table.reals()
    if node.integer("axis", 0) % max(reals.ndim, 1) != 0 or not reals.ndim or not reals.size:
        raise ModelError(
            f"{node} looks up columns of a table of the shape {list(reals.shape)}, in front of the"
            " batch; it should look up rows, with axis=0"
        )
    x = in_model_order(context.build, node, x)
    element = context.build.types[x.value].element
    rows = _rows_of(node, x, element, len(reals))
    width = prod(reals.shape[1:])
    if len(rows) * width > _MOST_NUMBERS:
        raise ModelError(
            f"{node}: its table holds {len(rows) * width:,} numbers, and at most"
            f" {_MOST_NUMBERS:,} are built; use a smaller vocabulary"
        )
    integers, slope = _grid(node, table, rows, width)
    if element.step > 1:  # rows between the integers of the data are never read
        integers = integers.repeat(element.step, axis=0)
    value = context.build.add(node, "", Lookup(Const(integers), element.lo), (x.value,))
    rank = len(x.shape)
    slope = slope.reshape((1,) * rank + (-1,))
    blank = np.full((1,) * (rank + 1), slope.ravel()[0] * 0, dtype=object)
    y = Scaled(value, tuple(range(rank + 1)), (*x.shape, width), compact(slope), blank)
    return reshaped(context.build, node, y, (*x.shape, *reals.shape[1:]))


def _rows_of(node: SourceNode, x: Scaled, element: IntType, count: int) -> list[int]:
    """Return which row each integer of the data stands for, ascending integers."""
    arrays = x.arrays
    if any(array.size > 1 for array in arrays):
        raise ModelError(
            f"{node}: the numbers of its rows have a scale or bias for each channel; use one scale"
            " for the tensor"
        )
    slope, offset = x.slope.item(), x.offset.item()
    bounds = [None if b is None else b.item() for b in (x.lower, x.upper)]
    rows = []
    if element.count > count * 2 + 1:
        raise _outside(node, slope * element.lo + offset, slope * element.hi + offset, count)
    for integer in range(element.lo, element.hi + 1, element.step):
        row = slope * integer + offset
        row = row if bounds[0] is None else max(row, bounds[0])
        row = row if bounds[1] is None else min(row, bounds[1])
        if row.denominator != 1:
            raise ModelError(
                f"{node}: its rows have integers for numbers, but the data hold {row} among others;"
                " quantize them with a scale of 1"
            )
        if not -count <= row < count:
            raise _outside(node, slope * element.lo + offset, slope * element.hi + offset, count)
        rows.append(int(row) % count)
    return rows


def _outside(node: SourceNode, first: Fraction, last: Fraction, count: int) -> ModelError:
    return ModelError(
        f"{node}: the data name the rows {min(first, last)} to {max(first, last)} of a table that"
        f" has {count}; say with --input-type which integers there are, or clip them"
    )


def _grid(
    node: SourceNode, table: Constant, rows: Sequence[int], width: int
) -> tuple[IntArray, Rationals]:
    """Return the ``rows`` of ``table`` as integers ``[rows, width]``, and a scale for each column.

    One scale for all, where the table was quantized with one.
    """
    import numpy as np

    grid = grid_of(table)
    if grid is not None and grid.scale.size == 1:
        integers = grid.integers.reshape(len(grid.integers), width)[list(rows)]
        return integers, grid.scale.reshape(1)
    try:
        reals = rationals(table.reals().reshape(-1, width)[list(rows)])
    except ValueError as error:
        raise ModelError(
            f"{node}: its table is no number everywhere: {error}; train the model again"
        ) from error
    units = [common_divisor(set(column)) or Fraction(1) for column in reals.T.tolist()]
    wide = np.asarray(reals / np.array(units, dtype=object))
    largest = max(abs(number.numerator) for number in wide.ravel().tolist())
    if largest > INT64_MAX:
        raise ModelError(
            f"{node}: the numbers of its table are multiples of no common step that 64 bits count;"
            " quantize the table (brevitas.nn.QuantEmbedding)"
        )
    integers = np.array([number.numerator for number in wide.ravel().tolist()], dtype=np.int64)
    return integers.reshape(wide.shape), np.array(units, dtype=object)
