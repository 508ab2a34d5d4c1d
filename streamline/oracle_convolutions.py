"""Convolutions, and transposed ones, of exact data: each result by its own window.

Both are the sum over pairs of a pixel and an element of the kernel that meet in a result; they
differ in which meet. Zero padding is what is left out of the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.streamline.oracle_products import in_integers
from lutloom.streamline.oracle_values import (
    ZERO,
    Operation,
    OracleError,
    Value,
    Values,
    data,
    given,
    known,
)
from lutloom.streamline.oracle_windows import Attributes, Taps, axes, elements, pixels, places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def _convolution(operation: Operation, inputs: Values) -> list[Value]:
    """Return ``y[m, p] = bias[m] + sum of w[m, c, t] x[c, stride p + dilation t - before]``."""
    x, weights = data(inputs[0]), known(inputs[1]).reals()
    groups = operation.attributes.get("group", 1)
    _check(operation, x, weights, channels=weights.shape[1] * groups, filters=weights.shape[0])
    kernel = weights.shape[2:]
    taps = [axis.taps() for axis in axes(operation, x.shape[3:], kernel)]
    split = weights.reshape(groups, -1, *weights.shape[1:]).swapaxes(1, 2)
    return [_biased(_sums(x, split, taps), inputs)]


def _transposed(operation: Operation, inputs: Values) -> list[Value]:
    """Return ``y[m, stride p + dilation t - before] = bias[m] + sum of w[c, m, t] x[c, p]``."""
    x, weights = data(inputs[0]), known(inputs[1]).reals()
    groups = operation.attributes.get("group", 1)
    _check(operation, x, weights, channels=weights.shape[0], filters=weights.shape[0])
    taps = transposed_taps(operation, x.shape[3:], weights.shape[2:])
    split = weights.reshape(groups, -1, *weights.shape[1:])
    return [_biased(_sums(x, split, taps), inputs)]


def _check(operation: Operation, x: Array, weights: Array, *, channels: int, filters: int) -> None:
    groups = operation.attributes.get("group", 1)
    shape = operation.attributes.get("kernel_shape") or weights.shape[2:]
    if tuple(shape) != weights.shape[2:]:
        raise OracleError(f"kernel_shape is {list(shape)} for weights {list(weights.shape)}")
    if x.ndim != weights.ndim + 1 or x.shape[2] != channels:
        raise OracleError(f"weights {list(weights.shape)} for data {list(x.shape[1:])}")
    if groups < 1 or channels % groups or filters % groups:
        raise OracleError(f"{channels} channels, or {filters} filters, in {groups} groups")


def transposed_taps(
    operation: Operation, sizes: Sequence[int], kernel: Sequence[int]
) -> list[Taps]:
    """Return the taps and pixels that meet in each result along each axis."""
    a = Attributes.of(operation, kernel)
    more = operation.attributes.get("output_padding") or [0] * len(kernel)
    shape = operation.attributes.get("output_shape")
    if shape is not None:
        shape = shape[-len(kernel) :]  # some exporters write batch and channels too
    taps = []
    for i, size in enumerate(sizes):
        stride, dilation = a.strides[i], a.dilations[i]
        full = stride * (size - 1) + more[i] + dilation * (kernel[i] - 1) + 1
        before, after = a.before[i], a.after[i]
        if shape is not None or a.auto_pad.startswith("SAME"):
            results = shape[i] if shape is not None else size * stride
            total = full - results
            if total < 0:
                raise OracleError(f"{results} results are wanted of {full}: which ones is open")
            before = total // 2 if a.auto_pad == "SAME_UPPER" else total - total // 2
        else:
            if a.auto_pad == "VALID":
                before = after = 0
            results = full - before - after
        if results < 1:
            raise OracleError(f"{before + after} pixels of padding leave nothing of {full}")
        taps.append(
            [
                [
                    (tap, ahead // stride)
                    for tap in range(kernel[i])
                    if (ahead := y + before - dilation * tap) % stride == 0
                    and 0 <= ahead // stride < size
                ]
                for y in range(results)
            ]
        )
    return taps


def _sums(x: Array, weights: Array, taps: Sequence[Taps]) -> Array:
    """Return the sums of the products that meet.

    ``x [samples, 1, groups * channels, *sizes]`` and ``weights [groups, channels, filters,
    *kernel]`` give ``[samples, 1, groups * filters, *results]``.
    """
    samples, groups, filters = len(x), weights.shape[0], weights.shape[2]
    shape = (samples, 1, groups * filters, *map(len, taps))
    split = x.reshape(samples, groups, -1, *x.shape[3:])

    def compute(image: Array, kernel: Array) -> Array:
        zero = ZERO if image.dtype == object else 0
        out = np.full(shape, zero, dtype=np.result_type(image, kernel))
        for place, pairs in places(taps):
            if not all(pairs):
                continue  # only padding
            window = image[pixels(pairs)].reshape(samples, groups, -1).swapaxes(0, 1)
            part = np.moveaxis(kernel[elements(pairs)], 2, -1).reshape(groups, -1, filters)
            sums = np.matmul(window, part).swapaxes(0, 1)
            at: tuple[Any, ...] = (slice(None), 0, slice(None), *place)
            out[at] = sums.reshape(samples, -1)
        return out

    terms = weights.shape[1] * prod(weights.shape[3:])
    return in_integers(compute, split, weights, terms=terms)


def _biased(y: Array, inputs: Values) -> Array:
    bias = given(inputs, 2)
    if bias is None:
        return y
    return np.asarray(y + bias.reals().reshape(-1, *[1] * (y.ndim - 3)), dtype=object)


CONVOLUTIONS: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
}
