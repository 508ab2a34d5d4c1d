"""Products with weights in {-1, 0, 1} on values of few codes, in planes: a bit of every image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lutloom.core.ops import MaxPool
from lutloom.sim.engine.fills import with_fill
from lutloom.sim.engine.kernels.bundles import Bundles, counts_of
from lutloom.sim.engine.kernels.plane_layout import (
    BYTE,
    MOST_LEVELS,
    can_slice,
    move_planes,
    sliced_bytes,
)
from lutloom.sim.engine.products import seen_pixels
from lutloom.sim.engine.storage import Layout, coded_storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.windows import Windows
    from lutloom.sim.engine.kernels.bundles import Counts, Number
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products
    from lutloom.sim.engine.program import Operand

_MOST_LEVELS_BEHIND = 15
_MOST_INPUTS = 2**16 - 1
_LEAST_BYTES = 16  # codes of which bytes are made planes
_MANY = 512  # images in a plane, from which on that is faster than dot products of bytes
_WINDOWS = 2  # that are counted at once, at most


@dataclass(frozen=True, eq=False)
class PlaneStairs:
    """``Stairs`` of native/plane_stairs.cpp."""

    x: int
    y: int
    pixels: int
    pooled: int
    outputs: int
    outputs_per_bundle: int
    levels: int
    most: int
    bundles: Bundles
    windows: NDArray[np.int64]
    classes: NDArray[np.int32]
    numbers: NDArray[np.int32]
    compares: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PlaneSums:
    """``Sums`` of native/plane_sums.cpp."""

    x: int
    y: Operand
    pixels: int
    outputs: int
    outputs_per_bundle: int
    bundles: Bundles
    windows: NDArray[np.int64]
    classes: NDArray[np.int32]
    numbers: NDArray[np.int32]
    scales: NDArray[np.int64]
    added: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Factored:
    """Weights that are ``factors [outputs]`` times ``signs [inputs, outputs]`` in {-1, 0, 1}."""

    signs: NDArray[np.int8]
    factors: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Sliced:
    """A value in a buffer of planes, ``planes`` of each element.

    An element is ``lo``, and ``step`` times how many of its planes say so; or, if it ``is_binary``,
    times the number whose bits they are.
    """

    buffer: int
    planes: int
    lo: int
    step: int
    is_binary: bool

    def fill_of(self, value: int) -> int | None:
        """Return the bits of the planes that stand for ``value``, if there are any."""
        code, beyond = divmod(value - self.lo, self.step)
        most = 2**self.planes - 1 if self.is_binary else self.planes
        if beyond or not 0 <= code <= most:
            return None
        return code if self.is_binary else 2**code - 1


@dataclass(frozen=True, eq=False)
class _Seen:
    """What windows see: planes in which all of them have the same shape.

    ``firsts [windows]`` are the pixels at which they begin, ``taps`` how many pixels further each
    tap is.
    """

    sliced: _Sliced
    firsts: NDArray[np.int64]
    taps: NDArray[np.int64]


def lower_planes(planner: Planner, products: Products) -> bool:
    """Add the steps of ``products`` where they can be computed in planes, and say so."""
    import numpy as np

    if not planner.lanes or not fits_planes(products.weights):
        return False
    behind = planner.type(products.y).element.count - 1
    if products.stairs is not None and not 1 <= behind <= _MOST_LEVELS_BEHIND:
        return False
    sliced = _sliced(planner, products)
    if sliced is None:
        return False
    planner.sliced += products.pixels * products.outputs * products.fan_in
    factored = _factored(products.weights)
    products, seen = _seen(planner, products, sliced)
    size, channels = planner.lanes // 8, planner.type(products.x).channels
    inputs = (seen.taps[:, None] * channels + np.arange(channels)).reshape(-1, 1)
    own = np.zeros(1, np.int64) if sliced.is_binary else np.arange(sliced.planes)
    offsets = (inputs * sliced.planes + own) * size
    counts = counts_of(factored.signs, offsets, are_bytes=sliced.is_binary)
    windows = seen.firsts * (channels * sliced.planes * size)
    add = _add_sums if products.stairs is None else _add_stairs
    add(planner, products, factored, counts, seen.sliced, windows)
    return True


def _sliced(planner: Planner, products: Products) -> _Sliced | None:
    """Return the input in planes, if that is worth while.

    Bytes are where a register has bits for many images, and the result stays in planes.
    """
    value, element = products.x, planner.type(products.x).element
    if can_slice(planner, value):
        kept = planner.planes(value)
        return _Sliced(kept.buffer, kept.storage.levels, element.lo, element.step, is_binary=False)
    if (value, Layout.PLANES) in planner.kept:
        return None
    dense = planner.dense(value)
    codes = planner.type(products.y).element.count
    is_few = products.stairs is not None and codes - 1 <= MOST_LEVELS
    is_wide = dense.storage.layout is Layout.BYTES and element.count > _LEAST_BYTES
    if planner.lanes < _MANY or not (is_few and is_wide):
        return None
    buffer = sliced_bytes(planner, value, dense)
    return _Sliced(buffer, BYTE, dense.storage.lo, dense.storage.step, is_binary=True)


def fits_planes(weights: NDArray[np.int64]) -> bool:
    """Say whether ``weights [groups, taps, C / groups, M / groups]`` are added and subtracted only.

    Those of an output may all be multiplied by the same number afterwards.
    """
    groups, taps, channels, _ = weights.shape
    sizes = abs(weights)
    is_factored = (sizes == 0) | (sizes == sizes.max(axis=(1, 2), keepdims=True))
    return bool(is_factored.all()) and groups * taps * channels * BYTE <= _MOST_INPUTS


def _factored(weights: NDArray[np.int64]) -> _Factored:
    """Return weights that fit as factors and signs."""
    import numpy as np

    groups, taps, channels, outputs = weights.shape
    factors = np.maximum(abs(weights).max(axis=(1, 2)), 1)
    whole = np.zeros((taps, groups, channels, groups, outputs), np.int8)
    for group, own in enumerate(weights):
        whole[:, group, :, group] = np.sign(own)
    return _Factored(whole.reshape(-1, groups * outputs), factors.ravel())


def _seen(planner: Planner, products: Products, sliced: _Sliced) -> tuple[Products, _Seen]:
    """Return what windows see; where they see padding, of a copy that has it.

    Where no code stands for the padding, the products are of an image with something else there.
    """
    import numpy as np

    places = products.places()
    taps = places[0] - places[0, 0]
    if (places >= 0).all() and (places - places[:, :1] == taps).all():
        return products, _Seen(sliced, places[:, 0], taps)
    windows = products.windows
    assert windows is not None
    fill = sliced.fill_of(products.fill)
    if fill is None:
        products, fill = with_fill(products, sliced.lo), 0
    sources, firsts, taps = _padded(products.image, windows)
    channels = np.arange(planner.type(products.x).channels)
    copy = planner.scratch_planes(len(sources) * len(channels) * sliced.planes)
    elements = np.where(sources < 0, -1, sources * len(channels) + channels[:, None]).T
    move_planes(planner, sliced.buffer, copy, elements.ravel(), levels=sliced.planes, fill=fill)
    return products, _Seen(replace(sliced, buffer=copy), firsts, taps)


def _padded(
    image: tuple[int, ...], windows: Windows
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels of an image with all that windows see, -1 where there is none.

    The others are the places in it where windows begin, and of taps from there.
    """
    import numpy as np

    sources, firsts, taps = (np.zeros(1, np.int64) for _ in range(3))
    for axis, (size, results) in enumerate(zip(image, windows.results(image), strict=True)):
        begins = windows.stride[axis] * np.arange(results)
        steps = windows.dilation[axis] * np.arange(windows.kernel[axis])
        places = int(begins[-1] + steps[-1]) + 1
        pixel, gap = np.divmod(np.arange(places) - windows.pads[axis], windows.spacing[axis])
        there = (gap == 0) & (pixel >= 0) & (pixel < size) & (sources >= 0)[:, None]
        sources = np.where(there, sources[:, None] * size + pixel, -1).ravel()
        firsts = (firsts[:, None] * places + begins).ravel()
        taps = (taps[:, None] * places + steps).ravel()
    return sources, firsts, taps


