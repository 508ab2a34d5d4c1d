from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.errors import RangeError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Linear, Reshape
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import check, run
from tests.graphs import graphs, random_inputs

X = TensorType(BIPOLAR, (2, 2))
GRAPH = Graph(
    {"x": X},
    (
        Node(("flat",), Reshape((4,)), ("x",)),
        Node(("y",), Linear(Const([[1], [2], [-3], [4]])), ("flat",)),
    ),
    ("y",),
)


def test_every_value_is_computed_and_kept() -> None:
    values = run(GRAPH, {"x": np.array([[[1, -1], [1, 1]], [[1, 1], [-1, 1]]])})
    assert {name: value.shape for name, value in values.items()} == {
        "x": (2, 2, 2),
        "flat": (2, 4),
        "y": (2, 1),
    }
    assert values["y"].tolist() == [[0], [10]]


@given(graphs(), st.integers(0, 2**32 - 1), st.data())
def test_values_that_are_not_wanted_are_dropped(
    graph: Graph, seed: int, data: st.DataObject
) -> None:
    inputs = random_inputs(graph, seed, batch=2)
    whole = run(graph, inputs)
    wanted = data.draw(st.sets(st.sampled_from(sorted(whole))))
    found = run(graph, inputs, wanted=wanted)
    assert wanted <= found.keys()
    # What is no input and not wanted is gone.
    assert found.keys() - wanted <= set(graph.inputs)
    assert all((value == whole[name]).all() for name, value in found.items())


@given(graphs(), st.integers(0, 2**32 - 1))
def test_a_batch_is_its_samples(graph: Graph, seed: int) -> None:
    inputs = random_inputs(graph, seed, batch=3)
    whole = run(graph, inputs)
    for i in range(3):
        one = run(graph, {name: value[i : i + 1] for name, value in inputs.items()})
        assert all(np.array_equal(one[name][0], value[i]) for name, value in whole.items())


@given(graphs(), st.integers(0, 2**32 - 1))
def test_trusting_types_changes_no_value(graph: Graph, seed: int) -> None:
    inputs = random_inputs(graph, seed, batch=2)
    whole, found = run(graph, inputs), run(graph, inputs, trusts_types=True)
    assert found.keys() == whole.keys()
    assert all(
        found[name].dtype == np.int64 and np.array_equal(found[name], value)
        for name, value in whole.items()
    )


def test_an_empty_batch_is_one() -> None:
    assert run(GRAPH, {"x": np.zeros((0, 2, 2), dtype=np.int8)})["y"].shape == (0, 1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones((1, 2)), r"^x should have the shape \['batch', 2, 2\], not \[1, 2\]$"),
        (np.ones((2, 2)), r"^x should have the shape \['batch', 2, 2\], not \[2, 2\]$"),
        (np.ones((1, 2, 2)), r"^x should hold integers, not float64$"),
        (np.ones((1, 2, 2), dtype=np.bool_), r"^x should hold integers, not bool$"),
        (np.array([[[1, 1], [1, 3]]]), r"^x\[0, 1, 1\] is 3, outside int<-1\.\.1 by 2>$"),
        (np.array([[[1, 1], [-2, 1]]]), r"^x\[0, 1, 0\] is -2, outside int<-1\.\.1 by 2>$"),
        (np.array([[[1, 0], [1, 1]]]), r"^x\[0, 0, 1\] is 0, outside int<-1\.\.1 by 2>$"),
    ],
)
def test_values_outside_of_their_type_are_named(
    value: np.ndarray[tuple[int, ...], np.dtype[np.int64]], message: str
) -> None:
    with pytest.raises(RangeError, match=message):
        run(GRAPH, {"x": value})


def test_any_integer_type_is_taken_and_unsigned_ones_do_not_wrap() -> None:
    for dtype in (np.int8, np.uint8, np.int64, np.uint64):
        checked = check("x", np.ones((1, 2, 2), dtype=dtype).astype(np.int64), X)
        assert checked.dtype == np.int64
    huge = np.full((1, 2, 2), 2**64 - 1, dtype=np.uint64)
    with pytest.raises(RangeError, match=r"is 18446744073709551615, outside"):
        run(GRAPH, {"x": huge})  # type: ignore[dict-item]


def test_ends_may_be_further_apart_than_63_bits() -> None:
    for lo, hi, step in ((-(2**63), 2**63 - 1, 2**64 - 1), (-(2**62), 2**63 - 2, 3 * 2**62 - 2)):
        value = np.array([[lo], [hi]])
        assert np.array_equal(check("x", value, TensorType(IntType(lo, hi, step), (1,))), value)
