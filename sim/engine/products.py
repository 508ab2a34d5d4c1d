"""Sums of products with constant weights, whatever operator they come from, in one form.

A convolution, a dense layer and a matrix are sums over windows of an image; the staircase that
alone reads them belongs to them, where it only goes up or only goes down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lutloom.core.ops import (
    BorderThreshold,
    Conv,
    Depthwise,
    Linear,
    MatVec,
    SumPool,
    Threshold,
)
from lutloom.core.windows import Windows, class_indices
from lutloom.sim.engine.kernels.threshold import classes_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.core.types import IntType, TensorType
    from lutloom.sim.engine.planner import Planner

    Sums = Conv | Depthwise | Linear | MatVec | SumPool

_FAR = 2**62


@dataclass(frozen=True, eq=False)
class Stairs:
    """The code of a sum is how many of the thresholds of its class and output it reaches.

    ``thresholds [classes, outputs, levels]`` ascend, from below -2^61 where it always is to above
    2^61 where it never is. The integer is ``lo + step * code``, of the result's type.
    """

    thresholds: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Products:
    """``y[p, o] = bias[classes[p], o] + sum over taps t and channels c of group g
    weights[g, t, c, o] * x[window p, t, c]``.

    ``image`` is the shape of the input without channels, ``results`` that of the result; without a
    window, as in a dense layer, ``windows`` has one tap, and every pixel is a result. ``weights``
    are ``[groups, taps, C / groups, M / groups]``; ``classes [results]``, ``bias [classes, M]``.
    With ``stairs`` what is made is not ``y`` but its code.
    """

    x: str
    y: str
    image: tuple[int, ...]
    results: tuple[int, ...]
    windows: Windows | None
    weights: NDArray[np.int64]
    fill: int
    classes: NDArray[np.int32]
    bias: NDArray[np.int64]
    stairs: Stairs | None

    @property
    def groups(self) -> int:
        """How many groups of channels there are."""
        return int(self.weights.shape[0])

    @property
    def outputs(self) -> int:
        """How many channels the result has."""
        return int(self.weights.shape[0] * self.weights.shape[3])

    @property
    def fan_in(self) -> int:
        """How many products a sum has."""
        return int(self.weights.shape[1] * self.weights.shape[2])

    def places(self) -> NDArray[np.int64]:
        """Return the pixel that each tap of each result sees, ``[pixels, taps]``: -1 if masked."""
        import numpy as np

        if self.windows is None:
            return np.arange(self.pixels).reshape(-1, 1)
        return seen_pixels(self.image, self.windows)

    @property
    def pixels(self) -> int:
        """How many places of an image there are in the result."""
        return len(self.classes)


def seen_pixels(image: tuple[int, ...], windows: Windows) -> NDArray[np.int64]:
    """Return the pixel that each tap of each window sees, ``[results, taps]``: -1 if masked."""
    import numpy as np

    numbers = np.zeros((1, 1), np.int64)
    for axis, size in enumerate(image):
        taps = range(windows.kernel[axis])
        seen = np.stack([windows.pixels(image, axis, tap) for tap in taps], axis=-1)
        wide = numbers[:, None, :, None]
        inner = wide * size + seen[None, :, None, :]
        there = (wide >= 0) & (seen >= 0)[None, :, None, :]
        numbers = np.where(there, inner, -1).reshape(len(numbers) * len(seen), -1)
    return np.ascontiguousarray(numbers)


def products_of(planner: Planner, node: Node) -> Products:
    """Return the products that ``node`` computes, with the staircase behind it if that is simple.

    The staircase's node is marked as done.
    """
    assert isinstance(node.op, Conv | Depthwise | Linear | MatVec | SumPool)
    x, y = planner.type(node.inputs[0]), planner.type(node.name)
    pixels = y.size // y.channels
    classes, bias = _bias_of(node.op, x, pixels, y.channels)
    made = Products(
        x=node.inputs[0],
        y=node.name,
        image=x.shape[:-1],
        results=y.shape[:-1],
        windows=None if isinstance(node.op, Linear | MatVec) else node.op.windows,
        weights=weights_of(node.op, x.channels),
        fill=node.op.fill if isinstance(node.op, Conv | Depthwise) else 0,
        classes=classes,
        bias=bias,
        stairs=None,
    )
    reader = planner.only_reader(node.name)
    if reader is None or not isinstance(reader.op, Threshold | BorderThreshold):
        return made
    fused = _with_stairs(planner, made, reader)
    if fused is None:
        return made
    planner.done.add(reader.name)
    return fused


def weights_of(op: Sums, channels: int) -> NDArray[np.int64]:
    """Return the weights ``[groups, taps, C / groups, M / groups]``."""
    import numpy as np

    if isinstance(op, Linear):
        matrix = op.weights.int64[np.newaxis, np.newaxis]
    elif isinstance(op, MatVec):
        rows = op.matrix.int64.reshape(op.groups, -1, op.matrix.shape[1])
        matrix = rows.swapaxes(1, 2)[:, np.newaxis]
    elif isinstance(op, SumPool):
        matrix = np.ones((channels, op.windows.taps, 1, 1), np.int64)
    elif isinstance(op, Depthwise):
        matrix = op.weights.int64.reshape(-1, channels).T[..., np.newaxis, np.newaxis]
    else:
        *_, fan_in, outputs = op.weights.shape
        shape = (-1, fan_in, op.groups, outputs // op.groups)
        matrix = op.weights.int64.reshape(shape).transpose(2, 0, 1, 3)
    return np.ascontiguousarray(matrix)


def _bias_of(
    op: Sums, x: TensorType, pixels: int, outputs: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    import numpy as np

    if not isinstance(op, MatVec) or not op.has_border:
        return np.zeros(pixels, np.int32), np.zeros((1, outputs), np.int64)
    rows, columns = class_indices(x.shape, op.rows, op.columns)
    count = op.border.shape[1]
    numbers = np.broadcast_to(np.asarray(rows * count + columns), x.shape[:-1])
    bias = np.broadcast_to(op.border.int64, (*op.border.shape[:2], outputs))
    return numbers.ravel().astype(np.int32), np.ascontiguousarray(bias.reshape(-1, outputs))


def _with_stairs(planner: Planner, made: Products, reader: Node) -> Products | None:
    """Return ``made`` with the staircase of ``reader``; None where one goes up and down.

    Where it goes down, the weights of that output are negated, so that it goes up.
    """
    import numpy as np

    op = reader.op
    assert isinstance(op, Threshold | BorderThreshold)
    sums, codes = planner.type(made.y).element, planner.type(reader.name).element
    if not _can_be_fused(sums, codes, op):
        return None
    channels, levels = op.thresholds.shape[-2:]
    tables = op.base.int64.size // channels
    wide = (tables, made.outputs, levels)
    thresholds = np.broadcast_to(op.thresholds.int64.reshape(tables, channels, levels), wide)
    heights = op.deltas.int64.reshape(tables, channels, op.deltas.shape[-1])
    heights = np.broadcast_to(heights, wide)
    base = np.broadcast_to(op.base.int64.reshape(tables, channels, 1), (*wide[:2], 1))
    steps = np.concatenate([base, base + heights.cumsum(axis=-1)], axis=-1)
    # A staircase may step beyond what the sum reaches, where the codes are none.
    steps = np.clip(steps, codes.lo, codes.hi)
    reached = (steps - codes.lo) // codes.step
    thresholds = np.clip(thresholds, sums.lo, sums.hi + 1)
    rises = (np.diff(reached, axis=-1) >= 0).all(axis=(0, 2))
    falls = (np.diff(reached, axis=-1) <= 0).all(axis=(0, 2)) & ~rises
    if not (rises | falls).all():
        return None
    thresholds = np.where(falls[:, None], 1 - thresholds[..., ::-1], thresholds)
    reached = np.where(falls[:, None], reached[..., ::-1], reached)
    signs = np.where(falls, -1, 1)
    kinds = classes_of(op, (*made.results, made.outputs), made.pixels)
    classes, kind, border = pairs_of(kinds, made.classes)
    table = _first_reaching(reached, thresholds, codes.count - 1)[kind]
    table -= (signs * made.bias[border])[..., np.newaxis]
    return replace(
        made,
        y=reader.name,
        weights=made.weights * signs.reshape(made.groups, 1, 1, -1),
        classes=classes,
        bias=np.zeros((len(kind), made.outputs), np.int64),
        stairs=Stairs(table),
    )


def _can_be_fused(sums: IntType, codes: IntType, op: Threshold | BorderThreshold) -> bool:
    """Return whether codes of sums are few enough for a table, and sums nearer than ``_FAR``."""
    farthest = max(-sums.lo, sums.hi, -codes.lo, codes.hi)
    return farthest < _FAR // 2 and codes.count <= 2**8 + 2 * op.thresholds.shape[-1]


def pairs_of(
    a: NDArray[np.int32], b: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Return the classes of the pairs of two classes, and what each of them is a pair of."""
    import numpy as np

    width = int(b.max(initial=0)) + 1
    pairs, classes = np.unique(a.astype(np.int64) * width + b, return_inverse=True)
    return classes.astype(np.int32), pairs // width, pairs % width


def _first_reaching(
    codes: NDArray[np.int64], thresholds: NDArray[np.int64], levels: int
) -> NDArray[np.int64]:
    """Return from where on a code is at least 1, 2, ..., ``levels``: ``[..., levels]``.

    ``codes [..., T + 1]`` ascend, code ``t + 1`` begins at ``thresholds [..., T]``. What is never
    reached lies far beyond every sum, what always is far below.
    """
    import numpy as np

    ends = np.full((*thresholds.shape[:-1], 1), -_FAR)
    begins = np.concatenate([ends, thresholds, -ends], axis=-1)
    found = np.empty((*thresholds.shape[:-1], levels), np.int64)
    for level in range(1, levels + 1):
        first = (codes < level).sum(axis=-1, keepdims=True)
        found[..., level - 1] = np.take_along_axis(begins, first, axis=-1)[..., 0]
    return found
