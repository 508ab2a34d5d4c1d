"""What can't be lowered is refused with the node, the reason and the remedy: never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, external_data_helper, helper, numpy_helper, save_model

from lutloom.core.text import constants_of, parse_graph, print_graph
from lutloom.core.types import IntType
from lutloom.streamline.errors import ModelError, ModelFileError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[[Writer], ModelProto]
WEIGHTS = [[1.0, 2.0], [-3.0, 1.0]]
NAN, INF = float("nan"), float("inf")


def layer(w: Writer, weights: object = None) -> str:
    """Return a quantized layer's sums."""
    return w.matmul(w.quant("x"), WEIGHTS if weights is None else weights)  # type: ignore[arg-type]


def unquantized(w: Writer) -> ModelProto:
    floats = np.random.default_rng(0).normal(size=(2, 2))
    return w.model(w.node("MatMul", [w.quant("x"), w.constant(floats)], name="fc"), 2)


def float_into_matmul(w: Writer) -> ModelProto:
    weights = w.quant(w.constant(WEIGHTS))
    return w.model(w.node("MatMul", ["x", weights], name="fc"), 2)


def float_between(w: Writer) -> ModelProto:
    x = w.node("Sigmoid", [layer(w)], name="squash")
    return w.model(w.matmul(x, WEIGHTS), 2)


def float_before_quantizer(w: Writer) -> ModelProto:
    return w.model(w.quant(w.node("Softmax", [layer(w)], name="soft")), 2)


def relu_into_matmul(w: Writer) -> ModelProto:
    return w.model(w.matmul(w.node("Relu", [layer(w)], name="act"), WEIGHTS), 2)


def dynamic_scale(w: Writer) -> ModelProto:
    x = layer(w)
    scale = w.node("Abs", [x])
    inputs = [x, scale, w.constant(0), w.constant(4)]
    return w.model(w.node("Quant", inputs, domain=w.domain, name="q", signed=1, narrow=0), 2)


def scale_of(value: float) -> Build:
    return lambda w: w.model(w.quant(layer(w), value, name="q"), 2)


def zero_point_nan(w: Writer) -> ModelProto:
    return w.model(w.quant(layer(w), 1.0, NAN, name="q"), 2)


def bits_of(value: float) -> Build:
    return lambda w: w.model(w.quant(layer(w), bits=value, name="q"), 2)  # type: ignore[arg-type]


def mode(w: Writer) -> ModelProto:
    return w.model(w.quant(layer(w), mode="STOCHASTIC", name="q"), 2)


def weights_of(value: float) -> Build:
    return lambda w: w.model(layer(w, [[1.0, value], [0.0, 1.0]]), 2)


def weight_scale_shape(w: Writer) -> ModelProto:
    weights = w.quant(w.constant(WEIGHTS), [1.0, 2.0, 3.0], name="wq")
    return w.model(w.node("MatMul", [w.quant("x"), weights]), 2)


def bipolar_weight_scale_shape(w: Writer) -> ModelProto:
    weights = w.bipolar(w.constant(WEIGHTS), [1.0, 2.0, 3.0], name="wq")
    return w.model(w.node("MatMul", [w.quant("x"), weights]), 2)


def weight_zero_point(w: Writer) -> ModelProto:
    weights = w.quant(w.constant(WEIGHTS), 1.0, 0.3, name="wq")
    return w.model(w.node("MatMul", [w.quant("x"), weights]), 2)


def unread_input(w: Writer) -> ModelProto:
    return w.model(layer(w), 2, inputs=("x", "y"))


def passed_through(w: Writer) -> ModelProto:
    return w.model([layer(w), w.quant("x")], 2)


def no_input(w: Writer) -> ModelProto:
    return w.model(w.quant(w.constant(WEIGHTS)), 2, inputs=())


def unknown_operator(w: Writer) -> ModelProto:
    return w.model(w.node("Einsum", [layer(w)], name="sum", equation="ij->ij"), 2)


def unknown_domain(w: Writer) -> ModelProto:
    return w.model(w.node("Quant", [layer(w)], domain="my.ops", name="q"), 2)


def float_quant(w: Writer) -> ModelProto:
    return w.model(w.node("FloatQuant", [layer(w)], domain=w.domain, name="q"), 2)


def truncated_weights(w: Writer) -> ModelProto:
    numbers = [w.constant(number) for number in (1.0, 0.0, 4.0, 2.0)]
    weights = w.node("Trunc", [w.constant(WEIGHTS), *numbers], domain=w.domain, name="t")
    return w.model(w.node("MatMul", [w.quant("x"), weights]), 2)