def _add_sums(
    planner: Planner,
    products: Products,
    factored: _Factored,
    counts: Counts,
    x: _Sliced,
    windows: NDArray[np.int64],
) -> None:
    """Add the step that makes the sums, dense."""
    import numpy as np

    y = planner.make(products.y)
    numbers = planner.scratch_planes(counts.planes * _WINDOWS)
    scales = factored.factors * x.step
    more = np.array([number.more for number in counts.numbers])
    lowest = factored.factors * x.lo * factored.signs.sum(axis=0, dtype=np.int64)
    step = PlaneSums(
        x=x.buffer,
        y=y.operand,
        pixels=products.pixels,
        outputs=products.outputs,
        outputs_per_bundle=counts.outputs,
        bundles=counts.in_buffer(numbers),
        windows=windows,
        classes=products.classes,
        numbers=_places(counts),
        scales=scales,
        added=products.bias + lowest - scales * more,
    )
    planner.add("plane_sums", step, (x.buffer,), (y.buffer, numbers), is_whole=True)


def _add_stairs(
    planner: Planner,
    products: Products,
    factored: _Factored,
    counts: Counts,
    x: _Sliced,
    windows: NDArray[np.int64],
) -> None:
    """Add the step that makes codes in planes, and of them a pool's that alone reads them."""
    import numpy as np

    assert products.stairs is not None
    name, pooled = _pooled(planner, products)
    element = planner.type(products.y).element
    y = planner.make(name, coded_storage(element, Layout.PLANES))
    numbers = planner.scratch_planes(counts.planes * _WINDOWS)
    lowest = factored.factors * x.lo * factored.signs.sum(axis=0, dtype=np.int64)
    thresholds = products.stairs.thresholds - lowest[:, None]
    counted = -(-thresholds // (factored.factors * x.step)[:, None])
    step = PlaneStairs(
        x=x.buffer,
        y=y.buffer,
        pixels=len(pooled),
        pooled=pooled.shape[1],
        outputs=products.outputs,
        outputs_per_bundle=counts.outputs,
        levels=element.count - 1,
        most=max(number.width for number in counts.numbers),
        bundles=counts.in_buffer(numbers),
        windows=windows[pooled],
        classes=products.classes[pooled],
        numbers=_places(counts),
        compares=_compares(counted, counts.numbers),
    )
    planner.add("plane_stairs", step, (x.buffer,), (y.buffer, numbers), is_whole=True)


def _pooled(planner: Planner, products: Products) -> tuple[str, NDArray[np.int64]]:
    """Return the value to make, and the results ``[pixels, pooled]`` of which each is the largest.

    That of a pool is made at once if no two of its windows overlap.
    """
    import numpy as np

    results = np.arange(products.pixels)[:, None]
    reader = planner.only_reader(products.y)
    if reader is None or not isinstance(reader.op, MaxPool):
        return products.y, results
    places = seen_pixels(products.results, reader.op.windows)
    if (places < 0).any() or np.unique(places).size < places.size:
        return products.y, results
    planner.done.add(reader.name)
    return reader.name, places


def _places(counts: Counts) -> NDArray[np.int32]:
    """Return the place and the width of the number of every output."""
    import numpy as np

    return np.array([(number.place, number.width) for number in counts.numbers], np.int32)


def _compares(thresholds: NDArray[np.int64], numbers: Sequence[Number]) -> NDArray[np.int64]:
    """Return the masks of ``thresholds [classes, outputs, levels]`` of what numbers count."""
    import numpy as np

    most, more = np.array([(number.most, number.more) for number in numbers]).T
    reached = np.clip(thresholds + more[:, None], 0, most[:, None] + 1)
    bits = np.arange(int(most.max()).bit_length())
    # At least t is above t - 1, and at least 0 as good as above 0 or equal.
    zeros = ~(np.maximum(reached - 1, 0)[..., None] >> bits) & 1
    return -np.concatenate([(reached == 0)[..., None], zeros], axis=-1).astype(np.int64)
