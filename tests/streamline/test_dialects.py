"""Whatever wrote the file: six dialects, every opset, every form of batch, every quantizer."""

from __future__ import annotations

import shutil
from fractions import Fraction
from importlib.util import find_spec
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from onnx import StringStringEntryProto, TensorAnnotation, TensorProto, helper

import lutloom
from lutloom.core.ops import Threshold
from lutloom.core.types import IntType
from lutloom.sim.reference import run
from lutloom.streamline.comparison import compare as compare_with_executor
from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import FloatInput, InputForm, RawInput
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import read_source
from tests.dialects import DIALECTS, jet_tagging
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]

RNG = np.random.default_rng(0)
DATA: dict[str, Array] = {
    "bnn_pynq": RNG.random((60, 1, 4, 6)).astype(np.float32),
    "unsw_mlp": RNG.choice([-1, 1], (60, 12)),
    "kws_mlp": RNG.normal(0, 60, (60, 4, 5)).astype(np.float32),
    "jet_tagging": RNG.normal(0, 1, (60, 6)).astype(np.float32),
    "finn_onnx": RNG.random((60, 1, 3, 4)).astype(np.float32),
    "finn_streamlined": RNG.integers(0, 256, (60, 10)),
}
RAW = RawInput(IntType(-8, 7))
WEIGHTS = np.random.default_rng(1).normal(0, 2, (6, 3))
IMAGES = np.random.default_rng(2).integers(-8, 8, (6, 2, 3))


def results(network: Network, data: Array) -> Array:
    """Return what the integer graph and the host make of ``data``."""
    integers = network.encode(data)
    values = run(network.graph, {network.input_value: integers})
    return network.decode(values[network.output_value])


@pytest.mark.parametrize("name", DIALECTS)
def test_a_network_in_a_public_dialect_is_exact(name: str, tmp_path: Path) -> None:
    network, tally = compare(DIALECTS[name](), tmp_path, DATA[name])
    assert tally.numbers > 1000
    # A float operation on the FPGA would be none of these.
    kinds = {type(node.op).__name__ for node in network.graph.nodes}
    assert kinds <= {"Linear", "Threshold", "TopK", "Reshape"}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_network_in_a_public_dialect_agrees_with_qonnx(name: str, tmp_path: Path) -> None:
    path = write(DIALECTS[name](), tmp_path)
    network = streamline(path)
    data = DATA[name].astype(np.float32)
    result = compare_with_executor(
        network, read_source(path), execute(path, data), network.encode(DATA[name])
    )
    assert all(layer.is_equal for layer in result.layers)
    assert result.outside == 0


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.skipif(find_spec("hls4ml") is None, reason="needs lutloom[csim]")
def test_a_network_in_a_public_dialect_runs_as_cpp(tmp_path: Path) -> None:
    path = write(DIALECTS["kws_mlp"](), tmp_path)
    lutloom.compile(path, tmp_path / "build", data=DATA["kws_mlp"])
    assert lutloom.verify(tmp_path / "build", samples=40, exact=5).passed


def test_floats_that_reach_the_first_product_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = write(jet_tagging(quantized_input=False), tmp_path)
    with pytest.raises(
        ModelError, match=r"^MatMul node 'jet/fc1/MatMul': .* put a quantizer .* or"
    ):
        streamline(path)
    raw = RawInput(IntType(-128, 127), (Fraction(1, 64),))
    model = jet_tagging(quantized_input=False)
    compare(model, tmp_path, RNG.integers(-128, 128, (20, 6)), raw)


# --- opsets


