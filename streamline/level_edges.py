"""The levels of a model's quantizer, and the edges between them, for whole tensors of an executor.

A level ``k`` begins where the argument (``x / scale + zero_point``; plain ``x`` for BipolarQuant
and MultiThreshold, the sum of a window for QuantAvgPool2d; ``x / scale`` for QuantizeLinear, whose
levels are counted from its zero point here) passes ``edge(k - 1)``, and ends at
``edge(k)``. For MultiThreshold a level is the count of thresholds reached; a sign has the levels 0
and 1. Trunc and QuantAvgPool2d round the argument to an integer first, ties to even, and then its
quotient by a power of two: their edges lie midway between integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from lutloom.core.host import round_by
from lutloom.core.rounding import Rounding
from lutloom.streamline.linear_quantizers import of_tensors, zero_point_of_data
from lutloom.streamline.oracle_qonnx import nearest_power, shift_of_average
from lutloom.streamline.oracle_quantizers import rounded
from lutloom.streamline.rounding import rounding_named, step_up
from lutloom.streamline.source import INPUTS_OF_SECOND_TRUNC, LINEAR_QUANTIZER

if TYPE_CHECKING:
    from lutloom.core.types import IntArray
    from lutloom.streamline.bounded import Floats, Tensors
    from lutloom.streamline.source import SourceNode


# Their levels are their results.
_OF_INTEGERS = frozenset({LINEAR_QUANTIZER, "QuantAvgPool2d"})
_ROUNDED_BEFORE = frozenset({"QuantAvgPool2d", "Trunc"})
_LAYOUTS = {2: "NC", 3: "NWC", 4: "NCHW"}
# Edges are looked up in a table where the levels that occur span no more than this.
_LONGEST_TABLE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """A quantizer: its ``lowest`` and ``highest`` level, and where one goes over to the next.

    ``rounding`` is None for a sign and for thresholds, whose ``table [channels, steps]`` is sorted,
    with the channels along ``axis`` of the tensor.
    """

    lowest: int
    highest: int
    rounding: Rounding | None
    table: Floats
    axis: int
    unit: Floats
    zero_point: Floats
    is_sign: bool = False
    power: Fraction | None = None
    """What the rounded argument is divided by; None where it is not rounded before."""

    def levels(self, reals: Floats) -> IntArray:
        """Return the levels that ``reals``, outputs of the quantizer, stand for.

        What is no number, or no level, counts as the lowest or highest one.
        """
        import numpy as np

        levels = np.nan_to_num(np.round(reals / self.unit + self.zero_point), nan=self.lowest)
        return np.clip(levels, self.lowest, self.highest).astype(np.int64)

    def reals(self, levels: IntArray) -> Floats:
        """Return what ``levels`` stand for, in float64."""
        import numpy as np

        return np.asarray((levels - self.zero_point) * self.unit)

    def reached(self, values: Floats) -> IntArray:
        """Return the levels of arguments, each as float64 has it."""
        import numpy as np

        finite = np.nan_to_num(values, nan=0.0, posinf=2.0**62, neginf=-(2.0**62))
        if self.rounding is None:
            return self._below(finite)
        if self.power is not None:
            finite = np.rint(finite) / float(self.power)
        limited = np.clip(finite, self.lowest, self.highest)
        return np.asarray(round_by(self.rounding, limited)).astype(np.int64)

    def above(self, levels: IntArray, channels: IntArray) -> Floats:
        """Return the edges above ``levels``; there is none above the highest."""
        import numpy as np

        levels = np.clip(levels, self.lowest, self.highest - 1)
        if self.rounding is None:
            return np.asarray(self.table[channels, levels])
        low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
        if high - low < _LONGEST_TABLE:
            keys, places = np.arange(low, high + 1), levels - low
        else:
            keys, places = np.unique(levels, return_inverse=True)
        edges = np.array([float(self._edge(key)) for key in keys.tolist()])
        return np.asarray(edges[places])

    def _edge(self, level: int) -> Fraction:
        """Return where a rounded argument passes from ``level`` to the next one."""
        assert self.rounding is not None
        edge, is_inclusive = step_up(self.rounding)(level)
        if self.power is None:
            return edge
        edge *= self.power
        return (ceil(edge) if is_inclusive else floor(edge) + 1) - Fraction(1, 2)

    def channels(self, shape: tuple[int, ...]) -> IntArray:
        """Return the row of the table for every element of a tensor of ``shape [batch, ...]``."""
        import numpy as np

        if self.table.shape[0] == 1:
            return np.zeros(shape, dtype=np.int64)
        place = [1] * len(shape)
        place[self.axis] = shape[self.axis]
        return np.broadcast_to(np.arange(shape[self.axis]).reshape(place), shape)

    def distance(self, values: Floats) -> Floats:
        """Return how far each argument ``[batch, ...]`` is from the nearest edge."""
        import numpy as np

        channels = self.channels(values.shape)
        if self.lowest == self.highest:
            return np.full(values.shape, np.inf)
        finite = np.nan_to_num(values, posinf=2.0**62, neginf=-(2.0**62))
        guess = self._below(np.clip(finite, -(2.0**62), 2.0**62))
        distance = np.full(values.shape, np.inf)
        for offset in (-1, 0, 1):
            edges = self.above(guess + offset, channels)
            distance = np.fmin(distance, np.abs(values - edges))
        return distance

    def exact_level(self, node: SourceNode, value: Fraction, channel: int) -> int:
        """Return the level of one argument, exactly, by the reading of the exact interpreter."""
        if node.op_type == "MultiThreshold":
            return sum(value >= Fraction(edge) for edge in self.table[channel].tolist())
        if self.rounding is None:
            return int(value >= 0)
        mode = node.text("rounding_mode", "ROUND")
        if self.power is not None:
            mode = node.text("rounding_mode", "FLOOR")
            value = rounded("ROUND", value) / self.power
        limited = min(max(value, Fraction(self.lowest)), Fraction(self.highest))
        return rounded(mode.upper(), limited)

    def _below(self, values: Floats) -> IntArray:
        """Return a level at most one away from that of each argument."""
        import numpy as np

        if self.power is not None:
            return self.reached(values)
        if self.rounding is not None:
            return np.clip(np.floor(values), self.lowest - 1, self.highest).astype(np.int64)
        if self.table.shape[0] == 1:
            return np.searchsorted(self.table[0], values, side="right").astype(np.int64)
        moved = np.moveaxis(values, self.axis, 0)
        counts = [
            np.searchsorted(row, column, side="right")
            for row, column in zip(self.table, moved, strict=True)
        ]
        return np.moveaxis(np.stack(counts), 0, self.axis).astype(np.int64)


def edges_of(node: SourceNode, tensors: Tensors) -> Edges:
    """Return the levels of ``node``, a quantizer whose constants are among ``tensors``."""
    import numpy as np

    none = np.zeros((1, 1))
    if node.op_type == "MultiThreshold":
        table = np.sort(tensors[node.inputs[1]].astype(np.float64), axis=1)
        rank = tensors[node.inputs[0]].ndim
        layout = node.text("data_layout", "") or _LAYOUTS.get(rank, "NC")
        step, place = node.number("out_scale", 1.0), node.number("out_bias", 0.0)
        return Edges(
            0,
            table.shape[1],
            None,
            table,
            max(layout.find("C"), 1),
            np.asarray(step),
            np.asarray(-place / step),
        )
    unit, zero_point = grid_of_levels(node, tensors)
    if node.op_type == LINEAR_QUANTIZER:
        quantizer = of_tensors(node, tensors)
        place = zero_point_of_data(node, quantizer)
        low, high = (end - place for end in quantizer.limits(node))
        return Edges(low, high, Rounding.HALF_EVEN, none, 1, unit, np.asarray(-float(place)))
    if node.op_type in _ROUNDED_BEFORE:
        low, high = _range(node, tensors)
        mode = rounding_named(node.text("rounding_mode", "FLOOR"))
        power = _powers(node, tensors)[0]
        return Edges(low, high, mode, none, 1, unit, zero_point, power=power)
    if node.op_type == "BipolarQuant":
        return Edges(0, 1, None, none, 1, 2 * unit, np.asarray(0.5), is_sign=True)
    low, high = _range(node, tensors)
    if (low, high) == (-1, 0):
        return Edges(0, 1, None, none, 1, 2 * unit, (zero_point + 1) / 2, is_sign=True)
    mode = rounding_named(node.text("rounding_mode", "ROUND"))
    return Edges(low, high, mode, none, 1, unit, zero_point)


def has_edges(node: SourceNode, tensors: Tensors) -> bool:
    """Whether ``edges_of`` knows the levels of ``node``: one power of two for all channels."""
    return node.op_type not in _ROUNDED_BEFORE or len(_powers(node, tensors)) == 1


def name_of_unit(node: SourceNode) -> str:
    """Return the operand that is the step of a quantizer's grid; none where that is 1."""
    if node.op_type in _OF_INTEGERS:
        return ""
    is_second = node.op_type == "Trunc" and len(node.inputs) == INPUTS_OF_SECOND_TRUNC
    return node.inputs[4 if is_second else 1]


