"""Sums of products of bytes, or of integers of 16 bits: by dot products of four bytes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from lutloom.sim.engine.coded import coded_products
from lutloom.sim.engine.instruction_set import InstructionSet
from lutloom.sim.engine.kernels.emission import Accumulators, Emission, make_result
from lutloom.sim.engine.kernels.pad import padded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.windows import Windows
    from lutloom.sim.engine.coded import Coded
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products

_WORD = 4
"""Bytes that a lane takes at a time."""
_POSITIONS = 192


@dataclass(frozen=True, eq=False)
class Dot:
    """``Dot`` of native/dot.cpp."""

    x: int
    y: int
    x_bytes: int
    pixels: int
    groups: int
    group_bytes: int
    runs: int
    words: int
    is_short: int
    positions: int
    offsets: NDArray[np.int64]
    run_offsets: NDArray[np.int64]
    weights: NDArray[np.signedinteger]
    classes: NDArray[np.int32]
    emission: Emission


def lower_dot(planner: Planner, products: Products) -> bool:
    """Add the steps of ``products`` if 32 bits hold the sums of codes of a byte, or of two."""
    coded = coded_products(planner, products)
    width = 0 if coded is None else _width(planner.instructions, coded)
    if coded is None or not width:
        return False
    products = coded.products
    lanes = lanes_of(planner.instructions)
    weights = _merged(coded.weights, lanes, _WORD // width)
    taps = _taps_of_a_run(products.windows, len(weights))
    fan_in, outputs = taps * weights.shape[2], weights.shape[3]
    words = -(-fan_in * width // _WORD)
    is_overrun = words * _WORD > fan_in * width
    buffer, shape = padded(
        planner, products, products.windows, coded.fill, width, is_overrun=is_overrun
    )
    offsets, run_offsets = places_of_windows(products, shape, taps)
    columns = outputs + -outputs % lanes
    sums = Accumulators.of(coded, len(weights), columns)
    y, emission = make_result(planner, sums)
    step = Dot(
        x=buffer,
        y=y.buffer,
        x_bytes=prod(shape) * width,
        pixels=products.pixels,
        groups=len(weights),
        group_bytes=weights.shape[2] * width,
        runs=len(run_offsets),
        words=words,
        is_short=int(width == 2),
        positions=_POSITIONS,
        offsets=offsets * width,
        run_offsets=run_offsets * width,
        weights=_panels(weights, taps, words * _WORD // width, columns, 4 * lanes, width),
        classes=products.classes,
        emission=emission,
    )
    planner.add("dot", step, (buffer,), (y.buffer,))
    return True


def lanes_of(instructions: InstructionSet) -> int:
    """Return how many sums of 32 bits a register holds: ``LANES_32`` of native/vectors.hpp."""
    return {InstructionSet.PORTABLE: 4, InstructionSet.AVX2: 8}.get(instructions, 16)


def adds_pairs(instructions: InstructionSet, coded: Coded) -> bool:
    """Say whether any two products of bytes can be added before anything is wider than 16 bits.

    Where four of them are added to 32 bits at once, that does not matter.
    """
    if instructions in (InstructionSet.AVX2, InstructionSet.AVX512):
        return 2 * coded.high * int(abs(coded.weights).max(initial=0)) < 2**15
    return True


def _width(instructions: InstructionSet, coded: Coded) -> int:
    """Return the bytes of a code and of a weight; 0 where neither one nor two will do."""
    # The narrowest registers have no products of bytes.
    is_able = instructions is not InstructionSet.PORTABLE and adds_pairs(instructions, coded)
    if coded.is_bytes and is_able:
        return 1
    return 2 if abs(coded.weights).max(initial=0) < 2**15 else 0


def _merged(weights: NDArray[np.int64], lanes: int, codes: int) -> NDArray[np.int64]:
    """Return ``weights`` of fewer groups, most of them zero, where that fills registers better.

    ``lanes`` outputs take ``codes`` channels at a time, whether there are as many or not.
    """
    import numpy as np

    groups, taps, fan_in, outputs = weights.shape

    def cost(count: int) -> int:
        registers, words = -(-count * outputs // lanes), -(-count * fan_in // codes)
        return int(groups // count * registers * words)

    count = min((n for n in range(groups, 0, -1) if groups % n == 0), key=cost)
    made = np.zeros((groups // count, taps, count, fan_in, count, outputs), np.int64)
    for n in range(count):
        made[:, :, n, :, n] = weights[n::count]
    return made.reshape(groups // count, taps, count * fan_in, count * outputs)


def _taps_of_a_run(windows: Windows | None, groups: int) -> int:
    """Return how many taps one behind the other see elements one behind the other."""
    if windows is None or groups > 1 or windows.dilation[-1] > 1:
        return 1
    return windows.kernel[-1]


def places_of_windows(
    products: Products, shape: tuple[int, ...], taps: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where windows begin in an image of ``shape [..., C]``, and their runs in a window.

    Both are counted in elements; a run has that many ``taps`` one behind the other.
    """
    import numpy as np

    windows, channels = products.windows, shape[-1]
    if windows is None:
        return np.arange(products.pixels) * channels, np.zeros(1, np.int64)
    begins, runs = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for axis, size in enumerate(shape[:-1]):
        step = taps if axis == windows.rank - 1 else 1
        places = np.arange(products.results[axis]) * windows.stride[axis]
        seen = np.arange(0, windows.kernel[axis], step) * windows.dilation[axis]
        begins = (begins[:, None] * size + places).ravel()
        runs = (runs[:, None] * size + seen).ravel()
    return begins * channels, runs * channels


def _panels(
    weights: NDArray[np.int64], taps: int, codes: int, columns: int, block: int, width: int
) -> NDArray[np.signedinteger]:
    """Return ``weights`` as native/dot.cpp reads them.

    A run has ``taps`` taps and takes ``codes`` codes; a group has ``columns`` outputs, ``block`` of
    them side by side.
    """
    import numpy as np

    groups, all_taps, fan_in, outputs = weights.shape
    runs, in_word = all_taps // taps, _WORD // width
    made = np.zeros((groups, runs, codes, columns), (np.int8, np.int16)[width - 1])
    made[:, :, : taps * fan_in, :outputs] = weights.reshape(groups, runs, taps * fan_in, outputs)
    made = made.reshape(groups, runs, codes // in_word, in_word, columns).swapaxes(3, 4)
    parts = [
        group[:, :, first : first + block].ravel()
        for group in made
        for first in range(0, columns, block)
    ]
    return np.concatenate(parts)
