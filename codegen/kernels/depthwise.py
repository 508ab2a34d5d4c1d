"""``lutloom::depthwise``: ``pe`` channels at a time, a tap a beat.

Or all taps and channels at once, of one window or of several (``lutloom::parallel_depthwise``).

Sums of products in codes (see ``sums``). Masked taps show the code of ``fill`` where it is an
integer of the input, else the code 0; what is missing then, ``fill`` less what that code stands
for, times the weights of the masked taps, is part of what sums start from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from math import gcd

from lutloom.codegen.initializer import decimal
from lutloom.codegen.kernels import pools
from lutloom.codegen.kernels.kernel import (
    CONSTANTS,
    NO_CONTENTS,
    Code,
    Kernel,
    Legal,
    Site,
    kept_memory,
    storage,
)
from lutloom.codegen.kernels.packed import WIDER_FACTOR
from lutloom.codegen.kernels.places import ByPlace
from lutloom.codegen.kernels.span import span_of
from lutloom.codegen.kernels.sums import Sums, multipliers_of
from lutloom.codegen.kernels.weights import weight_memory
from lutloom.core.counts import counted
from lutloom.core.plan import Folding
from lutloom.core.types import Const

_BECAUSE: Mapping[object, str] = {
    **NO_CONTENTS,
    **dict.fromkeys(WIDER_FACTOR, "products of different channels have no factor in common"),
}


@lru_cache(maxsize=256)
def sums_of(site: Site) -> Sums:
    """Return the sums, of the weights ``[taps, C]`` of those taps that ever see a pixel."""
    import numpy as np

    op, image = site.op, site.inputs[0].shape[:-1]
    weights = op.weights.data.reshape(op.windows.taps, -1)
    masks = op.windows.borders(image).masks.reshape(-1, len(weights))
    seen = np.where(masks.any(axis=0)[:, np.newaxis], weights, 0)
    x, y = site.inputs[0].element, site.outputs[0].element
    divisor = gcd(*np.unique(seen).tolist())
    return Sums(x, y, Const(seen), divisor, is_constant=not masks.any())


def _legal(site: Site, folding: Folding) -> Legal:
    multipliers = multipliers_of(sums_of(site).product)
    found = pools.legal(site, folding)
    return replace(
        found,
        memory=CONSTANTS,
        multiplier=multipliers,
        because={**found.because, **_BECAUSE},
    )


def _cycles(site: Site, folding: Folding) -> int:
    if pools.is_whole(site, folding):
        return span_of(site, folding).beats
    return pools.walk(site, folding).beats


def _weight_bits(site: Site, folding: Folding) -> int:
    return folding.pe * folding.simd * sums_of(site).weight_bits(folding)


def _fill(site: Site) -> tuple[int, int]:
    """Return the code of masked taps, and what it stands for."""
    sums, fill = sums_of(site), site.op.fill
    if sums.step == 0 or fill not in sums.x:
        return 0, sums.base
    return (fill - sums.base) // sums.step, fill


def starts_of(site: Site, windows: int = 1) -> ByPlace:
    """Return what sums of each channel start from, by place: of so many windows a word."""
    import numpy as np

    op, image, sums = site.op, site.inputs[0].shape[:-1], sums_of(site)
    # In Python's integers: products of 64 bits.
    weights = sums.weights.data.astype(object)
    totals = weights.sum(axis=0)
    unseen = (op.weights.data.reshape(weights.shape).sum(axis=0, dtype=object) - totals) * op.fill
    surplus = sums.counted(0, totals, Folding())
    shape, difference = site.outputs[0].shape, op.fill - _fill(site)[1]
    everywhere = np.zeros(1, np.int64)
    if not difference:
        # What masked taps show is what they should: all places are alike.
        values = sums.starts(totals, unseen) - surplus
        return ByPlace.of(values.reshape(1, 1, -1), everywhere, everywhere, shape, windows)
    borders = op.windows.borders(image)
    masked = 1 - borders.masks.astype(object)
    values = sums.starts(totals, masked @ weights * difference + unseen) - surplus
    rows, columns = (everywhere, *borders.classes)[-2:]
    values = values.reshape(*[1] * (2 - len(image)), *values.shape)
    return ByPlace.of(values, rows, columns, shape, windows)


def _code(site: Site, folding: Folding) -> Code:
    pe, sums = folding.pe, sums_of(site)
    taps, channels = sums.weights.shape
    tiles = sums.weight_codes(folding).reshape(taps, channels // pe, pe)
    words = tiles.swapaxes(0, 1).reshape(-1, pe * folding.simd)
    kernels = f"{counted(taps, 'tap')} of {counted(channels, 'channel')}"
    content = f"The weights of {kernels} in words of {pe} x {folding.simd}"
    weights, entry_bits = weight_memory(words, sums.weight_bits(folding), folding.memory, content)
    is_whole = pools.is_whole(site, folding)
    windows = span_of(site, folding).windows if is_whole else 1
    starts, note = starts_of(site, windows), "What sums start from."
    return Code(
        tables=(weights, *starts.lane_tables(note, channels // pe, pe * windows)),
        facts={
            **pools.facts(site, folding),
            **_buffer(site, folding),
            "is_uniform": starts.is_uniform,
            "fill": decimal(_fill(site)[0]),
            **sums.facts(folding),
        },
        widest=max(entry_bits, pools.widest(site, folding)),
    )


def _buffer(site: Site, folding: Folding) -> dict[str, object]:
    """Return what keeps words of the input: the plan's memory is that of the weights."""
    word = folding.pe * folding.pixels * site.inputs[0].element.bits
    if pools.is_whole(site, folding):
        span = span_of(site, folding)
        return {"storage": storage(kept_memory(max(span.slots, 1), span.stretches * word))}
    walk = pools.walk(site, folding)
    return {
        "is_disjoint": False,
        "buffer": walk.arguments,
        "beats": walk.beats,
        "storage": storage(kept_memory(walk.depth, word)),
    }


KERNEL = Kernel(_legal, pools.lanes, _cycles, pools.operators, _weight_bits, _code)
