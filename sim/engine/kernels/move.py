"""Elements copied to other places: what permute, concat, slice, upsample, window and padding do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.sim.engine.planner import Kept, Planner


@dataclass(frozen=True, eq=False)
class Move:
    """``Move`` of native/move.cpp."""

    x: int
    y: int
    x_elements: int
    y_elements: int
    width: int
    runs: int
    is_filled: int
    fill: int
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    lengths: NDArray[np.int64]


def move(
    planner: Planner,
    x: Kept,
    y: Kept,
    places: NDArray[np.int64],
    *,
    elements: int,
    width: int,
    fill: int | None = None,
) -> None:
    """Add a step by which element ``i`` of ``y`` is the one that ``places [n]`` says of ``x``.

    Both are counted in elements of ``width`` bytes; ``x`` has ``elements`` of them. Where a place
    is -1, ``y`` becomes ``fill``, as it is stored, or stays what it was without one.
    """
    import numpy as np

    flat = places.ravel()
    there = flat >= 0
    # A run ends where the next element is not the next one of both.
    starts = np.flatnonzero(there & np.concatenate([[True], np.diff(flat) != 1]))
    starts = np.union1d(starts, np.flatnonzero(there & ~np.concatenate([[False], there[:-1]])))
    ends = np.append(starts[1:], flat.size)
    counts = np.concatenate([[0], np.cumsum(there)])
    step = Move(
        x=x.buffer,
        y=y.buffer,
        x_elements=elements,
        y_elements=flat.size,
        width=width,
        runs=len(starts),
        is_filled=int(fill is not None and not there.all()),
        fill=fill or 0,
        sources=flat[starts],
        targets=starts.astype(np.int64),
        lengths=(counts[ends] - counts[starts]).astype(np.int64),
    )
    planner.add("move", step, (x.buffer, y.buffer), (y.buffer,))
