"""Constants have one value: quantized ones stay exact, functions are rounded once."""

from __future__ import annotations

from collections.abc import Callable
from math import nextafter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops import Linear
from lutloom.core.types import IntType
from lutloom.streamline import oracle_constants
from lutloom.streamline.constant_functions import FUNCTIONS
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.oracle_values import Known, Operation
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import SourceNode
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

RAW = RawInput(IntType(-8, 7))
DATA = np.random.default_rng(0).integers(-8, 8, (30, 4))
WEIGHTS = np.random.default_rng(1).normal(0, 2, (4, 3)).astype(np.float32)
SCALES = {
    "one": 0.25,
    "negative": -0.25,
    "an output": [[0.25, 0.5, 0.1]],
    "an input": [[0.25], [0.5], [0.1], [0.3]],
}


def weights(w: Writer, scale: Any = 0.25, bits: int = 4) -> str:  # noqa: ANN401 - array-like
    return w.quant(w.constant(WEIGHTS), scale, bits=bits)


def layer(w: Writer, matrix: str) -> ModelProto:
    return w.model(w.quant(w.node("MatMul", ["x", matrix]), 0.75, bits=4), 4)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize(
    "factor",
    [0.5, 0.1, [0.5, 0.3, 2.0], [[1.0], [0.0], [2.0], [1.0]], np.eye(4, 3)],
    ids=["half", "tenth", "outputs", "inputs", "mask"],
)
@pytest.mark.parametrize("kind", ["Mul", "Add", "Sub", "Div"])
def test_arithmetic_on_quantized_weights_is_exact(
    kind: str,
    factor: Any,  # noqa: ANN401 - array-like
    scale: Any,  # noqa: ANN401 - array-like
    tmp_path: Path,
) -> None:
    w = Writer()
    if kind == "Div":
        factor = np.where(np.array(factor) == 0, 4.0, factor)
    model = layer(w, w.binary(kind, weights(w, scale), factor))
    compare(model, tmp_path, DATA, RAW)


def test_products_of_two_quantized_constants_are_exact(tmp_path: Path) -> None:
    w = Writer()
    product = w.node("Mul", [weights(w, 0.1), weights(w, [[0.3, 0.7, 0.2]], bits=3)])
    compare(layer(w, w.node("Neg", [product])), tmp_path, DATA, RAW)


def test_integers_that_would_be_too_wide_are_refused(tmp_path: Path) -> None:
    w = Writer()
    matrix = w.binary("Add", weights(w, 1e-30), 1e10)
    w.nodes[-1].name = "shift"
    with pytest.raises(ModelError, match=r"^Add node 'shift': the scales of its constants meet in"):
        streamline(write(layer(w, matrix), tmp_path), RAW)


def test_weights_divided_by_zero_are_refused(tmp_path: Path) -> None:
    w = Writer()
    matrix = w.node("Div", [weights(w), w.constant([1, 0, 2])], name="ratio")
    with pytest.raises(ModelError, match=r"^Div node 'ratio' divides by zero: train or export"):
        streamline(write(layer(w, matrix), tmp_path), RAW)


MOVES: dict[str, Callable[[Writer, str], str]] = {
    "Transpose": lambda w, x: w.node("Transpose", [w.node("Transpose", [x])], perm=[1, 0]),
    "Reshape": lambda w, x: w.reshape(w.reshape(x, (12,)), (4, 3)),
    "Flatten": lambda w, x: w.node("Flatten", [x], axis=1),
    "Squeeze": lambda w, x: w.node("Squeeze", [w.reshape(x, (1, 4, 3))]),
    "Gather": lambda w, x: w.node("Gather", [x, w.constant([2, 0, 1], np.int64)], axis=1),
    "Slice": lambda w, x: w.node("Slice", [x, *(w.constant([n], np.int64) for n in (0, 2, 1))]),
    "Concat": lambda w, x: w.node(
        "Concat", [x, weights(w, 0.1), w.constant(np.ones((4, 1)))], axis=1
    ),
    "Expand": lambda w, x: w.node("Expand", [x, w.constant([1, 3], np.int64)]),
    "Cast": lambda w, x: w.node("Cast", [w.node("Cast", [x], to=11)], to=1),
    "Identity": lambda w, x: w.node("Identity", [x]),
}


