"""Convolutions as exporters, QONNX and FINN write them, and beside executors that round nothing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnxruntime
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
from qonnx.transformation.infer_data_layouts import InferDataLayouts
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

from lutloom.core.ops import Conv, Permute
from lutloom.core.types import BIPOLAR, IntType
from lutloom.sim.reference import run
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]

RAW = RawInput(IntType(-8, 7))


def images(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).integers(-8, 8, shape)


def outputs(network: Network, data: Array) -> Array:
    values = run(network.graph, {network.input_value: network.encode(data)})
    return network.decode(values[network.output_value])


def convs(network: Network) -> list[Conv]:
    return [node.op for node in network.graph.nodes if isinstance(node.op, Conv)]


def float_free_of_error(opset: int, *, transposed: bool = False) -> tuple[Writer, str]:
    """Return three layers whose scales are powers of two, so that floats hold every number."""
    rng = np.random.default_rng(opset)
    w = Writer(opset=opset)
    x = w.quant("x", 0.5, bits=4)
    first = w.quant(w.constant(rng.normal(0, 2, (4, 2, 3, 2))), 0.25, bits=3)
    x = w.node("Conv", [x, first, w.constant(rng.integers(-8, 8, 4) / 16)], pads=[1, 0, 2, 1])
    x = w.quant(w.node("Relu", [x]), 0.5, bits=3, signed=False)
    second = w.bipolar(w.constant(rng.normal(0, 1, (4, 1, 2, 3))), 0.5)
    x = w.node("Conv", [x, second], group=4, strides=[2, 1], auto_pad="SAME_LOWER")
    x = w.quant(x, 0.25, bits=5)
    kind, shape = ("ConvTranspose", (4, 3, 2, 2)) if transposed else ("Conv", (3, 4, 1, 1))
    third = w.quant(w.constant(rng.normal(0, 2, shape)), 0.5, bits=3)
    return w, w.quant(w.node(kind, [x, third], strides=[2, 2]), 0.5, bits=6)


@pytest.mark.parametrize("opset", range(9, 21))
def test_executors_that_round_nothing_give_the_same(opset: int, tmp_path: Path) -> None:
    w, y = float_free_of_error(opset, transposed=opset % 2 == 0)
    model, data = w.model(y, 2, 5, 6), images(0, 9, 2, 5, 6)
    network, _ = compare(model, tmp_path, data, RAW)
    floats = execute(tmp_path / "model.onnx", data.astype(np.float32))[y]
    assert (outputs(network, data) == floats).all()
    assert not any(isinstance(node.op, Permute) for node in network.graph.nodes)


def test_onnx_runtime_gives_the_same_sums(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w = Writer()
    inputs = ["x", w.constant(rng.integers(-3, 4, (4, 2, 3, 2)))]
    y = w.node("Conv", inputs, pads=[1, 0, 2, 1], dilations=[1, 2])
    weights = w.constant(rng.integers(-3, 4, (4, 2, 2, 2)))
    inputs = [y, weights, w.constant(rng.integers(-9, 9, 4))]
    model = w.model(w.node("ConvTranspose", inputs, strides=[2, 1], group=2), 2, 5, 6)
    data = images(0, 9, 2, 5, 6)
    network = streamline(write(model, tmp_path), RAW)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (floats,) = session.run(None, {"x": data.astype(np.float32)})
    assert (outputs(network, data) == floats).all()


def lowered(kind: str, path: Path) -> None:
    """Let qonnx rewrite the model at ``path``."""
    wrapper = ModelWrapper(str(path)).transform(InferShapes())
    if kind == "Im2Col":
        wrapper = wrapper.transform(LowerConvsToMatMul())
    else:
        wrapper = wrapper.transform(InferDataLayouts()).transform(ConvertToChannelsLastAndClean())
    wrapper.save(str(path))


@pytest.mark.filterwarnings("ignore")  # qonnx, of itself
@pytest.mark.parametrize("kind", ["Im2Col", "channels_last"])
@pytest.mark.parametrize("groups", [1, 4])
def test_models_that_qonnx_has_lowered_are_the_same(kind: str, groups: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(groups)
    w = Writer()
    x = w.quant("x", 0.5, bits=4)
    for group, width in ((1, 2), (groups, 4)):
        weights = w.quant(w.constant(rng.normal(0, 2, (4, width // group, 3, 2))), 0.3, bits=3)
        attributes: dict[str, Any] = {
            "kernel_shape": [3, 2],
            "strides": [1, 2],
            "pads": [1, 0, 1, 1],
        }
        x = w.node("Conv", [x, weights], group=group, dilations=[1, 1], **attributes)
        gamma, beta, mean = rng.normal(0, 1, (3, 4))
        x = w.quant(w.batch_norm(x, gamma, beta, mean, np.ones(4)), 0.4, bits=3)
    model, data = w.model(x, 2, 4, 6, batch=1), images(0, 9, 2, 4, 6)
    before = streamline(write(model, tmp_path), RAW)
    lowered(kind, tmp_path / "model.onnx")
    after = ModelWrapper(str(tmp_path / "model.onnx")).model
    kinds = {node.op_type for node in after.graph.node}
    domains = {node.domain for node in after.graph.node if node.op_type == "Conv"}
    assert (
        kinds >= {"Im2Col", "MatMul"}
        if kind == "Im2Col"
        else len(domains) == 1 and "" not in domains
    )
    network, _ = compare(after, tmp_path, data, RAW)
    assert [op.groups for op in convs(network)] == [op.groups for op in convs(before)]
    assert (outputs(network, data) == outputs(before, data)).all()
    assert not any(isinstance(node.op, Permute) for node in network.graph.nodes)


@pytest.mark.parametrize("pad_value", [0, 2])
def test_windows_as_rows_are_padded_with_any_integer(pad_value: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w = Writer()
    x = w.binary("Mul", w.binary("Add", "x", [0.5, -0.25]), 0.5)
    attributes: dict[str, Any] = {
        "kernel_size": [2, 3],
        "stride": [1, 2],
        "pad_amount": [1, 0, 1, 2],
    }
    rows = w.node(
        "Im2Col", [x], domain=w.domain, dilations=[1, 1], pad_value=pad_value, **attributes
    )
    y = w.node("MatMul", [rows, w.constant(rng.integers(-2, 3, (12, 3)))])
    model = w.model(w.quant(y, 0.7, bits=3), 4, 5, 2)
    network, _ = compare(model, tmp_path, images(0, 9, 4, 5, 2), RAW)
    assert len(convs(network)) == 1


def test_rows_of_windows_may_be_the_result(tmp_path: Path) -> None:
    w = Writer()
    attributes: dict[str, Any] = {
        "kernel_size": [2, 3],
        "stride": [1, 2],
        "pad_amount": [1, 0, 1, 2],
    }
    x = w.quant(w.binary("Mul", "x", [0.5, -0.25]), [0.5, 0.75], bits=3)
    y = w.node("Im2Col", [x], domain=w.domain, **attributes)
    network, _ = compare(w.model(y, 4, 5, 2), tmp_path, images(0, 9, 4, 5, 2), RAW)
    assert [node.op.name for node in network.graph.nodes] == ["threshold", "window"]


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "brevitas", "onnxoptimizer")),
    reason="needs lutloom[qat]",
)
@pytest.mark.filterwarnings("ignore")  # torch and Brevitas, of themselves
@pytest.mark.parametrize(
    ("rank", "opset", "dynamo"),
    [(1, 9, False), (2, 11, False), (1, 20, False), (2, 17, False), (1, 18, True), (2, 20, True)],
)
def test_convolutions_that_brevitas_exports_are_read(
    rank: int, opset: int, dynamo: bool, tmp_path: Path
) -> None:
    import torch
    from brevitas import nn
    from brevitas.export import export_qonnx
    from brevitas.quant import Int8WeightPerChannelFloat, Int32Bias

    conv = nn.QuantConv1d if rank == 1 else nn.QuantConv2d
    transposed = nn.QuantConvTranspose1d if rank == 1 else nn.QuantConvTranspose2d
    norm = torch.nn.BatchNorm1d if rank == 1 else torch.nn.BatchNorm2d
    torch.manual_seed(rank)
    bits = {"weight_bit_width": 3, "weight_quant": Int8WeightPerChannelFloat}
    network = torch.nn.Sequential(
        nn.QuantIdentity(bit_width=4, return_quant_tensor=True),
        torch.nn.ConstantPad1d((1, 0), 0.0) if rank == 1 else torch.nn.ZeroPad2d((1, 0, 0, 2)),
        conv(2, 4, 3, padding=1, bias=True, bias_quant=Int32Bias, **bits),
        norm(4),
        nn.QuantReLU(bit_width=3, return_quant_tensor=True),
        conv(4, 8, 3, groups=4, stride=2, padding="valid", bias=False, **bits),
        nn.QuantReLU(bit_width=3, return_quant_tensor=True),
        transposed(8, 4, 3, groups=2, stride=2, output_padding=1, padding=1, weight_bit_width=3),
        norm(4),
        nn.QuantReLU(bit_width=4, return_quant_tensor=True),
        torch.nn.Flatten(),
        nn.QuantLinear(4 * 6**rank, 3, bias=False, weight_bit_width=2),
    )
    shape = (2, *[6, 6][:rank])
    for _ in range(3):
        network.train()(torch.randn(8, *shape))
    network[3].weight.data.normal_()  # type: ignore[operator]
    proto = export_qonnx(
        network.eval(),
        torch.randn(1, *shape),
        opset_version=opset,
        dynamo=dynamo,
        **({"verbose": False} if dynamo else {}),
    )
    data = np.random.default_rng(3).normal(size=(6, *shape)).astype(np.float32)
    read, tally = compare(proto, tmp_path, data)
    assert [op.groups for op in convs(read)] == [1, 4, 2]
    assert convs(read)[0].pads == ((2, 1) if rank == 1 else (1, 2, 3, 1))
    assert tally.quantized
    assert not any(isinstance(node.op, Permute) for node in read.graph.nodes)


def test_bipolar_images_of_finn_are_padded_with_nothing(tmp_path: Path) -> None:
    # FINN reads the padding of signs as -1; the file says zero.
    rng = np.random.default_rng(0)
    w = Writer()
    weights = w.bipolar(w.constant(rng.normal(0, 1, (3, 2, 3, 3))))
    y = w.multi_threshold(w.node("Conv", ["x", weights], pads=[1] * 4), [[-3.0, 0.0, 2.0]])
    model = w.model(y, 2, 3, 3, datatype="BIPOLAR")
    data = 2 * rng.integers(0, 2, (9, 2, 3, 3)) - 1
    network, _ = compare(model, tmp_path, data)
    assert network.graph.inputs[network.input_value].element == BIPOLAR
