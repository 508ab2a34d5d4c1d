"""Models that nobody should get to compile: what is wrong with each, and what is said of it."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import (
    AttributeProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
)

from tests.models import Writer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Damage = Callable[[ModelProto, Path], None]
KINDS: dict[str, tuple[Damage | bytes, str]] = {}
"""By name: what is done to a good model in a folder (or what is in its place), and the message."""

NAN, INF = float("nan"), float("inf")
WEIGHTS, SCALE, ZERO_POINT, BITS, GAMMA = "c3", "c0", "c1", "c2", "c7"


def good_model() -> ModelProto:
    """Return the model that all others are made of: ``[N, 4]`` to ``[N, 2]``."""
    w, rng = Writer(), np.random.default_rng(0)
    x = w.quant("x", 0.5, bits=4, name="first")
    x = w.matmul(x, rng.integers(-3, 4, (4, 3)))
    x = w.batch_norm(x, [1, -2, 0.5], [0, 1, 0], [0, 0.5, 1], [1, 2, 3])
    x = w.quant(w.node("Relu", [x], name="relu"), 0.25, bits=3, signed=False, name="second")
    x = w.matmul(x, rng.integers(-3, 4, (3, 2)))
    return w.model(x, 4)


def constant(model: ModelProto, name: str) -> TensorProto:
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
    assert isinstance(tensor, TensorProto)
    return tensor


def node(model: ModelProto, name: str) -> NodeProto:
    found = next(n for n in model.graph.node if name in (n.name, n.op_type))
    assert isinstance(found, NodeProto)
    return found


def kind(said: str) -> Callable[[Damage], Damage]:
    """Register what is done to a model, by the name of the function, and what is said of it."""

    def register(damage: Damage) -> Damage:
        KINDS[damage.__name__] = (damage, said)
        return damage

    return register


def holding(name: str, values: ArrayLike, *, dtype: Any = np.float32) -> Damage:  # noqa: ANN401
    """Return the model with other numbers in a constant."""

    def change(model: ModelProto, _: Path) -> None:
        array = np.array(values, dtype=dtype)
        constant(model, name).CopyFrom(numpy_helper.from_array(array, name))

    return change


def typed(name: str, code: int, dims: list[int], raw: bytes = b"") -> Damage:
    """Return the model with a constant of another type."""

    def change(model: ModelProto, _: Path) -> None:
        tensor = TensorProto(name=name, data_type=code, dims=dims, raw_data=raw)
        constant(model, name).CopyFrom(tensor)

    return change


def shaped(*dims: int) -> Damage:
    """Return the model with weights that claim another shape than their data have."""

    def change(model: ModelProto, _: Path) -> None:
        constant(model, WEIGHTS).dims[:] = dims

    return change


def attribute(where: str, name: str, value: object) -> Damage:
    """Return the model with an attribute set."""

    def change(model: ModelProto, _: Path) -> None:
        kept = [entry for entry in node(model, where).attribute if entry.name != name]
        del node(model, where).attribute[:]
        node(model, where).attribute.extend([*kept, helper.make_attribute(name, value)])

    return change


def external(
    location: str, make: Callable[[Path], None] | None = None, **entries: object
) -> Damage:
    """Return the model with its weights in a file beside it, which ``make`` makes."""

    def change(model: ModelProto, folder: Path) -> None:
        tensor = constant(model, WEIGHTS)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
        if make is not None:
            make(folder)

    return change


def beside(size: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "w.bin").write_bytes(bytes(size))

    return make


def link_out(folder: Path) -> None:
    (folder.parent / "elsewhere").write_bytes(bytes(48))
    (folder / "w.bin").symlink_to(folder.parent / "elsewhere")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "w.bin")


def opsets(*versions: int) -> Damage:
    def change(model: ModelProto, _: Path) -> None:
        del model.opset_import[:]
        model.opset_import.extend(helper.make_opsetid("", version) for version in versions)

    return change


def ir_version(version: int) -> Damage:
    def change(model: ModelProto, _: Path) -> None:
        model.ir_version = version

    return change


def sized(*dims: int) -> Damage:
    """Return the model with another shape at its input."""

    def change(model: ModelProto, _: Path) -> None:
        shape = model.graph.input[0].type.tensor_type.shape
        del shape.dim[1:]
        for size in dims:
            shape.dim.add().dim_value = size

    return change


def input_type(code: int) -> Damage:
    def change(model: ModelProto, _: Path) -> None:
        model.graph.input[0].type.tensor_type.elem_type = code

    return change


def added(kind_: str, *inputs: ArrayLike, dtype: Any = np.float32, **attributes: Any) -> Damage:  # noqa: ANN401
    """Return the model with a node of constants, whose result is added before the ReLU."""

    def change(model: ModelProto, _: Path) -> None:
        names = [f"given{index}" for index in range(len(inputs))]
        for name, values in zip(names, inputs, strict=True):
            array = np.array(values)
            array = array.astype(dtype) if array.dtype.kind == "f" else array
            model.graph.initializer.append(numpy_helper.from_array(array, name))
        model.graph.node.insert(
            0, helper.make_node(kind_, names, ["made"], name="maker", **attributes)
        )
        node(model, "relu").op_type = "Add"
        node(model, "relu").input.append("made")

    return change


def replaced(build: Callable[[Writer], ModelProto]) -> Damage:
    """Return another model instead."""

    def change(model: ModelProto, _: Path) -> None:
        model.CopyFrom(build(Writer()))

    return change


def zipped(model: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model.onnx", model)
    return buffer.getvalue()


def nested(depth: int) -> bytes:
    """Return graphs in attributes of nodes of graphs, as deep as that, written by hand."""
    data = b""
    fields = (7, *(1, 5, 6) * depth)
    for field in reversed(fields):
        size, length = len(data), b""
        while True:
            size, low = size >> 7, size & 127
            length += bytes([low | (128 if size else 0)])
            if not size:
                break
        data = bytes([field << 3 | 2]) + length + data
    return data


WHOLE = good_model().SerializeToString()
for name_, content, said_ in (
    ("tensor", numpy_helper.from_array(np.ones((4, 4)), "t").SerializeToString(), "bad.onnx"),
    ("graph", good_model().graph.SerializeToString(), "bad.onnx"),
    ("gzip", gzip.compress(WHOLE), "it is compressed; unpack it first (gunzip)"),
    ("zip", zipped(WHOLE), "it is a zip archive, as PyTorch saves"),
    ("pickle", b"\x80\x02]q\x00.", "it is a pickle, as PyTorch saves"),
    ("hdf5", b"\x89HDF\r\n\x1a\n", "it is HDF5, as Keras saves"),
    ("lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    ("page", b"<!DOCTYPE html><html></html>", "it is a page of HTML or XML"),
    ("utf16", "a model".encode("utf-16") * 99, "can't be read as an ONNX model, it is damaged"),
    ("noise", np.random.default_rng(0).bytes(9999), "can't be read as an ONNX model"),
    ("zeros", bytes(1000), "can't be read as an ONNX model"),
    ("deep", nested(2000), "can't be read as an ONNX model, it is damaged"),
    ("three_times", WHOLE * 3, "defines the constant 'c0' twice"),
):
    KINDS[name_] = (content, said_)

# Shapes that the data do not have, and 2 GB claims.
for name_, damage_, said_ in (
    ("claims", shaped(2**40, 3), "takes 13194139533312 bytes, and there are 48; export the model"),
    ("negative_size", shaped(-4, 3), "'c3' has the shape [-4, 3]: a size is negative"),
    ("overflowing_sizes", shaped(2**62, 8), "bytes, and there are 48; export the model again"),
    ("shorter", shaped(4, 4), "takes 64 bytes, and there are 48"),
    ("longer", shaped(4, 2), "takes 32 bytes, and there are 48"),
    ("axes", shaped(*[1] * 999), "has 999 dimensions; at most 16 are read"),
    ("no_weights", typed(WEIGHTS, 1, [0, 3]), "weights of the shape [0, 3] do not fit"),
    ("no_outputs_", typed(WEIGHTS, 1, [4, 0]), "weights of the shape [4, 0] do not fit"),
    ("rank_of_weights", holding(WEIGHTS, np.ones((1, 1, 4, 3))), "do not fit data of the shape"),
    ("input_claims", sized(2**62), "more than the 67,108,864 numbers an image"),
    ("input_image", sized(2**20, 2**20), "['N', 1048576, 1048576]: more than the 67,108,864"),
    ("input_of_nothing", sized(0), "has the shape ['N', 0], in which nothing fits"),
    ("input_negative", sized(-4), "in which nothing fits"),
    ("input_axes", sized(*[1] * 70), "the input 'x' has 71 dimensions; at most 16 are read"),
    ("expansion", added("Expand", [1.0], [2**14, 2**14]), "268,435,456 numbers out of 3"),
    ("constant_of_shape", added("ConstantOfShape", [2**31, 2**31]), "'maker' makes a constant of"),
    ("range", added("Range", 0, 2**40, 1), "'maker' makes a constant of 1,099,511,627,776"),
    ("outer_product", added("MatMul", np.ones((2**14, 1)), np.ones((1, 2**14))), "'maker' makes"),
    ("outer_sum", added("Sub", np.ones((2**14, 1)), np.ones((1, 2**14))), "'maker' makes a const"),
    ("far_reshape", replaced(lambda w: w.model(w.reshape(w.matmul(w.quant("x"), np.eye(2)),
        [-1, *[1] * 30, 2]), 2)), "Reshape node 'Reshape_3' makes 32 dimensions"),
    ("many_sizes", replaced(lambda w: w.model(w.reshape(w.matmul(w.quant("x"), np.eye(2)),
        [1] * 99999), 2)), "its sizes should be a few integers, not int64 of the shape [99999]"),
):  # fmt: skip
    KINDS[name_] = (damage_, said_)

# Data beside the model.
for name_, damage_, said_ in (
    ("above", external("../w.bin"), "lie at '../w.bin', which is no file in the model's own folde"),
    ("absolute", external("/etc/passwd"), "lie at '/etc/passwd', which is no file in the model's"),
    ("link_out", external("w.bin", link_out), "lie at 'w.bin', which is no file in the model's"),
    ("nowhere", external(""), "lie at '', which is no file in the model's own folder"),
    ("zero_byte", external("a\0b"), r"lie at 'a\x00b', which is no file in the model's own folder"),
    ("lost", external("w.bin"), "are missing: put w.bin into"),
    ("pipe", external("w.bin", pipe), "w.bin is no regular file"),
    ("cut", external("w.bin", beside(40)), "end at byte 48 of"),
    ("behind", external("w.bin", beside(48), offset=4), "end at byte 52 of"),
    (
        "far_behind",
        external("w.bin", beside(48), offset=2**50),
        "which has 48 bytes: it is cut off",
    ),
    ("offset", external("w.bin", beside(48), offset=-4), "their offset is '-4', and should be a"),
    ("words", external("w.bin", beside(48), length="all"), "their length is 'all', and should be"),
    ("digits", external("w.bin", beside(48), length="9" * 5000), "their length is '9999"),
    (
        "length",
        external("w.bin", beside(48), length=40),
        "are 40 bytes, but its shape [4, 3] takes",
    ),
    (
        "huge_length",
        external("w.bin", beside(48), length=2**40),
        "are 1099511627776 bytes, but its",
    ),
):
    KINDS[name_] = (damage_, said_)


@kind("its external data are larger than 2 GB, and a build keeps the model as one ONNX file")
def shared_by_many(model: ModelProto, folder: Path) -> None:
    with (folder / "w.bin").open("wb") as file:
        file.truncate(2**27)
    for index in range(40):
        tensor = model.graph.initializer.add(name=f"big{index}", data_type=1, dims=[2**25])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="w.bin")


# Numbers that are none, and types of numbers that are not known.
for name_, damage_, said_ in (
    ("nan_weights", holding(WEIGHTS, np.full((4, 3), NAN)), "holds NaN or infinity: train the"),
    ("infinite_weights", holding(WEIGHTS, np.full((4, 3), INF)), "holds NaN or infinity: train"),
    ("nan_scale", holding(SCALE, NAN), "'first': its scale is zero, infinite or no number"),
    ("nan_zero_point", holding(ZERO_POINT, NAN), "'first': its zero point is no number"),
    ("two_widths", holding(BITS, [4, 5]), "'first': its bit width should be one integer from 1"),
    ("no_width", holding(BITS, []), "'first': its bit width should be one integer from 1 to 32"),
    ("wide", holding(BITS, 1e30), "'first': its bit width should be one integer from 1 to 32"),
    ("nan_gamma", holding(GAMMA, [1, NAN, 1]), "its scale is no number: it holds NaN or infinity"),
    (
        "nan_epsilon",
        attribute("BatchNormalization", "epsilon", NAN),
        "should be a finite number, n",
    ),
    ("infinite_epsilon", attribute("BatchNormalization", "epsilon", INF), "should be a finite num"),
    (
        "negative_epsilon",
        attribute("BatchNormalization", "epsilon", -9.0),
        "is not positive: train",
    ),
    (
        "bfloat16",
        typed(WEIGHTS, TensorProto.BFLOAT16, [4, 3], bytes(24)),
        "'c3' holds BFLOAT16, wh",
    ),
    ("float8", typed(WEIGHTS, TensorProto.FLOAT8E5M2, [4, 3], bytes(12)), "holds FLOAT8E5M2, whic"),
    (
        "int4",
        typed(WEIGHTS, TensorProto.INT4, [4, 3], bytes(6)),
        "its constant input holds int8, and should hold fl",
    ),
    (
        "complex",
        typed(SCALE, TensorProto.COMPLEX64, [], bytes(8)),
        "'c0' holds COMPLEX64, which is",
    ),
    ("string", typed(SCALE, TensorProto.STRING, [1]), "'c0' holds STRING, which is no kind of num"),
    ("untyped", typed(WEIGHTS, 0, [4, 3], bytes(48)), "'c3' holds UNDEFINED, which is no kind of"),
    ("unknown_type", typed(WEIGHTS, 99, [4, 3], bytes(48)), "'c3' holds type 99, which is no kind"),
    ("string_input", input_type(TensorProto.STRING), "'x' is a tensor of STRING, which is no kind"),
    (
        "complex_input",
        input_type(TensorProto.COMPLEX64),
        "'x' is a tensor of COMPLEX64, which is n",
    ),
    ("untyped_input", input_type(0), "'x' is no tensor of numbers: a model's input and output sho"),
    ("unknown_input", input_type(99), "'x' is a tensor of type 99, which is no kind of number"),
    ("text_constant", added("Cast", [1.0, 2.0, 3.0], to=8), "'maker' makes a constant of object"),
    ("list_constant", added("SequenceConstruct", [1.0]), "'maker' makes a constant of list, which"),
    ("random", added("RandomNormal", shape=[3]), "'maker' draws random numbers: every run would"),
    ("no_such_index", added("Gather", [1.0], [7]), "Gather node 'maker' can't be evaluated: "),
):
    KINDS[name_] = (damage_, said_)


# Windows.
def on_image(write_layer: Callable[[Writer, str], str]) -> Damage:
    """Return a model of one layer on an image, ``[N, 2, 6, 6]``, between two quantizers."""
    return replaced(
        lambda w: w.model(w.quant(write_layer(w, w.quant("x", bits=2)), bits=3), 2, 6, 6)
    )


def of_windows(kind_: str, **attributes: Any) -> Damage:  # noqa: ANN401 - whatever ONNX takes
    """Return the model of a convolution of 3 by 3 taps, or of a pool, with these attributes."""

    def write_layer(w: Writer, x: str) -> str:
        weights = [] if "Pool" in kind_ else [w.quant(w.constant(np.ones((2, 2, 3, 3))))]
        domain = w.domain if kind_.startswith("Quant") else ""
        return w.node(kind_, [x, *weights], domain=domain, **attributes)

    return on_image(write_layer)


MANY, LONG = 2**22 - 10, 2**20
for name_, damage_, said_ in (
    ("huge_kernel", of_windows("MaxPool", kernel_shape=[10**9] * 2, pads=[10**9 - 1] * 4),
        "kernel should be 2 numbers from 1 to 4194304, not [1000000000, 1000000000]"),
    ("long_kernel", of_windows("AveragePool", kernel_shape=[LONG, 1], pads=[LONG - 1, 0] * 2),
        "windows of 1048576 taps are cut off in 1048581 ways along an axis"),
    ("huge_stride", of_windows("Conv", strides=[2**62] * 2, auto_pad="SAME_UPPER"),
        "stride should be 2 numbers from 1 to 4194304"),
    ("huge_dilation", of_windows("Conv", dilations=[2**62] * 2, auto_pad="SAME_LOWER"),
        "numbers from 1 to 4194304"),
    ("huge_pads", of_windows("Conv", pads=[2**40] * 4), "pads should be 4 numbers up to 4194304"),
    ("many_pads", of_windows("Conv", pads=[MANY // 2] * 4), "windows are too many"),
    ("huge_groups", of_windows("Conv", group=2**62), "do not fit 2 filters of 2"),
    ("huge_spacing", of_windows("ConvTranspose", strides=[2**40] * 2), "numbers from 1 to 4194304"),
    ("long_spacing", of_windows("ConvTranspose", strides=[MANY] * 2), "is too long: at most"),
    ("huge_output_padding", of_windows("ConvTranspose", output_padding=[MANY] * 2),
        "windows are too many"),
    ("huge_output", of_windows("ConvTranspose", output_shape=[2**50] * 2), "results along an axis"),
    ("huge_frame", on_image(lambda w, x: w.node("Pad", [x, w.constant([0, 0, LONG, LONG] * 2,
        np.int64)])), "windows are too many"),
    ("huge_average", of_windows("QuantAvgPool2d", kernel=2**40, stride=1, ibits=2, obits=2,
        signed=0, data_layout="NCHW"), "numbers from 1 to 4194304"),
    ("huge_shift", of_windows("QuantAvgPool2d", kernel=2, stride=1, ibits=2**40, obits=2,
        signed=0, data_layout="NCHW"), "should be positive, and bits at most 64"),
    ("huge_trunc", on_image(lambda w, x: w.node("Trunc", [x, *map(w.constant, (1, 0, 1e9, 1))],
        domain=w.domain)), "its bit widths should be integers from 1 to 64"),
    ("pads_of_words", of_windows("MaxPool", kernel_shape=[2, 2], pads="2222"),
        "the attribute 'pads' should be integers"),
    ("one_pad", of_windows("MaxPool", kernel_shape=[2, 2], pads=[1]), "should be 4 numbers"),
    ("negative_kernel", of_windows("MaxPool", kernel_shape=[-1, 2]), "should be positive"),
    ("negative_pads", of_windows("Conv", pads=[-1, 0, 0, 0]), "should not be negative"),
    ("only_padding", of_windows("MaxPool", kernel_shape=[2, 2], pads=[2, 2, 2, 2]),
        "lies in the padding [2, 2, 2, 2] altogether"),
    ("auto_pad_of_no_word", of_windows("Conv", auto_pad="\x1b[31m"),
        "its auto_pad should be one of"),
):  # fmt: skip
    KINDS[name_] = (damage_, said_)


# On the host.
def layer(w: Writer, x: str = "x") -> str:
    return w.matmul(w.quant(x), np.eye(2))


for name_, build_, said_ in (
    ("nan_before", lambda w: w.model(layer(w, w.binary("Add", "x", NAN)), 2), "holds NaN or infin"),
    ("infinite_behind", lambda w: w.model(w.binary("Mul", w.node("Sigmoid", [layer(w)]), INF), 2),
        "Mul node 'Mul_4': its factor is no number: it holds NaN or infinity"),
    ("variance_before", lambda w: w.model(layer(w, w.batch_norm("x", *np.ones((3, 2)), [-1, 1])),
        2), "a variance plus epsilon is not positive"),
    ("width_before", lambda w: w.model(layer(w, w.batch_norm("x", *np.ones((4, 3)))), 2),
        "its parameters [[3], [3], [3], [3]] should be [2], one a channel"),
    ("axis_behind", lambda w: w.model(w.node("Softmax", [layer(w)], axis=7), 2),
        "Softmax node 'Softmax_3': its axis 7 is not one of 2 dimensions"),
    ("broadcast_before", lambda w: w.model(layer(w, w.binary("Mul", "x", np.ones((3, 1, 2)))), 2),
        "its operand [3, 1, 2] is larger than the data"),
    ("each_element", lambda w: w.model(w.quant(w.binary("Add", w.binary("Add", w.quant("x"),
        np.arange(1024).reshape(-1, 1)), np.arange(1024))), 1024, 1024),
        "each of 1,048,576 elements has its own, and at most 262,144 can"),
):  # fmt: skip
    KINDS[name_] = (replaced(build_), said_)

# Versions.
for name_, damage_, said_ in (
    ("no_opset", opsets(), "does not say which version of ONNX's operators it uses"),
    ("opset_0", opsets(0), "uses version 0 of ONNX's operators (opset), and 9 to "),
    ("opset_8", opsets(8), "uses version 8 of ONNX's operators (opset), and 9 to "),
    ("opset_99", opsets(99), "uses version 99 of ONNX's operators (opset), and 9 to "),
    ("two_opsets", opsets(13, 9), "uses the versions [9, 13] of ONNX's operators (opset) at once"),
    ("ir_0", ir_version(0), "its format (ir_version) is 0, and the onnx that is installed reads 3"),
    ("ir_99", ir_version(99), "its format (ir_version) is 99, and the onnx that is installed"),
    ("ir_huge", ir_version(2**62), "its format (ir_version) is 4611686018427387904"),
):
    KINDS[name_] = (damage_, said_)


# The graph.
@kind("holds no nodes: is it an ONNX model?")
def no_graph(model: ModelProto, _: Path) -> None:
    model.ClearField("graph")


@kind("holds no nodes: is it an ONNX model?")
def no_nodes(model: ModelProto, _: Path) -> None:
    del model.graph.node[:]


@kind("depends on its own result, or on a node that does")
def cycle(model: ModelProto, _: Path) -> None:
    node(model, "relu").input[0] = model.graph.output[0].name


@kind("Relu node 'relu' depends on its own result")
def loop_of_one(model: ModelProto, _: Path) -> None:
    node(model, "relu").input[0] = node(model, "relu").output[0]


@kind("Quant node 'second' reads 'relu_out', which nothing defines")
def no_result(model: ModelProto, _: Path) -> None:
    del node(model, "relu").output[:]


@kind("Relu node 'relu' has 0 inputs, and should have 1")
def no_inputs(model: ModelProto, _: Path) -> None:
    del node(model, "relu").input[:]


@kind("Quant node 'first' has 1004 inputs, and should have 4")
def many_inputs(model: ModelProto, _: Path) -> None:
    node(model, "first").input.extend([SCALE] * 1000)


@kind("BatchNormalization node 'BatchNormalization_3' has 3 inputs, and should have 5")
def lost_inputs(model: ModelProto, _: Path) -> None:
    del node(model, "BatchNormalization").input[3:]


@kind("reads 'c3', which nothing defines")
def lost_initializer(model: ModelProto, _: Path) -> None:
    model.graph.initializer.remove(constant(model, WEIGHTS))


@kind("Quant node 'first' lacks the attribute 'signed'")
def lost_attributes(model: ModelProto, _: Path) -> None:
    del node(model, "first").attribute[:]


@kind("Quant node 'first' has the attribute 'signed' twice")
def attribute_twice(model: ModelProto, _: Path) -> None:
    node(model, "first").attribute.append(helper.make_attribute("signed", 0))


@kind("the attribute 'signed' is of a kind that isn't supported")
def untyped_attribute(model: ModelProto, _: Path) -> None:
    node(model, "first").attribute[0].ClearField("type")


@kind("the attribute 'signed' is a function's, and no function is there")
def attribute_of_a_function(model: ModelProto, _: Path) -> None:
    entry = node(model, "first").attribute[0]
    entry.ClearField("type")
    entry.ref_attr_name = "outer"


@kind(r"has the attribute '\x1b[31m\n', which is no word: the file is damaged")
def attribute_of_no_word(model: ModelProto, _: Path) -> None:
    node(model, "relu").attribute.append(AttributeProto(name="\x1b[31m\n"))


@kind(r"'relu', has the operator '\x1b[31mRelu")
def operator_of_no_word(model: ModelProto, _: Path) -> None:
    node(model, "relu").op_type = "\x1b[31mRelu\n" * 1000


@kind("'relu', has the operator '', which is no word")
def no_operator(model: ModelProto, _: Path) -> None:
    node(model, "relu").op_type = ""


@kind("no hardware and no host part for com.microsoft.Relu; it knows")
def unknown_domain(model: ModelProto, _: Path) -> None:
    node(model, "relu").domain = "com.microsoft"


@kind("has no output: export the model with one")
def no_outputs(model: ModelProto, _: Path) -> None:
    del model.graph.output[:]


@kind("twice: name it once")
def output_twice(model: ModelProto, _: Path) -> None:
    model.graph.output.append(model.graph.output[0])


@kind("lists the input 'x' twice: name it once")
def input_twice(model: ModelProto, _: Path) -> None:
    model.graph.input.append(model.graph.input[0])


@kind("no quantizer lies between the input 'x' and the output")
def output_is_input(model: ModelProto, _: Path) -> None:
    model.graph.output[0].name = "x"


@kind("the output 'c3' is constant")
def output_is_constant(model: ModelProto, _: Path) -> None:
    model.graph.output[0].name = WEIGHTS


@kind("is no tensor of numbers: a model's input and output should be tensors of float32")
def output_is_optional(model: ModelProto, _: Path) -> None:
    inner = model.graph.output[0].type.optional_type.elem_type.tensor_type
    inner.elem_type = TensorProto.FLOAT


@kind("is no tensor of numbers: a model's input and output should be tensors of float32")
def input_is_a_map(model: ModelProto, _: Path) -> None:
    model.graph.input[0].type.map_type.key_type = TensorProto.INT64


@kind("defines the constant 'c0' twice")
def constant_twice(model: ModelProto, _: Path) -> None:
    model.graph.initializer.append(model.graph.initializer[0])


@kind("defines a constant without a name")
def nameless_constant(model: ModelProto, _: Path) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), ""))


@kind("defines the tensor 'relu_out' twice")
def constant_and_result(model: ModelProto, _: Path) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3), "relu_out"))


@kind("has no input: export the model with one")
def constant_and_input(model: ModelProto, _: Path) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 4), np.float32), "x"))


@kind("this version has no hardware and no host part for NoSuch")
def long_names(model: ModelProto, _: Path) -> None:
    node(model, "relu").op_type = "NoSuch"
    node(model, "relu").name = "n" * 10**6


@kind(r"NoSuch node 'exe.\u202egnp'")
def backward_names(model: ModelProto, _: Path) -> None:
    node(model, "relu").op_type = "NoSuch"
    node(model, "relu").name = "exe.\u202egnp"


@kind("If node 'if' holds a subgraph: control flow has no dataflow hardware")
def subgraphs(model: ModelProto, _: Path) -> None:
    body = helper.make_graph([], "body", [], [])
    for _step in range(30):
        body = helper.make_graph([helper.make_node("Loop", [], ["y"], body=body)], "b", [], [])
    model.graph.node.append(
        helper.make_node("If", ["c0"], ["y"], name="if", then_branch=body, else_branch=body)
    )


@kind("holds sparse constants: export them dense")
def sparse(model: ModelProto, _: Path) -> None:
    model.graph.sparse_initializer.add().values.name = "s"


@kind("is annotated as 'INT9999")
def annotation(model: ModelProto, _: Path) -> None:
    entry = model.graph.quantization_annotation.add(tensor_name="x")
    entry.quant_parameter_tensor_names.add(key="finn_datatype", value="INT" + "9" * 5000)


@kind("is the last of 1001 nodes in a row without a quantizer")
def endless_chain(model: ModelProto, _: Path) -> None:
    w = Writer()
    x = w.matmul(w.quant("x"), np.eye(2))
    for _step in range(1500):
        x = w.node("Neg", [x])
    model.CopyFrom(w.model(w.quant(x), 2))


@kind("needs more than 64 bits")
def endless_products(model: ModelProto, _: Path) -> None:
    w = Writer()
    x = w.quant("x", bits=32)
    for _step in range(9):
        x = w.matmul(x, np.full((2, 2), 2.0**20), bits=32)
    model.CopyFrom(w.model(x, 2))


@kind("the attribute 'signed' should be an integer, not (0, 1, 2, 3, 4")
def integers_for_one(model: ModelProto, _: Path) -> None:
    attribute("first", "signed", list(range(100_000)))(model, _)


@kind("the attribute 'signed' should be an integer, not 1.5")
def float_for_an_integer(model: ModelProto, _: Path) -> None:
    attribute("first", "signed", 1.5)(model, _)


@kind("is unknown: use one of")
def rounding_of_no_word(model: ModelProto, _: Path) -> None:
    attribute("first", "rounding_mode", b"\xff\x1b[31m\n" * 999)(model, _)