@pytest.mark.parametrize("scale", [0.1, [[0.25, 0.5, 0.1]]], ids=["one", "an output"])
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_quantized_weights_may_move_about(
    move: Callable[[Writer, str], str],
    scale: Any,  # noqa: ANN401 - array-like
    tmp_path: Path,
) -> None:
    w = Writer()
    compare(layer(w, move(w, weights(w, scale))), tmp_path, DATA, RAW)


BIASES: dict[str, Callable[[Writer], str]] = {
    "Int32": lambda w: w.quant(w.constant([9.1, -3.3, 0.7]), 0.0123, bits=32),
    "Int8 a channel": lambda w: w.quant(w.constant([9.1, -3, 7]), [0.1, 0.2, 0.3], [1, 0, 2], 8),
    "QCDQ": lambda w: w.node(
        "DequantizeLinear", [w.constant([100, -37, 12], np.int32), w.constant(0.0123)]
    ),
    "float": lambda w: w.constant([[9.1, -3.3, 0.7]]),
    "scalar": lambda w: w.constant(0.3),
}


@pytest.mark.parametrize("place", ["Add", "added to", "Gemm", "Sub"])
@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES)
def test_biases_are_exact_wherever_they_come_from(
    bias: Callable[[Writer], str], place: str, tmp_path: Path
) -> None:
    """An Int32 bias is its integer times its scale, which is seldom a float32."""
    w = Writer()
    if place == "Gemm":
        x = w.node("Gemm", ["x", weights(w, 0.1), bias(w)], alpha=0.5, beta=-2.0)
    else:
        operands = [w.node("MatMul", ["x", weights(w, 0.1)]), bias(w)]
        kind = "Add" if place == "added to" else place
        x = w.node(kind, operands[::-1] if place == "added to" else operands)
    x = w.batch_norm(x, [1, -2, 0.5], [0, 1, 2], [0, 1, 0], [1, 4, 1e-9])
    compare(w.model(w.quant(x, 0.75, bits=4), 4), tmp_path, DATA, RAW)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("zero_point", [None, 3])
def test_weights_in_qcdq_form_are_quantized_weights(
    dtype: type, axis: int | None, zero_point: int | None, tmp_path: Path
) -> None:
    w = Writer()
    integers = np.random.default_rng(2).integers(1, 12, (4, 3))
    count = () if axis is None else (integers.shape[axis],)
    inputs = [
        w.constant(integers, dtype),
        w.constant(np.linspace(0.1, 0.5, 4)[: count[0]] if count else 0.1),
    ]
    if zero_point is not None:
        inputs.append(w.constant(np.full(count, zero_point), dtype))
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
    matrix = w.node("DequantizeLinear", inputs, **attributes)
    network, _ = compare(layer(w, matrix), tmp_path, DATA, RAW)
    linear = next(node.op for node in network.graph.nodes if isinstance(node.op, Linear))
    assert axis == 0 or (linear.weights.int64 == integers - (zero_point or 0)).all()


def test_weights_that_are_quantized_and_dequantized_in_the_file_are_folded(tmp_path: Path) -> None:
    w = Writer()
    scale, zero = w.constant([0.25, 0.1, 0.3]), w.constant([0, 3, -3], np.int8)
    levels = w.node("QuantizeLinear", [w.constant(WEIGHTS), scale, zero], axis=1)
    matrix = w.node("DequantizeLinear", [levels, scale, zero], axis=1)
    compare(layer(w, matrix), tmp_path, DATA, RAW)


def test_quantize_linear_rounds_half_to_even_and_counts_channels_from_axis_one(
    tmp_path: Path,
) -> None:
    """One without a type of its own makes bytes, which 300 is too large for."""
    w = Writer()
    halves = np.array([[0.5, 1.0, 1.5], [2.5, 3.0, 4.5], [-1.0, 300, 0.5], [127.5, 1.0, 3.5]])
    scale = w.constant([1.0, 2.0, 1.0])
    levels = w.node("QuantizeLinear", [w.constant(halves), scale])
    matrix = w.node("DequantizeLinear", [levels, scale])
    network, _ = compare(layer(w, matrix), tmp_path, DATA, RAW)
    (linear,) = (node.op for node in network.graph.nodes if isinstance(node.op, Linear))
    assert linear.weights.int64.tolist() == [[0, 0, 2], [2, 2, 4], [0, 150, 0], [128, 0, 4]]


