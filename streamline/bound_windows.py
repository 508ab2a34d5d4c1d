"""Error bounds of sliding windows: convolutions, pools, windows as rows.

A result is the sum, or the largest, of what a window's taps see; the bound is that of the sum or
the comparison over those very operands. They are computed tap by tap, a matrix product each, since
a window seen as a row would take as many times the memory as it has taps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.bound_arithmetic import averaged, batch_norm, grid_of, summed, xnor_popcount
from lutloom.streamline.bounded import Bounded, U
from lutloom.streamline.window_taps import Places, is_channels_last, places_of

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Bound, Floats, Operands, Tensors
    from lutloom.streamline.oracle_windows import Taps
    from lutloom.streamline.source import SourceNode

    Slices: TypeAlias = tuple[slice, ...]


def meetings(places: Places) -> Iterator[tuple[tuple[int, ...], Slices, Slices]]:
    """Yield every tap that sees a pixel: the tap, the results where it does, and those pixels.

    Both are slices of the spatial axes: along each, they are as far apart from one to the next.
    """
    tables = [
        [_meeting(axis, tap) for tap in range(size)]
        for axis, size in zip(places.taps, places.kernel, strict=True)
    ]
    for tap in product(*map(range, places.kernel)):
        found = [table[t] for table, t in zip(tables, tap, strict=True)]
        if all(pair is not None for pair in found):
            pairs = [pair for pair in found if pair is not None]
            yield tap, tuple(results for results, _ in pairs), tuple(pixels for _, pixels in pairs)


def _meeting(axis: Taps, tap: int) -> tuple[slice, slice] | None:
    results = [y for y, pairs in enumerate(axis) if any(t == tap for t, _ in pairs)]
    pixels = [pixel for pairs in axis for t, pixel in pairs if t == tap]
    return (_slice(results), _slice(pixels)) if results else None


def _slice(places: Sequence[int]) -> slice:
    step = places[1] - places[0] if len(places) > 1 else 1
    return slice(places[0], places[-1] + 1, step)


def convolved(x: Floats, weights: Floats, places: Places) -> Floats:
    """Return the sums of products of ``x [N, *image, C]`` that meet: ``[N, *results, M]``.

    ``weights`` are ``[groups, *kernel, C / groups, M / groups]``.
    """
    import numpy as np

    groups, fan_in, outputs = weights.shape[0], *weights.shape[-2:]
    y = np.zeros((len(x), *places.results, groups * outputs))
    for tap, results, pixels in meetings(places):
        view = x[:, *pixels]
        at: Any = (slice(None), *tap)
        matrices = weights[at]
        shape = (*view.shape[:-1], groups * outputs)
        if groups == 1:
            y[:, *results] += (view.reshape(-1, fan_in) @ matrices[0]).reshape(shape)
        elif fan_in == outputs == 1:
            y[:, *results] += view * matrices[:, 0, 0]
        else:
            columns = view.reshape(-1, groups, fan_in).swapaxes(0, 1)
            y[:, *results] += (columns @ matrices).swapaxes(0, 1).reshape(shape)
    return y


def _convolution(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Bound ``Conv`` and ``ConvTranspose``; the bias may come first or last.

    Results of the latter are sums of fewer products than its kernel has.
    """
    import numpy as np

    groups = node.integer("group", 1)
    # [M, C / groups, *kernel], transposed [C, M / groups, *kernel]; behind the split of axis 0
    fan_in_and_outputs = (1, 2) if node.op_type == "ConvTranspose" else (2, 1)

    def arranged(weights: Floats) -> Floats:
        split = weights.reshape(groups, -1, *weights.shape[1:])
        return np.ascontiguousarray(np.moveaxis(split, fan_in_and_outputs, (-2, -1)))

    x, weights = operands[:2]
    image, kernel = x.value.shape[2:], weights.value.shape[2:]
    places = places_of(node, image, kernel)
    bias = operands[2] if len(operands) > 2 else None
    values, factors = _last(x.value), arranged(weights.value)
    terms = factors.shape[-2] * places.size + (bias is not None)
    y = convolved(values, factors, places)
    magnitude = convolved(np.abs(values), np.abs(factors), places)
    inherited = np.zeros(())
    if x.error.any():
        inherited = convolved(_last(x.error), np.abs(factors) + arranged(weights.error), places)
    if weights.error.any():
        inherited = inherited + convolved(np.abs(values), arranged(weights.error), places)
    axes = tuple(range(1, factors.ndim - 1))
    step = grid_of(x.value) * grid_of(factors, axes).reshape(-1)
    if bias is not None:
        y, magnitude = y + bias.value, magnitude + np.abs(bias.value)
        inherited = inherited + bias.error
        step = np.minimum(step, [grid_of(value) for value in bias.value])
    return _first(summed(y, magnitude, inherited, terms, step))