def wrong_fan_in(w: Writer) -> ModelProto:
    return w.model(w.matmul(w.quant("x"), np.ones((3, 2))), 2)


def rank_three_weights(w: Writer) -> ModelProto:
    return w.model(w.matmul(w.quant("x"), np.ones((1, 2, 2))), 2)


def gemm_of_images(w: Writer) -> ModelProto:
    weights = w.quant(w.constant(WEIGHTS))
    return w.model(w.node("Gemm", [w.quant("x"), weights], name="fc"), 2, 2)


def weights_left(w: Writer) -> ModelProto:
    weights = w.quant(w.constant(WEIGHTS))
    return w.model(w.node("MatMul", [weights, w.quant("x")], name="fc"), 2)


def control_flow(w: Writer) -> ModelProto:
    body = helper.make_graph([], "then", [], [])
    x = w.node("If", [w.constant(True, np.bool_)], name="maybe", then_branch=body)
    return w.model(x, 2)


def cycle(w: Writer) -> ModelProto:
    w.node("Add", [w.quant("x"), "b_out"], name="a")
    return w.model(w.node("Relu", ["a_out"], name="b"), 2)


def undefined_tensor(w: Writer) -> ModelProto:
    return w.model(w.node("Relu", ["nowhere"], name="r"), 2)


def undefined_output(w: Writer) -> ModelProto:
    layer(w)
    return w.model("nowhere", 2)


def tensor_twice(w: Writer) -> ModelProto:
    w.node("Relu", ["x"], outputs=["same"])
    w.node("Neg", ["x"], outputs=["same"])
    return w.model("same", 2)


def training_batch_norm(w: Writer) -> ModelProto:
    x = w.batch_norm(layer(w), *np.ones((4, 2)))
    w.nodes[-1].attribute.append(helper.make_attribute("training_mode", 1))
    return w.model(x, 2)


def training_dropout(w: Writer) -> ModelProto:
    inputs = [layer(w), w.constant(0.5), w.constant(True, np.bool_)]
    return w.model(w.node("Dropout", inputs, name="drop"), 2)


def dropout_mask(w: Writer) -> ModelProto:
    w.node("Dropout", [layer(w)], name="drop", outputs=["kept", "mask"])
    return w.model(w.node("Add", ["kept", "mask"], name="sum"), 2)


def split_constant(w: Writer) -> ModelProto:
    both = w.constant(np.ones((2, 4)))
    w.node("Split", [both], name="split", outputs=["left", "right"], axis=1)
    return w.model(w.node("MatMul", [w.quant("x"), "right"], name="fc"), 2)


def negative_variance(w: Writer) -> ModelProto:
    return w.model(w.batch_norm(layer(w), [1, 1], [0, 0], [0, 0], [-1, 1]), 2)


def nan_gamma(w: Writer) -> ModelProto:
    return w.model(w.batch_norm(layer(w), [NAN, 1], [0, 0], [0, 0], [1, 1]), 2)


def batch_norm_of_other_width(w: Writer) -> ModelProto:
    return w.model(w.batch_norm(layer(w), *np.ones((4, 3))), 2)


def constants_that_do_not_fit(w: Writer) -> ModelProto:
    scale = w.node("Add", [w.constant([1, 2, 3]), w.constant([1, 2])], name="sum")
    return w.model(w.node("Mul", [layer(w), scale]), 2)


def constant_without_shape(w: Writer) -> ModelProto:
    scale = w.node("Reshape", [w.constant([1, 2])], name="view")
    return w.model(w.node("Mul", [layer(w), scale]), 2)


def divided_by_zero(w: Writer) -> ModelProto:
    return w.model(w.binary("Div", layer(w), [1, 0]), 2)


def wide_addend(w: Writer) -> ModelProto:
    return w.model(w.binary("Add", layer(w), np.ones((3, 2))), 2)


def mixed_images(w: Writer) -> ModelProto:
    return w.model(w.reshape(layer(w), (-1, 1)), 2)


def batch_moved(w: Writer) -> ModelProto:
    return w.model(w.node("Transpose", [layer(w)], perm=[1, 0], name="t"), 2)


def two_input_quantizers(w: Writer) -> ModelProto:
    return w.model(w.node("Add", [w.quant("x", 1.0), w.quant("x", 0.5, name="second")]), 2)


