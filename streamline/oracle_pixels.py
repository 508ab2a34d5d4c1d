"""Operators that pad, cut up or lay out anew: every result is one of the numbers, or padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.streamline.oracle_values import (
    HALF,
    ZERO,
    Operation,
    OracleError,
    Value,
    Values,
    axis_of,
    data,
    fractions,
    given,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def _pad(operation: Operation, inputs: Values) -> list[Value]:
    """Put numbers around the data; negative padding takes some away.

    Up to opset 10 amounts and value are attributes, from 11 on inputs, from 18 on for chosen axes.
    """
    x = data(inputs[0])
    value = fractions(0)
    if operation.opset < 11:
        amounts = operation.attributes.get("pads", operation.attributes.get("paddings"))
        value = fractions(operation.attributes.get("value", 0.0))
    else:
        amounts = _integers(inputs, 1)
        constant = given(inputs, 2)
        if constant is not None:
            value = constant.reals().reshape(())
    axes = _integers(inputs, 3) if operation.opset >= 18 else None
    places = [axis_of(a, x) for a in (range(x.ndim - 1) if axes is None else axes)]
    if amounts is None or len(amounts) != 2 * len(places):
        raise OracleError(f"the padding of {len(places)} axes is {amounts}")
    mode = operation.attributes.get("mode", "constant")
    if mode not in {"constant", "edge", "reflect", "wrap"}:
        raise OracleError(f"Pad has no mode {mode!r}")
    if mode != "constant" and min(amounts, default=0) < 0:
        raise OracleError(f"what is taken away is not to be repeated ({mode})")
    widths = [(0, 0)] * x.ndim
    for place, before, after in zip(
        places, amounts[: len(places)], amounts[len(places) :], strict=True
    ):
        widths[place] = max(before, 0), max(after, 0)
        x = np.take(x, range(max(-before, 0), x.shape[place] - max(-after, 0)), place)
    if widths[1] != (0, 0):
        raise OracleError("a batch of one is padded with other samples")
    if mode == "constant":
        return [np.pad(x, widths, constant_values=value)]
    return [np.pad(x, widths, mode=mode)]


def _integers(inputs: Values, index: int) -> list[int] | None:
    value = given(inputs, index)
    return None if value is None else [int(number) for number in value.array.ravel()]


def _split(operation: Operation, inputs: Values) -> list[Value]:
    """Cut along an axis: into parts of given sizes, or equal ones but for a smaller last."""
    x = data(inputs[0])
    axis = axis_of(operation.attributes.get("axis", 0), x)
    sizes = operation.attributes.get("split") or _integers(inputs, 1)
    if sizes is None:
        count = operation.attributes.get("num_outputs", operation.results)
        part = -(-x.shape[axis] // count)
        sizes = [part] * (count - 1) + [x.shape[axis] - part * (count - 1)]
    if sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise OracleError(f"{x.shape[axis]} can't be split into {list(sizes)}")
    return list(np.split(x, np.cumsum(sizes)[:-1], axis))


def _depth_to_space(operation: Operation, inputs: Values) -> list[Value]:
    x, block = data(inputs[0]), operation.attributes["blocksize"]
    samples, _, channels, height, width = x.shape
    if channels % block**2:
        raise OracleError(f"{channels} channels are no blocks of {block} by {block}")
    left = channels // block**2
    if operation.attributes.get("mode", "DCR") == "DCR":
        blocks = x.reshape(samples, block, block, left, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(samples, left, block, block, height, width).transpose(0, 1, 4, 2, 5, 3)
    return [blocks.reshape(samples, 1, left, height * block, width * block)]


def _space_to_depth(operation: Operation, inputs: Values) -> list[Value]:
    x, block = data(inputs[0]), operation.attributes["blocksize"]
    samples, _, channels, height, width = x.shape
    if height % block or width % block:
        raise OracleError(f"{height} by {width} pixels are no blocks of {block} by {block}")
    rows, columns = height // block, width // block
    blocks = x.reshape(samples, channels, rows, block, columns, block).transpose(0, 3, 5, 1, 2, 4)
    return [blocks.reshape(samples, 1, channels * block**2, rows, columns)]


def _resize(operation: Operation, inputs: Values) -> list[Value]:
    """Repeat or leave out pixels: of each result the nearest one, in exact coordinates."""
    x = data(inputs[0])
    if operation.attributes.get("mode", "nearest") != "nearest":
        raise OracleError(f"{operation.kind} has the mode {operation.attributes['mode']!r}")
    is_old = operation.kind == "Upsample" or operation.opset < 11
    axes = operation.attributes.get("axes") or range(x.ndim - 1)
    scales, sizes = _scales(operation, inputs, is_old=is_old)
    if len(sizes or scales or ()) != len(axes):
        raise OracleError(f"{operation.kind} lacks a scale for each of {len(axes)} axes")
    if operation.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise OracleError("sizes that keep the aspect ratio")
    for i, axis in enumerate(axes):
        place = axis_of(axis, x)
        length = x.shape[place]
        if sizes is not None:
            results, scale = sizes[i], Fraction(sizes[i], length)
        else:
            assert scales is not None
            results, scale = floor(length * scales[i]), scales[i]
        if is_old and scale < 1:
            raise OracleError("which pixels are left out is open before opset 11")
        if results != length or scale != 1:
            nearest = _nearest(operation, length, results, scale, is_old=is_old)
            x = np.take(x, nearest, place)
    return [x]


def _scales(
    operation: Operation, inputs: Values, *, is_old: bool
) -> tuple[list[Fraction] | None, list[int] | None]:
    if "scales" in operation.attributes:  # Upsample of opset 7
        return list(fractions(operation.attributes["scales"])), None
    scales = given(inputs, 1 if is_old else 2)
    if scales is not None and scales.array.size:
        return list(fractions(scales.array)), None
    return None, None if is_old else _integers(inputs, 3)


def _nearest(
    operation: Operation, length: int, results: int, scale: Fraction, *, is_old: bool
) -> list[int]:
    if is_old:
        return [min(floor(y / scale), length - 1) for y in range(results)]
    where = _coordinates(operation, length, results, scale)
    rounded: Mapping[str, Callable[[Fraction], int]] = {
        "ceil": ceil,
        "floor": floor,
        "round_prefer_ceil": lambda v: floor(v + HALF),
        "round_prefer_floor": lambda v: ceil(v - HALF),
    }
    mode = operation.attributes.get("nearest_mode", "round_prefer_floor")
    if mode not in rounded:
        raise OracleError(f"Resize has no nearest_mode {mode!r}")
    return [min(max(rounded[mode](where(y)), 0), length - 1) for y in range(results)]


def _coordinates(
    operation: Operation, length: int, results: int, scale: Fraction
) -> Callable[[int], Fraction]:
    """Return where a result lies among the pixels."""
    match operation.attributes.get("coordinate_transformation_mode", "half_pixel"):
        case "half_pixel":
            return lambda y: (y + HALF) / scale - HALF
        case "pytorch_half_pixel":
            return lambda y: (y + HALF) / scale - HALF if results > 1 else ZERO
        case "asymmetric":
            return lambda y: y / scale
        case "align_corners":
            return lambda y: Fraction(y * (length - 1), results - 1) if results > 1 else ZERO
        case other:
            raise OracleError(f"Resize with the coordinates {other!r}")


PIXELS: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    "DepthToSpace": _depth_to_space,
    "Pad": _pad,
    "Resize": _resize,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Upsample": _resize,
}