def grid_of_levels(node: SourceNode, tensors: Tensors) -> tuple[Floats, Floats]:
    """Return ``unit`` and ``zero_point``: a level stands for ``(level - zero_point) * unit``.

    Of thresholds there is none.
    """
    import numpy as np

    zero = np.zeros(())
    if node.op_type in _OF_INTEGERS:
        return np.ones(()), zero
    unit = np.asarray(tensors[name_of_unit(node)], dtype=np.float64)
    if len(node.inputs) <= 2:
        return unit, zero
    zero_point = np.asarray(tensors[node.inputs[2]], dtype=np.float64)
    if node.op_type == "Trunc" and len(node.inputs) == INPUTS_OF_SECOND_TRUNC:
        zero_point = zero_point / float(_powers(node, tensors)[0])
    return unit, zero_point


def _range(node: SourceNode, tensors: Tensors) -> tuple[int, int]:
    """Return the lowest and highest level: one signed bit has -1 and 0 here."""
    if node.op_type in _ROUNDED_BEFORE and len(node.inputs) != INPUTS_OF_SECOND_TRUNC:
        return -(1 << 61), 1 << 61
    width = tensors[node.inputs[5 if node.op_type == "Trunc" else 3]]
    bits = int(width.reshape(-1)[0])
    is_signed, is_narrow = bool(node.integer("signed", 1)), bool(node.integer("narrow", 0))
    if bits == 1 and is_signed:
        return -1, 0
    low = -(2 ** (bits - 1)) + is_narrow if is_signed else 0
    high = 2 ** (bits - 1) - 1 if is_signed else 2**bits - 1 - is_narrow
    return low, high


def _powers(node: SourceNode, tensors: Tensors) -> list[Fraction]:
    """Return the powers of two that a rounded argument is divided by, each once.

    Of a Trunc of six inputs they are those nearest to the quotients of its scales, channel by
    channel; of one of five that of its bits.
    """
    import numpy as np

    if node.op_type == "QuantAvgPool2d":
        return [Fraction(2) ** shift_of_average(node.attributes)]
    if len(node.inputs) != INPUTS_OF_SECOND_TRUNC:
        before, after = (int(tensors[name].reshape(-1)[0]) for name in node.inputs[3:5])
        return [Fraction(2) ** (before - after)]
    scale, wanted = (tensors[node.inputs[index]].astype(np.float64) for index in (1, 4))
    pairs = np.unique(np.stack([x.ravel() for x in np.broadcast_arrays(scale, wanted)]), axis=1)
    return sorted({nearest_power(Fraction(w) / Fraction(s)) for s, w in pairs.T.tolist()})