def nothing_quantized(w: Writer) -> ModelProto:
    return w.model(w.node("Relu", ["x"]), 2)


def only_a_quantizer(w: Writer) -> ModelProto:
    return w.model(w.quant("x"), 2)


def constant_output(w: Writer) -> ModelProto:
    return w.model(w.node("Neg", [w.constant([1, 2])]), 2)


def threshold_channels(w: Writer) -> ModelProto:
    return w.model(w.multi_threshold(layer(w), np.zeros((3, 1))), 2)


def infinite_threshold(w: Writer) -> ModelProto:
    return w.model(w.multi_threshold(layer(w), [[0, NAN]]), 2)


def function_before_sum(w: Writer) -> ModelProto:
    sigmoid = w.node("Sigmoid", [layer(w)], name="act")
    return w.model(w.node("Add", [sigmoid, layer(w)], name="sum"), 2)


def float_product_of_branches(w: Writer) -> ModelProto:
    return w.model(w.node("Mul", [layer(w), w.node("Softmax", [layer(w)])], name="gate"), 2)


def quotient_of_branches(w: Writer) -> ModelProto:
    return w.model(w.node("Div", [w.quant(layer(w)), w.quant(layer(w))], name="gate"), 2)


def float_sum_of_branches(w: Writer) -> ModelProto:
    softmax = w.node("Softmax", [layer(w)])
    return w.model(w.node("Add", [softmax, layer(w)], name="sum"), 2)


def too_many_levels(w: Writer) -> ModelProto:
    return w.model(w.quant(w.node("Sigmoid", [layer(w)]), 1e-6, bits=24, name="q"), 2)


def last_argmax(w: Writer) -> ModelProto:
    x = w.node("Relu", [w.binary("Mul", layer(w), [1, 2])])
    return w.model(w.node("ArgMax", [x], axis=1, select_last_index=1, name="best"), 2)


def open_image_size(w: Writer) -> ModelProto:
    model = w.model(layer(w), 2)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "W"
    return model


def shapeless_input(w: Writer) -> ModelProto:
    model = w.model(layer(w), 2)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    return model


def integer_input(w: Writer) -> ModelProto:
    model = w.model(layer(w), 2)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    return model


def sequence_input(w: Writer) -> ModelProto:
    model = w.model(layer(w), 2)
    model.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1
    return model


def unknown_annotation(w: Writer) -> ModelProto:
    return w.model(layer(w), 2, datatype="FIXED<8,4>")


def damaged_constant(w: Writer) -> ModelProto:
    model = w.model(layer(w), 2)
    model.graph.initializer[0].raw_data = b"123"
    return model


