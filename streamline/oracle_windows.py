"""Where sliding windows lie: which pixels each element of a result is computed from.

A window is described by one ``Taps`` for each spatial axis: for every place of the result along
it, the pairs ``(tap, pixel)`` that meet there. What lies outside the image is no pair: padding is
left out, and whoever wants it to be something else than nothing says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import Any, TypeAlias

import numpy as np

from lutloom.streamline.oracle_values import Operation, OracleError

Taps: TypeAlias = "list[list[tuple[int, int]]]"


@dataclass(frozen=True)
class Axis:
    """A window along one axis.

    Tap ``t`` of result ``y`` is pixel ``stride y + dilation t - before``. ``size`` counts the
    pixels of the image, ``results`` those of the result.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    results: int

    def taps(self) -> Taps:
        """Return the taps within the image, for each result."""
        return [
            [
                (tap, pixel)
                for tap in range(self.kernel)
                if 0 <= (pixel := self.stride * y + self.dilation * tap - self.before) < self.size
            ]
            for y in range(self.results)
        ]

    def padded(self) -> list[int]:
        """Return how many taps lie within the image and its padding, for each result."""
        end = self.size + self.before + self.after
        return [
            sum(self.stride * y + self.dilation * tap < end for tap in range(self.kernel))
            for y in range(self.results)
        ]


@dataclass(frozen=True)
class Attributes:
    """What the nodes of windows have in common, one number for each axis, with its defaults."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    auto_pad: str

    @staticmethod
    def of(operation: Operation, kernel: Sequence[int]) -> Attributes:
        """Return those of a node; ``kernel`` is the shape of its window."""
        rank = len(kernel)

        def numbers(name: str, default: int, count: int) -> tuple[int, ...]:
            values = tuple(operation.attributes.get(name) or [default] * count)
            if len(values) != count:
                raise OracleError(f"{name} are {list(values)} for {rank} axes")
            return values

        pads = numbers("pads", 0, 2 * rank)
        auto_pad = operation.attributes.get("auto_pad") or "NOTSET"
        if auto_pad not in {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}:
            raise OracleError(f"auto_pad has no {auto_pad!r}")
        made = Attributes(
            tuple(kernel),
            numbers("strides", 1, rank),
            numbers("dilations", 1, rank),
            pads[:rank],
            pads[rank:],
            auto_pad,
        )
        if min(made.kernel + made.strides + made.dilations) < 1:
            raise OracleError("a kernel, its strides and its dilations should be positive")
        if min(pads) < 0:
            raise OracleError("padding should not be negative")
        return made


def axes(
    operation: Operation, sizes: Sequence[int], kernel: Sequence[int], *, ceil_mode: bool = False
) -> list[Axis]:
    """Return the windows of a convolution or pooling over an image of ``sizes``.

    With ``auto_pad`` the sizes of the result are those of the standard: neither ``pads`` nor
    ``ceil_mode`` changes them.
    """
    if len(sizes) != len(kernel):
        raise OracleError(f"a window of {len(kernel)} axes on an image of {len(sizes)}")
    a = Attributes.of(operation, kernel)
    return [
        _axis(a.auto_pad, *numbers, ceil_mode=ceil_mode)
        for numbers in zip(sizes, a.kernel, a.strides, a.dilations, a.before, a.after, strict=True)
    ]


def _axis(
    auto_pad: str,
    size: int,
    kernel: int,
    stride: int,
    dilation: int,
    before: int,
    after: int,
    *,
    ceil_mode: bool,
) -> Axis:
    extent = dilation * (kernel - 1) + 1
    if auto_pad.startswith("SAME"):
        results = -(-size // stride)
        total = max(0, (results - 1) * stride + extent - size)
        # The odd one is at the end for SAME_UPPER, at the beginning for SAME_LOWER.
        before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
        return Axis(size, kernel, stride, dilation, before, total - before, results)
    if auto_pad == "VALID":
        before = after = 0
        ceil_mode = False  # ceil((size - extent + 1) / stride), which is the floor plus one
    room = size + before + after - extent
    results = (-(-room // stride) if ceil_mode else room // stride) + 1
    if ceil_mode and (results - 1) * stride >= size + before:
        # A window that would begin behind the image is none. The standard says so since opset
        # 22; executors did it before, and such a window has nothing to be the largest of.
        results -= 1
    if results < 1:
        raise OracleError(f"a window of {extent} pixels on {size} with {before + after} of padding")
    return Axis(size, kernel, stride, dilation, before, after, results)


def places(taps: Sequence[Taps]) -> Iterator[tuple[tuple[int, ...], list[list[tuple[int, int]]]]]:
    """Return every place of the result, and along each axis what meets there."""
    for place in combinations(*(range(len(axis)) for axis in taps)):
        yield place, [axis[index] for axis, index in zip(taps, place, strict=True)]


def pixels(pairs: Sequence[Sequence[tuple[int, int]]]) -> tuple[Any, ...]:
    """Return the index of a window's pixels, for the last axes of an image."""
    return (..., *np.ix_(*([pixel for _, pixel in axis] for axis in pairs)))


def elements(pairs: Sequence[Sequence[tuple[int, int]]]) -> tuple[Any, ...]:
    """Return the index of the kernel's elements that meet those pixels, for its last axes."""
    return (..., *np.ix_(*([tap for tap, _ in axis] for axis in pairs)))
