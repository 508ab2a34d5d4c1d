"""One number of a model, exactly: what decides on which side of a boundary a tie lies.

Evaluates backwards from one element of one tensor to the outputs of the quantizers before it, which
are an executor's own, in rational numbers. That is slow for a tensor, and fast for the few elements
whose float64 value is too near to a boundary to tell. It is a reading of the model of its own: it
shares nothing with the lowering but how constants are folded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import isqrt, prod
from operator import mul
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.level_edges import edges_of
from lutloom.streamline.oracle_operators import over_root
from lutloom.streamline.rules.batch_norm import epsilon_of
from lutloom.streamline.source import QUANTIZER_DOMAINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.bounded import Bounded, Floats
    from lutloom.streamline.folded_constants import FoldedConstant
    from lutloom.streamline.source import Source, SourceNode

    Tensors: TypeAlias = Mapping[str, NDArray[Any]]

Index: TypeAlias = tuple[int, ...]
Given: TypeAlias = Mapping[str, Callable[[Index], Fraction]]
_HALF, _ZERO, _ONE = Fraction(1, 2), Fraction(0), Fraction(1)


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
    return constant.element(_broadcast(index, constant.value.shape))


def _broadcast(index: Index, shape: tuple[int, ...]) -> Index:
    """Return the index into an operand of ``shape`` for an element of the result."""
    tail = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else i for i, size in zip(tail, shape, strict=True))


def _operands(model: Elements, node: SourceNode, index: Index) -> list[Fraction] | None:
    found = []
    for name in node.inputs:
        if not name:
            continue
        value = element(model, name, _broadcast(index, model.tensors[name].shape))
        if value is None:
            return None
        found.append(value)
    return found


def _of_operands(
    function: Callable[[SourceNode, list[Fraction]], Fraction | None],
) -> Callable[[Elements, SourceNode, Index], Fraction | None]:
    """Return the rule of an operator that works element by element, with broadcasting."""

    def evaluate(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
        operands = _operands(model, node, index)
        return None if operands is None else function(node, operands)

    return evaluate


def _of_number(
    function: Callable[[Fraction], Fraction | None],
) -> Callable[[Elements, SourceNode, Index], Fraction | None]:
    return _of_operands(lambda _, operands: function(operands[0]))


def _clip(node: SourceNode, operands: list[Fraction]) -> Fraction | None:
    x = operands[0]
    names = [name for name in node.inputs if name]
    limits = {node.inputs.index(n, 1): v for n, v in zip(names[1:], operands[1:], strict=True)}
    for place, name in enumerate(("min", "max"), 1):
        if name in node.attributes:
            limits[place] = Fraction(node.number(name, 0.0))
    if 1 in limits:
        x = max(x, limits[1])
    return min(x, limits[2]) if 2 in limits else x


def _power(_: SourceNode, operands: list[Fraction]) -> Fraction | None:
    x, exponent = operands
    if exponent.denominator != 1 or abs(exponent) > 64 or (x == 0 and exponent < 0):
        return None
    return Fraction(x ** int(exponent))


def _float32(value: float) -> float:
    import numpy as np

    return float(np.float32(value))


def _leaky_relu(node: SourceNode, operands: list[Fraction]) -> Fraction:
    (x,) = operands
    return x if x >= 0 else x * Fraction(node.number("alpha", _float32(0.01)))


def _hard_sigmoid(node: SourceNode, operands: list[Fraction]) -> Fraction:
    alpha, beta = node.number("alpha", _float32(0.2)), node.number("beta", 0.5)
    return max(_ZERO, min(_ONE, Fraction(alpha) * operands[0] + Fraction(beta)))


def _thresholded_relu(node: SourceNode, operands: list[Fraction]) -> Fraction:
    return operands[0] if operands[0] > Fraction(node.number("alpha", 1.0)) else _ZERO


def _elu(_: SourceNode, operands: list[Fraction]) -> Fraction | None:
    return operands[0] if operands[0] >= 0 else None


def _selu(node: SourceNode, operands: list[Fraction]) -> Fraction | None:
    gain = Fraction(node.number("gamma", 1.05070102214813232421875))
    return gain * operands[0] if operands[0] >= 0 else None


def _sqrt(x: Fraction) -> Fraction | None:
    if x < 0:
        return None
    root = Fraction(isqrt(x.numerator), isqrt(x.denominator))
    return root if root * root == x else None


def _at_zero(result: Fraction) -> Callable[[Elements, SourceNode, Index], Fraction | None]:
    """Return the rule of a function with a rational result at zero alone."""
    return _of_number(lambda x: result if x == 0 else None)


@lru_cache(maxsize=4096)
def _factor(gamma: float, variance: float, epsilon: float) -> Fraction:
    return over_root(Fraction(gamma), Fraction(variance) + Fraction(epsilon))


def _batch_norm(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    x = element(model, node.inputs[0], index)
    if x is None:
        return None
    gamma, beta, mean, variance = (
        float(model.constants[name].element((index[1],))) for name in node.inputs[1:5]
    )
    factor = _factor(gamma, variance, epsilon_of(node))
    return (x - Fraction(mean)) * factor + Fraction(beta)


def _moved(model: Elements, node: SourceNode, index: Index) -> Fraction | None:
    import numpy as np

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
        place = element(model, name, _broadcast(index, model.tensors[name].shape))
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
    total_of = _ZERO
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
    import numpy as np

    mantissas, exponents = np.frexp(row)
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    exponents = np.where(whole == 0, 2000, exponents) - 53
    lowest = int(exponents.min(initial=2000))
    pairs = zip(whole.tolist(), exponents.tolist(), strict=True)
    return [m << (e - lowest) if m else 0 for m, e in pairs], lowest if prod(row.shape) else 0


_OPERATORS: Mapping[str, Callable[[Elements, SourceNode, Index], Fraction | None]] = {
    "Abs": _of_number(lambda x: max(x, -x)),
    "Add": _of_operands(lambda _, operands: operands[0] + operands[1]),
    "BatchNormalization": _batch_norm,
    "Celu": _of_operands(_elu),
    "Clip": _of_operands(_clip),
    "Concat": _concat,
    "Div": _of_operands(lambda _, operands: operands[0] / operands[1] if operands[1] else None),
    "Elu": _of_operands(_elu),
    "Exp": _at_zero(_ONE),
    "Erf": _at_zero(_ZERO),
    "Gelu": _at_zero(_ZERO),
    "Gemm": _gemm,
    "HardSigmoid": _of_operands(_hard_sigmoid),
    "HardSwish": _of_number(lambda x: x * max(_ZERO, min(_ONE, x / 6 + _HALF))),
    "LeakyRelu": _of_operands(_leaky_relu),
    "Log": _of_number(lambda x: _ZERO if x == 1 else None),
    "MatMul": _matmul,
    "Max": _of_operands(lambda _, operands: max(operands)),
    "Mean": _of_operands(lambda _, operands: sum(operands, _ZERO) / len(operands)),
    "Min": _of_operands(lambda _, operands: min(operands)),
    "Mish": _at_zero(_ZERO),
    "Mul": _of_operands(lambda _, operands: operands[0] * operands[1]),
    "Neg": _of_number(lambda x: -x),
    "PRelu": _of_operands(lambda _, v: v[0] if v[0] >= 0 else v[0] * v[1]),
    "Pow": _of_operands(_power),
    "Reciprocal": _of_number(lambda x: 1 / x if x else None),
    "Relu": _of_number(lambda x: max(x, _ZERO)),
    "Selu": _of_operands(_selu),
    "Sigmoid": _at_zero(_HALF),
    "Softsign": _of_number(lambda x: x / (1 + abs(x))),
    "Sqrt": _of_number(_sqrt),
    "Sub": _of_operands(lambda _, operands: operands[0] - operands[1]),
    "Sum": _of_operands(lambda _, operands: sum(operands, _ZERO)),
    "Tanh": _at_zero(_ZERO),
    "ThresholdedRelu": _of_operands(_thresholded_relu),
    "Transpose": _transpose,
    **dict.fromkeys(("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"), _moved),
    "Dropout": _moved,
}
