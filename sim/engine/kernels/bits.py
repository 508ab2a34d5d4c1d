"""Products of bits: weights of one magnitude by activations of up to four values.

With activations ``x = lo + step * sum over j of g[j]``, thermometer bits ``g``, and weights
``w = m`` where their bit is set, else ``-m``: of ``K`` products, ``P`` of which have positive
weights, and with ``d`` bits of all ``L`` rows that differ from the weight's,

    sum of w * x = m * (lo * (2 P - K) + step * L * P) - step * m * d

What pads an image need be no code: it is code 0, and the classes of windows that are cut off alike
make up for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.sim.engine.fills import with_fill
from lutloom.sim.engine.storage import Layout, coded_storage, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import TensorType
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products
    from lutloom.sim.engine.program import Operand

_PACK = 8
"""Outputs that weights are laid out for."""
_WORD = 64
_MOST_LEVELS = 3
_ANY = 2**32
"""More bits than any window has."""
_WIDEST = 2**40
"""Magnitudes of weights and activations up to which no intermediate leaves 64 bits."""


@dataclass(frozen=True, eq=False)
class Bits:
    """``Bits`` of native/bits.cpp."""

    y: Operand
    x: int
    window: int
    counts: int
    x_words: int
    pixels: int
    words: int
    groups: int
    group_words: int
    outputs: int
    levels: int
    lo: int
    step: int
    origins: NDArray[np.int32]
    shapes: NDArray[np.int32]
    classes: NDArray[np.int32]
    offsets: NDArray[np.int32]
    masks: NDArray[np.uint64]
    weights: NDArray[np.uint64]
    limits: NDArray[np.int64]
    base: NDArray[np.int64]
    slope: NDArray[np.int64]


def fits_bits(x: TensorType, weights: NDArray[np.int64]) -> bool:
    """Say whether products of ``x`` with ``weights [groups, taps, C / groups, M / groups]`` fit.

    Groups have to lie in words of their own, and half of each word to hold channels.
    """
    import numpy as np

    groups, taps, channels, outputs = weights.shape
    element = x.element
    if not 2 <= element.count <= _MOST_LEVELS + 1 or words_of(channels) * _WORD > 2 * channels:
        return False
    if groups > 1 and (channels % _WORD or outputs % _PACK):
        return False
    sizes = abs(weights)
    if not np.array_equal(sizes, np.broadcast_to(sizes[:, :1, :1], sizes.shape)):
        return False
    most = max(abs(element.lo), abs(element.hi))
    return bool(int(sizes.max()) * most * taps * channels < _WIDEST)


def lower_bits(planner: Planner, products: Products) -> bool:
    """Add the step of ``products`` and return True, if they are products of bits."""
    import numpy as np

    tensor = planner.type(products.x)
    if planner.lanes or not fits_bits(tensor, products.weights):
        return False
    codes = planner.type(products.y).element
    wanted = planner.wants(products.y) if products.stairs else None
    y = planner.make(
        products.y, coded_storage(codes, Layout.BITS) if wanted is Layout.BITS else None
    )
    x = planner.bits(products.x)
    # Masked taps see no bits: code 0.
    products = with_fill(products, tensor.element.lo)
    stairs = products.stairs
    windows = _windows_of(products, x.storage.levels, tensor.channels)
    weights = _padded(products.weights)
    size = abs(weights[:, 0, 0]).reshape(-1)
    positive = (weights > 0).sum(axis=(1, 2)).reshape(-1)
    fan_in, levels = products.fan_in, x.storage.levels
    lo, step = tensor.element.lo, tensor.element.step
    base = size * (lo * (2 * positive - fan_in) + step * levels * positive)
    base = base + np.pad(products.bias, [(0, 0), (0, base.size - products.outputs)])
    limits = np.zeros(0, np.int64)
    if stairs is not None:
        limits = _limits(base, step * size, stairs.thresholds)
    words = windows.offsets.shape[1]
    parameters = Bits(
        y=y.operand,
        x=x.buffer,
        window=planner.scratch(words * 8),
        counts=planner.scratch(base.shape[1] * 8),
        x_words=x.storage.bytes_of(tensor) // 8,
        pixels=products.pixels,
        words=words,
        groups=products.groups,
        group_words=words_of(tensor.channels) // products.groups,
        outputs=products.outputs,
        levels=-1 if stairs is None else stairs.thresholds.shape[2],
        lo=codes.lo,
        step=codes.step,
        origins=windows.origins,
        shapes=windows.shapes,
        classes=products.classes,
        offsets=windows.offsets,
        masks=windows.masks,
        weights=_parities(weights, levels),
        limits=limits,
        base=base,
        slope=step * size,
    )
    own = (parameters.window, parameters.counts)
    planner.add("bits", parameters, (x.buffer,), (y.buffer, *own))
    return True


@dataclass(frozen=True, eq=False)
class _Windows:
    """Which words a pixel's window is: those of its shape, from its origin on."""

    origins: NDArray[np.int32]
    shapes: NDArray[np.int32]
    offsets: NDArray[np.int32]
    masks: NDArray[np.uint64]