def in_opset(w: Writer) -> ModelProto:
    """Use what changed between opsets: attributes that became inputs."""

    def along(kind: str, x: str, axes: list[int], since: int, **attributes: Any) -> str:  # noqa: ANN401
        if w.opset < since:
            return w.node(kind, [x], axes=axes, **attributes)
        return w.node(kind, [x, w.constant(axes, np.int64)], **attributes)

    def clip(x: str, **bounds: Any) -> str:  # noqa: ANN401 - floats
        if w.opset < 11:
            return w.node("Clip", [x], **bounds)
        names = [w.constant(bounds[k]) if k in bounds else "" for k in ("min", "max")]
        return w.node("Clip", [x, *names])

    shape = w.node("Shape", ["x"])
    batch = w.node("Gather", [shape, w.constant(0, np.int64)], axis=0)
    batch = along("Unsqueeze", batch, [0], 13)
    rest = w.constant([-1], np.int64)
    x = w.node("Reshape", ["x", w.node("Concat", [batch, rest], axis=0)])
    x = along("Squeeze", along("Unsqueeze", x, [1], 13), [1], 13)
    x = w.node("Dropout", [x])
    largest = along("ReduceMax", w.node("Abs", [w.constant(WEIGHTS)]), [0], 18, keepdims=1)
    scale = clip(w.binary("Div", largest, 7.0), min=1e-6)
    inputs = [w.constant(WEIGHTS), scale, w.constant(0.0), w.constant(4.0)]
    weights = w.node("Quant", inputs, domain=w.domain, signed=1, narrow=1)
    if w.opset < 10:
        weights = w.node("Slice", [weights], starts=[0], ends=[6], axes=[0])
    else:
        bounds = [w.constant([n], np.int64) for n in (0, 6, 0)]
        weights = w.node("Slice", [weights, *bounds])
    x = w.node("MatMul", [x, weights])
    x = w.node("Add", [x, along("ReduceSum", w.constant([[0.1, 0.2, 0.3]]), [0], 13, keepdims=0)])
    x = w.batch_norm(x, [1, -2, 0.5], [0, 1, 2], [0, 1, 0], [1, 4, 1e-9])
    x = w.quant(clip(x, min=-3.0, max=4.0), 0.5, bits=3)
    x = w.node("Gemm", [x, w.quant(w.constant(np.eye(3)), bits=2), w.constant([1, 2, 3])], transB=1)
    x = w.node("Flatten", [x], axis=1)
    outputs = ("values", "indices")
    if w.opset < 10:
        w.node("TopK", [x], axis=1, k=1, outputs=outputs)
    else:
        w.node("TopK", [x, w.constant([1], np.int64)], axis=1, outputs=outputs)
    return w.model("indices", 2, 3, output_type=TensorProto.INT64)


@pytest.mark.parametrize("opset", range(9, 22))
def test_every_opset_is_read(opset: int, tmp_path: Path) -> None:
    model = in_opset(Writer(opset=opset))
    network, _ = compare(model, tmp_path, IMAGES, RAW)
    floats = execute(tmp_path / "model.onnx", IMAGES.astype(np.float32))
    assert (results(network, IMAGES) == floats["indices"]).all()


