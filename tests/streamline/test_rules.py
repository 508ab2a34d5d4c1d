"""Single rules, on the corners that random networks seldom reach."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops import Linear
from lutloom.core.types import IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.oracle_operators import over_root
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.rules.batch_norm import _factors
from tests.exact import compare
from tests.models import Writer, write
from tests.random_networks import MODES

if TYPE_CHECKING:
    from pathlib import Path

BYTE = RawInput(IntType(0, 255))


def batch(low: int, high: int, *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.random.default_rng(0).integers(low, high, shape, endpoint=True)


@pytest.mark.parametrize("mode", [*MODES, "ROUND_TO_ZERO", "half_up"])
@pytest.mark.parametrize(
    ("scale", "zero_point"), [(0.5, 0.0), (-0.5, 3.0), (0.1, 0.0), (2.0, 0.5), (2.0, -1.0)]
)
def test_every_rounding_mode_is_exact_on_every_byte(
    mode: str, scale: float, zero_point: float, tmp_path: Path
) -> None:
    w = Writer()
    x = w.binary("Sub", w.binary("Mul", "x", 0.25), 32.0)
    x = w.quant(x, scale, zero_point, bits=5, mode=mode)
    model = w.model(w.matmul(x, [[1.0]]), 1)
    _, tally = compare(model, tmp_path, np.arange(256).reshape(-1, 1), BYTE)
    assert scale == 0.1 or tally.ties > 0


@pytest.mark.parametrize("clips", list(product([None, -3, 0, 2, 200], repeat=2)))
@pytest.mark.parametrize("factor", [1.0, -0.5])
def test_clamps_of_clamps_are_exact(
    clips: tuple[float | None, float | None], factor: float, tmp_path: Path
) -> None:
    """Bounds that cross, lie outside of the range, or follow a falling map."""
    w = Writer()
    x = w.node("Relu", [w.binary("Sub", "x", 100.0)])
    x = w.binary("Mul", x, factor)
    bounds = ["" if bound is None else w.constant(bound) for bound in clips]
    x = w.binary("Add", w.node("Clip", [x, *bounds]), 0.5)
    x = w.quant(w.node("Relu", [w.binary("Mul", x, -1.0)]), 1.0, bits=8)
    compare(w.model(w.matmul(x, [[1.0]]), 1), tmp_path, np.arange(256).reshape(-1, 1), BYTE)


@pytest.mark.parametrize("layout", ["", "NCW", "NWC"])
def test_thresholds_find_their_channels_as_qonnx_does(layout: str, tmp_path: Path) -> None:
    w = Writer()
    x = w.multi_threshold("x", [[0, 3], [-2, 1], [1, 5]], layout=layout)
    model = w.model(w.matmul(x, np.eye(3)), 3, 3)
    compare(model, tmp_path, batch(-5, 5, 20, 3, 3), RawInput(IntType(-8, 7)))


def test_one_input_quantizer_exported_twice_is_one(tmp_path: Path) -> None:
    w = Writer()
    left, right = (w.quant("x", 0.5, 1.0, bits=3) for _ in range(2))
    x = w.node("Add", [w.matmul(left, [[1, 2], [-3, 1]]), w.matmul(right, [[2, 0], [1, 1]])])
    data = batch(-9, 9, 40, 2).astype(np.float32) / 4
    network, _ = compare(w.model(w.quant(x), 2), tmp_path, data)
    assert len(network.graph.inputs) == 1


def test_quantizers_that_differ_in_the_shape_of_their_scale_are_two(tmp_path: Path) -> None:
    w = Writer()
    left, right = w.quant("x", [[0.5, 2.0]]), w.quant("x", [[0.5], [2.0]], name="other")
    model = w.model(w.quant(w.node("Add", [left, right])), 2, 2)
    with pytest.raises(ModelError, match=r"^Quant node 'other' quantizes the model's input a seco"):
        streamline(write(model, tmp_path))


def test_one_sign_of_the_input_may_stand_for_several_scales(tmp_path: Path) -> None:
    w = Writer()
    left, right = w.bipolar("x", [1.0, 2.0]), w.bipolar("x", 0.75)
    x = w.node("Add", [w.matmul(left, [[1, 2], [-3, 1]]), w.matmul(right, [[2, 0], [1, 1]])])
    data = batch(-1, 1, 40, 2).astype(np.float32)
    network, _ = compare(w.model(w.quant(x), 2), tmp_path, data)
    assert len(network.graph.inputs) == 1


def test_branches_with_biases_along_another_axis_are_exact(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    right = w.binary("Add", w.quant(x, 0.5), [[[0.25], [0.5], [-3.0]]])
    compare(w.model(w.quant(w.node("Sub", [x, right])), 3, 2), tmp_path, batch(-8, 7, 30, 3, 2))


@pytest.mark.parametrize("target", [(0, -1), (-1, 6), (1, -1), (1, 6), (0, 6)])
def test_a_flattening_reshape_keeps_the_batch(target: tuple[int, ...], tmp_path: Path) -> None:
    w = Writer()
    x = w.reshape(w.quant("x"), target)
    model = w.model(w.matmul(x, np.arange(6).reshape(6, 1)), 2, 3, batch=1)
    compare(model, tmp_path, batch(-8, 7, 5, 2, 3).astype(np.float32))


@pytest.mark.parametrize("opset", [9, 13])
def test_a_computed_shape_is_followed(opset: int, tmp_path: Path) -> None:
    w = Writer(opset=opset)
    x = w.quant("x")
    size = w.node("Gather", [w.node("Shape", [x]), w.constant(0, np.int64)], axis=0)
    if opset < 13:
        size = w.node("Unsqueeze", [size], axes=[0])
    else:
        size = w.node("Unsqueeze", [size, w.constant([0], np.int64)])
    shape = w.node("Concat", [size, w.constant([-1], np.int64)], axis=0)
    x = w.node("Reshape", [x, shape])
    model = w.model(w.matmul(x, np.arange(6).reshape(6, 1)), 2, 3)
    compare(model, tmp_path, batch(-8, 7, 5, 2, 3).astype(np.float32))


def test_ties_of_the_largest_go_to_the_lowest_index(tmp_path: Path) -> None:
    w = Writer()
    x = w.matmul("x", [[1, 1, 0, 1], [1, 1, 1, 0]])
    w.node("TopK", [x, w.constant([3], np.int64)], outputs=["values", "indices"])
    data = np.array(list(product([0, 1, 2, 3], repeat=2)))
    model = w.model("indices", 2)
    network, _ = compare(model, tmp_path, data, RawInput(IntType(0, 3), (Fraction(1, 3),)))
    assert network.decode(np.array([[0, 1, 2]])).tolist() == [[0, 1, 2]]
    assert network.output.is_integer


def test_weights_without_a_quantizer_may_lie_on_a_grid(tmp_path: Path) -> None:
    """A model whose weights were folded, with a scale an output."""
    w = Writer()
    rng = np.random.default_rng(0)
    weights = rng.integers(-7, 8, (4, 3)) * np.array([0.5, 0.25, 0.1], dtype=np.float16)
    x = w.node("MatMul", [w.quant("x"), w.constant(weights)])
    compare(w.model(x, 4), tmp_path, batch(-8, 7, 20, 4).astype(np.float32))


def test_huge_multipliers_are_refused_rather_than_wrapped(tmp_path: Path) -> None:
    w = Writer()
    x = w.binary("Mul", w.quant("x", bits=24), [1.0, 2.0**31])
    weights = w.quant(w.constant(2.0**30 * np.ones((2, 1))), bits=32)
    model = w.model(w.node("MatMul", [x, weights], name="fc"), 2)
    with pytest.raises(ModelError, match=r"^MatMul node 'fc': .* needs more than 64 bits$"):
        streamline(write(model, tmp_path))


def test_a_factor_of_zero_leaves_the_addend_whatever_was_clamped(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Clip", [w.matmul("x", np.eye(3)), w.constant(1), w.constant(5)])
    x = w.binary("Add", w.binary("Mul", x, [0.0, 1.0, -1.0]), [-3.0, 0.0, 7.5])
    compare(w.model(w.quant(x), 3), tmp_path, batch(-8, 7, 40, 3), RawInput(IntType(-8, 7)))


@pytest.mark.parametrize("scales", [[[0.5], [2.0], [0.25]], [[0.1], [0.3], [0.7]]])
def test_weights_may_have_a_scale_an_input(scales: list[list[float]], tmp_path: Path) -> None:
    w = Writer()
    weights = w.quant(w.constant(batch(-20, 20, 3, 2) / 8), scales)
    x = w.node("MatMul", [w.binary("Add", "x", [0.5, -3.0, 0.1]), weights])
    compare(w.model(w.quant(x), 3), tmp_path, batch(-8, 7, 40, 3), RawInput(IntType(-8, 7)))


@pytest.mark.parametrize("one_bit", ["BipolarQuant", "Quant"])
def test_the_sign_of_a_weight_of_zero_is_positive(one_bit: str, tmp_path: Path) -> None:
    w = Writer()
    zeros = w.constant([[0.0, -0.0], [-1.0, 0.0]])
    weights = w.bipolar(zeros, 0.5) if one_bit == "BipolarQuant" else w.quant(zeros, 0.5, bits=1)
    x = w.node("MatMul", ["x", weights])
    network, _ = compare(w.model(x, 2), tmp_path, batch(-8, 7, 9, 2), RawInput(IntType(-8, 7)))
    assert network.decode(np.array([[2, 4]])).tolist() == [[1.0, 2.0]]
    (linear,) = [node.op for node in network.graph.nodes if isinstance(node.op, Linear)]
    assert linear.weights.int64.tolist() == [[1, 1], [-1, 1]]


@given(
    st.floats(-4, 4, width=32),
    st.floats(2.0**-10, 4, width=32),
)
def test_a_normalization_factor_is_the_exact_real_rounded_once(gamma: float, square: float) -> None:
    """Three roundings, NumPy's, miss it in about a quarter of cases."""
    pair = np.array([Fraction(gamma)]), np.array([Fraction(square)])
    assert _factors(*pair).tolist() == [over_root(Fraction(gamma), Fraction(square))]
