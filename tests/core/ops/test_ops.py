"""Every operator: its type holds all that its reference can give, and as little else as it can."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.errors import GraphError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    OPERATORS,
    Add,
    Duplicate,
    Linear,
    MatVec,
    Permute,
    Requantize,
    Reshape,
    Threshold,
    TopK,
)
from lutloom.core.types import BIPOLAR, INT64_MAX, INT64_MIN, Const, IntType, TensorType
from tests.graphs import (
    ELEMENTS,
    TAKE_TWO,
    every_tensor,
    graphs,
    random_inputs,
    random_op,
    random_threshold,
)

if TYPE_CHECKING:
    from lutloom.core.op import Op

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.sampled_from(ELEMENTS), st.sampled_from([(2,), (1,), (2, 1)]))
def test_the_type_of_one_input_is_exact_by_brute_force(
    seed: int, element: IntType, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(seed)
    x = TensorType(element, shape)
    op = random_op(rng, x)
    arity = 2 if isinstance(op, TAKE_TWO) else 1
    inputs = [every_tensor(x)] * arity
    if arity == 2:
        left, right = np.meshgrid(*[range(len(inputs[0]))] * 2)
        inputs = [inputs[0][left.ravel()], inputs[0][right.ravel()]]
    types, results = op.infer(*[x] * arity), op.reference(*inputs)
    for type_, result in zip(types, results, strict=True):
        assert result.shape[1:] == type_.shape
        if isinstance(op, TopK):  # any channel of any place: which ones is not followed up
            assert type_.element == IntType(0, x.channels - 1)
        elif isinstance(op, Requantize):  # nor which levels a multiplier above 2^shift skips
            assert type_.element == IntType(int(result.min()), int(result.max()))
        else:
            assert type_.element == IntType.spanning(np.unique(result).tolist())


@given(seeds, st.sampled_from(ELEMENTS))
def test_a_threshold_type_is_exact_by_brute_force(seed: int, element: IntType) -> None:
    x = TensorType(element, (3,))
    op = random_threshold(np.random.default_rng(seed), x)
    values = np.arange(element.lo, element.hi + 1, element.step)[:, np.newaxis] + np.zeros(3, int)
    (result,) = op.reference(values)
    assert op.infer(x)[0].element == IntType.spanning(np.unique(result).tolist())
    table, heights = op.thresholds.int64, op.deltas.int64
    for row, channel in product(range(len(values)), range(3)):
        c = channel if len(table) > 1 else 0
        steps = np.broadcast_to(heights[c], table[c].shape)
        taken = sum(int(h) for t, h in zip(table[c], steps, strict=True) if values[row, 0] >= t)
        assert result[row, channel] == op.base.int64[c] + taken


@given(graphs(), seeds)
def test_no_graph_leaves_its_types(graph: Graph, seed: int) -> None:
    values = dict(random_inputs(graph, seed))
    for node in graph.nodes:
        results = node.op.reference(*(values[name] for name in node.inputs))
        for name, result in zip(node.results, results, strict=True):
            type_ = graph.types[name]
            assert result.shape == (7, *type_.shape)
            assert result.min() >= type_.element.lo
            assert result.max() <= type_.element.hi
            assert not ((result - type_.element.lo) % type_.element.step).any()
            values[name] = result


def test_a_sum_of_bipolar_products_keeps_its_parity() -> None:
    weights = Const(np.where(np.arange(30).reshape(10, 3) % 2, 1, -1))
    (y,) = Linear(weights).infer(TensorType(BIPOLAR, (10,)))
    assert y == TensorType(IntType(-10, 10, 2), (3,))
    (z,) = MatVec(Const(weights.data.T)).infer(TensorType(BIPOLAR, (4, 10)))
    assert z == TensorType(IntType(-10, 10, 2), (4, 3))


def test_ties_of_the_largest_go_to_the_lowest_channel_even_at_the_ends_of_int64() -> None:
    x = np.array([[1, 3, 3, 2], [INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX]])
    assert TopK(4).reference(x)[0].tolist() == [[1, 2, 3, 0], [1, 3, 0, 2]]


def test_thresholds_at_the_ends_of_int64_are_no_wrap() -> None:
    wide = TensorType(IntType(INT64_MIN, INT64_MAX), (1,))
    op = Threshold(Const([[INT64_MIN, INT64_MAX]]), Const([0]), Const([[1]]))
    assert op.infer(wide)[0].element == IntType(1, 2)
    x = np.array([[INT64_MIN], [0], [INT64_MAX]])
    assert op.reference(x)[0].ravel().tolist() == [1, 1, 2]


X = TensorType(IntType(0, 3), (2, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(Const([1, 2])), r"weights should be a matrix, not int8\[2\]#"),
        (lambda: MatVec(Const([1, 2])), r"matrix should have two dimensions, not int8\[2\]#"),
        (lambda: Linear(Const(np.zeros((0, 2), int))), r"weights should be a matrix, not int8\[0"),
        (lambda: Add(Const([[1]])), r"multipliers should be \[inputs, channels\], for 2 inputs or"),
        (
            lambda: Threshold(Const([[2, 1]]), Const([0]), Const([[1]])),
            r"^the thresholds of channel 0 do not ascend$",
        ),
        (lambda: Threshold(Const([1]), Const([0]), Const([[1]])), r"^thresholds should be \[chan"),
        (lambda: Threshold(Const([[1]]), Const([0, 0]), Const([[1]])), r"^base should be \[1\], n"),
        (
            lambda: Threshold(Const([[1, 2]]), Const([0]), Const([[1, 2, 3]])),
            r"^deltas should be \[1, 2 or 1\], not int8\[1,3\]#",
        ),
        (lambda: Linear(Const([[1], [1]])).infer(X), r"fan-in of 2, but the input is int<0\.\.3>"),
        (lambda: MatVec(Const([[1, 1]])).infer(X), r"^the matrix has 2 columns, but the input is"),
        (lambda: Add(Const([[1], [1]])).infer(X), r"^the multipliers are for 2 inputs, not 1$"),
        (lambda: Add(Const([[1, 1], [1, 1]])).infer(X, X), r"are for 2 channels, the inputs are"),
        (
            lambda: Add(Const([[1], [1]])).infer(X, TensorType(X.element, (6,))),
            r"^the inputs int<0\.\.3>\[2,3\] and int<0\.\.3>\[6\] differ in shape$",
        ),
        (lambda: Permute((0, 0)).infer(X), r"^axes \[0, 0\] do not permute the dimensions of int"),
        (lambda: Reshape((7,)).infer(X), r"^\[7\] does not hold the 6 elements of int<0\.\.3>"),
        (lambda: TopK(4).infer(X), r"^k should be at least 1 and at most the channels of .* not 4"),
        (lambda: TopK(0).infer(X), r"^k should be at least 1 and at most the channels of .* not 0"),
        (lambda: Duplicate(1).infer(X), r"^copies should be 2 to 1024, not 1$"),
        (
            lambda: Threshold(Const([[1], [1]]), Const([0, 0]), Const([[1], [1]])).infer(X),
            r"^the thresholds are for 2 channels, but the input is int<0\.\.3>\[2,3\]$",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(TypeError, match=message):
        make()


def test_the_registry_knows_every_operator_by_its_name() -> None:
    assert sorted(OPERATORS) == sorted(op.name for op in OPERATORS.values())
    assert len(OPERATORS) == 22


def test_an_ill_typed_graph_cannot_exist() -> None:
    types = {"x": X}
    bad: list[tuple[tuple[Node, ...], tuple[str, ...], str]] = [
        ((Node(("y",), TopK(9), ("x",)),), ("y",), r"^y = top_k\(x\): k should be at least 1"),
        ((Node(("y",), TopK(1), ("z",)),), ("y",), r"^y = top_k\(z\): no earlier node defines z$"),
        ((Node(("x",), TopK(1), ("x",)),), ("x",), r"^x = top_k\(x\): x is defined twice$"),
        ((Node(("y", "z"), TopK(1), ("x",)),), ("y",), r"the operator has 1 results$"),
        ((), ("y",), r"^the output y is not defined$"),
    ]
    for nodes, outputs, message in bad:
        with pytest.raises(GraphError, match=message):
            Graph(types, nodes, outputs)


def test_operators_are_compared_by_value() -> None:
    def ops() -> list[Op]:
        return [Linear(Const([[1]])), TopK(1), Permute((0,)), Add(Const([[1], [2]]))]

    assert ops() == ops()
    assert {*ops()} == {*ops()}
    assert Linear(Const([[1]])) != Linear(Const([[2]]))
