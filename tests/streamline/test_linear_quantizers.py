"""QuantizeLinear and DequantizeLinear: what they mean, and that the lowering reads them so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from lutloom.core.host import run_host
from lutloom.core.ops import Conv, Requantize, Threshold
from lutloom.core.types import IntType
from lutloom.streamline.comparison import compare as compare_with
from lutloom.streamline.errors import ModelError, ModelFileError
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import read_source
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

RAW = RawInput(IntType(-8, 7))
ROWS = np.random.default_rng(0).integers(-8, 8, (64, 3))
TYPES: tuple[Any, ...] = (np.int8, np.uint8, np.int16, np.uint16)


def quantized(
    w: Writer,
    x: str,
    scale: Any = 0.25,  # noqa: ANN401 - array-like
    zero_point: int = 0,
    dtype: Any = np.int8,  # noqa: ANN401 - a type
    clip: tuple[int, int] | None = None,
    **attributes: Any,  # noqa: ANN401 - whatever ONNX takes
) -> str:
    """Return ``x`` behind a QuantizeLinear and a DequantizeLinear."""
    scales = w.constant(scale)
    zero_points = w.constant(np.full(np.shape(scale), zero_point), dtype)
    levels = w.node("QuantizeLinear", [x, scales, zero_points], **attributes)
    if clip is not None:
        levels = w.node("Clip", [levels, *(w.constant(end, dtype) for end in clip)])
    return w.node("DequantizeLinear", [levels, scales, zero_points], **attributes)


def weights(w: Writer, integers: Any, scale: float = 0.1) -> str:  # noqa: ANN401 - array-like
    return w.node("DequantizeLinear", [w.constant(integers, np.int8), w.constant(scale)])


@given(st.data())
def test_levels_are_rounded_to_even_before_the_zero_point_is_added(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """At an odd zero point ties go to odd levels; multiples of a quarter are often ties."""
    dtype = data.draw(st.sampled_from(TYPES))
    limits = np.iinfo(dtype)
    zero_point = data.draw(st.integers(limits.min, limits.max))
    scale = data.draw(st.sampled_from([0.5, 1.0, 0.1, 1.5, 0.01, 2.0**-9]))
    opset = data.draw(st.sampled_from([10, 13, 19] if limits.bits == 8 else [21]))
    w = Writer(opset=opset)
    x = quantized(w, w.binary("Mul", "x", 0.25), scale, zero_point, dtype)
    x = w.node("MatMul", [x, weights(w, [[3, -7], [100, 5], [-1, 1]])])
    x = quantized(w, x, 0.5, data.draw(st.integers(0, 255)), np.uint8)
    compare(w.model(x, 3), tmp_path_factory.mktemp("model"), ROWS, RAW)


@pytest.mark.parametrize("axis", [1, -1, 2])
def test_channels_may_have_scales_of_their_own(axis: int, tmp_path: Path) -> None:
    w = Writer()
    scale = [0.25, 0.1, 0.3] if axis == 1 else [0.25, 0.5]
    x = quantized(w, w.binary("Mul", "x", 0.3), scale, 5, np.uint8, axis=axis)
    x = quantized(w, w.binary("Mul", x, -0.7), 0.1, -3)
    compare(w.model(x, 3, 2), tmp_path, ROWS[:60].reshape(-1, 3, 2), RAW)


@pytest.mark.parametrize("ends", [(-4, 3), (-3, 3), (0, 7), (2, 2), (-128, 500)])
def test_a_clip_of_the_levels_is_a_quantizer_of_fewer_bits(
    ends: tuple[int, int], tmp_path: Path
) -> None:
    w = Writer()
    x = quantized(w, w.binary("Mul", "x", 0.3), 0.5, 1, np.int8, (ends[0], min(ends[1], 127)))
    x = w.node("MatMul", [x, weights(w, np.eye(3))])
    network, _ = compare(w.model(x, 3), tmp_path, ROWS, RAW)
    levels = [network.graph.types[n.name] for n in network.graph.nodes if _is_staircase(n.op)]
    assert [type_.element.lo >= ends[0] and type_.element.hi <= ends[1] for type_ in levels] == [
        True
    ]


def _is_staircase(op: object) -> bool:
    return isinstance(op, Threshold | Requantize)


def test_levels_may_be_read_with_and_without_a_clip(tmp_path: Path) -> None:
    w = Writer()
    scale, zero = w.constant(0.5), w.constant(0, np.int8)
    levels = w.node("QuantizeLinear", [w.binary("Mul", "x", 0.3), scale, zero])
    clipped = w.node("Clip", [levels, w.constant(-2, np.int8), w.constant(1, np.int8)])
    both = [w.node("DequantizeLinear", [q, scale, zero]) for q in (levels, clipped)]
    model = w.model(quantized(w, w.node("Add", both)), 3)
    compare(model, tmp_path, ROWS, RAW)


@pytest.mark.parametrize("kind", ["INT4", "UINT4"])
@pytest.mark.parametrize("places", ["constants", "nodes"])
def test_integers_of_four_bits_are_read(kind: str, places: str, tmp_path: Path) -> None:
    w = Writer(opset=21)
    code = TensorProto.DataType.Value(kind)

    def constant(numbers: list[int], shape: list[int]) -> str:
        tensor = helper.make_tensor(f"four{len(w.constants)}_{len(w.nodes)}", code, shape, numbers)
        if places == "nodes":
            return w.node("Constant", [], value=tensor)
        w.constants.append(tensor)
        return tensor.name

    scale, zero = w.constant(0.25), constant([2], [])
    levels = w.node("QuantizeLinear", [w.binary("Mul", "x", 0.3), scale, zero])
    x = w.node("DequantizeLinear", [levels, scale, zero])
    matrix = constant([1, 7, 3, 0, 5, 2, 4, 6, 1], [3, 3])
    x = w.node("MatMul", [x, w.node("DequantizeLinear", [matrix, w.constant(0.1)])])
    network, _ = compare(w.model(quantized(w, x), 3), tmp_path, ROWS, RAW)
    (first, _) = (node for node in network.graph.nodes if _is_staircase(node.op))
    assert network.graph.types[first.name].element.bits <= 4


@pytest.mark.parametrize(("opset", "code"), [(13, None), (21, 3), (21, 22), (21, 5)])
def test_without_a_zero_point_the_node_says_the_type(
    opset: int, code: int | None, tmp_path: Path
) -> None:
    w = Writer(opset=opset)
    attributes: dict[str, Any] = {} if code is None else {"output_dtype": code}
    scale = w.constant(0.01)
    levels = w.node("QuantizeLinear", ["x", scale], **attributes)
    x = w.node("DequantizeLinear", [levels, scale])
    model = w.model(w.node("MatMul", [x, weights(w, np.eye(3))]), 3)
    network, _ = compare(model, tmp_path, ROWS, RAW)
    (levels_,) = (network.graph.types[n.name] for n in network.graph.nodes if _is_staircase(n.op))
    low, high = {None: (0, 255), 3: (-128, 127), 22: (-8, 7), 5: (-32768, 32767)}[code]
    assert low <= levels_.element.lo
    assert levels_.element.hi <= high


def image_layer(w: Writer, x: str, groups: int = 1) -> str:
    kernel = np.random.default_rng(1).integers(-128, 128, (4, 2 // groups, 3, 3))
    return w.node("Conv", [x, weights(w, kernel)], pads=[1, 1, 1, 1], group=groups)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("zero_point", [0, 77, 255])
def test_padding_is_the_level_of_zero(zero_point: int, groups: int, tmp_path: Path) -> None:
    w = Writer()
    x = quantized(w, w.binary("Mul", "x", 0.3), 0.02, zero_point, np.uint8)
    x = quantized(w, image_layer(w, x, groups), 0.5, 3)
    data = np.random.default_rng(2).integers(-8, 8, (8, 2, 4, 5))
    network, _ = compare(w.model(x, 2, 4, 5), tmp_path, data, RAW)
    (conv,) = (node.op for node in network.graph.nodes if isinstance(node.op, Conv))
    assert conv.fill == zero_point


MOVES: dict[str, Callable[[Writer, str], str]] = {
    "MaxPool": lambda w, q: w.node("MaxPool", [q], kernel_shape=[2, 2]),
    "Reshape": lambda w, q: w.reshape(q, (0, 2, 20)),
    "Transpose": lambda w, q: w.node("Transpose", [q], perm=[0, 3, 1, 2]),
    "Flatten": lambda w, q: w.node("Flatten", [q]),
    "Relu": lambda w, q: w.node("Relu", [q]),
}


@pytest.mark.parametrize("kind", MOVES)
def test_integers_may_move_about_before_they_are_reals(kind: str, tmp_path: Path) -> None:
    w = Writer(opset=14)
    scale, zero = w.constant(0.05), w.constant(-9, np.int8)
    levels = w.node("QuantizeLinear", [w.binary("Mul", "x", 0.3), scale, zero])
    x = w.node("DequantizeLinear", [MOVES[kind](w, levels), scale, zero])
    model = w.model(quantized(w, w.binary("Mul", x, 0.7), 0.125, 1), 2, 4, 5)
    compare(model, tmp_path, np.random.default_rng(2).integers(-8, 8, (8, 2, 4, 5)), RAW)


@pytest.mark.parametrize("kind", ["MaxPool", "Flatten", "none"])
def test_quantizing_again_on_the_same_grid_is_nothing(kind: str, tmp_path: Path) -> None:
    w = Writer()
    x = quantized(w, w.binary("Mul", "x", 0.3), 0.05, 11, np.uint8)
    if kind != "none":
        x = MOVES[kind](w, x)
    x = quantized(w, x, 0.05, 11, np.uint8)
    model = w.model(quantized(w, x, 0.05, 11, np.uint8), 2, 4, 5)
    data = np.random.default_rng(2).integers(-8, 8, (8, 2, 4, 5))
    network, _ = compare(model, tmp_path, data, RAW)
    assert sum(_is_staircase(node.op) for node in network.graph.nodes) == 1


@pytest.mark.parametrize("zero_point", [0, 7, 300])
def test_sixteen_bits_are_products(zero_point: int, tmp_path: Path) -> None:
    w = Writer(opset=21)
    x = quantized(w, "x", 0.0017, zero_point, np.int16)
    x = w.node("MatMul", [x, weights(w, [[3, -7], [100, 5], [-1, 1]])])
    x = quantized(w, x, 0.0003, zero_point, np.uint16)
    data = np.random.default_rng(3).integers(-128, 128, (100, 3))
    network, _ = compare(w.model(x, 3), tmp_path, data, RawInput(IntType(-128, 127)))
    assert any(isinstance(node.op, Requantize) for node in network.graph.nodes)


def runtime(model: ModelProto, x: NDArray[Any]) -> NDArray[Any]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize("zero_point", [0, 117, 255])
def test_the_host_quantizes_like_the_runtime(zero_point: int, tmp_path: Path) -> None:
    w = Writer()
    x = quantized(w, "x", 0.037, zero_point, np.uint8)
    x = w.node("MatMul", [x, weights(w, np.eye(3))])
    x = quantized(w, w.node("Softmax", [x]), 1 / 256, 1, np.uint8)
    model = w.model(x, 3)
    network = streamline(write(model, tmp_path))
    rng = np.random.default_rng(4)
    floats = rng.normal(0, 4, (500, 3)).astype(np.float32)
    floats[:200] = (rng.integers(-200, 200, (200, 3)) + 0.5) * np.float32(0.037)
    levels = Writer()
    constants = [levels.constant(0.037), levels.constant(zero_point, np.uint8)]
    levels.node("QuantizeLinear", ["x", *constants], outputs=["y"])
    wanted = runtime(levels.model("y", 3, output_type=TensorProto.UINT8), floats)
    assert (network.encode(floats) == wanted).all()

    tail = Writer()
    tail.constants = w.constants
    tail.nodes = w.nodes[-3:]
    tail.nodes[0].input[0] = "x"
    numbers = rng.normal(0, 1, (50, 3)).astype(np.float32)
    ours = run_host(network.outputs[0].tail[-3:], numbers)
    theirs = runtime(tail.model(x, 3), numbers)
    # One level apart where exponentials differ in their last bits.
    assert ours.dtype == np.float32
    assert np.abs(np.round((ours - theirs) * 256)).max() <= 1
    assert (ours == theirs).mean() > 0.98


def test_what_the_runtime_rounds_otherwise_is_explained(tmp_path: Path) -> None:
    """Scales that float32 rounds: thousands of sums, few of them near a boundary."""
    w = Writer()
    x = quantized(w, "x", 0.0371, 113, np.uint8)
    x = w.node("MaxPool", [quantized(w, image_layer(w, x), 0.11, 7)], kernel_shape=[2, 2])
    x = quantized(w, w.node("Sigmoid", [quantized(w, x, 0.11, 7)]), 1 / 256, 0, np.uint8)
    matrix = np.random.default_rng(6).integers(-128, 128, (36, 5))
    x = w.node("Gemm", [w.node("Flatten", [x]), weights(w, matrix, 0.013)])
    model = w.model(quantized(w, x, 0.21, -20), 2, 4, 4)
    path = write(model, tmp_path)
    network = streamline(path)
    images = np.random.default_rng(7).normal(0, 3, (400, 2, 4, 4)).astype(np.float32)
    found = compare_with(network, read_source(path), execute(path, images), network.encode(images))
    assert [layer.node for layer in found.layers] == [
        "QuantizeLinear_0",
        "QuantizeLinear_4",
        "QuantizeLinear_10",
        "QuantizeLinear_15",
    ]
    assert all(layer.is_equal for layer in found.layers)
    assert found.outside == 0
    assert not found.beyond
    assert found.excused.all()


def broken(build: Callable[[Writer], str], opset: int = 21) -> ModelProto:
    w = Writer(opset=opset)
    return w.model(build(w), 3)


def linear(w: Writer, kind: str, x: str, *constants: str, **attributes: Any) -> str:  # noqa: ANN401
    return w.node(kind, [x, *constants], name="q", **attributes)


def of_integers(kind: str, operand: bool = False, domain: str = "") -> Callable[[Writer], str]:
    def build(w: Writer) -> str:
        levels = w.node("QuantizeLinear", ["x", w.constant(0.5), w.constant(0, np.int8)])
        return w.node(kind, [levels, levels] if operand else [levels], domain=domain, name="q")

    return build


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda w: linear(w, "QuantizeLinear", "x", w.constant([0.1] * 3), block_size=2),
            r"^QuantizeLinear node 'q' has a scale for every block; use one for the tensor or a",
        ),
        (
            lambda w: linear(w, "QuantizeLinear", "x", w.constant(0.1), output_dtype=17),
            r"^QuantizeLinear node 'q' quantizes to type 17 of ONNX, which is none of integers of",
        ),
        (
            lambda w: linear(w, "QuantizeLinear", "x", w.constant(0.1), w.constant(0, np.int32)),
            r"^QuantizeLinear node 'q': its zero point holds int32, and integers of 4, 8 or 16 bit",
        ),
        (
            lambda w: linear(w, "QuantizeLinear", "x", w.constant([0.1, 0.2])),
            r"^QuantizeLinear node 'q': its scale of shape \[2\] does not fit a tensor of shape"
            r" \['N', 3\]; use one, or one for each index of its axis",
        ),
        (
            lambda w: linear(
                w, "QuantizeLinear", "x", w.constant([0.1] * 3), w.constant([0, 1, 2], np.int8)
            ),
            r"^QuantizeLinear node 'q': its channels have zero points of their own; use one for",
        ),
        (
            lambda w: linear(w, "QuantizeLinear", "x", w.constant(0.0)),
            r"^QuantizeLinear node 'q': its scale is zero or no number: train or export the model",
        ),
        (
            lambda w: linear(w, "QuantizeLinear", "x", w.node("Relu", ["x"])),
            r"^QuantizeLinear node 'q': its scale depends on the data, which no fixed hardware",
        ),
        (
            lambda w: linear(w, "DequantizeLinear", w.quant("x"), w.constant(0.1)),
            r"^DequantizeLinear node 'q' reads floats, and should read what a QuantizeLinear gave",
        ),
        (
            of_integers("Add", operand=True),
            r"^Add node 'q' computes with the integers of a QuantizeLinear, which wrap around in",
        ),
        (
            of_integers("Sigmoid"),
            r"^Sigmoid node 'q' computes with the integers of a QuantizeLinear, which wrap around",
        ),
        (
            lambda w: w.node("ConvInteger", ["x", w.constant([[1, 2, 3]], np.int8)], name="q"),
            r"^ConvInteger node 'q': it computes with integers as a runtime's kernels round them;",
        ),
        (
            lambda w: w.node("QLinearAdd", ["x"], domain="com.microsoft", name="q"),
            r"^QLinearAdd node 'q': it computes with integers as a runtime's kernels round them;",
        ),
        (
            of_integers("QLinearSigmoid", domain="com.microsoft"),
            r"^QLinearSigmoid node 'q': it computes with integers as a runtime's kernels",
        ),
    ],
)
def test_what_is_not_read_is_refused(
    build: Callable[[Writer], str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        streamline(write(broken(build), tmp_path))


def test_floats_of_eight_bits_are_refused_with_what_to_do(tmp_path: Path) -> None:
    w = Writer(opset=21)
    kind = TensorProto.FLOAT8E4M3FN
    w.constants.append(helper.make_tensor("zero", kind, [], [0]))
    model = w.model(w.node("QuantizeLinear", ["x", w.constant(0.1), "zero"]), 3)
    message = r"holds FLOAT8E4M3FN, which is no kind of number known here: .* with int8 instead$"
    with pytest.raises(ModelFileError, match=message):
        streamline(write(model, tmp_path))