def _last(x: Floats) -> Floats:
    """Return ``[N, C, *image]`` as ``[N, *image, C]``."""
    import numpy as np

    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def _first(x: Bounded) -> Bounded:
    """Return ``[N, *image, C]`` as ``[N, C, *image]``."""
    import numpy as np

    return Bounded(np.moveaxis(x.value, -1, 1), np.moveaxis(x.error, -1, 1), x.is_exact)


def _max_pool(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Bound the largest of each window: off by no more than those that can be it."""
    import numpy as np

    x = operands[0]
    places = places_of(node, x.value.shape[2:])
    shape = (*x.value.shape[:2], *places.results)

    def largest(values: Floats, least: float) -> Floats:
        y = np.full(shape, least)
        for _, results, pixels in meetings(places):
            at = y[:, :, *results]
            np.maximum(at, values[:, :, *pixels], out=at)
        return y

    value = largest(x.value, -np.inf)
    if not x.error.any():
        return Bounded(value, np.zeros(shape), x.is_exact)
    surely = largest(x.value - x.error, -np.inf)
    error = np.zeros(shape)
    for __, results, pixels in meetings(places):
        there = x.error[:, :, *pixels]
        can_be = x.value[:, :, *pixels] + there >= surely[:, :, *results]
        at = error[:, :, *results]
        np.maximum(at, np.where(can_be, there, 0.0), out=at)
    return Bounded(value, error, x.is_exact)


def _average_pool(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Bound a sum that is divided, by the number of pixels of the very window."""
    import numpy as np

    x = operands[0]
    places = places_of(node, x.value.shape[2:])
    counts = np.ones(())
    for count in places.counts:
        counts = counts[..., np.newaxis] * np.array(count, dtype=np.float64)
    return averaged(_window_sums(x, places), counts)


def _window_sums(x: Bounded, places: Places) -> Bounded:
    import numpy as np

    def sums(values: Floats) -> Floats:
        y = np.zeros((*values.shape[:2], *places.results))
        for _, results, pixels in meetings(places):
            y[:, :, *results] += values[:, :, *pixels]
        return y

    inherited = sums(x.error) if x.error.any() else np.zeros(())
    return summed(sums(x.value), sums(np.abs(x.value)), inherited, places.size, grid_of(x.value))


def window_sum(node: SourceNode, operands: Operands) -> Bounded:
    """Bound what a ``QuantAvgPool2d`` shifts: an average, times the taps of a window."""
    import numpy as np

    x = first_channels(node, operands[0])
    places = places_of(node, x.value.shape[2:])
    total = _window_sums(x, places)
    mean = averaged(total, np.asarray(float(places.size)))
    off = mean.error * places.size
    error = np.where(off > 0, off + U * (np.abs(total.value) + off), 0.0)
    return last_channels(node, Bounded(total.value, error))


def _im2col(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Lay the windows of ``[N, H, W, C]`` out as rows, taps before channels: nothing is rounded."""
    import numpy as np

    x = operands[0]
    places = places_of(node, x.value.shape[1:-1])
    padding = float(node.integer("pad_value", 0))

    def rows(values: Floats, fill: float) -> Floats:
        y = np.full((len(values), *places.results, *places.kernel, values.shape[-1]), fill)
        for tap, results, pixels in meetings(places):
            at: Any = (slice(None), *results, *tap)
            y[at] = values[:, *pixels]
        return y.reshape(len(y), *places.results, -1)

    return Bounded(rows(x.value, padding), rows(x.error, 0.0), x.is_exact)


def first_channels(node: SourceNode, x: Bounded) -> Bounded:
    """Return the data of ``node`` with their channels behind the batch."""
    return _first(x) if is_channels_last(node) else x


def last_channels(node: SourceNode, x: Bounded) -> Bounded:
    """Return a result of ``node`` with its channels where ``node`` has them."""
    if not is_channels_last(node):
        return x
    return Bounded(_last(x.value), _last(x.error), x.is_exact)


def _channels_last(bound: Bound) -> Bound:
    """Return the bound of an operator that is ONNX's, but for the order of its axes."""

    def of_last(node: SourceNode, operands: Operands, tensors: Tensors) -> Bounded:
        own = [first_channels(node, operands[0]), *operands[1:]]
        if node.op_type == "Conv":
            own[1] = first_channels(node, operands[1])
        return last_channels(node, bound(node, own, tensors))

    return of_last


WINDOW_BOUNDS: Mapping[str, Bound] = {
    "AveragePool": _average_pool,
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "GlobalAveragePool": _average_pool,
    "GlobalMaxPool": _max_pool,
    "MaxPool": _max_pool,
}

QONNX_BOUNDS: Mapping[str, Bound] = {
    "BatchNormalization": _channels_last(batch_norm),
    "Conv": _channels_last(_convolution),
    "Im2Col": _im2col,
    "MaxPool": _channels_last(_max_pool),
    "MaxPoolNHWC": _channels_last(_max_pool),
    "XnorPopcountMatMul": xnor_popcount,
}
"""Of QONNX's own operators that are no quantizers: those of the domain channels_last too."""