@pytest.mark.parametrize("ir_version", [3, 4, 6, 8, 10, 13])
def test_every_ir_version_is_read_with_constants_among_the_inputs(
    ir_version: int, tmp_path: Path
) -> None:
    w = Writer(opset=9)
    model = w.model(w.quant(w.matmul("x", WEIGHTS), 0.5), 6)
    model.ir_version = ir_version
    model.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in model.graph.initializer
    )
    compare(model, tmp_path, RNG.integers(-8, 8, (9, 6)), RAW)


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "brevitas", "onnxoptimizer")),
    reason="needs lutloom[qat]",
)
@pytest.mark.filterwarnings("ignore")  # torch and Brevitas, of themselves
@pytest.mark.parametrize(
    ("opset", "dynamo", "batch"),
    [
        *((opset, False, 1) for opset in range(9, 21)),
        *((opset, True, 1) for opset in range(18, 21)),
        *((opset, False, 32) for opset in (9, 20)),
    ],
)
def test_what_brevitas_exports_is_read(
    opset: int, dynamo: bool, batch: int, tmp_path: Path
) -> None:
    import torch
    from brevitas import nn
    from brevitas.export import export_qonnx
    from brevitas.quant import (
        Int8ActPerTensorFixedPoint,
        Int8WeightPerChannelFloat,
        Int32Bias,
        ShiftedUint8WeightPerTensorFloat,
        Uint8ActPerTensorFloat,
    )

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Flatten(1),
        nn.QuantIdentity(Int8ActPerTensorFixedPoint, bit_width=4, return_quant_tensor=True),
        nn.QuantLinear(
            6,
            5,
            bias=True,
            weight_quant=Int8WeightPerChannelFloat,
            weight_bit_width=3,
            bias_quant=Int32Bias,
        ),
        torch.nn.BatchNorm1d(5),
        nn.QuantReLU(Uint8ActPerTensorFloat, bit_width=3, return_quant_tensor=True),
        nn.QuantLinear(5, 4, bias=True, weight_quant=ShiftedUint8WeightPerTensorFloat),
        torch.nn.Dropout(0.2),
        nn.QuantIdentity(bit_width=4, float_to_int_impl_type="ROUND_TO_ZERO"),
        nn.QuantLinear(4, 3, bias=False, weight_bit_width=2),
    )
    for _ in range(5):
        network.train()(torch.randn(16, 1, 2, 3))
    # Brevitas hides its own warnings, and the exporter prints.
    proto = export_qonnx(
        network.eval(),
        torch.randn(batch, 1, 2, 3),
        opset_version=opset,
        dynamo=dynamo,
        **({"verbose": False} if dynamo else {}),
    )
    data = np.random.default_rng(3).normal(size=(8, 1, 2, 3)).astype(np.float32)
    compare(proto, tmp_path, data)


# --- batches and shapes


def flattened(w: Writer, target: tuple[int, ...], *, in_node: bool = False) -> str:
    if in_node:
        value = helper.make_tensor("shape", TensorProto.INT64, [len(target)], target)
        x = w.node("Reshape", ["x", w.node("Constant", [], value=value)])
    else:
        x = w.reshape("x", target)
    return w.node("Flatten", [x]) if len(target) > 2 else x


def classified(w: Writer, x: str) -> str:
    return w.quant(w.matmul(x, np.round(WEIGHTS)), 0.5)


@pytest.mark.parametrize("batch", ["N", 1, 6, 32])
@pytest.mark.parametrize(
    "target", [(1, -1), (1, 6), (0, -1), (-1, 6), (0, 6), (0, 0, -1), (1, 3, 2), (-1, 3, 2)]
)
@pytest.mark.parametrize("in_node", [False, True])
def test_a_flattened_image_is_one_row_whatever_the_batch(
    target: tuple[int, ...], batch: int | str, in_node: bool, tmp_path: Path
) -> None:
    w = Writer()
    x = classified(w, flattened(w, target, in_node=in_node))
    model = w.model(x, 2, 3, batch=batch)
    network, _ = compare(model, tmp_path, IMAGES, RAW)
    floats = execute(tmp_path / "model.onnx", IMAGES.astype(np.float32))[x]
    assert (results(network, IMAGES) == floats).all()


@pytest.mark.parametrize("target", [(-1,), (6, -1), (2, -1), (3, 2, 6)])
@pytest.mark.parametrize("batch", ["N", 1, 32])
def test_reshapes_that_mix_images_are_refused(
    target: tuple[int, ...], batch: int | str, tmp_path: Path
) -> None:
    w = Writer()
    model = w.model(classified(w, flattened(w, target)), 2, 3, batch=batch)
    with pytest.raises(ModelError, match=r"which mixes images of a batch; its first size should"):
        streamline(write(model, tmp_path), RAW)


def _sizes(w: Writer, *indices: int) -> str:
    shape = w.node("Shape", ["x"])
    return w.node("Gather", [shape, w.constant(indices, np.int64)], axis=0)


def _scalar_size(w: Writer, index: int) -> str:
    return w.node("Gather", [w.node("Shape", ["x"]), w.constant(index, np.int64)], axis=0)


