"""An integer graph in torch: what the float32 and the oneDNN peer have in common.

Images are channels last in memory. A value is held as its codes, ``lo + step * code``, in bytes
(oneDNN) or as itself in float32 (both), where every sum is proved to be below 2^24: then float32
adds without an error in any order. Staircases are rounded lines where one is proved (``lines.py``),
else comparisons.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it

from benchmarks.peers.case import NotForThis
from benchmarks.peers.lines import lines_of
from lutloom.core.ops import Add, Conv, Linear, MaxPool, Reshape, SumPool, Threshold
from lutloom.core.types import IntType
from lutloom.sim.engine.instruction_set import InstructionSet
from lutloom.sim.engine.planner import Planner
from lutloom.sim.engine.products import products_of

if TYPE_CHECKING:
    from benchmarks.peers.case import Bind, Case, Logits, Pixels
    from lutloom.core.graph import Graph, Node
    from lutloom.core.types import IntArray
    from lutloom.sim.engine.products import Products

Function: TypeAlias = Callable[..., torch.Tensor]

_EXACT = 2**24


@dataclass(frozen=True)
class _Call:
    function: Function
    inputs: tuple[str, ...]
    output: str


@dataclass
class Translation(ABC):
    """A graph while it is translated, operator by operator."""

    graph: Graph
    calls: list[_Call] = field(default_factory=list)

    @abstractmethod
    def products(self, made: Products) -> Function:
        """Return the function of a convolution or dense layer, its staircase included."""

    @abstractmethod
    def is_coded(self, value: str) -> bool:
        """Whether ``value`` is held as bytes."""

    def element(self, value: str) -> IntType:
        """Return the type of the integers of ``value``."""
        return self.graph.types[value].element

    def sums(self, made: Products) -> IntType:
        """Return the type of the sums in front of a staircase, whatever order they are turned."""
        x = self.element(made.x)
        ends = np.stack([made.weights * x.lo, made.weights * x.hi])
        low, high = ends.min(axis=0).sum(axis=(1, 2)), ends.max(axis=0).sum(axis=(1, 2))
        return IntType(min(int(low.min()), 0), max(int(high.max()), 0))

    def real(self, value: str) -> Function:
        """Return the function from how ``value`` is held to float32 of its integers."""
        if not self.is_coded(value):
            return _same
        element = self.element(value)
        return lambda x: x.float().mul_(element.step).add_(element.lo)

    def held(self, value: str) -> Function:
        """Return the function from float32 codes of ``value`` to how it is held; it may reuse."""
        element = self.element(value)
        if self.is_coded(value):
            return lambda codes: codes.to(torch.uint8)
        if (element.lo, element.step) == (0, 1):
            return _same
        return lambda codes: codes.mul_(element.step).add_(element.lo)

    def add(self, node: Node) -> None:
        """Translate ``node``, which is no product."""
        result = self.graph.types[node.name]
        if isinstance(node.op, Reshape):
            function = _reshape(self.graph.types[node.inputs[0]].shape, result.shape)
        elif isinstance(node.op, Threshold):
            sums = self.element(node.inputs[0])
            codes = staircase(_ascending(node.op, sums, self.element(node.name)), sums)
            function = _chain(self.real(node.inputs[0]), codes, self.held(node.name))
        elif isinstance(node.op, MaxPool):
            pool = _max_pool_of_bytes if self.is_coded(node.name) else _max_pool
            function = pool(node.op)
        elif isinstance(node.op, SumPool):
            function = self._through_reals(node, _sum_pool(node.op))
        elif isinstance(node.op, Add) and (node.op.multipliers.int64 == 1).all():
            # Codes of two addends are codes of their sum, which has their step.
            function = torch.add
        else:
            raise NotForThis(f"there is no translation of {node.op.name} to torch")
        self.calls.append(_Call(function, node.inputs, node.name))

    def _through_reals(self, node: Node, function: Function) -> Function:
        element = self.element(node.name)
        if not self.is_coded(node.name):
            return _chain(self.real(node.inputs[0]), function)
        codes: Function = lambda x: x.sub_(element.lo).div_(element.step)  # noqa: E731
        return _chain(self.real(node.inputs[0]), function, codes, self.held(node.name))

    def translate(self) -> Function:
        """Return the function from the graph's input, as it is held, to its output in float32."""
        planner = Planner(self.graph, InstructionSet.PORTABLE, 1)
        for node in self.graph.nodes:
            if isinstance(node.op, Conv | Linear):
                made = products_of(planner, node)
                _check_exact(self.element(node.inputs[0]), made)
                self.calls.append(_Call(self.products(made), (made.x,), made.y))
            elif node.name not in planner.done:
                self.add(node)
        (given,), (result,) = self.graph.inputs, self.graph.outputs
        calls, end = tuple(self.calls), self.real(result)
        readers = Counter(name for call in calls for name in call.inputs)

        def run(x: torch.Tensor) -> torch.Tensor:
            values, left = {given: x}, readers.copy()
            for call in calls:
                values[call.output] = call.function(*(values[name] for name in call.inputs))
                for name in call.inputs:
                    left[name] -= 1
                    if not left[name]:
                        del values[name]
            return end(values[result])

        return run


