"""Resize and Upsample: of each result the nearest pixel, in exact coordinates.

Along an axis result ``y`` takes pixel ``index[y]``, whatever the scale is: a factor repeats pixels,
its inverse leaves some out, a ratio does both.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from lutloom.core.rational import rationals
from lutloom.streamline.context import required_constant, required_formula, required_integers
from lutloom.streamline.data_axes import data_axis
from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Constant, ShapeOf
from lutloom.streamline.take import behind, take

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_COORDINATES_SINCE = 11
_HALF = Fraction(1, 2)
_LARGEST = 2**20

_ROUNDED: Mapping[str, Callable[[Fraction], int]] = {
    "ceil": ceil,
    "floor": floor,
    "round_prefer_ceil": lambda v: floor(v + _HALF),
    "round_prefer_floor": lambda v: ceil(v - _HALF),
}


@dataclass(frozen=True, slots=True)
class _Target:
    """What an axis becomes: so many times as long, or so long; None stands for the batch."""

    scale: Fraction | None
    size: int | None = None

    def on(self, node: SourceNode, length: int) -> tuple[int, Fraction]:
        """Return how many pixels there are of ``length``, and the exact scale."""
        size = self.size
        if self.scale is not None:
            size = floor(length * self.scale)
        if size is None or not 1 <= size <= _LARGEST:
            raise ModelError(
                f"{node} makes {size} pixels of {length}, and should make 1 to {_LARGEST:,};"
                " export the model again"
            )
        return size, Fraction(size, length) if self.scale is None else self.scale


def resize(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the nearest pixels, along any axis but the batch.

    Raises ``ModelError`` for interpolation, and for scales that make nothing.
    """
    x = required_formula(node, inputs, 0, "a resize")
    _check_mode(node)
    is_old = node.op_type == "Upsample" or context.opset < _COORDINATES_SINCE
    rank = len(x.shape) + 1
    axes = node.integers("axes") or tuple(range(rank))
    targets = _scales(node, inputs, is_old=is_old) or _sizes(node, inputs, is_old=is_old)
    if len(targets) != len(axes) or len({axis % rank for axis in axes}) != len(axes):
        raise ModelError(
            f"{node} has scales or sizes for {len(targets)} axes, and should have one for each of"
            f" {len(axes)}: export the model again"
        )
    y = x
    for axis, target in zip(axes, targets, strict=True):
        is_batch = axis in (0, -rank)
        if is_batch and (target.scale == 1 or (target.size or 0) in (1, context.batch)):
            continue
        place = data_axis(node, axis, x.shape)
        length = y.shape[place]
        size, scale = target.on(node, length)
        if size != length or scale != 1:
            where = _coordinates(node, length, size, scale, is_old=is_old)
            index = [min(max(where(place), 0), length - 1) for place in range(size)]
            y = take(context.build, node, y, place, index)
    return behind(node, x, y)


def _check_mode(node: SourceNode) -> None:
    mode = node.text("mode", "nearest")
    if mode != "nearest":
        raise ModelError(
            f"{node} interpolates between pixels (mode '{mode}'), which this version has no"
            " hardware for; take the nearest ones, as nn.Upsample(mode='nearest') does"
        )
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise ModelError(f"{node} keeps the aspect ratio by itself: export it with its scales")


def _scales(node: SourceNode, inputs: Inputs, *, is_old: bool) -> list[_Target]:
    place = 1 if is_old else 2
    if len(inputs) <= place or inputs[place] is None:
        return []
    array = required_constant(node, inputs, place, "scales").array
    try:
        targets = [_Target(scale) for scale in rationals(array.ravel())]
    except (TypeError, ValueError) as error:
        raise ModelError(f"{node}: its scales are no numbers: export the model again") from error
    if is_old and any(target.scale is not None and target.scale < 1 for target in targets):
        raise ModelError(
            f"{node} makes an image smaller, and before opset 11 it is open which pixels are left"
            " out; export with opset 11 or later"
        )
    return targets


def _sizes(node: SourceNode, inputs: Inputs, *, is_old: bool) -> list[_Target]:
    if is_old or len(inputs) <= 3 or inputs[3] is None:
        return []
    match inputs[3]:
        case ShapeOf(sizes=sizes):
            return [_Target(Fraction(1) if size is None else None, size) for size in sizes]
        case Constant():
            sizes = required_integers(node, inputs, 3, "sizes")
            return [_Target(None, size) for size in sizes]
        case _:
            raise ModelError(f"{node}: its sizes depend on the data; export it with fixed ones")


def _coordinates(
    node: SourceNode, length: int, size: int, scale: Fraction, *, is_old: bool
) -> Callable[[int], int]:
    """Return the function of the pixel that each of ``size`` results takes of ``length``."""
    if is_old:
        return lambda y: floor(y / scale)
    name = node.text("nearest_mode", "round_prefer_floor")
    rounded = _ROUNDED.get(name)
    if rounded is None:
        raise ModelError(f"{node}: its nearest_mode '{name}' should be one of {sorted(_ROUNDED)}")
    how = node.text("coordinate_transformation_mode", "half_pixel")
    ratio = Fraction(length - 1, size - 1) if size > 1 else Fraction(0)
    match how:
        case "asymmetric":
            return lambda y: rounded(y / scale)
        case "align_corners":
            return lambda y: rounded(y * ratio)
        case "half_pixel":
            return lambda y: rounded((y + _HALF) / scale - _HALF)
        case "pytorch_half_pixel":
            return lambda y: rounded((y + _HALF) / scale - _HALF if size > 1 else Fraction(0))
    raise ModelError(
        f"{node}: its coordinates '{how}' are not known here; export it with asymmetric,"
        " half_pixel, pytorch_half_pixel or align_corners"
    )