SHAPES: dict[str, Callable[[Writer], list[str]]] = {
    "product": lambda w: [_sizes(w, 0), w.node("Mul", [_sizes(w, 1), _sizes(w, 2)])],
    "scalars": lambda w: [
        w.node("Unsqueeze", [x, w.constant([0], np.int64)])
        for x in (
            _scalar_size(w, 0),
            w.node("Mul", [_scalar_size(w, -1), _scalar_size(w, -2)]),
        )
    ],
    "reduced": lambda w: [_sizes(w, 0), w.node("ReduceProd", [_sizes(w, 1, 2)], keepdims=1)],
    "sliced": lambda w: [
        w.node(
            "Slice",
            [w.node("Shape", ["x"]), w.constant([0], np.int64), w.constant([1], np.int64)],
        ),
        w.constant([-1], np.int64),
    ],
    "reshaped": lambda w: [
        w.reshape(w.reshape(_sizes(w, 0), ()), (-1,)),
        w.reshape(w.reshape(_scalar_size(w, 1), (1,)), (-1,)),
        w.constant([-1], np.int64),
    ],
    "cast": lambda w: [
        w.node("Cast", [w.node("Cast", [x], to=6)], to=7) for x in (_sizes(w, 0), _sizes(w, 1, 2))
    ],
}