def test_a_matrix_on_the_left_multiplies_the_rows(tmp_path: Path) -> None:
    w = Writer()
    left = w.quant(w.constant(WEIGHTS.T), [[0.25], [0.3], [0.1]], bits=4)
    x = w.binary("Add", w.node("MatMul", [left, "x"]), [[1.5], [0.1], [0.0]])
    data = np.random.default_rng(3).integers(-8, 8, (20, 4, 5))
    compare(w.model(w.quant(x, 0.75, bits=4), 4, 5), tmp_path, data, RAW)


@pytest.mark.parametrize("quantized", [True, False])
def test_a_vector_of_weights_drops_the_axis_of_its_sum(quantized: bool, tmp_path: Path) -> None:
    w = Writer()
    x = w.node("MatMul", ["x", w.quant(w.constant(WEIGHTS[:, 0]), 0.1, bits=4)])
    model = w.model(w.quant(x, 0.75) if quantized else x, 3, 4)
    data = np.random.default_rng(3).integers(-8, 8, (20, 3, 4))
    compare(model, tmp_path, data, RAW)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (1, 1)])
@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm_takes_every_shape_of_bias(
    shape: tuple[int, ...], transposed: int, tmp_path: Path
) -> None:
    w = Writer()
    matrix = w.quant(w.constant(WEIGHTS.T if transposed else WEIGHTS), 0.1, bits=4)
    bias = w.constant(np.random.default_rng(0).normal(0, 2, shape))
    x = w.node("Gemm", ["x", matrix, bias], transB=transposed, alpha=-0.3, beta=0.7)
    compare(w.model(w.quant(x, 0.75), 4), tmp_path, DATA, RAW)


@pytest.mark.parametrize("zero_point", [0.5, -0.25, 3.0, 1000.0])
def test_zero_points_of_weights_need_be_no_integers(zero_point: float, tmp_path: Path) -> None:
    w = Writer()
    zero_points = [zero_point, 0.0, 1.0]
    matrix = w.quant(w.constant(WEIGHTS), [0.25, 0.3, 0.1], zero_points, bits=4, signed=False)
    compare(layer(w, matrix), tmp_path, DATA, RAW)


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e30])
def test_weights_beyond_float32_are_clamped(scale: float, tmp_path: Path) -> None:
    w = Writer()
    compare(layer(w, weights(w, scale)), tmp_path, DATA, RAW)


@pytest.mark.parametrize("opset", [9, 13, 18])
def test_scales_and_bit_widths_may_be_computed(opset: int, tmp_path: Path) -> None:
    """As Brevitas exports learned ones: Abs, ReduceMax, Div, Clip; Ceil(Log / Log); Pow."""
    w = Writer(opset=opset)
    magnitudes = w.node("Abs", [w.constant(WEIGHTS)])
    if opset < 18:
        largest = w.node("ReduceMax", [magnitudes], axes=[0], keepdims=1)
        mean = w.node("ReduceMean", [magnitudes], keepdims=0)
    else:
        largest = w.node("ReduceMax", [magnitudes, w.constant([0], np.int64)], keepdims=1)
        mean = w.node("ReduceMean", [magnitudes], keepdims=0)
    scale = w.binary("Div", largest, 7.0)
    if opset < 11:
        scale = w.node("Clip", [scale], min=1e-6)
    else:
        scale = w.node("Clip", [scale, w.constant(1e-6)])
    two = w.node("Log", [w.constant(2.0)])
    bits = w.node("Ceil", [w.node("Div", [w.node("Log", [w.constant(16.0)]), two])])
    attributes: dict[str, Any] = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
    zero = w.constant(0.0)
    first = w.node("Quant", [w.constant(WEIGHTS), scale, zero, bits], domain=w.domain, **attributes)
    exponent = w.node("Ceil", [w.node("Div", [w.node("Log", [mean]), two])])
    power = w.node("Pow", [w.constant(2.0), exponent])
    second = w.node(
        "Quant", [w.constant(WEIGHTS), power, zero, bits], domain=w.domain, **attributes
    )
    x = w.node("Add", [w.node("MatMul", ["x", matrix]) for matrix in (first, second)])
    compare(w.model(w.binary("Mul", x, 0.1), 4), tmp_path, DATA, RAW)


@pytest.mark.parametrize("bits", range(1, 33))
def test_the_logarithm_of_a_power_of_two_gives_its_bits(bits: int) -> None:
    """Not so in every runtime: one of them makes 14 bits of 2^13, and 27 of 2^26."""
    logarithms = FUNCTIONS["Log"](node("Log"), [np.array([2.0**bits, 2.0], np.float32)])
    assert np.ceil(logarithms[0] / logarithms[1]) == bits


