"""A quantizer on data: thresholds on the integers under it, or the border of the host's part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from lutloom.core.host import Binarize, Quantize
from lutloom.core.host_json import program_to_json
from lutloom.core.types import BIPOLAR, IntType, TensorType
from lutloom.streamline.align import aligned, varying_axes
from lutloom.streamline.border_classes import expanded
from lutloom.streamline.context import Entry, required_formula
from lutloom.streamline.errors import ModelError
from lutloom.streamline.expression import with_arrays
from lutloom.streamline.host_steps import host_program, without_batch
from lutloom.streamline.layout import reordered
from lutloom.streamline.levels import levelled
from lutloom.streamline.pending_pool import (
    beneath,
)
from lutloom.streamline.requantize import WideSteps
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.steps import Steps, rounding_steps, sign_steps
from lutloom.streamline.symbols import Curve, HostFloat, Scaled

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from numpy.typing import NDArray

    from lutloom.core.host import HostProgram, HostStep
    from lutloom.core.rational import Rationals
    from lutloom.core.rounding import Rounding
    from lutloom.streamline.context import Context
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol

# Beyond 12 bits tables of thresholds are no hardware: a product has to give the levels.
MOST_STEPS = 4096
"""Steps of a table of thresholds, at most."""


@dataclass(frozen=True, eq=False)
class Uniform:
    """``level = clamp(round(x / scale + zero_point) + shift, lo, hi)``, standing for
    ``unit * (level - zero_point)``; a ``rounding`` of None takes the sign instead: -1 or 1.
    """

    node: SourceNode
    rounding: Rounding | None
    scale: NDArray[Any]
    zero_point: NDArray[Any]
    unit: NDArray[Any]
    lo: int
    hi: int
    shift: int = 0

    @property
    def type(self) -> IntType:
        """The levels."""
        return BIPOLAR if self.rounding is None else IntType(self.lo, self.hi)


def quantize(quantizer: Uniform, x: Symbol, context: Context) -> Scaled:
    """Return the levels of ``x``, which stand for what the quantizer gives.

    Raises ``ModelError`` if ``x`` is a float behind the first quantizer, if the model's input is
    quantized in two ways, or if the levels are too many for thresholds and no product gives them.
    """
    import numpy as np

    node = quantizer.node
    if isinstance(x, HostFloat) and isinstance(x.start, str):
        return _at_the_input(quantizer, x, context)
    x = required_formula(node, (x,), 0, "a quantizer")
    scale = aligned(node, x, quantizer.scale, "scale")
    zero_point = aligned(node, x, quantizer.zero_point, "zero point")
    unit = aligned(node, x, quantizer.unit, "scale")
    y = scale_and_shift(x, np.asarray(1 / scale), zero_point)
    steps = sign_steps() if quantizer.rounding is None else _reachable(quantizer, y, context)
    shared = np.full((1,) * len(x.shape), steps, dtype=object)
    # Too many levels to be listed are counted without the shift, which the bias makes up for.
    bias = unit * (quantizer.shift if isinstance(steps, WideSteps) else 0) - unit * zero_point
    return thresholded(node, y, shared, unit, np.asarray(bias), context)


def _reachable(quantizer: Uniform, y: Formula, context: Context) -> Steps | WideSteps:
    """Return the steps of the levels that ``y`` can come near to."""
    assert quantizer.rounding is not None
    shift = quantizer.shift
    least, most = (end + shift for end in reach(y, context))
    lo = min(max(quantizer.lo, least - 1), quantizer.hi)
    hi = max(min(quantizer.hi, most + 1), lo)
    if hi - lo > MOST_STEPS:
        return WideSteps(quantizer.rounding, lo - shift, hi - shift)
    return rounding_steps(quantizer.rounding, lo, hi, shift)


def reach(y: Formula, context: Context) -> tuple[int, int]:
    """Return integers below and above everything that ``y`` can be."""
    import numpy as np

    y = beneath(y, context.build)
    concat = context.build.concats.get(y.value)
    if concat is not None:
        nothing = np.full((1,) * len(y.shape), None, dtype=object)
        parts = concat.applied(expanded(concat.node, y), nothing, context.build)
        lows, highs = zip(*(reach(part, context) for part, _ in parts), strict=True)
        return min(lows), max(highs)
    element = context.build.types[y.value].element
    if isinstance(y, Curve):
        # NumPy at module level there.
        from lutloom.streamline.curve_steps import reach as curve_reach

        # Numbers may vary along several axes here: a channel for each of their elements.
        shape = np.broadcast_shapes(*(array.shape for array in y.arrays))
        whole = with_arrays(
            y.expression, lambda a: a if a.size == 1 else np.asarray(np.broadcast_to(a, shape))
        )
        return curve_reach(whole, element.lo, element.hi)
    ends = [np.asarray(y.slope * end + y.offset) for end in (element.lo, element.hi)]
    # A clamp moves both ends: all of a range may lie on the other side of its bound.
    if y.lower is not None:
        ends = [_limited(max, end, y.lower) for end in ends]
    if y.upper is not None:
        ends = [_limited(min, end, y.upper) for end in ends]
    least = min(floor(value) for end in ends for value in end.ravel())
    return least, max(ceil(value) for end in ends for value in end.ravel())


def _limited(
    limit: Callable[[Fraction, Fraction], Fraction], values: Rationals, bounds: Rationals
) -> Rationals:
    import numpy as np

    pairs = np.frompyfunc(lambda v, bound: v if bound is None else limit(v, bound), 2, 1)
    return np.asarray(pairs(values, bounds), dtype=object)


def thresholded(
    node: SourceNode,
    y: Formula,
    steps: Rationals,
    unit: Rationals,
    bias: Rationals,
    context: Context,
) -> Scaled:
    """Return the levels ``steps(y)``, standing for ``unit * level + bias``.

    ``steps`` (an array of ``Steps``), ``unit`` and ``bias`` broadcast to the value of ``y``, in
    its order of axes. The channels of a staircase are the last axis: where the numbers vary
    along another axis it is moved there, where along several the tensor is flattened.
    """
    if len(varying_axes(unit, bias)) > 1:
        raise ModelError(f"{node}: its scale varies along several dimensions; use one a channel")
    deferred = context.build.deferred.get(y.value)
    factors = () if deferred is None else deferred.factors.values()
    axes = varying_axes(*y.arrays, *factors, steps, unit, bias)
    rank = len(y.shape)
    # Classes of places are for a staircase along the border.
    of_places = [axis for axis, classes in enumerate(y.classes) if classes is not None]
    if len(axes) == 1 and axes[0] not in (*of_places, rank - 1):
        order = (*(a for a in range(rank) if a != axes[0]), axes[0])
        y = reordered(context.build, node, y, tuple(y.axes[axis] for axis in order))
        steps, unit, bias = (array.transpose(order) for array in (steps, unit, bias))
    levels = levelled(node, y, steps, context)
    moves = tuple(y.axes.index(axis) for axis in levels.axes)
    levels = replace(levels, slope=unit.transpose(moves), offset=bias.transpose(moves))
    varying = varying_axes(levels.slope, levels.offset)
    if varying and varying[0] != rank - 1:
        order = (*(a for a in range(rank) if a not in varying), *varying)
        axes = tuple(levels.axes[axis] for axis in order)
        levels = reordered(context.build, node, levels, axes)
    return named(node, levels, context)


def named(node: SourceNode, x: Scaled, context: Context) -> Scaled:
    """Record what a quantizer's levels stand for; the trail of nodes begins anew behind it."""
    context.build.record(x, node, node.outputs[0], is_quantized=True)
    return replace(x, root=x.value, trail=())


