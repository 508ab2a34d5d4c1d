"""Elements copied from one regular pattern of places to another, and into another layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.sim.engine.planner import Kept

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import TensorType
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.program import Operand
    from lutloom.sim.engine.storage import Storage

    Places: TypeAlias = NDArray[np.int8]
    """A view of ``memory_of`` a tensor: which of its elements are meant, and in which order."""

_SHORT = 16


@dataclass(frozen=True, eq=False)
class Copy:
    """``Copy`` of native/copy.cpp."""

    x: int
    y: int
    width: int
    x_elements: int
    y_elements: int
    x_first: int
    y_first: int
    rank: int
    sizes: NDArray[np.int64]
    x_strides: NDArray[np.int64]
    y_strides: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Convert:
    """``Convert`` of native/convert.cpp."""

    x: Operand
    y: Operand
    elements: int


def memory_of(tensor: TensorType) -> Places:
    """Return an array whose views say which elements of ``tensor`` are meant.

    It has a byte for each, so that addresses and strides count elements; nothing touches it.
    """
    import numpy as np

    return np.empty(tensor.shape, np.int8)


def copy(planner: Planner, x: Kept, y: Kept, source: Places, target: Places) -> None:
    """Add a step that copies elements ``source`` of ``x`` to ``target`` of ``y``.

    Both are views of one shape, of the memory of a tensor each; ``x`` and ``y`` are stored alike.
    """
    import numpy as np

    axes = zip(source.shape, source.strides, target.strides, strict=True)
    loops = _loops([axis for axis in axes if axis[0] > 1])
    sizes, x_strides, y_strides = np.array(loops, np.int64).T
    step = Copy(
        x=x.buffer,
        y=y.buffer,
        width=x.storage.dtype.itemsize,
        x_elements=_whole(source).size,
        y_elements=_whole(target).size,
        x_first=source.ctypes.data - _whole(source).ctypes.data,
        y_first=target.ctypes.data - _whole(target).ctypes.data,
        rank=len(sizes),
        sizes=sizes,
        x_strides=x_strides,
        y_strides=y_strides,
    )
    planner.add("copy", step, (x.buffer, y.buffer), (y.buffer,))


def converted(planner: Planner, x: Kept, tensor: TensorType, storage: Storage) -> Kept:
    """Return ``x`` in ``storage``: itself, or a copy."""
    if x.storage == storage:
        return x
    y = Kept(planner.scratch(storage.bytes_of(tensor)), storage)
    planner.add("convert", Convert(x.operand, y.operand, tensor.size), (x.buffer,), (y.buffer,))
    return y


def _whole(places: Places) -> Places:
    """Return the memory that ``places`` are a view of."""
    while places.base is not None:
        places = places.base
    return places


def _loops(axes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return as few loops as do the same: sizes and strides, the innermost last."""
    merged = [(1, 1, 1)]
    for size, dx, dy in sorted(axes, key=lambda axis: (-axis[2], -axis[1])):
        outer, outer_dx, outer_dy = merged[-1]
        if outer == 1:
            merged[-1] = (size, dx, dy)
        elif (outer_dx, outer_dy) == (size * dx, size * dy):
            merged[-1] = (outer * size, dx, dy)
        else:
            merged.append((size, dx, dy))
    if merged[-1][0] < _SHORT:
        # A call for every few elements costs more than they do.
        merged.sort(key=lambda loop: loop[0])
    return merged
