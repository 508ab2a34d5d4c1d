"""Codes from bytes to thermometer rows of bits, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.sim.engine.storage import Layout, coded_storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import TensorType
    from lutloom.sim.engine.planner import Kept, Planner


@dataclass(frozen=True, eq=False)
class Pack:
    """``Pack`` of native/pack.cpp."""

    x: int
    y: int
    pixels: int
    channels: int
    levels: int
    first: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Unpack:
    """``Unpack`` of native/unpack.cpp."""

    x: int
    y: int
    pixels: int
    channels: int
    levels: int
    first: int
    step: int


def packed(planner: Planner, value: str, x: Kept) -> Kept:
    """Add the step that packs ``value``, a byte a code in ``x``, and return where its bits are."""
    import numpy as np

    tensor = planner.type(value)
    storage = coded_storage(tensor.element, Layout.BITS)
    y = planner.make(value, storage)
    # Bytes may stand for more integers than the value has: for what pads it, too.
    reached = storage.lo + storage.step * np.arange(1, storage.levels + 1)
    first = -((x.storage.lo - reached) // x.storage.step)
    add_pack(planner, tensor, x, y, first.astype(np.uint8))
    return y


def add_pack(
    planner: Planner, tensor: TensorType, x: Kept, y: Kept, first: NDArray[np.uint8]
) -> None:
    """Add a step that makes the bits of ``y`` of the bytes of ``x``: from ``first [levels]`` on."""
    pixels = tensor.size // tensor.channels
    step = Pack(x.buffer, y.buffer, pixels, tensor.channels, len(first), first)
    planner.add("pack", step, (x.buffer,), (y.buffer,))


def unpacked(planner: Planner, value: str, x: Kept) -> Kept:
    """Add the step that makes bytes of ``value``, the bits of which are in ``x``; return them."""
    tensor = planner.type(value)
    y = planner.make(value)
    step = Unpack(
        x=x.buffer,
        y=y.buffer,
        pixels=tensor.size // tensor.channels,
        channels=tensor.channels,
        levels=x.storage.levels,
        first=(x.storage.lo - y.storage.lo) // y.storage.step,
        step=x.storage.step // y.storage.step,
    )
    planner.add("unpack", step, (x.buffer,), (y.buffer,))
    return y