@pytest.mark.parametrize("sizes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("batch", ["N", 1, 6])
def test_shapes_may_be_calculated(
    sizes: Callable[[Writer], list[str]], batch: int | str, tmp_path: Path
) -> None:
    w = Writer()
    shape = w.node("Concat", sizes(w), axis=0)
    x = w.node("Flatten", [w.node("Reshape", ["x", shape])])
    compare(w.model(classified(w, x), 2, 3, batch=batch), tmp_path, IMAGES, RAW)


# --- annotations and functions


def annotated(tensor: str, datatype: str) -> ModelProto:
    w = Writer()
    weights = w.constant(np.sign(WEIGHTS))
    model = w.model(w.quant(w.node("MatMul", ["x", weights]), 2.0), 6)
    entry = StringStringEntryProto(key="finn_datatype", value=datatype)
    model.graph.quantization_annotation.append(
        TensorAnnotation(
            tensor_name=weights if tensor == "weights" else tensor,
            quant_parameter_tensor_names=[entry],
        )
    )
    return model


@pytest.mark.parametrize("datatype", ["INT4", "int8", "BIPOLAR", "TERNARY", "UINT2"])
def test_the_annotated_input_is_taken_at_its_word(datatype: str, tmp_path: Path) -> None:
    low, high = {"BIPOLAR": (1, 1), "TERNARY": (-1, 1), "UINT2": (0, 3)}.get(datatype, (-8, 7))
    data = RNG.integers(low, high, (9, 6), endpoint=True)
    network, _ = compare(annotated("x", datatype), tmp_path, data)
    assert network.input.is_raw


@pytest.mark.parametrize("datatype", ["BIPOLAR", "INT2", "TERNARY", "FLOAT32", "SCALEDINT<8>"])
def test_annotations_that_weights_meet_are_passed_over(datatype: str, tmp_path: Path) -> None:
    compare(annotated("weights", datatype), tmp_path, RNG.integers(-8, 8, (9, 6)), RAW)


@pytest.mark.parametrize(
    ("tensor", "datatype", "raw", "message"),
    [
        ("weights", "BINARY", RAW, r"the constant 'c0' is annotated as 'BINARY', but holds other"),
        ("weights", "UINT8", RAW, r"the constant 'c0' is annotated as 'UINT8', but holds other"),
        ("x", "UINT8", RAW, r"the input 'x' is annotated as 'UINT8': it holds such integers as t"),
        ("x", "BIPOLAR", RAW, r"the input 'x' is annotated as 'BIPOLAR': it holds such integers "),
        ("x", "INT4", RawInput(IntType(0, 3), (Fraction(1, 2),)), r"--input-scale or --input-bia"),
        ("x", "INT4", FloatInput(), r"the input 'x' is annotated as 'INT4': it holds such integer"),
        ("x", "FIXED<8,4>", None, r"annotated as 'FIXED<8,4>', which is no integer type known he"),
    ],
)
def test_contradictions_of_annotations_are_refused(
    tensor: str, datatype: str, raw: InputForm | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        streamline(write(annotated(tensor, datatype), tmp_path), raw)


def with_function(
    *nodes: tuple[str, str, str, str],
    domain: str = "my.functions",
    name: str = "Act",
    opset: int = 13,
) -> ModelProto:
    """Return a model with a function of nodes (kind, domain, input, output) from ``a`` to ``b``."""
    w = Writer()
    x = w.node(name, [w.matmul("x", np.round(WEIGHTS))], domain=domain)
    model = w.model(w.quant(x, 2.0), 6)
    body = [helper.make_node(kind, [x], [y], domain=where) for kind, where, x, y in nodes]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(domain, 1)]
    model.functions.append(helper.make_function(domain, name, ["a"], ["b"], body, opsets))
    model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


def test_functions_are_inlined(tmp_path: Path) -> None:
    model = with_function(("Relu", "", "a", "c"), ("Neg", "", "c", "b"))
    network, _ = compare(model, tmp_path, RNG.integers(-8, 8, (9, 6)), RAW)
    assert [type(node.op).__name__ for node in network.graph.nodes] == ["Linear", "Threshold"]


def test_the_body_that_a_file_gives_a_quantizer_is_not_read(tmp_path: Path) -> None:
    w = Writer()
    model = w.model(w.quant(w.matmul("x", np.round(WEIGHTS)), 2.0), 6)
    names = ["x", "scale", "zero_point", "bits"]
    body = [helper.make_node("Div", ["x", "scale"], ["y"])]
    opsets = [helper.make_opsetid("", 13)]
    attributes = ["signed", "narrow", "rounding_mode"]
    model.functions.append(
        helper.make_function(w.domain, "Quant", names, ["y"], body, opsets, attributes)
    )
    compare(model, tmp_path, RNG.integers(-8, 8, (9, 6)), RAW)


def test_functions_without_an_end_are_refused(tmp_path: Path) -> None:
    for model, message in [
        (with_function(("Act", "my.functions", "a", "b")), r"its function 'Act' calls itself"),
        (with_function(("Relu", "", "a", "b"), opset=18), r"'Act' is written for another opset"),
    ]:
        with pytest.raises(ModelError, match=message):
            streamline(write(model, tmp_path), RAW)


def test_functions_that_call_one_another_twice_are_refused_at_once(tmp_path: Path) -> None:
    domain = "my.functions"
    model = with_function(("F0", domain, "a", "c"), ("F0", domain, "c", "b"))
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(domain, 1)]
    for level in range(40):
        kind, where = ("Relu", "") if level == 39 else (f"F{level + 1}", domain)
        body = [helper.make_node(kind, [x], [y], domain=where) for x, y in ("ac", "cb")]
        model.functions.append(
            helper.make_function(domain, f"F{level}", ["a"], ["b"], body, opsets)
        )
    with pytest.raises(ModelError, match=r"its functions make more than 100000 nodes"):
        streamline(write(model, tmp_path), RAW)


# --- quantizers


def activation(w: Writer, quantize: Callable[[Writer, str], str]) -> ModelProto:
    x = w.matmul("x", np.round(WEIGHTS[:4]))
    return w.model(w.matmul(quantize(w, x), np.ones((3, 1))), 4)


ROWS = np.random.default_rng(4).integers(-8, 8, (40, 4))


@pytest.mark.parametrize(
    ("bits", "signed", "narrow"),
    [
        case
        for case in product((1, 2, 3, 8, 16, 32), (True, False), (True, False))
        if case != (1, False, True)
    ],
)
def test_every_width_is_exact_on_weights_and_on_data(
    bits: int, signed: bool, narrow: bool, tmp_path: Path
) -> None:
    w = Writer()
    weights = w.quant(w.constant(WEIGHTS[:4]), 0.25, 0.0, bits, signed=signed, narrow=narrow)
    x = w.node("MatMul", ["x", weights])
    x = w.quant(x, 0.5, 0.0, bits, signed=signed, narrow=narrow)
    compare(w.model(w.matmul(x, np.ones((3, 1))), 4), tmp_path, ROWS, RAW)