def _windows_of(products: Products, levels: int, channels: int) -> _Windows:
    import numpy as np

    places = products.places()
    seen = places >= 0
    first = np.take_along_axis(places, seen.argmax(axis=1)[:, None], axis=1)
    first = np.maximum(first, 0)
    # Masked taps read what the first one sees, for nothing.
    steps = np.where(seen, places - first, 0)
    rows = np.concatenate([steps, seen], axis=1)
    rows, shapes = np.unique(rows, axis=0, return_inverse=True)
    steps, seen = np.split(rows, 2, axis=1)
    pixel = levels * words_of(channels)
    own = words_of(channels // products.groups)
    inner = np.add.outer(np.arange(levels) * words_of(channels), np.arange(own)).ravel()
    offsets = (steps[..., None] * pixel + inner).reshape(len(rows), -1)
    masks = np.repeat(-1 * seen, inner.size, axis=1)
    return _Windows(
        origins=(first[:, 0] * pixel).astype(np.int32),
        shapes=shapes.ravel().astype(np.int32),
        offsets=offsets.astype(np.int32),
        masks=masks.astype(np.int64).view(np.uint64),
    )


def _padded(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the weights of outputs, and of zeros up to a multiple of a pack of them."""
    import numpy as np

    return np.pad(weights, [(0, 0)] * 3 + [(0, -weights.shape[3] % _PACK)])


def _parities(weights: NDArray[np.int64], levels: int) -> NDArray[np.uint64]:
    """Return ``[groups, packs, words, 8]``: in each word the parity of all up to there.

    The bits are those of ``weights [groups, taps, channels, outputs]``.
    """
    import numpy as np

    groups, _, channels, outputs = weights.shape
    signs = np.pad(weights > 0, [(0, 0), (0, 0), (0, -channels % _WORD), (0, 0)])
    rows = np.packbits(signs.transpose(0, 3, 1, 2), axis=-1, bitorder="little")
    words = np.ascontiguousarray(rows).view("<u8").astype(np.uint64)
    words = np.repeat(words[:, :, :, None], levels, axis=3).reshape(groups, outputs, -1)
    parities = np.bitwise_xor.accumulate(words, axis=-1)
    packs = parities.reshape(groups, outputs // _PACK, _PACK, -1)
    return np.ascontiguousarray(packs.swapaxes(2, 3))


def _limits(
    base: NDArray[np.int64], slope: NDArray[np.int64], thresholds: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many bits may differ for a sum to reach a threshold, -1 where it never does.

    ``base [classes, outputs]`` has more outputs than ``thresholds [classes, outputs, levels]``: as
    many as the result, ``[classes, levels, outputs]``.
    """
    import numpy as np

    _, outputs, _ = thresholds.shape
    room = (base[:, :outputs, None] - thresholds).swapaxes(1, 2)
    slope = slope[:outputs]
    limits = np.where(slope > 0, room // np.maximum(slope, 1), np.where(room >= 0, _ANY, -1))
    padding = [(0, 0), (0, 0), (0, base.shape[1] - outputs)]
    return np.pad(np.clip(limits, -1, _ANY), padding, constant_values=-1)