def damaged_attribute(w: Writer) -> ModelProto:
    weights = w.node("Constant", [], name="w", value=numpy_helper.from_array(np.ones((2, 2))))
    model = w.model(w.node("MatMul", [w.quant("x"), weights]), 2)
    model.graph.node[0].attribute[0].t.raw_data = b"123"
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (unquantized, r"^MatMul node 'fc': its weights are not quantized; train .* weight quant"),
        (float_into_matmul, r"^MatMul node 'fc': a product needs quantized data, .* put a quantiz"),
        (float_between, r"^MatMul node 'MatMul_\d': a product needs integers, but Sigmoid node 's"),
        (float_before_quantizer, r"a quantizer needs integers, but Softmax node 'soft' before it"),
        (relu_into_matmul, r"multiplies floats: Relu node 'act' before it is not followed by a q"),
        (dynamic_scale, r"^Quant node 'q': its scale depends on the data, .* constant one$"),
        (scale_of(0.0), r"^Quant node 'q': its scale is zero, infinite or no number: train or "),
        (scale_of(NAN), r"^Quant node 'q': its scale is zero, infinite or no number: train or "),
        (scale_of(INF), r"^Quant node 'q': its scale is zero, infinite or no number: train or "),
        (zero_point_nan, r"^Quant node 'q': its zero point is no number: train or export"),
        (bits_of(0), r"^Quant node 'q': its bit width should be one integer from 1 to 32, not 0"),
        (bits_of(2.5), r"^Quant node 'q': its bit width should be one integer from 1 to 32, not"),
        (bits_of(NAN), r"^Quant node 'q': its bit width should be one integer from 1 to 32, not"),
        (bits_of(INF), r"^Quant node 'q': its bit width should be one integer from 1 to 32, not"),
        (mode, r"^Quant node 'q': the rounding mode 'STOCHASTIC' is unknown: use one of \['CEIL'"),
        (weights_of(NAN), r"its constant input holds NaN or infinity: train the model again$"),
        (weights_of(INF), r"its constant input holds NaN or infinity: train the model again$"),
        (weight_scale_shape, r"^Quant node 'wq': its scale of shape \[3\] does not fit weights of"),
        (bipolar_weight_scale_shape, r"^BipolarQuant node 'wq': its scale of shape \[3\] does not"),
        (weight_zero_point, r"^Quant node 'wq': the zero point of its weights is no multiple"),
        (unread_input, r"no output depends on the input 'y': take it out of the model$"),
        (passed_through, r"no layer lies .* and the output 'Quant_\d_out', so there is nothing"),
        (no_input, r"has no input: export the model with one$"),
        (
            unknown_operator,
            r"^Einsum node 'sum': this version has no hardware .* it knows Abs, Add",
        ),
        (unknown_domain, r"^Quant node 'q': this version has no hardware .* for my\.ops\.Quant"),
        (
            float_quant,
            r"^FloatQuant node 'q': it quantizes to floats of few bits, .* train with an int",
        ),
        (truncated_weights, r"^Trunc node 't' truncates a constant: fold it in the model before"),
        (wrong_fan_in, r"weights of the shape \[3, 2\] do not fit data of the shape \['N', 2\]"),
        (rank_three_weights, r"weights of the shape \[1, 2, 2\] do not fit data of the shape"),
        (gemm_of_images, r"^Gemm node 'fc' should multiply a matrix \[N, K\] by its weights"),
        (
            weights_left,
            r"^MatMul node 'fc' has its weights on the left of .* mixes images of a batch: ",
        ),
        (control_flow, r"^If node 'maybe' holds a subgraph: control flow has no dataflow hardwar"),
        (training_batch_norm, r"^BatchNormalization node .* is in training mode: export the mode"),
        (training_dropout, r"^Dropout node 'drop' is in training mode: export the model in eval"),
        (dropout_mask, r"^Add node 'sum' reads 'mask', .* of Dropout node 'drop'.* leave it out"),
        (split_constant, r"^MatMul node 'fc' reads 'right', .* of Split node 'split'"),
        (negative_variance, r"a variance plus epsilon is not positive: train the model again$"),
        (nan_gamma, r"its scale is no number: it holds NaN or infinity; train the model again$"),
        (batch_norm_of_other_width, r"its scale of shape \[1, 3\] does not broadcast to the data"),
        (constants_that_do_not_fit, r"^Add node 'sum' can't be evaluated: "),
        (constant_without_shape, r"^Reshape node 'view' has 1 inputs, and should have 2: the file"),
        (divided_by_zero, r"^Div node .* divides by zero: train or export the model again$"),
        (wide_addend, r"its addend of shape \[3, 2\] does not broadcast to the data, \['N', 2\]"),
        (mixed_images, r"reshapes \['N', 2\] to \[-1, 1\], which mixes images of a batch; its "),
        (batch_moved, r"^Transpose node 't' should leave the batch in front, not permute by \[1"),
        (two_input_quantizers, r"^Quant node 'second' quantizes the model's input a second time,"),
        (nothing_quantized, r"no quantizer lies between the input 'x' and the output '\w+'; qu"),
        (only_a_quantizer, r"no layer lies between the first quantizer and the output '\w+', so "),
        (constant_output, r"the output 'Neg_\d_out' is constant$"),
        (threshold_channels, r"it has thresholds for 3 channels, the data have 2$"),
        (infinite_threshold, r"its thresholds are no numbers: it holds NaN or infinity$"),
        (function_before_sum, r"^Add node 'sum' adds floats: Sigmoid node 'act' before it is not "),
        (float_product_of_branches, r"^Mul node 'gate' combines two .* put a quantizer on each br"),
        (quotient_of_branches, r"^Div node 'gate' combines two results as floats, .*: leave it ou"),
        (float_sum_of_branches, r"^Add node 'sum' combines two results as floats, .* put a quanti"),
        (too_many_levels, r"^Quant node 'q' has \d+ levels within reach, .*: quantize to 12 bits$"),
        (last_argmax, r"^ArgMax node 'best' takes the last of equal values, which the host do"),
        (open_image_size, r"the input 'x' has an open size besides its batch; export the model f"),
        (shapeless_input, r"the input 'x' has no shape: export it with one$"),
        (integer_input, r"the input 'x' holds uint8, not floats; say what it stands for with --in"),
        (sequence_input, r"'x' is no tensor of numbers: a model's input and output should be tens"),
        (unknown_annotation, r"'x' is annotated as 'FIXED<8,4>', which is no integer type known "),
    ],
)
def test_a_model_that_cannot_be_lowered_is_refused(
    build: Build, message: str, tmp_path: Path
) -> None:
    path = write(build(Writer()), tmp_path)
    with pytest.raises(ModelError, match=message):
        streamline(path)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (cycle, r"Add node 'a' depends on its own result, or on a node that does: export the mod"),
        (undefined_tensor, r"Relu node 'r' reads 'nowhere', which nothing defines$"),
        (undefined_output, r"its output 'nowhere' is one that nothing defines$"),
        (tensor_twice, r"defines the tensor 'same' twice$"),
        (damaged_constant, r"the constant 'c0' is damaged: "),
        (damaged_attribute, r"Constant node 'w': its attribute 'value' is damaged: "),
    ],
)
def test_a_damaged_model_is_refused(build: Build, message: str, tmp_path: Path) -> None:
    path = write(build(Writer()), tmp_path)
    with pytest.raises(ModelFileError, match=message):
        streamline(path)