@pytest.mark.parametrize("scale", [-0.5, [0.5, 0.25, 0.3], [[0.5, -0.25, 1.0]], 1e-30, 1e30, 1e-40])
@pytest.mark.parametrize("kind", ["quant", "bipolar"])
def test_every_scale_is_exact(kind: str, scale: Any, tmp_path: Path) -> None:  # noqa: ANN401
    def quantize(w: Writer, x: str) -> str:
        return w.quant(x, scale, bits=3) if kind == "quant" else w.bipolar(x, scale)

    compare(activation(Writer(), quantize), tmp_path, ROWS, RAW)


INF = float("inf")


@pytest.mark.parametrize(
    "table",
    [
        [[0.0, 1.0, INF]],
        [[-INF, 0.0, INF]],
        [[3.0, 1.0, 2.0]],
        [[1.0, 1.0, 1.0]],
        [[-INF, -INF]],
        np.zeros((1, 0)),
        [[INF], [0.0], [-INF]],
        [[5.0, -2.0], [0.0, 0.0], [INF, -INF]],
    ],
    ids=str,
)
@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (2.0, -1.0), (-0.5, 0.25), (0.5, -2.0)])
def test_threshold_tables_of_every_kind_are_counted_as_qonnx_counts(
    table: Any,  # noqa: ANN401 - array-like
    scale: float,
    bias: float,
    tmp_path: Path,
) -> None:
    model = activation(Writer(), lambda w, x: w.multi_threshold(x, table, scale, bias))
    network, _ = compare(model, tmp_path, ROWS, RAW)
    floats = execute(tmp_path / "model.onnx", ROWS.astype(np.float32))
    (name,) = (port.name for port in model.graph.output)
    assert (results(network, ROWS) == floats[name]).all()


@pytest.mark.parametrize(
    ("again", "thresholds"),
    [
        (lambda w, x: w.quant(x, 0.5), 1),
        (lambda w, x: w.quant(w.quant(x, 0.5, bits=8), 0.5, bits=5), 1),
        (lambda w, x: w.quant(x, 0.25, bits=6), 2),
        (lambda w, x: w.quant(x, 1.0), 2),
    ],
    ids=["same", "wider", "finer", "coarser"],
)
def test_quantizing_again_on_the_same_grid_costs_nothing(
    again: Callable[[Writer, str], str], thresholds: int, tmp_path: Path
) -> None:
    model = activation(Writer(), lambda w, x: again(w, w.quant(x, 0.5)))
    network, _ = compare(model, tmp_path, ROWS, RAW)
    found = [node for node in network.graph.nodes if isinstance(node.op, Threshold)]
    assert len(found) == thresholds


def test_a_quantizer_that_was_exported_for_every_reader_is_one(tmp_path: Path) -> None:
    model = activation(Writer(), lambda w, x: w.node("Add", [w.quant(x, 0.5), w.quant(x, 0.5)]))
    network, _ = compare(model, tmp_path, ROWS, RAW)
    assert sum(isinstance(node.op, Threshold) for node in network.graph.nodes) == 1


