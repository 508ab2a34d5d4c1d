"""Pooling of exact data: the largest, or the mean, of each window's pixels; padding is no pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.streamline.oracle_products import in_integers
from lutloom.streamline.oracle_values import Operation, OracleError, Value, Values, data
from lutloom.streamline.oracle_windows import Taps, axes, pixels, places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def pooled(
    reduce: Callable[..., Array], x: Array, taps: Sequence[Taps], *, terms: int = 1
) -> Array:
    """Return ``reduce`` of the pixels of every window of ``x [samples, 1, channels, *sizes]``."""

    def compute(image: Array) -> Array:
        out = np.empty((*image.shape[:3], *map(len, taps)), dtype=image.dtype)
        for place, pairs in places(taps):
            window = image[pixels(pairs)]
            at: tuple[Any, ...] = (..., *place)
            out[at] = reduce(window, axis=tuple(range(3, window.ndim)))
        return out

    return in_integers(compute, x, terms=terms)


def _max_pool(operation: Operation, inputs: Values) -> list[Value]:
    """Return the largest pixels; which they were (the second result) nobody needs here."""
    x = data(inputs[0])
    is_ceil = bool(operation.attributes.get("ceil_mode", 0))
    windows = axes(operation, x.shape[3:], _kernel(operation), ceil_mode=is_ceil)
    taps = [axis.taps() for axis in windows]
    if not all(pairs for axis in taps for pairs in axis):
        raise OracleError("a window holds padding only, and nothing to be the largest of")
    return [pooled(np.max, x, taps)]


def _average_pool(operation: Operation, inputs: Values) -> list[Value]:
    """Return sums divided by the number of pixels of the very window.

    With ``count_include_pad`` the padding counts too, as far as ``pads`` reach: what a window of
    ``ceil_mode`` has behind it does not. The standard says so since opset 19, and left it open.
    """
    x, kernel = data(inputs[0]), _kernel(operation)
    is_ceil = bool(operation.attributes.get("ceil_mode", 0))
    windows = axes(operation, x.shape[3:], kernel, ceil_mode=is_ceil)
    taps = [axis.taps() for axis in windows]
    counts = [
        axis.padded()
        if operation.attributes.get("count_include_pad", 0)
        else [len(pairs) for pairs in inside]
        for axis, inside in zip(windows, taps, strict=True)
    ]
    if not all(count for axis in counts for count in axis):
        raise OracleError("a window holds padding only, which does not count")
    divisors = np.empty([axis.results for axis in windows], dtype=object)
    for place in np.ndindex(divisors.shape):
        divisors[place] = Fraction(prod(count[i] for count, i in zip(counts, place, strict=True)))
    return [pooled(np.sum, x, taps, terms=prod(kernel)) / divisors]


def _kernel(operation: Operation) -> list[int]:
    kernel = operation.attributes.get("kernel_shape")
    if not kernel:
        raise OracleError("a pooling lacks its kernel_shape")
    return list(kernel)


def _global_pool(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    places, count = tuple(range(3, x.ndim)), prod(x.shape[3:])
    if operation.kind == "GlobalMaxPool":
        return [in_integers(lambda image: np.max(image, axis=places, keepdims=True), x)]
    sums = in_integers(lambda image: np.sum(image, axis=places, keepdims=True), x, terms=count)
    return [np.asarray(sums / Fraction(count), dtype=object)]


POOLS: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "MaxPool": _max_pool,
}