def test_two_ill_shaped_sets_of_input_scales_are_refused(tmp_path: Path) -> None:
    path = write(Writer().model(layer(w := Writer()), 2), tmp_path)
    path.write_bytes(w.model(w.nodes[-1].output[0], 2).SerializeToString())
    third = Fraction(1, 3)
    with pytest.raises(ModelError, match=r"3 input scales or biases, but the input 'x' has 2 chan"):
        streamline(path, RawInput(IntType(0, 3), (third, third, third)))
    with pytest.raises(ModelError, match=r"--input-scale is zero"):
        streamline(path, RawInput(IntType(0, 3), (Fraction(0),)))


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    whole = Writer()
    whole_path = write(whole.model(layer(whole), 2), tmp_path)
    for name, content in {
        "empty.onnx": b"",
        "text.onnx": b"not a model\n" * 50,
        "zeros.onnx": bytes(1000),
        "cut.onnx": whole_path.read_bytes()[:-40],
        "text.json": b"{",
        "text.textproto": b"{",
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=name):
            streamline(path)
    with pytest.raises(ModelFileError, match=r"nowhere\.onnx does not exist$"):
        streamline(tmp_path / "nowhere.onnx")
    with pytest.raises(ModelFileError, match=r"is a directory: name the \.onnx file$"):
        streamline(tmp_path)


def test_weights_beside_the_file_are_read_and_missed(tmp_path: Path) -> None:
    w = Writer()
    model = w.model(layer(w, np.arange(-8, 8).reshape(4, 4) / 2), 4)
    data = np.random.default_rng(0).integers(-8, 8, (5, 4)).astype(np.float32)
    inside, _ = compare(model, tmp_path, data)
    path = tmp_path / "outside.onnx"
    save_model(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert external_data_helper.uses_external_data(model.graph.initializer[0])
    outside = streamline(path)
    assert outside.graph == inside.graph
    (tmp_path / "weights.bin").unlink()
    missing = r"outside\.onnx: the external data of .* are missing: put weights\.bin into"
    with pytest.raises(ModelFileError, match=missing):
        streamline(path)


@pytest.mark.parametrize(
    "name",
    [
        *['a"b', "a'b", "a\nb", "$(rm -rf /)", "[exec rm]", "`id`", "a;b", "{", "\\", "é", "-x"],
        *["input", "return", "returned", "../../up", "a b", "\u2028", "x" * 500, "/"],
    ],
)
def test_hostile_names_pass_through_or_are_shown_escaped(name: str, tmp_path: Path) -> None:
    data = np.array([[1, 2], [-3, 7]], dtype=np.float32)

    def model(*, broken: bool) -> ModelProto:
        w = Writer()
        weights = w.quant(w.constant(WEIGHTS))
        x = w.node("MatMul", [w.quant("x", name="q"), weights], name=name)
        if broken:
            x = w.node("Softmax", [x], name=f"s{name}")
        return w.model(w.quant(x, name=f"{name}/2"), 2)

    network, _ = compare(model(broken=False), tmp_path, data)
    text = print_graph(network.graph)
    assert parse_graph(text, constants_of(network.graph)) == network.graph
    with pytest.raises(ModelError) as caught:
        streamline(write(model(broken=True), tmp_path))
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
