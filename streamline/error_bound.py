"""How far a float32 executor may be from the exact value, tensor by tensor: a running error bound.

Every data-dependent tensor between two quantizers is followed as (value, error): the value in
float64, the error a bound on |computed in float32 - exact|. The quantizers' own outputs are taken
from the executor: each layer starts without error, but for the rounding of ``level * scale``.

Every float that the executor computed is compared with its bound as well: one that lies beyond is
the sign of a bound that is too small, or of an executor that is out of order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lutloom.streamline import bound_arithmetic as arithmetic
from lutloom.streamline.bound_dequantize import dequantized, divided_by_scale
from lutloom.streamline.bound_functions import FUNCTION_BOUNDS
from lutloom.streamline.bound_moves import MOVE_BOUNDS, MOVES
from lutloom.streamline.bound_pieces import PIECE_BOUNDS
from lutloom.streamline.bound_reductions import REDUCTION_BOUNDS
from lutloom.streamline.bound_windows import QONNX_BOUNDS, WINDOW_BOUNDS, window_sum
from lutloom.streamline.bounded import FLOAT64_MARGIN, TINY, Bounded, U, with_slack
from lutloom.streamline.element_origins import at_places, has_origins
from lutloom.streamline.exact_element import before_quantizer
from lutloom.streamline.exact_model import exact_model, origins_in
from lutloom.streamline.level_edges import (
    edges_of,
    grid_of_levels,
    has_edges,
    name_of_unit,
)
from lutloom.streamline.oracle_values import OracleError
from lutloom.streamline.source import LINEAR_QUANTIZER, STANDARD_DOMAINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.bounded import Bound, Operands, Tensors
    from lutloom.streamline.exact_model import ExactModel, Given
    from lutloom.streamline.folded_constants import FoldedConstant
    from lutloom.streamline.source import Source, SourceNode


__all__ = ["BOUNDS", "FLOAT64_MARGIN", "Bounded", "Followed", "follow"]


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What is known of one run of an executor, by the names of the model's tensors."""

    before: Mapping[str, Bounded]
    """What each quantizer on data sees, ``x / scale + zero_point``, by the name of its output."""
    known: Mapping[str, Bounded]
    """Every tensor that could be followed, the model's output among them."""
    beyond: Mapping[str, int]
    """How many of the executor's floats are further from the value than the bound, if any are."""
    exact: ExactModel
    """The same run, element by element."""


def follow(
    source: Source,
    tensors: Tensors,
    inputs: Mapping[str, Bounded],
    constants: Mapping[str, FoldedConstant],
    *,
    given: Given = MappingProxyType({}),
    forced: frozenset[str] | None = None,
) -> Followed:
    """Follow the ``tensors`` of one run of an executor from the model's ``inputs`` on.

    ``tensors`` are all of them; ``constants`` what those of the model stand for
    (``fold_constants``), ``given`` what elements of its input are. ``forced`` names the outputs of
    quantizers that are taken from the executor: all where it is None. The others are followed like
    any function. Behind an operator without a bound nothing is followed.
    """
    import numpy as np

    with np.errstate(all="ignore"):  # what overflows has no bound, and explains nothing
        known = dict(inputs)
        exact = exact_model(source, tensors, known, constants, given, forced)
        return _follow(source, exact, known)


def _follow(source: Source, exact: ExactModel, known: dict[str, Bounded]) -> Followed:
    tensors = exact.tensors
    before: dict[str, Bounded] = {}
    beyond: dict[str, int] = {}
    data = {port.name for port in source.inputs}
    for node in source.nodes:
        if data.isdisjoint(node.inputs):
            continue
        data.update(name for name in node.outputs if name)
        output = next(name for name in node.outputs if name)
        _add_constants(node, exact, known, beyond)
        if has_origins(node):
            known.update(_moved(node, exact))
            continue
        # Where to move them may be computed from shapes, which are no floats.
        names = node.inputs[:1] if node.op_type in MOVES else node.inputs
        operands = [known.get(name) for name in names if name]
        complete = [operand for operand in operands if operand is not None]
        is_complete = len(complete) == len(operands)
        if node.is_quantizer:
            if is_complete and has_edges(node, tensors):
                before[output] = _scaled(node, complete)
            levels = _levels(node, before.get(output), exact)
            if levels is None:
                continue
            known[output] = levels
        else:
            bound = bound_of(node)
            if bound is None or not is_complete:
                continue
            try:
                known[output] = with_slack(bound(node, complete, tensors))
            except OracleError:  # windows that the standard leaves open
                continue
        if output in tensors and (far := _far(known[output], tensors[output])):
            beyond[output] = far
    return Followed(before, known, beyond, exact)


def _add_constants(
    node: SourceNode, exact: ExactModel, known: dict[str, Bounded], beyond: dict[str, int]
) -> None:
    """Add what the constant operands of ``node`` are to ``known``, or to ``beyond``."""
    for name in node.inputs:
        if name in exact.constants and name not in known:
            bounded = exact.constants[name].bounded(exact.tensors.get(name))
            if bounded is None:
                beyond[name] = exact.constants[name].value.size
            else:
                known[name] = bounded