def quantizers(
    kind: str, operands: int = 0, results: int = 1, domain: str = "qonnx.custom_op.general"
) -> ModelProto:
    def quantize(w: Writer, x: str) -> str:
        inputs = [x, *(w.constant(1.0) for _ in range(operands))]
        outputs = [f"y{i}" for i in range(results)]
        return w.node(kind, inputs, domain=domain, name="q", outputs=outputs)

    return activation(Writer(), quantize)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (quantizers("FloatQuant"), r"^FloatQuant node 'q': it quantizes to floats of few bits, wh"),
        (quantizers("DynamicQuantizeLinear", 0, 3, ""), r"^DynamicQuantizeLinear node 'q': its "),
        (quantizers("Scaler", domain="ai.onnx.ml"), r"^Scaler node 'q': .* for ai\.onnx\.ml\.Sca"),
        (quantizers("Quant", domain="my.ops"), r"^Quant node 'q': .* for my\.ops\.Quant; it know"),
    ],
    ids=["FloatQuant", "dynamic", "ai.onnx.ml", "unknown"],
)
def test_other_quantizers_are_refused_with_their_reason(
    model: ModelProto, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        streamline(write(model, tmp_path), RAW)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("STOCHASTIC_ROUND", r"^Quant node 'q': the rounding mode 'STOCHASTIC_ROUND' is random: "),
        ("learned_round", r"^Quant node 'q': the rounding mode 'learned_round' has parameters th"),
        ("DPU", r"^Quant node 'q': the rounding mode 'DPU' has no meaning in QONNX: train with R"),
        ("sideways", r"^Quant node 'q': the rounding mode 'sideways' is unknown: use one of \['C"),
    ],
)
def test_rounding_that_the_file_does_not_fix_is_refused(
    mode: str, message: str, tmp_path: Path
) -> None:
    model = activation(Writer(), lambda w, x: w.quant(x, mode=mode, name="q"))
    with pytest.raises(ModelError, match=message):
        streamline(write(model, tmp_path), RAW)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"layout": "CN"}, r"in its layout CN the channels are the batch"),
        ({"layout": "NHWC"}, r"data of 2 dimensions have no layout NHWC"),
        ({"scale": 0.0}, r"its out_scale is zero: export the model again"),
        ({"scale": INF}, r"'out_scale' should be a finite number, not inf"),
        ({"bias": float("nan")}, r"'out_bias' should be a finite number, not nan"),
    ],
)
def test_thresholds_that_say_nothing_are_refused(
    attributes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    def quantize(w: Writer, x: str) -> str:
        return w.multi_threshold(x, [[0.0], [1.0], [2.0]], **attributes)

    with pytest.raises(ModelError, match=message):
        streamline(write(activation(Writer(), quantize), tmp_path), RAW)


@pytest.mark.parametrize(
    ("attributes", "outputs", "message"),
    [
        ({"training_mode": 1}, 1, r"is in training mode: export the model in evaluation mode"),
        ({}, 5, r"is in training mode: export the model in evaluation mode"),
        ({"spatial": 0}, 1, r"normalizes every element by itself \(spatial=0\)"),
    ],
)
def test_a_normalization_by_the_batch_is_refused(
    attributes: dict[str, Any], outputs: int, message: str, tmp_path: Path
) -> None:
    w = Writer(opset=9)
    numbers = map(w.constant, np.ones((4, 3)))
    names = ["y", "mean", "var", "saved_mean", "saved_var"][:outputs]
    x = w.matmul("x", np.round(WEIGHTS[:4]))
    x = w.node("BatchNormalization", [x, *numbers], outputs=names, **attributes)
    with pytest.raises(ModelError, match=message):
        streamline(write(w.model(w.quant(x), 4), tmp_path), RAW)


@pytest.mark.parametrize("variance", [0.0, 1e-38, 1e30, -1e-6])
def test_normalizations_of_any_size_are_exact(variance: float, tmp_path: Path) -> None:
    def quantize(w: Writer, x: str) -> str:
        gamma, beta, mean = [1.0, 0.0, -1e20], [1.0, 2.0, 3.0], [0.0, 1.0, -2.0]
        return w.quant(w.batch_norm(x, gamma, beta, mean, [variance] * 3), 0.5)

    compare(activation(Writer(), quantize), tmp_path, ROWS, RAW)


BITS = np.array(list(product([0, 1], repeat=4)))


def test_equal_bits_are_counted_as_finn_counts_them(tmp_path: Path) -> None:
    w = Writer()
    rng = np.random.default_rng(5)
    x = "x"
    for shape in ((4, 5), (5, 3)):
        bits = w.constant(rng.integers(0, 2, shape))
        x = w.node("XnorPopcountMatMul", [x, bits], domain=w.domain)
        if shape == (4, 5):
            x = w.multi_threshold(x, rng.integers(1, 4, (5, 1)))
    network, _ = compare(w.model(x, 4), tmp_path, BITS, RawInput(IntType(0, 1)))
    floats = execute(tmp_path / "model.onnx", BITS.astype(np.float32))
    assert (results(network, BITS) == floats[x]).all()


def test_a_count_of_equal_bits_wants_bits(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("XnorPopcountMatMul", ["x", w.constant(2 * np.eye(4))], domain=w.domain, name="fc")
    with pytest.raises(ModelError, match=r"^XnorPopcountMatMul node 'fc': its weights should be a"):
        streamline(write(w.model(x, 4), tmp_path), RAW)


def test_an_executor_is_given_the_bit_widths_that_are_read_here(tmp_path: Path) -> None:
    """ONNX Runtime by itself makes 14 bits of the logarithms of 2^13, if they are several."""
    w = Writer()
    logarithms = [w.node("Log", [w.constant(np.full(32, n))]) for n in (8192.0, 2.0)]
    every = w.node("Ceil", [w.node("Div", logarithms)])
    bits = w.node("ReduceMax", [every], keepdims=0)
    scale = w.node("Pow", [w.constant(2.0), w.constant([-0.37, 0.3, -1.1])])
    inputs = [w.matmul("x", np.round(WEIGHTS[:4])), scale, w.constant(0.0), bits]
    x = w.node("Quant", inputs, domain=w.domain, signed=1, narrow=1)
    data = np.random.default_rng(0).integers(-8000, 8000, (40, 4))
    compare(w.model(x, 4), tmp_path, data, RawInput(IntType(-8192, 8191)))
    path = tmp_path / "model.onnx"
    network = streamline(path, RawInput(IntType(-8192, 8191)))
    floats = execute(path, data.astype(np.float32))
    result = compare_with_executor(network, read_source(path), floats, network.encode(data))
    assert all(layer.is_equal for layer in result.layers)
    assert floats[bits] == 13


@pytest.mark.parametrize(
    ("table", "scale", "bias", "layout"),
    [
        ([[0.0]], 2.0, -1.0, ""),
        ([[0.5, -0.5, INF]], 1.0, -1.0, ""),
        ([[0.1, 0.2], [-INF, -1.0]], 0.25, 0.125, "NCHW"),
        ([[0.1, 0.2], [-1.0, 2.0], [0.0, 0.0]], -1.0, 0.0, "NHWC"),
        (np.zeros((1, 0)), 1.0, 2.0, ""),
    ],
)
def test_thresholds_on_floats_of_the_input_are_counted_on_the_host(
    table: Any,  # noqa: ANN401 - array-like
    scale: float,
    bias: float,
    layout: str,
    tmp_path: Path,
) -> None:
    w = Writer()
    x = w.multi_threshold(w.binary("Mul", "x", 0.3), table, scale, bias, layout)
    model = w.model(w.matmul(w.node("Flatten", [x]), np.ones((12, 2))), 2, 2, 3)
    data = (np.random.default_rng(6).integers(-40, 40, (30, 2, 2, 3)) / 8).astype(np.float32)
    network, _ = compare(model, tmp_path, data)
    floats = execute(tmp_path / "model.onnx", data)
    assert (results(network, data) == floats[model.graph.output[0].name]).all()


def test_a_threshold_of_double_precision_is_reached_by_the_same_floats(tmp_path: Path) -> None:
    w = Writer()
    table = w.constant([[0.1], [0.7]], np.float64)
    numbers = np.array([[0.1, 0.7]], np.float32)
    ends = [np.nextafter(numbers, np.float32(end)) for end in (0, 1)]
    data = np.concatenate([ends[0], numbers, ends[1]])
    x = w.node("MultiThreshold", ["x", table], domain=w.domain, out_dtype="BINARY")
    network, _ = compare(w.model(w.matmul(x, np.eye(2)), 2), tmp_path, data)
    # The float32 of 0.1 is above the float64 of it, that of 0.7 below.
    assert results(network, data).tolist() == [[0, 0], [1, 0], [1, 1]]