def bind_to(case: Case, threads: int, translation: type[Translation]) -> Bind:
    """Return the peer of ``case`` that ``translation`` makes of its integer graph."""
    torch.set_num_threads(threads)
    network = case.network()
    made = translation(network.graph)
    run = made.translate()

    def bind(pixels: Pixels) -> Callable[[], Logits]:
        integers = torch.from_numpy(network.encode(pixels).astype(np.uint8))
        if integers.ndim == 4:
            integers = integers.permute(0, 3, 1, 2)  # a view: channels are the last in memory
        x = integers if made.is_coded(network.input_value) else integers.float()

        def call() -> Logits:
            with torch.inference_mode():
                sums = run(x).numpy()
            logits: Logits = network.decode(sums.astype(np.int64))
            return logits

        return call

    return bind


def staircase(thresholds: IntArray, sums: IntType) -> Function:
    """Return the function from float32 sums to float32 codes, for ``thresholds [C, levels]``."""
    lines = lines_of(thresholds, sums)
    levels = thresholds.shape[1]
    if lines is not None:
        slope, offset = torch.from_numpy(lines.slope), torch.from_numpy(lines.offset)
        return lambda x: (
            torch.addcmul(_wide(offset, x), _wide(slope, x), x).round_().clamp_(0, levels)
        )
    columns = torch.from_numpy(np.clip(thresholds, sums.lo, sums.hi + 1).astype(np.float32)).T

    def compare(x: torch.Tensor) -> torch.Tensor:
        codes = (x >= _wide(columns[0], x)).float()
        for column in columns[1:]:
            codes += x >= _wide(column, x)
        return codes

    return compare


def weights_of(made: Products) -> IntArray:
    """Return the weights as torch has them, ``[M, C / groups, *kernel]`` or ``[M, K]``."""
    groups, taps, fan_in, outputs = made.weights.shape
    matrix = made.weights.transpose(0, 3, 2, 1).reshape(groups * outputs, fan_in, taps)
    if made.windows is None:
        return np.ascontiguousarray(matrix[:, :, 0])
    return np.ascontiguousarray(matrix.reshape(*matrix.shape[:2], *made.windows.kernel))


def padding_of(made: Products) -> list[int]:
    """Return the padding before each axis, which is that behind it, with zeros."""
    assert made.windows is not None
    rank, pads = len(made.image), list(made.windows.pads)
    if pads[:rank] != pads[rank:] or (any(pads) and made.fill) or set(made.windows.spacing) != {1}:
        raise NotForThis("there is no translation of such windows to torch")
    return pads[:rank]


def bias_of(made: Products) -> IntArray:
    """Return the bias of each output. Raises ``NotForThis`` where borders have their own."""
    if len(made.bias) > 1:
        raise NotForThis("there is no translation of border classes to torch")
    return made.bias[0]


def _check_exact(x: IntType, made: Products) -> None:
    largest = max(abs(x.lo), abs(x.hi))
    reach = np.abs(made.weights).sum(axis=(1, 2)).max() * largest + np.abs(made.bias).max()
    if reach >= _EXACT:
        raise NotForThis(f"sums reach {reach}, which float32 does not hold")


def _ascending(op: Threshold, sums: IntType, codes: IntType) -> IntArray:
    """Return where each code begins, ``[C, levels]``. Raises ``NotForThis`` for steps down."""
    heights = np.broadcast_to(op.deltas.int64, op.thresholds.shape)
    if (heights < 0).any():
        raise NotForThis("there is no translation of a staircase that goes down to torch")
    base = op.base.int64[:, np.newaxis]
    steps = np.concatenate([base, base + heights.cumsum(axis=1)], axis=1)
    always, never = np.full_like(base, sums.lo), np.full_like(base, sums.hi + 1)
    begins = np.concatenate([always, op.thresholds.int64, never], axis=1)
    first = (steps[:, :, np.newaxis] < codes.lo + codes.step * np.arange(1, codes.count)).sum(
        axis=1
    )
    return np.take_along_axis(begins, first, axis=1)


def _wide(channels: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return a number a channel, or one for all, in the axes of ``x``."""
    return channels.reshape(1, -1, *[1] * (x.ndim - 2)) if x.ndim > 1 else channels


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _chain(*functions: Function) -> Function:
    needed = [function for function in functions if function is not _same]

    def run(x: torch.Tensor) -> torch.Tensor:
        for function in needed:
            x = function(x)
        return x

    return run


def _reshape(before: tuple[int, ...], after: tuple[int, ...]) -> Function:
    """Return the function for shapes without the batch, in the graph's order of axes."""

    def run(x: torch.Tensor) -> torch.Tensor:
        if len(before) == 3:
            x = x.permute(0, 2, 3, 1)
        x = x.reshape(-1, *after)
        return x.permute(0, 3, 1, 2) if len(after) == 3 else x

    return run


def _max_pool(op: MaxPool) -> Function:
    if any(op.pads) or set(op.dilation) != {1}:
        raise NotForThis("there is no translation of a padded pool to torch")
    return lambda x: F.max_pool2d(x, op.kernel, op.stride)


def _max_pool_of_bytes(op: MaxPool) -> Function:
    """Return the pool as maxima of whole images: torch's own takes no more than 2^15 bytes each."""
    (height, width), (down, right) = op.kernel, op.stride
    _max_pool(op)

    def run(x: torch.Tensor) -> torch.Tensor:
        rows, columns = x.shape[2] - height + 1, x.shape[3] - width + 1
        taps = [
            x[:, :, i : i + rows : down, j : j + columns : right]
            for i in range(height)
            for j in range(width)
        ]
        return functools.reduce(torch.maximum, taps)

    return run


def _sum_pool(op: SumPool) -> Function:
    if any(op.pads) or set(op.dilation) != {1}:
        raise NotForThis("there is no translation of a padded pool to torch")
    return lambda x: F.avg_pool2d(x, op.kernel, op.stride, divisor_override=1)
