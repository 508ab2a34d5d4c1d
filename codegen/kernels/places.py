"""Constants that differ along the border of an image: by classes of places, as C++ reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import Table, number_table, unless_shared

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True, eq=False)
class ByPlace:
    """Constants ``values [KR, KC, ...]`` for classes ``rows [H]`` and ``columns [W]`` of places.

    ``rows`` of one entry stand for all rows; ``columns`` too if there is but one class of places.
    Every class occurs, and no two classes of rows, or of columns, have the same constants.
    """

    values: IntArray
    rows: IntArray
    columns: IntArray

    @classmethod
    def of(
        cls,
        values: IntArray,
        rows: IntArray,
        columns: IntArray,
        shape: tuple[int, ...],
        pixels: int = 1,
    ) -> ByPlace:
        """Merge the classes of ``values``; ``shape`` is that of a tensor ``[H, W, C]``.

        Or ``[W, C]``, or ``[C]``; rows and columns of one entry stand for all. Several ``pixels``
        that stand side by side are one place, with the constants of all of them ``[KR, KC, V *
        C]``.
        """
        import numpy as np

        if pixels > 1:
            every = columns if columns.size > 1 else columns.repeat(pixels)
            sets, columns = column_sets(every, pixels)
            values, shape = by_pixel(values, sets), (*shape[:-2], shape[-2] // pixels, shape[-1])
        values, rows = _distinct(values, rows, axis=0)
        values, columns = _distinct(values, columns, axis=1)
        if values.shape[:2] == (1, 1):
            return cls(values, np.zeros(1, np.int64), np.zeros(1, np.int64))
        # Places are counted column by column, also where only rows differ.
        return cls(values, rows, np.broadcast_to(columns, shape[-2:-1]))

    @property
    def is_uniform(self) -> bool:
        """Whether all places share the constants."""
        return self.values.shape[:2] == (1, 1)

    def lane_tables(self, note: str, folds: int, pe: int) -> tuple[Table, ...]:
        """Return constants that differ by channel too as ``starts``, and where those of places are.

        ``starts`` is ``[classes * folds, pe]``, or ``[1, 1]`` if all are equal.
        """
        table = unless_shared(self.values.reshape(-1, pe))
        starts = number_table("starts", table, note, (2,))
        return (starts,) if self.is_uniform else (starts, *self.start_tables(folds))

    def start_tables(self, folds: int) -> tuple[Table, Table]:
        """Return where the constants of rows and columns begin: each class has ``folds`` entries.

        ``lutloom::Places`` adds the two.
        """
        columns = self.values.shape[1]
        note = "Where the constants of the classes of {} begin."
        return (
            number_table("row_starts", self.rows * (columns * folds), note.format("rows")),
            number_table("column_starts", self.columns * folds, note.format("columns")),
        )


def _distinct(values: IntArray, classes: IntArray, *, axis: int) -> tuple[IntArray, IntArray]:
    """Return ``values`` of different classes that occur, and their ``classes`` anew."""
    import numpy as np

    if values.shape[axis] == 1:
        return values, np.zeros(1, np.int64)
    used, classes = np.unique(classes, return_inverse=True)
    values = values.take(used, axis=axis)
    # There are few, of many numbers each.
    rows = list(map(tuple, np.moveaxis(values, axis, 0).reshape(len(used), -1).tolist()))
    distinct = sorted(set(rows))
    values = values.take([rows.index(row) for row in distinct], axis=axis)
    classes = np.array([distinct.index(row) for row in rows])[classes.reshape(-1)]
    return values, classes[:1] if values.shape[axis] == 1 else classes


def column_sets(columns: IntArray, pixels: int) -> tuple[IntArray, IntArray]:
    """Return the sets of classes that stand side by side, ``[sets, pixels]``, and where they do.

    ``columns [W]`` are the classes of columns; the second result ``[W / pixels]`` those of sets.
    """
    import numpy as np

    sets, classes = np.unique(columns.reshape(-1, pixels), axis=0, return_inverse=True)
    return sets, classes.reshape(-1)


def by_pixel(table: IntArray, sets: IntArray) -> IntArray:
    """Return ``[KR, KC, C, ...]`` as ``[KR, sets, V * C, ...]``: columns ``sets [sets, V]``."""
    rows, _, channels, *others = table.shape
    return table[:, sets].reshape(rows, len(sets), sets.shape[1] * channels, *others)
