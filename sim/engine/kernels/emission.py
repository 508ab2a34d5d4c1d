"""What becomes of 32-bit sums: integers of some width, or codes by their thresholds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from lutloom.sim.engine.fits import lines_of
from lutloom.sim.engine.storage import Layout, coded_storage, dense_storage, plain_storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.sim.engine.coded import Coded
    from lutloom.sim.engine.planner import Kept, Planner
    from lutloom.sim.engine.products import Stairs

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
    groups: int
    columns: int
    places: NDArray[np.int64]

    @classmethod
    def of(cls, coded: Coded, groups: int, columns: int) -> Accumulators:
        """Return those of ``groups`` groups, each of which has as many ``columns``."""
        import numpy as np

        outputs = np.arange(coded.products.outputs).reshape(groups, -1)
        places = outputs + np.arange(groups)[:, None] * (columns - outputs.shape[1])
        return cls(coded, groups, groups * columns, places.ravel())

    @property
    def is_dense(self) -> bool:
        """Whether outputs of whole words of 64 follow each other, of all groups together."""
        is_whole = self.columns // self.groups % 64 == 0 and self.columns == len(self.places)
        return self.groups == 1 or is_whole

    def table(self, rows: NDArray[np.generic], filler: int) -> NDArray[np.generic]:
        """Return ``rows [..., outputs]`` with all columns, ``filler`` in those of no output."""
        import numpy as np

        made = np.full((*rows.shape[:-1], self.columns), filler, rows.dtype)
        made[..., self.places] = rows
        return made


def _nothing() -> NDArray[np.generic]:
    import numpy as np

    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Emission:
    """``Emission`` of native/emission.hpp."""

    kind: int
    layout: int
    outputs: int
    columns: int
    levels: int
    base: int
    scale: int
    bias: NDArray[np.generic] = field(default_factory=_nothing)
    thresholds: NDArray[np.generic] = field(default_factory=_nothing)
    slopes: NDArray[np.generic] = field(default_factory=_nothing)
    shifts: NDArray[np.generic] = field(default_factory=_nothing)


def make_result(planner: Planner, sums: Accumulators) -> tuple[Kept, Emission]:
    """Return a new buffer for the result, and how it is made of ``sums``."""
    if sums.coded.products.stairs is None:
        return _sums(planner, sums)
    return _codes(planner, sums, sums.coded.products.stairs)


def _sums(planner: Planner, sums: Accumulators) -> tuple[Kept, Emission]:
    import numpy as np

    products, scale = sums.coded.products, sums.coded.scale
    bias = products.bias + sums.coded.offset
    storage = dense_storage(planner.stored_type(products.y))
    if storage.layout is Layout.BYTES and (
        scale % storage.step or ((bias - storage.lo) % storage.step).any()
    ):
        # Some codes are no integers of the input: sums that only they would have lie in between.
        storage = plain_storage(planner.stored_type(products.y))
    kept = planner.make(products.y, storage)
    if storage.layout is Layout.BYTES:
        bias, scale = (bias - storage.lo) // storage.step, scale // storage.step
    table = sums.table(bias, 0)
    if storage.layout is not Layout.INT64:
        table = table.astype(np.uint32)  # modulo 2^32, as it is computed
    emission = Emission(
        kind=Kind.SUMS,
        layout=int(storage.layout),
        outputs=products.outputs,
        columns=sums.columns,
        levels=0,
        base=0,
        scale=scale,
        bias=table,
    )
    return kept, emission


def _codes(planner: Planner, sums: Accumulators, stairs: Stairs) -> tuple[Kept, Emission]:
    import numpy as np

    value = sums.coded.products.y
    element = planner.type(value).element
    storage = dense_storage(planner.stored_type(value))
    if sums.is_dense and planner.wants(value) is Layout.BITS:
        storage = coded_storage(element, Layout.BITS)
    base, scale = element.lo, element.step
    if storage.layout is Layout.BYTES:
        base, scale = (base - storage.lo) // storage.step, scale // storage.step
    apart = stairs.thresholds - sums.coded.offset[:, None]
    reached = -(-apart // sums.coded.scale)
    reached = np.clip(reached, sums.coded.least[:, None], sums.coded.most[:, None] + 1)
    kind, levels, tables = _search(sums, reached, storage.layout)
    emission = Emission(
        kind=kind,
        layout=int(storage.layout),
        outputs=sums.coded.products.outputs,
        columns=sums.columns,
        levels=levels,
        base=base,
        scale=scale,
        **tables,
    )
    return planner.make(value, storage), emission


def _search(
    sums: Accumulators, thresholds: NDArray[np.int64], layout: Layout
) -> tuple[Kind, int, dict[str, NDArray[np.generic]]]:
    """Return how to find which of ``thresholds [classes, outputs, levels]`` a sum reaches.

    That is the kind, the number of levels, and the tables.
    """
    import numpy as np

    levels = thresholds.shape[2]
    if levels > _FEW and layout is not Layout.BITS:
        classes = len(thresholds)
        rows = thresholds.reshape(-1, levels)
        least, most = (np.tile(end, classes) for end in (sums.coded.least, sums.coded.most))
        for kind, dtype in ((Kind.MULTIPLIED, "float32"), (Kind.MULTIPLIED_WIDE, "float64")):
            lines = lines_of(rows, least, most, np.dtype(dtype))
            if lines is not None:
                made = {"slopes": lines.slopes, "shifts": lines.shifts}
                parts = {name: rows.reshape(classes, -1) for name, rows in made.items()}
                return kind, levels, {name: sums.table(rows, 0) for name, rows in parts.items()}
    kind = Kind.COMPARED
    if levels > _SOME and layout is not Layout.BITS:
        kind, wide = Kind.SEARCHED, 2 ** levels.bit_length() - 1
        filling = np.full((*thresholds.shape[:2], wide - levels), _NEVER)
        thresholds, levels = np.concatenate([thresholds, filling], axis=2), wide
    table = sums.table(thresholds.swapaxes(1, 2).astype(np.int32), _NEVER)
    return kind, levels, {"thresholds": table}
