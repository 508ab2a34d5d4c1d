"""Operators with windows in the words of QONNX, exactly: between transpositions, channels first.

conv, depthwise      Conv, of ``x - fill`` where masked taps do not see 0, and a bias that makes up
                     for it; pixels are put apart by a ConvTranspose with a kernel of one tap
max_pool             MaxPool
sum_pool             Conv with weights of 1
window               Pad; or Conv with a weight of 1 for every tap, and its results in our order
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lutloom.core.ops import Conv, Depthwise, MaxPool, SumPool, Window
from lutloom.core.types import IntType
from lutloom.streamline.qonnx_site import NotQonnxError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.windows import Windows
    from lutloom.streamline.qonnx_site import Site

    Array = NDArray[Any]

_MOST_AXES = 3


@dataclass(frozen=True, slots=True)
class _Value:
    """A value while it is written: what it holds, and its shape without the batch."""

    name: str
    element: IntType
    shape: tuple[int, ...]


def write_windows(site: Site, op: Conv | Depthwise | MaxPool | SumPool | Window) -> None:
    """Write the result of ``op``."""
    import numpy as np

    match op:
        case Conv(weights=weights, groups=groups, fill=fill):
            _convolution(site, weights.data, op.windows, groups, fill)
        case Depthwise(weights=weights, fill=fill):
            single = weights.data.reshape(*op.windows.kernel, 1, -1)
            _convolution(site, single, op.windows, single.shape[-1], fill)
        case SumPool():
            ones = np.ones((*op.kernel, 1, site.x_type.channels), dtype=np.int64)
            _convolution(site, ones, op.windows, site.x_type.channels, 0)
        case MaxPool():
            _max_pool(site, op)
        case Window():
            _window(site, op)


def _convolution(site: Site, weights: Array, windows: Windows, groups: int, fill: int) -> None:
    """Write the convolution of the input by ``weights [*kernel, C / groups, M]``."""
    y = _convolved(site, weights, windows, groups, fill, site.y_type.element)
    _transposed(site, y, to_first=False, name=site.y)


def _max_pool(site: Site, op: MaxPool) -> None:
    """Write the largest of windows as the result; padding that MaxPool refuses is a low number."""
    _check_axes(site, op.windows)
    x = _Value(site.x, site.x_type.element, site.x_type.shape)
    x, pads = _transposed(site, x, to_first=True), list(op.pads)
    limits = op.kernel * 2
    if min(pads) < 0 or any(pad >= size for pad, size in zip(pads, limits, strict=True)):
        x, pads = _padded(site, x, op.pads, x.element.lo), [0] * len(pads)
    y = _new(site, "largest", site.y_type.element, (x.shape[0], *site.y_type.shape[:-1]))
    site.writer.node(
        "MaxPool",
        [x.name],
        y.name,
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        dilations=list(op.dilation),
        pads=pads,
    )
    _transposed(site, y, to_first=False, name=site.y)


def _window(site: Site, op: Window) -> None:
    """Write the rows of windows as the result."""
    import numpy as np

    windows, channels, taps = op.windows, site.x_type.channels, op.windows.taps
    ones = (1,) * windows.rank
    if (windows.kernel, windows.stride, windows.spacing) == (ones, ones, ones):
        before, after = windows.pads[: windows.rank], windows.pads[windows.rank :]
        _pad(site, site.x, [0, *before, 0, 0, *after, 0], op.fill, site.y)
        return
    # One result for every channel and tap, which is that pixel.
    weights = np.tile(np.eye(taps, dtype=np.int64), channels)
    weights = weights.reshape(*windows.kernel, 1, channels * taps)
    element = site.x_type.element.including(op.fill)
    y = _convolved(site, weights, windows, channels, op.fill, element)
    y = _transposed(site, y, to_first=False)
    groups, results = op.groups, site.y_type.shape[:-1]
    split = _reshaped(site, y, (*results, groups, channels // groups, taps))
    rank = len(results)
    perm = [*range(rank + 2), rank + 3, rank + 2]
    rows = _new(site, "rows", element, (*results, groups, taps, channels // groups))
    site.writer.node("Transpose", [split.name], rows.name, perm=perm)
    _reshaped(site, rows, site.y_type.shape, name=site.y)


def _convolved(
    site: Site, weights: Array, windows: Windows, groups: int, fill: int, element: IntType
) -> _Value:
    """Return the convolution of the input, channels first: integers of ``element``."""
    import numpy as np

    _check_axes(site, windows)
    matrix = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    bias = matrix.sum(axis=0) * fill
    own = site.x_type.element
    x = _Value(site.x, own, site.x_type.shape)
    if fill:
        x = _new(site, "moved", IntType(own.lo - fill, own.hi - fill, own.step), x.shape)
        site.writer.node("Sub", [site.x, site.writer.constant(f"{site.y}/fill", fill)], x.name)
    largest = max(-x.element.lo, x.element.hi)
    site.check_constants(max(-int(weights.min()), int(weights.max()), abs(fill)))
    site.check_sum(float((np.abs(matrix).sum(axis=0) * largest + np.abs(bias)).max()))
    x = _apart(site, _transposed(site, x, to_first=True), windows)
    pads = list(windows.pads)
    if min(pads) < 0:
        x, pads = _padded(site, x, windows.pads, 0), [0] * len(pads)
    moved = np.moveaxis(weights, (-1, -2), (0, 1))
    operands = [x.name, site.writer.integers(f"{site.y}/weights", moved)]
    if fill:
        operands.append(site.writer.integers(f"{site.y}/bias", bias))
    results = windows.results(site.x_type.shape[:-1])
    y = _new(site, "sums", element, (weights.shape[-1], *results))
    site.writer.node(
        "Conv",
        operands,
        y.name,
        kernel_shape=list(windows.kernel),
        strides=list(windows.stride),
        dilations=list(windows.dilation),
        pads=pads,
        group=groups,
    )
    return y


def _check_axes(site: Site, windows: Windows) -> None:
    if windows.rank > _MOST_AXES:
        raise NotQonnxError(
            f"QONNX can't say {site.node}: no executor takes windows over {windows.rank} axes"
        )


def _new(site: Site, suffix: str, element: IntType, shape: tuple[int, ...]) -> _Value:
    """Add a value that is none of the graph's."""
    name = site.writer.fresh(f"{site.y}/{suffix}")
    return _Value(site.writer.value(name, element, shape), element, shape)


