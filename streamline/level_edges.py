"""The levels of a model's quantizer, and the edges between them, for whole tensors of an executor.

A level ``k`` begins where the argument (``x / scale + zero_point``; plain ``x`` for BipolarQuant
and MultiThreshold) passes ``edge(k - 1)``, and ends at ``edge(k)``. For MultiThreshold a level is
the count of thresholds reached; a sign has the levels 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.host import round_by
from lutloom.streamline.oracle_quantizers import rounded
from lutloom.streamline.rounding import rounding_named, step_up

if TYPE_CHECKING:
    from lutloom.core.rounding import Rounding
    from lutloom.core.types import IntArray
    from lutloom.streamline.bounded import Floats, Tensors
    from lutloom.streamline.source import SourceNode


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
        limited = np.clip(finite, self.lowest, self.highest)
        return np.asarray(round_by(self.rounding, limited)).astype(np.int64)

    def above(self, levels: IntArray, channels: IntArray) -> Floats:
        """Return the edges above ``levels``; there is none above the highest."""
        import numpy as np

        levels = np.clip(levels, self.lowest, self.highest - 1)
        if self.rounding is None:
            return np.asarray(self.table[channels, levels])
        low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
        step = step_up(self.rounding)
        if high - low < _LONGEST_TABLE:
            keys, places = np.arange(low, high + 1), levels - low
        else:
            keys, places = np.unique(levels, return_inverse=True)
        edges = np.array([float(step(key)[0]) for key in keys.tolist()])
        return np.asarray(edges[places])

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
        limited = min(max(value, Fraction(self.lowest)), Fraction(self.highest))
        return rounded(node.text("rounding_mode", "ROUND").upper(), limited)

    def _below(self, values: Floats) -> IntArray:
        """Return a level at most one away from that of each argument."""
        import numpy as np

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
        unit, place = node.number("out_scale", 1.0), node.number("out_bias", 0.0)
        return Edges(
            0,
            table.shape[1],
            None,
            table,
            max(layout.find("C"), 1),
            np.asarray(unit),
            np.asarray(-place / unit),
        )
    scale = np.asarray(tensors[node.inputs[1]], dtype=np.float64)
    if node.op_type == "BipolarQuant":
        return Edges(0, 1, None, none, 1, 2 * scale, np.asarray(0.5), is_sign=True)
    zero_point = np.asarray(tensors[node.inputs[2]], dtype=np.float64)
    bits = int(tensors[node.inputs[3]].reshape(-1)[0])
    is_signed, is_narrow = bool(node.integer("signed", 1)), bool(node.integer("narrow", 0))
    if bits == 1 and is_signed:
        return Edges(0, 1, None, none, 1, 2 * scale, (zero_point + 1) / 2, is_sign=True)
    low = -(2 ** (bits - 1)) + is_narrow if is_signed else 0
    high = 2 ** (bits - 1) - 1 if is_signed else 2**bits - 1 - is_narrow
    mode = rounding_named(node.text("rounding_mode", "ROUND"))
    return Edges(low, high, mode, none, 1, scale, zero_point)