def node(kind: str, **attributes: Any) -> SourceNode:  # noqa: ANN401 - whatever ONNX takes
    return SourceNode("n", kind, "", ("x",), ("y",), attributes)


def folded_twice(
    kind: str,
    arrays: list[NDArray[Any]],
    **attributes: Any,  # noqa: ANN401 - as above
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what the lowering and what the interpreter make of a node."""
    operation = Operation(kind, attributes, 13, None)
    (known,) = oracle_constants.fold(operation, [Known(array) for array in arrays])
    return FUNCTIONS[kind](node(kind, **attributes), arrays), known.array


numbers = st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=8)
floats = st.sampled_from([np.float32, np.float64, np.float16])


@given(st.sampled_from(["Exp", "Log", "Sigmoid", "Tanh"]), numbers, floats)
def test_functions_of_constants_are_rounded_once(
    kind: str, values: list[float], dtype: type
) -> None:
    x: NDArray[Any] = np.array(values, dtype)
    ours, theirs = folded_twice(kind, [abs(x) if kind == "Log" else x])
    assert ours.dtype == theirs.dtype == dtype
    assert (ours == theirs).all()


@given(numbers, st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 0.1]))
def test_powers_of_constants_are_rounded_once(values: list[float], exponent: float) -> None:
    ours, theirs = folded_twice(
        "Pow", [abs(np.array(values, np.float32)), np.array([exponent], np.float32)]
    )
    assert (ours == theirs).all()


@given(
    st.sampled_from(["ReduceSum", "ReduceMean"]),
    st.lists(st.floats(-(2.0**30), 2.0**30, width=32), min_size=12, max_size=12),
    st.sampled_from([None, [0], [1], [-1, 0], [0, 1, 2]]),
    st.integers(0, 1),
)
def test_sums_of_constants_are_rounded_once(
    kind: str, values: list[float], axes: list[int] | None, keepdims: int
) -> None:
    attributes: dict[str, Any] = {"keepdims": keepdims}
    if axes is not None:
        attributes["axes"] = tuple(axes)
    ours, theirs = folded_twice(kind, [np.array(values, np.float32).reshape(2, 3, 2)], **attributes)
    assert ours.shape == theirs.shape
    assert (ours == theirs).all()


def test_a_power_midway_between_two_floats_goes_to_the_even_one() -> None:
    odd = np.float32(2**12 + 1)  # its square has 25 bits, the last of them 1
    ours, theirs = folded_twice("Pow", [np.array([odd], np.float32), np.array([2.0], np.float32)])
    assert float(odd) ** 2 == (2**12 + 1) ** 2
    assert ours[0] == theirs[0] == 2**24 + 2**13
    above = nextafter(float(odd) ** 2, float("inf"))
    assert np.float32(above) == 2**24 + 2**13 + 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda w, x: w.node("Mul", [x, w.constant([1, 2, 3], np.float64)], name="n"),
            r"^Mul node 'n': its constants hold float32 and float64, and should hold one type",
        ),
        (
            lambda w, x: w.node("ReduceMean", [x], axes=[2], name="n"),
            r"^ReduceMean node 'n': its axes \[2\] are not those of 2 dimensions",
        ),
        (
            lambda w, x: w.node("DequantizeLinear", [x, w.constant(0.5)], name="n"),
            r"^DequantizeLinear node 'n': its constant input holds float32, and should hold integ",
        ),
        (
            lambda w, _: w.quant(w.constant([[1, 2], [3, 4]], np.int8), name="n"),
            r"^Quant node 'n': its constant input holds int8, and should hold floats: put a Cast",
        ),
    ],
    ids=["types", "axes", "QCDQ", "integers"],
)
def test_constants_that_cannot_be_computed_are_refused(
    wrong: Callable[[Writer, str], str], message: str, tmp_path: Path
) -> None:
    w = Writer()
    with pytest.raises(ModelError, match=message):
        streamline(write(layer(w, wrong(w, weights(w))), tmp_path), RAW)


def test_weights_of_half_precision_may_lie_on_a_grid(tmp_path: Path) -> None:
    w = Writer()
    compare(layer(w, w.constant(np.round(WEIGHTS), np.float16)), tmp_path, DATA, RAW)
