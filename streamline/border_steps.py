"""Staircases that differ along the border of an image: one for each class of rows and of columns.

Rows of a channels-last value that share all their numbers are a class, and so are columns. A
staircase is computed for each pair of classes and each channel; classes whose staircases are equal
become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.ops import BorderThreshold, Threshold
from lutloom.core.types import Const
from lutloom.streamline.border_classes import distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntArray
    from lutloom.streamline.symbols import Formula

_RANKS = (2, 3)


@dataclass(frozen=True, eq=False)
class Border:
    """A function and the steps of its quantizer, with an entry for each class and channel.

    ``y`` and ``steps`` have the classes of rows, of columns and the channels as one axis, of
    ``sizes`` in this order; ``places`` are the classes of rows and of columns.
    """

    y: Formula
    steps: Rationals
    sizes: tuple[int, int, int]
    places: tuple[IntArray, IntArray]

    @property
    def channels(self) -> int:
        """How many channels differ; 1 where all share their numbers."""
        return self.sizes[-1]

    @property
    def classes(self) -> int:
        """How many pairs of classes there are."""
        return self.sizes[0] * self.sizes[1]

    def operator(self, stairs: Threshold) -> BorderThreshold | Threshold:
        """Return the operator of ``stairs``, which has a row for each class and channel."""
        import numpy as np

        tables = (stairs.thresholds.int64, stairs.base.int64[:, np.newaxis], stairs.deltas.int64)
        if len(tables[0]) == 1:
            return stairs
        widths = np.cumsum([table.shape[1] for table in tables])[:-1]
        rows = np.concatenate(tables, axis=1).reshape(*self.sizes, -1)
        places = []
        for axis, classes in enumerate(self.places):
            ranks, first = distinct(classes[:, np.newaxis])
            order = classes[first]
            own, kept = distinct(np.moveaxis(rows, axis, 0)[order])
            rows = rows.take(order[kept], axis=axis)
            places.append(Const(own[ranks] if len(kept) > 1 else np.zeros(1, dtype=np.int64)))
        if (rows == rows[:, :, :1]).all():
            rows = rows[:, :, :1]
        thresholds, base, deltas = np.split(rows, widths, axis=-1)
        consts = (Const(thresholds), Const(base[..., 0]), Const(deltas))
        if rows.shape[:2] == (1, 1):
            return Threshold(*(Const(const.data[0, 0]) for const in consts))
        return BorderThreshold(*consts, *places)


def border_of(y: Formula, steps: Rationals, shape: tuple[int, ...], channels: int) -> Border | None:
    """Return ``steps(y)`` by classes of rows and columns, or None where no two places share them.

    ``y`` and ``steps`` broadcast to the ``shape`` of the value, channels last, or have an entry a
    class where ``y`` has classes. ``channels`` have staircases of their own: 1 if none has.
    """
    import numpy as np

    if len(shape) not in _RANKS:
        return None
    arrays = [*y.arrays, steps]
    image = shape[:-1]
    tables = [_classes(arrays, axis, size, _given(y, axis)) for axis, size in enumerate(image)]
    counts = [len(first) for _, first in tables]
    if all(count == size for count, size in zip(counts, image, strict=True)):
        return None

    def flat(array: Rationals) -> Rationals:
        if array.size == 1:
            return array.reshape(1)
        for axis, (_, first) in enumerate(tables):
            if array.shape[axis] > 1:
                array = array.take(first, axis=axis)
        return np.asarray(np.broadcast_to(array, (*counts, channels)).reshape(-1))

    alone = [(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))] * (2 - len(image))
    rows, columns = (classes for classes, _ in [*alone, *tables])
    row_classes, column_classes = [1] * len(alone) + counts
    sizes = (row_classes, column_classes, channels)
    # The value's own axes no longer count: what is left are channels.
    return Border(y.with_arrays(flat), flat(steps), sizes, (rows, columns))


def _given(y: Formula, axis: int) -> IntArray | None:
    return y.classes[axis] if y.classes else None


def _classes(
    arrays: Sequence[Rationals], axis: int, size: int, given: IntArray | None
) -> tuple[IntArray, IntArray]:
    """Return the class of each place along ``axis``, and where each class has its first entry."""
    import numpy as np

    varying = [array for array in arrays if array.shape[axis] > 1]
    if not varying:
        return np.zeros(size if given is None else len(given), dtype=np.int64), np.zeros(1, int)
    keys = [_codes(np.moveaxis(array, axis, 0)) for array in varying]
    both = np.concatenate([key.reshape(len(key), -1) for key in keys], axis=1)
    index, first = distinct(both)
    return (index if given is None else index[given]), first


def _codes(array: Rationals) -> IntArray:
    """Return a number for each object of ``array``, the same for equal ones."""
    import numpy as np

    ids = np.asarray(np.frompyfunc(id, 1, 1)(array), dtype=np.int64)
    _, first, index = np.unique(ids, return_index=True, return_inverse=True)
    known: dict[object, int] = {}
    codes = [known.setdefault(entry, len(known)) for entry in array.ravel()[first].tolist()]
    return np.array(codes, dtype=np.int64)[index].reshape(array.shape)
