"""One number of a model, exactly: what decides on which side of a boundary a tie lies.

Evaluates backwards from one element of one tensor to the outputs of the quantizers before it, which
are an executor's own, in rational numbers. That is slow for a tensor, and fast for the few elements
whose float64 value is too near to a boundary to tell. Functions are those of the exact interpreter
(``oracle``); with the lowering it shares nothing but how constants are folded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from math import prod
from operator import mul
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lutloom.streamline.bound_moves import MOVES, padding, padding_value
from lutloom.streamline.bound_reductions import REDUCTION_BOUNDS, reduced_axes
from lutloom.streamline.bounded import without_error
from lutloom.streamline.element_origins import has_origins
from lutloom.streamline.exact_model import integers, origins_in, times_power, vector
from lutloom.streamline.exact_windows import meeting, one_by_one, row_element, seen
from lutloom.streamline.folded_constants import broadcast_index
from lutloom.streamline.level_edges import edges_of, name_of_unit
from lutloom.streamline.linear_quantizers import of_tensors
from lutloom.streamline.oracle_functions import ELEMENTWISE
from lutloom.streamline.oracle_operators import OPERATORS, over_root
from lutloom.streamline.oracle_values import Known, Operation, OracleError, data
from lutloom.streamline.source import LINEAR_QUANTIZER, STANDARD_DOMAINS
from lutloom.streamline.window_taps import is_channels_last

if TYPE_CHECKING:
    from lutloom.streamline.exact_model import ExactModel, Index
    from lutloom.streamline.exact_windows import Elements as Where
    from lutloom.streamline.oracle_values import Value
    from lutloom.streamline.source import SourceNode


Evaluation: TypeAlias = "Callable[[ExactModel, SourceNode, Index], Fraction | None]"


def element(model: ExactModel, name: str, index: Index) -> Fraction | None:
    """Return the exact number at ``index [image, ...]`` of the tensor ``name``.

    None where it is no rational, or behind an operator that is not evaluated here.
    """
    if name in model.given:
        return model.given[name](index)
    if name in model.constants:
        return model.constants[name].element(index)
    bounded = model.known.get(name)
    if bounded is None:
        return None
    if bounded.is_exact:
        return Fraction(float(bounded.value[index]))
    node = model.nodes[name]
    if node.is_quantizer:
        return _quantized_element(model, node, index)
    if has_origins(node):
        return element(model, node.inputs[0], _origin(model, node, name, index))
    operators = _OPERATORS if node.domain in STANDARD_DOMAINS else _OF_QONNX
    evaluate = operators.get(node.op_type)
    try:
        return None if evaluate is None else evaluate(model, node, index)
    except OracleError:  # windows that the standard leaves open
        return None


def before_quantizer(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    """Return the exact ``x / scale + zero_point`` that a quantizer sees, or None as above.

    Of QuantAvgPool2d it is the sum of a window, of QuantizeLinear ``x / scale``.
    """
    if node.op_type == "QuantAvgPool2d":
        return _total(model, node.inputs[0], seen(node, _shape(model, node), index)[0])
    x = element(model, node.inputs[0], index)
    if x is None or node.op_type in ("BipolarQuant", "MultiThreshold"):
        return x
    if node.op_type == LINEAR_QUANTIZER:
        return x / _scale_and_zero_point(model, node, index)[0]
    scale = _constant(model, node.inputs[1], index)
    return x / scale + _constant(model, node.inputs[2], index)


def _quantized_element(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    """Return what an output of a quantizer stands for."""
    if node.op_type == "MultiThreshold":
        unit, shift = Fraction(node.number("out_scale", 1.0)), Fraction(0)
        place = Fraction(node.number("out_bias", 0.0))
    elif node.op_type == "QuantAvgPool2d":
        unit, place, shift = Fraction(1), Fraction(0), Fraction(0)
    elif node.op_type == LINEAR_QUANTIZER:
        # Levels are counted from the zero point.
        unit, place = Fraction(1), Fraction(0)
        shift = -_scale_and_zero_point(model, node, index)[1]
    else:
        unit, place = _constant(model, name_of_unit(node), index), Fraction(0)
        shift = _constant(model, node.inputs[2], index) if len(node.inputs) > 2 else Fraction(0)
        if name_of_unit(node) != node.inputs[1]:  # the second version of Trunc
            shift /= edges_of(node, model.tensors).power or 1
    if model.is_forced(node):
        value = Fraction(float(model.tensors[node.outputs[0]][index]))
        return (round((value - place) / unit + shift) - shift) * unit + place
    argument = before_quantizer(model, node, index)
    if argument is None:
        return None
    edges = edges_of(node, model.tensors)
    channels = edges.channels(model.tensors[node.outputs[0]].shape)
    level = edges.exact_level(node, argument, int(channels[index]))
    if edges.is_sign:
        level = 2 * level - 1
    return (level - shift) * unit + place


def _scale_and_zero_point(
    model: ExactModel, node: SourceNode, index: Index
) -> tuple[Fraction, Fraction]:
    """Return what a QuantizeLinear or DequantizeLinear has for one element of its tensor."""
    quantizer = of_tensors(node, model.tensors)
    place = broadcast_index(index, quantizer.scale.shape)
    return Fraction(float(quantizer.scale[place])), Fraction(int(quantizer.zero_point[place]))


def _dequantized(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    x = element(model, node.inputs[0], index)
    if x is None:
        return None
    scale, zero_point = _scale_and_zero_point(model, node, index)
    return (x - zero_point) * scale


def _constant(model: ExactModel, name: str, index: Index) -> Fraction:
    constant = model.constants[name]
    return constant.element(broadcast_index(index, constant.value.shape))


def _elementwise(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    """Return what the exact interpreter makes of the operands, as a sample without axes."""
    inputs: list[Value] = []
    for name in node.inputs:
        if name in model.constants:
            inputs.append(_known(model, name, index))
        elif name:
            x = element(model, name, broadcast_index(index, model.tensors[name].shape))
            if x is None:
                return None
            inputs.append(np.array([x], dtype=object))
        else:
            inputs.append(None)
    try:
        (y,) = OPERATORS[node.op_type](_operation(node), inputs)
    except ZeroDivisionError:
        return None
    number = data(y).item()
    return number if isinstance(number, Fraction) else None


def _known(model: ExactModel, name: str, index: Index) -> Known:
    """Return the number of a constant that meets an element of the result."""
    constant = model.constants[name]
    place = broadcast_index(index, constant.value.shape)
    value = np.asarray(constant.value[place])
    if not np.isfinite(value):
        return Known(value)  # a limit that does not bind
    return Known(value, np.array(constant.element(place), dtype=object))


def _operation(node: SourceNode) -> Operation:
    # No operator of this file depends on the opset or on the batch.
    return Operation(node.op_type, node.attributes, opset=0, batch=None)


_factor = lru_cache(maxsize=4096)(over_root)


def _batch_norm(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    x = element(model, node.inputs[0], index)
    if x is None:
        return None
    channel = index[-1 if is_channels_last(node) else 1]
    gamma, beta, mean, variance = (
        model.constants[name].element((channel,)) for name in node.inputs[1:5]
    )
    factor = _factor(gamma, variance + _operation(node).number("epsilon", 1e-5))
    return (x - mean) * factor + beta


def _moved(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    output = next(name for name in node.outputs if name)
    flat = int(np.ravel_multi_index(index, model.tensors[output].shape))
    shape = model.tensors[node.inputs[0]].shape
    there = tuple(int(i) for i in np.unravel_index(flat, shape))
    return element(model, node.inputs[0], there)


def _origin(model: ExactModel, node: SourceNode, name: str, index: Index) -> Index:
    place = int(origins_in(model, node)[name][index])
    return tuple(int(i) for i in np.unravel_index(place, _shape(model, node)))


def _transpose(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    axes = node.integers("perm") or tuple(reversed(range(len(index))))
    there = [0] * len(index)
    for place, axis in enumerate(axes):
        there[axis] = index[place]
    return element(model, node.inputs[0], tuple(there))


def _concat(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    axis = node.integer("axis", 0) % len(index)
    place = index[axis]
    for name in node.inputs:
        size = model.tensors[name].shape[axis]
        if place < size:
            return element(model, name, (*index[:axis], place, *index[axis + 1 :]))
        place -= size
    return None


def _matmul(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    left, right = node.inputs
    ranks = model.tensors[left].ndim, model.tensors[right].ndim
    if min(ranks) < 2:
        return None
    own, other = (
        broadcast_index(index[:-2], model.tensors[name].shape[:-2]) for name in (left, right)
    )
    return _dot(model, (left, (*own, index[-2], -1)), (right, (*other, -1, index[-1])))


def _gemm(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    row, column = index
    left = (-1, row) if node.integer("transA", 0) else (row, -1)
    right = (column, -1) if node.integer("transB", 0) else (-1, column)
    y = _dot(model, (node.inputs[0], left), (node.inputs[1], right))
    if y is None:
        return None
    y *= Fraction(node.number("alpha", 1.0))
    if len(node.inputs) > 2 and node.inputs[2]:
        name = node.inputs[2]
        place = element(model, name, broadcast_index(index, model.tensors[name].shape))
        if place is None:
            return None
        y += place * Fraction(node.number("beta", 1.0))
    return y


def _dot(model: ExactModel, left: tuple[str, Index], right: tuple[str, Index]) -> Fraction | None:
    """Return the exact product of two vectors: of each, the axis that is summed is -1."""
    first, second = vector(model, *left), vector(model, *right)
    if first is not None and second is not None:
        return times_power(sum(map(mul, first[0], second[0])), first[1] + second[1])
    total_of = Fraction(0)
    count = model.tensors[left[0]].shape[left[1].index(-1)]
    for place in range(count):
        factors = [
            element(model, name, tuple(place if i == -1 else i for i in index))
            for name, index in (left, right)
        ]
        if factors[0] is None or factors[1] is None:
            return None
        total_of += factors[0] * factors[1]
    return total_of


def _convolution(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    x, w = node.inputs[:2]
    shapes = model.tensors[x].shape, model.constants[w].value.shape
    pixels, taps = meeting(node, *shapes, index)
    data, factors = (None if n in model.given else model.known.get(n) for n in (x, w))
    if data is not None and factors is not None and data.is_exact and factors.is_exact:
        left, right = integers(data.value[pixels]), integers(factors.value[taps])
        exactly = times_power(sum(map(mul, left[0], right[0])), left[1] + right[1])
        return _with_bias(model, node, index, exactly)
    total = Fraction(0)
    for pixel, tap in zip(one_by_one(pixels), one_by_one(taps), strict=True):
        number = element(model, x, pixel)
        if number is None:
            return None
        total += number * model.constants[w].element(tap)
    return _with_bias(model, node, index, total)


def _with_bias(model: ExactModel, node: SourceNode, index: Index, total: Fraction) -> Fraction:
    if len(node.inputs) < 3 or not node.inputs[2]:
        return total
    channel = index[-1 if is_channels_last(node) else 1]
    return total + model.constants[node.inputs[2]].element((channel,))


def _numbers(model: ExactModel, name: str, where: Where) -> list[Fraction] | None:
    """Return several elements of a tensor, or None if one is not known."""
    found = []
    for place in one_by_one(where):
        number = element(model, name, place)
        if number is None:
            return None
        found.append(number)
    return found


def _total(model: ExactModel, name: str, where: Where) -> Fraction | None:
    found = _numbers(model, name, where)
    return None if found is None else sum(found, Fraction(0))


def _shape(model: ExactModel, node: SourceNode) -> Index:
    return tuple(model.tensors[node.inputs[0]].shape)


def _max_pool(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    where, _ = seen(node, _shape(model, node), index)
    found = _numbers(model, node.inputs[0], where)
    return None if found is None else max(found)


def _average_pool(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    where, divisor = seen(node, _shape(model, node), index)
    total = _total(model, node.inputs[0], where)
    return None if total is None else total / divisor


def _reduced(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    shape = _shape(model, node)
    given = [without_error(model.tensors[name]) for name in node.inputs[:2]]
    axes = reduced_axes(node, given)
    if not node.integer("keepdims", 1):
        kept = iter(index)
        index = tuple(0 if axis in axes else next(kept) for axis in range(len(shape)))
    where = np.ix_(*(range(n) if i in axes else [index[i]] for i, n in enumerate(shape)))
    found = _numbers(model, node.inputs[0], where)
    if found is None:
        return None
    match node.op_type:
        case "ReduceMax":
            return max(found)
        case "ReduceMin":
            return min(found)
        case "ReduceSum":
            return sum(found, Fraction(0))
        case _:
            return sum(found, Fraction(0)) / len(found)


def _padded(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    shape = _shape(model, node)
    numbers = [
        model.constants[name].value if name in model.constants else None for name in node.inputs
    ]
    places = np.arange(prod(shape)).reshape(shape)
    there = int(padding(node, shape, numbers)(places, -1)[index])
    if there < 0:
        return Fraction(padding_value(node, numbers))
    return element(model, node.inputs[0], tuple(map(int, np.unravel_index(there, shape))))


def _im2col(model: ExactModel, node: SourceNode, index: Index) -> Fraction | None:
    there = row_element(node, _shape(model, node), index)
    if there is None:
        return Fraction(node.integer("pad_value", 0))
    return element(model, node.inputs[0], there)


_ELEMENTWISE = frozenset({*ELEMENTWISE, "Add", "Div", "Mean", "Mul", "Sub", "Sum"})

_WINDOWS: Mapping[str, Evaluation] = {
    "Conv": _convolution,
    "MaxPool": _max_pool,
}
_OPERATORS: Mapping[str, Evaluation] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(MOVES, _moved),
    **dict.fromkeys(REDUCTION_BOUNDS, _reduced),
    **_WINDOWS,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Concat": _concat,
    "ConvTranspose": _convolution,
    "DequantizeLinear": _dequantized,
    "Gemm": _gemm,
    "GlobalAveragePool": _average_pool,
    "GlobalMaxPool": _max_pool,
    "MatMul": _matmul,
    "Pad": _padded,
    "Transpose": _transpose,
}
_OF_QONNX: Mapping[str, Evaluation] = {
    **_WINDOWS,
    "BatchNormalization": _batch_norm,
    "Im2Col": _im2col,
    "MaxPoolNHWC": _max_pool,
}
