"""One number of a model, exactly: what decides on which side of a boundary a tie lies.

Evaluates backwards from one element of one tensor to the outputs of the quantizers before it, which
are an executor's own, in rational numbers. That is slow for a tensor, and fast for the few elements
whose float64 value is too near to a boundary to tell. Functions are those of the exact interpreter
(``oracle``); with the lowering it shares nothing but how constants are folded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import prod
from operator import mul
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lutloom.streamline.folded_constants import broadcast_index
from lutloom.streamline.level_edges import edges_of
from lutloom.streamline.oracle_functions import ELEMENTWISE
from lutloom.streamline.oracle_operators import OPERATORS, over_root
from lutloom.streamline.oracle_values import Known, Operation, OracleError, data
from lutloom.streamline.source import QUANTIZER_DOMAINS

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Bounded, Floats, Tensors
    from lutloom.streamline.folded_constants import FoldedConstant
    from lutloom.streamline.oracle_values import Value
    from lutloom.streamline.source import Source, SourceNode


Index: TypeAlias = tuple[int, ...]
Given: TypeAlias = Mapping[str, Callable[[Index], Fraction]]


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """A model, the ``tensors`` of one run of it, and what is ``known`` of them exactly.

    ``given`` says what elements of the model's input are, by name.
    """

    nodes: Mapping[str, SourceNode]
    tensors: Tensors
    known: Mapping[str, Bounded]
    constants: Mapping[str, FoldedConstant]
    given: Given
    forced: frozenset[str] | None
    """The outputs of quantizers whose levels are the executor's; None for all of them."""
    vectors: dict[tuple[str, Index], tuple[list[int], int]] = field(default_factory=dict)
    """Rows and columns as integers times a power of two: many elements share them."""

    def is_forced(self, node: SourceNode) -> bool:
        """Whether the levels of a quantizer, or of an equal one on the same tensor, are taken."""
        return self.forced is None or any(
            node.outputs[0] == name or _are_equal(node, self.nodes[name])
            for name in self.forced
            if name in self.nodes
        )


def elements_of(
    source: Source,
    tensors: Tensors,
    known: Mapping[str, Bounded],
    constants: Mapping[str, FoldedConstant],
    given: Given,
    forced: frozenset[str] | None = None,
) -> Elements:
    """Return what ``element`` reads from."""
    nodes = {name: node for node in source.nodes for name in node.outputs if name}
    return Elements(nodes, tensors, known, constants, given, forced)


def element(model: Elements, name: str, index: Index) -> Fraction | None:
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
    if node.domain in QUANTIZER_DOMAINS:
        return _quantized_element(model, node, index)
    evaluate = _OPERATORS.get(node.op_type)
    return None if evaluate is None else evaluate(model, node, index)


def before_quantizer(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    """Return the exact ``x / scale + zero_point`` that a quantizer sees, or None as above."""
    x = element(model, node.inputs[0], index)
    if x is None or node.op_type in ("BipolarQuant", "MultiThreshold"):
        return x
    scale = _constant(model, node.inputs[1], index)
    return x / scale + _constant(model, node.inputs[2], index)


def _quantized_element(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    """Return what an output of a quantizer stands for."""
    if node.op_type == "MultiThreshold":
        unit, shift = Fraction(node.number("out_scale", 1.0)), Fraction(0)
        place = Fraction(node.number("out_bias", 0.0))
    else:
        unit, place = _constant(model, node.inputs[1], index), Fraction(0)
        shift = _constant(model, node.inputs[2], index) if len(node.inputs) > 2 else Fraction(0)
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


def _are_equal(left: SourceNode, right: SourceNode) -> bool:
    return (left.op_type, left.inputs[0]) == (right.op_type, right.inputs[0])


def _constant(model: Elements, name: str, index: Index) -> Fraction:
    constant = model.constants[name]
    return constant.element(broadcast_index(index, constant.value.shape))


def _elementwise(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
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
    except (OracleError, ZeroDivisionError):
        return None
    number = data(y).item()
    return number if isinstance(number, Fraction) else None


def _known(model: Elements, name: str, index: Index) -> Known:
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


def _batch_norm(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    x = element(model, node.inputs[0], index)
    if x is None:
        return None
    gamma, beta, mean, variance = (
        model.constants[name].element((index[1],)) for name in node.inputs[1:5]
    )
    factor = _factor(gamma, variance + _operation(node).number("epsilon", 1e-5))
    return (x - mean) * factor + beta


def _moved(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    output = next(name for name in node.outputs if name)
    flat = int(np.ravel_multi_index(index, model.tensors[output].shape))
    shape = model.tensors[node.inputs[0]].shape
    there = tuple(int(i) for i in np.unravel_index(flat, shape))
    return element(model, node.inputs[0], there)


def _transpose(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    axes = node.integers("perm") or tuple(reversed(range(len(index))))
    there = [0] * len(index)
    for place, axis in enumerate(axes):
        there[axis] = index[place]
    return element(model, node.inputs[0], tuple(there))


def _concat(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    axis = node.integer("axis", 0) % len(index)
    place = index[axis]
    for name in node.inputs:
        size = model.tensors[name].shape[axis]
        if place < size:
            return element(model, name, (*index[:axis], place, *index[axis + 1 :]))
        place -= size
    return None


def _matmul(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    left, right = node.inputs
    if model.tensors[right].ndim != 2:
        return None
    return _dot(model, (left, (*index[:-1], -1)), (right, (-1, index[-1])))


def _gemm(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
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


def _dot(model: Elements, left: tuple[str, Index], right: tuple[str, Index]) -> Fraction | None:
    """Return the exact product of two vectors: of each, the axis that is summed is -1."""
    first, second = _vector(model, *left), _vector(model, *right)
    if first is not None and second is not None:
        total = sum(map(mul, first[0], second[0]))
        power = first[1] + second[1]
        return Fraction(total << power) if power >= 0 else Fraction(total, 1 << -power)
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


def _vector(model: Elements, name: str, index: Index) -> tuple[list[int], int] | None:
    """Return a vector whose numbers are known exactly as integers times a power of two."""
    if (name, index) in model.vectors:
        return model.vectors[name, index]
    bounded = model.known.get(name)
    if name in model.given or bounded is None or not bounded.is_exact:
        return None
    row = bounded.value[tuple(slice(None) if i == -1 else i for i in index)]
    model.vectors[name, index] = _integers(row)
    return model.vectors[name, index]


def _integers(row: Floats) -> tuple[list[int], int]:
    mantissas, exponents = np.frexp(row)
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    exponents = np.where(whole == 0, 2000, exponents) - 53
    lowest = int(exponents.min(initial=2000))
    pairs = zip(whole.tolist(), exponents.tolist(), strict=True)
    return [m << (e - lowest) if m else 0 for m, e in pairs], lowest if prod(row.shape) else 0


_ELEMENTWISE = frozenset({*ELEMENTWISE, "Add", "Div", "Mean", "Mul", "Sub", "Sum"})
_MOVES = frozenset({"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})

_OPERATORS: Mapping[str, Callable[[Elements, SourceNode, Index], Fraction | None]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_MOVES, _moved),
    "BatchNormalization": _batch_norm,
    "Concat": _concat,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Transpose": _transpose,
}