def _moved(node: SourceNode, exact: ExactModel) -> Mapping[str, Bounded]:
    """Return the results of a node that takes elements of its first operand; none if not known."""
    x = exact.known.get(node.inputs[0])
    if x is None or node.inputs[0] not in exact.tensors:
        return {}
    return {name: at_places(x, places) for name, places in origins_in(exact, node).items()}


def _levels(node: SourceNode, y: Bounded | None, exact: ExactModel) -> Bounded | None:
    """Return the output of a quantizer that sees ``y``; None where that is not known."""
    if exact.is_forced(node):
        return quantized(node, exact.tensors, exact.known)
    return None if y is None else _quantized_again(node, y, exact)


def bound_of(node: SourceNode) -> Bound | None:
    """Return the bound of an operator that is no quantizer, or None where there is none."""
    if node.domain in STANDARD_DOMAINS:
        return BOUNDS.get(node.op_type)
    return QONNX_BOUNDS.get(node.op_type)


def _far(x: Bounded, floats: NDArray[Any]) -> int:
    """Return how many of the executor's ``floats`` are not within the bound of ``x``."""
    import numpy as np

    if floats.dtype.kind != "f" or floats.size != x.value.size:
        return 0
    distance = np.abs(floats.reshape(x.value.shape) - x.value)
    # Infinities on both sides have no distance.
    return int((distance > x.error * (1 + FLOAT64_MARGIN)).sum())


def quantized(node: SourceNode, tensors: Tensors, known: Mapping[str, Bounded]) -> Bounded:
    """Return what a quantizer's output stands for, and how far the executor's floats are from it.

    The levels are the executor's own, its constants are ``known``. A level below 2^24 times a
    float32 has at most 48 bits: the value is the exact number, unless a zero point or bias is none.
    """
    import numpy as np

    floats = tensors[node.outputs[0]].astype(np.float64)
    if node.op_type == "MultiThreshold":
        unit = np.asarray(node.number("out_scale", 1.0), dtype=np.float64)
        place = np.asarray(node.number("out_bias", 0.0), dtype=np.float64)
        levels = np.round((floats - place) / unit)
        value, is_exact = levels * unit + place, bool((place == 0).all())
    else:
        scale, zero_point = grid_of_levels(node, tensors)
        unit, name = scale, name_of_unit(node)
        if name in known:
            unit = known[name].value
        levels = np.round(floats / scale + zero_point)
        value = (levels - zero_point) * unit
        is_exact = bool((zero_point == np.round(zero_point)).all())
    error = np.abs(floats - value)
    if not is_exact:
        error = error + 2.0**-50 * (np.abs(value) + np.abs(levels * unit))
    return Bounded(value, error, is_exact)


def _scaled(node: SourceNode, operands: Operands) -> Bounded:
    """Return ``x / scale + zero_point``, as a quantizer computes it before it rounds."""
    if node.op_type in ("BipolarQuant", "MultiThreshold"):
        return operands[0]
    if node.op_type == "QuantAvgPool2d":
        return with_slack(window_sum(node, operands))
    if node.op_type == LINEAR_QUANTIZER:
        return with_slack(divided_by_scale(node, operands))
    divided = arithmetic.quotient(operands[0], operands[1])
    return with_slack(arithmetic.add(node, [divided, operands[2]], {}))


def _quantized_again(node: SourceNode, y: Bounded, exact: ExactModel) -> Bounded:
    """Return what a quantizer makes of ``y`` that is no layer of the integers by itself.

    Near the edge of a level, as far as the error of ``y`` reaches, the executor may be a level off.
    """
    import numpy as np

    edges = edges_of(node, exact.tensors)
    levels = edges.reached(y.value)
    near = (y.error > 0) & (edges.distance(y.value) <= y.error * FLOAT64_MARGIN)
    for place in map(tuple, np.argwhere(near).tolist()):
        argument = before_quantizer(exact, node, place)
        if argument is not None:
            channel = int(edges.channels(levels.shape)[place])
            levels[place] = edges.exact_level(node, argument, channel)
    value = edges.reals(levels)
    ends = (edges.reals(edges.reached(y.value + sign * y.error)) for sign in (-1, 1))
    change = np.maximum(*(np.abs(end - value) for end in ends))
    floats = exact.tensors[node.outputs[0]].astype(np.float64)
    # The executor's own distance, where the bound allows for it.
    distance = np.abs(floats - value)
    allowed = change + 4 * U * (np.abs(value) + np.abs(floats)) + TINY
    return Bounded(value, np.where(distance <= allowed, distance, allowed))


BOUNDS: Mapping[str, Bound] = {
    **FUNCTION_BOUNDS,
    **MOVE_BOUNDS,
    **PIECE_BOUNDS,
    **REDUCTION_BOUNDS,
    **WINDOW_BOUNDS,
    "Add": arithmetic.add,
    "BatchNormalization": arithmetic.batch_norm,
    "DequantizeLinear": dequantized,
    "Div": arithmetic.divide,
    "Gemm": arithmetic.gemm,
    "MatMul": arithmetic.matmul,
    "Mean": arithmetic.mean_of,
    "Mul": arithmetic.multiply,
    "Neg": arithmetic.negate,
    "Sub": arithmetic.subtract,
    "Sum": arithmetic.sum_of,
}
"""By the operator's name in ONNX: from the operands to the first result."""
