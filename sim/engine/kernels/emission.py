"""What becomes of 32-bit sums: integers of some width, or codes by their thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from lutloom.sim.engine.fits import lines_of
from lutloom.sim.engine.storage import Layout, dense_storage, plain_storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.sim.engine.coded import Coded
    from lutloom.sim.engine.planner import Kept, Planner
    from lutloom.sim.engine.products import Products

_NEVER = 2**31 - 1
# Up to how many thresholds are compared one after the other rather than searched, or multiplied.
_FEW, _SOME = 3, 16


class Kind(IntEnum):
    """The numbers are those of ``native/emission.hpp``."""

    SUMS = 0
    COMPARED = 1
    SEARCHED = 2
    MULTIPLIED = 3
    MULTIPLIED_WIDE = 4


@dataclass(frozen=True, eq=False)
class Accumulators:
    """What a kernel sums in 32 bits: ``coded``, with tables of ``columns`` in all.

    ``places [outputs]`` says which column an output has.
    """

    coded: Coded
    columns: int
    places: NDArray[np.int64]

    @classmethod
    def of(cls, coded: Coded, groups: int, columns: int) -> Accumulators:
        """Return those of ``groups`` groups, each of which has as many ``columns``."""
        import numpy as np

        outputs = np.arange(coded.products.outputs).reshape(groups, -1)
        places = outputs + np.arange(groups)[:, None] * (columns - outputs.shape[1])
        return cls(coded, groups * columns, places.ravel())

    def table(self, rows: NDArray[np.generic], filler: int) -> NDArray[np.generic]:
        """Return ``rows [..., outputs]`` with all columns, ``filler`` in those of no output."""
        import numpy as np

        made = np.full((*rows.shape[:-1], self.columns), filler, rows.dtype)
        made[..., self.places] = rows
        return made


@dataclass(frozen=True, eq=False)
class Emission:
    """``Emission`` of native/emission.hpp."""

    kind: int
    layout: int
    outputs: int
    columns: int
    levels: int
    scale: int
    bias: NDArray[np.generic]
    thresholds: NDArray[np.generic]
    slopes: NDArray[np.generic]
    shifts: NDArray[np.generic]


def make_result(planner: Planner, sums: Accumulators) -> tuple[Kept, Emission]:
    """Return a new buffer for the result, and how it is made of ``sums``."""
    if sums.coded.products.stairs is None:
        return _sums(planner, sums.coded.products, sums)
    return _codes(planner, sums.coded.products, sums)


def _sums(planner: Planner, products: Products, sums: Accumulators) -> tuple[Kept, Emission]:
    import numpy as np

    bias, scale = products.bias + sums.coded.offset, sums.coded.scale
    storage = dense_storage(planner.stored_type(products.y))
    if storage.layout is Layout.BYTES and (
        scale % storage.step or ((bias - storage.lo) % storage.step).any()
    ):
        # Some codes are no integers of the input: sums that only they would have lie in between.
        storage = plain_storage(planner.stored_type(products.y))
    kept = planner.make(products.y, storage)
    if storage.layout is Layout.BYTES:
        bias, step = bias - storage.lo, storage.step
        bias, scale = bias // step, scale // step
    nothing = np.zeros(0, np.int64)
    table = sums.table(bias, 0)
    layout = int(kept.storage.layout)
    emission = Emission(
        Kind.SUMS,
        layout,
        products.outputs,
        sums.columns,
        0,
        scale,
        table,
        nothing,
        nothing,
        nothing,
    )
    return kept, emission


def _codes(planner: Planner, products: Products, sums: Accumulators) -> tuple[Kept, Emission]:
    import numpy as np

    assert products.stairs is not None
    kept = planner.make(products.y)
    element, storage = planner.type(products.y).element, kept.storage
    base, scale = element.lo, element.step
    if storage.layout is Layout.BYTES:
        base, scale = (base - storage.lo) // storage.step, scale // storage.step
    apart = products.stairs.thresholds - sums.coded.offset[:, None]
    reached = -(-apart // sums.coded.scale)
    reached = np.clip(reached, sums.coded.least[:, None], sums.coded.most[:, None] + 1)
    kind, levels, thresholds, slopes, shifts = _search(sums, reached, storage.layout)
    emission = Emission(
        kind,
        int(storage.layout),
        products.outputs,
        sums.columns,
        levels,
        scale,
        np.array([base], np.int64),
        thresholds,
        slopes,
        shifts,
    )
    return kept, emission


def _search(
    sums: Accumulators, thresholds: NDArray[np.int64], layout: Layout
) -> tuple[Kind, int, NDArray[np.generic], NDArray[np.generic], NDArray[np.generic]]:
    """Return how to find which of ``thresholds [classes, outputs, levels]`` a sum reaches.

    That is the kind, the number of levels, and the tables of thresholds, slopes and shifts.
    """
    import numpy as np

    levels = thresholds.shape[2]
    nothing = np.zeros(0, np.float32)
    if levels > _FEW and layout is not Layout.BITS:
        classes = len(thresholds)
        rows = thresholds.reshape(-1, levels)
        least, most = (np.tile(end, classes) for end in (sums.coded.least, sums.coded.most))
        for kind, dtype in ((Kind.MULTIPLIED, "float32"), (Kind.MULTIPLIED_WIDE, "float64")):
            lines = lines_of(rows, least, most, np.dtype(dtype))
            if lines is not None:
                slopes, shifts = (
                    sums.table(values.reshape(classes, -1), 0)
                    for values in (lines.slopes, lines.shifts)
                )
                return kind, levels, nothing, slopes, shifts
    kind = Kind.COMPARED
    if levels > _SOME and layout is not Layout.BITS:
        kind, wide = Kind.SEARCHED, 2 ** levels.bit_length() - 1
        filling = np.full((*thresholds.shape[:2], wide - levels), _NEVER)
        thresholds, levels = np.concatenate([thresholds, filling], axis=2), wide
    table = sums.table(thresholds.swapaxes(1, 2).astype(np.int32), _NEVER)
    return kind, levels, table, nothing, nothing
