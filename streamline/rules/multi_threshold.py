"""MultiThreshold: ``out_scale * (how many thresholds x reaches) + out_bias``, a row a channel.

Its integers are chosen so that they mean the most: the count itself; the count and the bias where
the bias is a multiple of the scale; or -1 and 1 where two values lie opposite each other.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf, isfinite, isnan
from typing import TYPE_CHECKING, Any

from lutloom.core.host import Count
from lutloom.core.types import IntType
from lutloom.streamline.border_classes import expanded
from lutloom.streamline.context import required_constant, required_formula
from lutloom.streamline.errors import ModelError
from lutloom.streamline.quantize import entered, thresholded
from lutloom.streamline.steps import Steps
from lutloom.streamline.symbols import HostFloat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol

_MATRIX = 2
# Beyond, integers that mean more would leave 64 bits.
_MOST_LEVELS = 2**31
_OUTPUT = {"out_scale": 1.0, "out_bias": 0.0}
# What qonnx takes an absent layout to be, by the number of dimensions.
_LAYOUTS = {2: "NC", 3: "NWC", 4: "NCHW"}


def multi_threshold(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the levels; channels are where the layout has its C."""
    import numpy as np

    x: Formula | HostFloat
    if isinstance(inputs[0], HostFloat) and isinstance(inputs[0].start, str):
        x = inputs[0]
    else:
        x = required_formula(node, inputs, 0, "a quantizer")
    constant = required_constant(node, inputs, 1, "threshold table")
    table = constant.array
    if table.ndim != _MATRIX:
        raise ModelError(f"{node}: its thresholds should be [channels, steps], not {table.shape}")
    layout = node.text("data_layout", "") or _LAYOUTS.get(len(x.shape) + 1, "NC")
    if layout.startswith("C"):
        raise ModelError(f"{node}: in its layout {layout} the channels are the batch: export 'NC'")
    axis = max(layout.find("C"), 1) - 1
    if axis >= len(x.shape):
        raise ModelError(f"{node}: data of {len(x.shape) + 1} dimensions have no layout {layout}")
    channels, count = table.shape
    if channels not in (1, x.shape[axis]):
        raise ModelError(
            f"{node}: it has thresholds for {channels} channels, the data have {x.shape[axis]}"
        )
    scale, bias = (_number(node, name, default) for name, default in _OUTPUT.items())
    if scale == 0:
        raise ModelError(f"{node}: its out_scale is zero: export the model again")
    unit, offset, first, height = _coding(scale, bias, count)
    steps = np.empty(channels, dtype=object)
    steps[:] = [
        _steps(node, reals, floats, first, height)
        for reals, floats in zip(constant.reals().tolist(), table.tolist(), strict=True)
    ]
    ones = (1,) * len(x.shape)
    units, offsets = (np.full(ones, number, dtype=object) for number in (unit, offset))
    if isinstance(x, HostFloat):
        levels = IntType(first, first + height * count, height)
        last = Count(_in_float32(table), axis, first, height)
        return entered(node, x, last, levels, units, offsets, context)
    if channels > 1 and x.classes and x.classes[x.axes.index(axis)] is not None:
        x = expanded(node, x)
    place = [1] * len(x.shape)
    place[x.axes.index(axis)] = channels
    return thresholded(node, x, steps.reshape(place), units, offsets, context)


def _in_float32(table: NDArray[Any]) -> NDArray[np.float32]:
    """Return the smallest float32 numbers that reach the thresholds: no float32 lies between."""
    import numpy as np

    with np.errstate(over="ignore"):
        floats = table.astype(np.float32)
    return np.where(floats < table, np.nextafter(floats, np.float32(inf)), floats)


def _number(node: SourceNode, name: str, default: float) -> Fraction:
    value = node.number(name, default)
    if not isfinite(value):
        raise ModelError(f"{node}: its {name} is {value}: export the model again")
    return Fraction(value)


def _steps(
    node: SourceNode, reals: list[Fraction], floats: list[float], first: int, height: int
) -> Steps:
    """Return the staircase of one row, in any order; every number reaches minus infinity."""
    if any(isnan(value) for value in floats):
        raise ModelError(f"{node}: its thresholds are no numbers: it holds NaN or infinity")
    finite = [Fraction(x) for x, value in zip(reals, floats, strict=True) if isfinite(value)]
    always = sum(value == -inf for value in floats)
    return Steps(tuple(sorted(finite)), (True,) * len(finite), first + height * always, height)


def _coding(scale: Fraction, bias: Fraction, count: int) -> tuple[Fraction, Fraction, int, int]:
    """Return unit, offset, first level and height of a step: ``unit * level + offset`` is meant."""
    if count == 1 and bias == -scale / 2:
        return -bias, Fraction(0), -1, 2
    if (bias / scale).denominator == 1 and abs(bias / scale) < _MOST_LEVELS:
        return scale, Fraction(0), int(bias / scale), 1
    return scale, bias, 0, 1
