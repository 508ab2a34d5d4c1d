"""Values into planes and out of them, and from planes to planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.sim.engine.storage import Layout, coded_storage, dense_storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntType
    from lutloom.sim.engine.planner import Kept, Planner

BYTE = 8
MOST_LEVELS = 3
"""Of values that are put into planes: up to four codes."""


@dataclass(frozen=True, eq=False)
class ToPlanes:
    """``ToPlanes`` of native/to_planes.cpp."""

    x: int
    y: int
    elements: int
    levels: int
    is_binary: int
    first: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FromPlanes:
    """``FromPlanes`` of native/from_planes.cpp."""

    x: int
    y: int
    elements: int
    levels: int
    lowest: int
    step: int


@dataclass(frozen=True, eq=False)
class PlaneMove:
    """``Move`` of native/plane_move.cpp."""

    x: int
    y: int
    runs: int
    levels: int
    fill: int
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    lengths: NDArray[np.int64]


def has_few_levels(element: IntType) -> bool:
    """Say whether codes of ``element`` are put into planes: there are few."""
    return 1 <= element.count - 1 <= MOST_LEVELS


def can_slice(planner: Planner, value: str) -> bool:
    """Say whether ``value`` is in planes, or could be: its codes are few, and bytes."""
    if not has_few_levels(planner.type(value).element):
        return False
    is_sliced = (value, Layout.PLANES) in planner.kept
    return is_sliced or planner.dense(value).storage.layout is Layout.BYTES


def sliced(planner: Planner, value: str, dense: Kept) -> Kept:
    """Return ``value``, ``dense`` in bytes, in planes."""
    import numpy as np

    element = planner.type(value).element
    storage = dense.storage
    assert storage.layout is Layout.BYTES
    planes = planner.make(value, coded_storage(element, Layout.PLANES))
    codes = [element.lo + step * element.step for step in range(1, element.count)]
    first = np.array([(code - storage.lo) // storage.step for code in codes], np.uint8)
    add_to_planes(planner, dense, planes.buffer, planner.type(value).size, first)
    return planes


def add_to_planes(
    planner: Planner,
    x: Kept,
    y: int,
    elements: int,
    first: NDArray[np.uint8],
    *,
    is_binary: bool = False,
) -> None:
    """Add a step that makes planes of bytes: of those from ``first [levels]`` on, or its bits."""
    step = ToPlanes(x.buffer, y, elements, len(first), int(is_binary), first)
    planner.add("to_planes", step, (x.buffer,), (y,), is_whole=planner.is_input(x))


def sliced_bytes(planner: Planner, value: str, dense: Kept) -> int:
    """Return a buffer with the eight bits of each code of ``value``, ``dense`` in bytes."""
    import numpy as np

    size = planner.type(value).size
    planes = planner.scratch_planes(size * BYTE)
    bits = 1 << np.arange(BYTE)
    add_to_planes(planner, dense, planes, size, bits.astype(np.uint8), is_binary=True)
    return planes


def unsliced(planner: Planner, value: str, planes: Kept) -> Kept:
    """Return ``value``, which lies in ``planes``, in bytes."""
    element = planner.type(value).element
    storage = dense_storage(planner.stored_type(value))
    assert storage.layout is Layout.BYTES
    dense = planner.make(value, storage)
    step = FromPlanes(
        planes.buffer,
        dense.buffer,
        planner.type(value).size,
        element.count - 1,
        (element.lo - storage.lo) // storage.step,
        element.step // storage.step,
    )
    planner.add("from_planes", step, (planes.buffer,), (dense.buffer,))
    return dense


def move_planes(
    planner: Planner, x: int, y: int, places: NDArray[np.int64], *, levels: int, fill: int = 0
) -> None:
    """Add a step by which element ``i`` of ``y`` is the one that ``places [n]`` says of ``x``.

    Both are buffers of planes, ``levels`` of each element. Where a place is -1, plane ``j``
    becomes bit ``j`` of ``fill``; where it is -2, all stay as they are.
    """
    import numpy as np

    steps = np.diff(places, prepend=-2)
    # A run goes on while both elements are the next ones, or the padding goes on.
    goes_on = np.where(places == -1, steps == 0, (steps == 1) & (places > 0))
    starts = np.flatnonzero(~goes_on)
    lengths = np.diff(np.append(starts, len(places)))
    there = places[starts] > -2
    starts, lengths = starts[there], lengths[there]
    sources = np.where(places[starts] < 0, -1, places[starts] * levels)
    step = PlaneMove(x, y, len(starts), levels, fill, sources, starts * levels, lengths * levels)
    planner.add("plane_move", step, (x,), (y,), is_whole=True)