def _transposed(site: Site, x: _Value, *, to_first: bool, name: str = "") -> _Value:
    """Move the channels in front of the image, or behind it."""
    rank = len(x.shape)
    if to_first:
        shape, perm = (x.shape[-1], *x.shape[:-1]), [0, rank, *range(1, rank)]
    else:
        shape, perm = (*x.shape[1:], x.shape[0]), [0, *range(2, rank + 1), 1]
    y = _Value(name, x.element, shape) if name else _new(site, "moved", x.element, shape)
    site.writer.node("Transpose", [x.name], y.name, perm=perm)
    return y


def _reshaped(site: Site, x: _Value, shape: tuple[int, ...], name: str = "") -> _Value:
    y = _Value(name, x.element, shape) if name else _new(site, "split", x.element, shape)
    # 0 copies the batch.
    site.writer.node("Reshape", [x.name, site.writer.sizes(f"{site.y}/shape", (0, *shape))], y.name)
    return y


def _apart(site: Site, x: _Value, windows: Windows) -> _Value:
    """Put zeros between the pixels."""
    import numpy as np

    if all(space == 1 for space in windows.spacing):
        return x
    channels, *image = x.shape
    ones = np.ones((channels, 1, *[1] * windows.rank), dtype=np.int64)
    sizes = [(size - 1) * space + 1 for size, space in zip(image, windows.spacing, strict=True)]
    y = _new(site, "apart", x.element.including(0), (channels, *sizes))
    operands = [x.name, site.writer.integers(f"{site.y}/ones", ones)]
    site.writer.node(
        "ConvTranspose", operands, y.name, strides=list(windows.spacing), group=channels
    )
    return y


def _padded(site: Site, x: _Value, pads: tuple[int, ...], fill: int) -> _Value:
    """Put ``fill`` around the image of ``x``, channels first, or take pixels away."""
    rank = len(pads) // 2
    before, after = pads[:rank], pads[rank:]
    sizes = (b + size + a for b, size, a in zip(before, x.shape[1:], after, strict=True))
    y = _new(site, "padded", x.element.including(fill), (x.shape[0], *sizes))
    _pad(site, x.name, [0, 0, *before, 0, 0, *after], fill, y.name)
    return y


def _pad(site: Site, x: str, pads: list[int], fill: int, y: str) -> None:
    site.check_constants(abs(fill))
    amounts = site.writer.sizes(f"{site.y}/pads", tuple(pads))
    site.writer.node("Pad", [x, amounts, site.writer.constant(f"{site.y}/fill", fill)], y)