def _at_the_input(quantizer: Uniform, x: HostFloat, context: Context) -> Scaled:
    """Return an input of the graph: what the host makes of one of the model's."""
    import numpy as np

    node = quantizer.node
    scale = without_batch(node, quantizer.scale, x.shape)
    zero_point = without_batch(node, quantizer.zero_point, x.shape)
    last: HostStep
    if quantizer.rounding is None:
        last = Binarize(scale, zero_point)
    else:
        ends = quantizer.lo, quantizer.hi
        last = Quantize(scale, zero_point, *ends, quantizer.rounding, quantizer.shift)
    blank = np.ones((1,) * len(x.shape), dtype=object)
    symbol = Scaled("", tuple(range(len(x.shape))), x.shape, blank, blank)
    unit = aligned(node, symbol, quantizer.unit, "scale")
    bias = np.asarray(-unit * aligned(node, symbol, quantizer.zero_point, "zero point"))
    return entered(node, x, last, quantizer.type, unit, bias, context)


def entered(
    node: SourceNode,
    x: HostFloat,
    last: HostStep,
    type_: IntType,
    unit: Rationals,
    bias: Rationals,
    context: Context,
) -> Scaled:
    """Return an input of the graph: levels of ``type_`` that the host makes of ``x`` by ``last``.

    They stand for ``unit * level + bias``, both in the model's order of axes.
    """
    program = (*host_program(x.trail, context), last)
    axes = tuple(range(len(x.shape)))
    varying = varying_axes(unit, bias)
    if len(varying) > 1:
        raise ModelError(f"{node}: its scale varies along several dimensions; use one a channel")
    order = (*(a for a in axes if a not in varying), *varying)
    assert isinstance(x.start, str)
    if x.start in context.entries:
        return _once_more(node, context.entries[x.start], program, x, unit, bias, context)
    shape = tuple(x.shape[axis] for axis in order)
    value = context.build.add_input(node.name, TensorType(type_, shape))
    unit, bias = unit.transpose(order), bias.transpose(order)
    context.entries[x.start] = Entry(value, program)
    return named(node, Scaled(value, order, x.shape, unit, bias), context)


def _once_more(
    node: SourceNode,
    entry: Entry,
    program: HostProgram,
    x: HostFloat,
    unit: Rationals,
    bias: Rationals,
    context: Context,
) -> Scaled:
    """Return the input that exists, for an equal quantizer: exported once for every reader.

    Equal is what the host computes; its integers may stand for reals of another scale.
    """
    if program_to_json(program) != program_to_json(entry.head):
        raise ModelError(
            f"{node} quantizes the model's input a second time, in another way; use one quantizer"
        )
    value, axes = entry.value, context.build.meaning[entry.value].axes
    return Scaled(value, axes, x.shape, unit.transpose(axes), bias.transpose(axes), root=value)
