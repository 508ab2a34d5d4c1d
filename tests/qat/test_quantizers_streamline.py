"""Networks with each kind of quantizer become integers, and compute what they did."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch
from torch import nn

from lutloom.core.ops.conv import Conv
from lutloom.core.ops.linear import Linear
from lutloom.core.ops.max_pool import MaxPool
from lutloom.core.ops.reshape import Reshape
from lutloom.core.ops.threshold import Threshold
from lutloom.qat.export import export_qonnx
from lutloom.qat.models.blocks import (
    conv2d_block,
    input_quantizer,
    linear,
    linear_block,
)
from lutloom.qat.models.real_residuals import BinaryResidual
from lutloom.qat.quantization import (
    ActivationKind,
    ActivationSpec,
    Quantization,
    WeightKind,
    WeightSpec,
    of_bits,
)
from lutloom.qat.quantization_text import parse_quantization
from lutloom.qat.quantizers import RPReLU
from lutloom.streamline.pipeline import streamline
from tests.qat.streamlined import check, trained

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.network import Network

IMAGE, VECTOR, CLASSES, WIDTH = (2, 6, 6), (12,), 3, 4
_W, _A = WeightKind, ActivationKind
BOTH = (False, True)
ACCUMULATOR_BITS = 14

WEIGHTS = [
    *(WeightSpec(_W.CONSTANT, bits) for bits in (1, 2, 4, 8)),
    *(WeightSpec(_W.XNOR, 1, each) for each in BOTH),
    *(WeightSpec(_W.DOREFA, bits) for bits in (1, 2, 4, 8)),
    *(WeightSpec(_W.TERNARY, 2, each) for each in BOTH),
    *(
        WeightSpec(kind, bits, each)
        for kind in (_W.LSQ, _W.PO2, _W.INTEGER)
        for bits in (2, 4, 8)
        for each in BOTH
    ),
    *(WeightSpec(_W.A2Q, bits, each, ACCUMULATOR_BITS) for bits in (3, 4, 8) for each in BOTH),
]
ACTIVATIONS = [
    *(ActivationSpec(_A.SIGNED, bits, limit=0.7) for bits in (1, 2, 4)),
    *(ActivationSpec(_A.RELU, bits, each) for bits in (1, 2, 4) for each in BOTH),
    *(ActivationSpec(_A.DOREFA, bits) for bits in (1, 2, 4)),
    *(
        ActivationSpec(kind, bits, each, 0.9)
        for kind in (_A.LSQ, _A.PO2)
        for bits in (1, 2, 4)
        for each in BOTH
    ),
    ActivationSpec(_A.RSIGN, 1),
    *(ActivationSpec(_A.RPRELU, bits) for bits in (1, 2, 4)),
]


def pairs(shift: int) -> list[Any]:
    """Return all specs of weights and all of activations in pairs, others for another shift.

    What keeps accumulators small refuses activations with scales of channels.
    """
    others = cycle(ACTIVATIONS[shift:] + ACTIVATIONS[:shift])
    found = []
    for weights in WEIGHTS:
        acts = next(others)
        while weights.kind is _W.A2Q and acts.per_channel:
            acts = next(others)
        found.append(pytest.param(weights, acts, id=f"{named(weights)}-{named(acts)}"))
    return found


def named(spec: WeightSpec | ActivationSpec) -> str:
    return f"{spec.kind.value}{spec.bits}{'-each' if spec.per_channel else ''}"


def convolutions(quantization: Quantization) -> nn.Module:
    return nn.Sequential(
        input_quantizer(),
        conv2d_block(quantization.at("conv0"), IMAGE[0], WIDTH),
        nn.MaxPool2d(2),
        conv2d_block(quantization.at("conv1"), WIDTH, WIDTH, 2),
        nn.Flatten(),
        linear(WIDTH, CLASSES, quantization.at("last").weights),
    )


def perceptron(quantization: Quantization) -> nn.Module:
    return nn.Sequential(
        input_quantizer(4),
        linear_block(quantization.at("linear0"), VECTOR[0], 2 * WIDTH),
        linear_block(quantization.at("linear1"), 2 * WIDTH, WIDTH),
        linear(WIDTH, CLASSES, quantization.at("last").weights),
    )


@pytest.mark.parametrize(("weights", "acts"), pairs(0))
def test_a_convolutional_net_streamlines_exactly(
    tmp_path: Path, weights: WeightSpec, acts: ActivationSpec
) -> None:
    torch.manual_seed(0)
    model = convolutions(Quantization(weights, acts))
    network = check(model, trained(model, IMAGE, CLASSES), tmp_path)
    assert_bounded(network, weights, sums=3)


@pytest.mark.parametrize(("weights", "acts"), pairs(5)[::2])
def test_a_perceptron_streamlines_exactly(
    tmp_path: Path, weights: WeightSpec, acts: ActivationSpec
) -> None:
    torch.manual_seed(1)
    model = perceptron(Quantization(weights, acts))
    network = check(model, trained(model, VECTOR, CLASSES), tmp_path)
    assert_bounded(network, weights, sums=3)


def test_both_exporters_write_the_same_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = WeightSpec(_W.A2Q, 4, True, ACCUMULATOR_BITS)
    bent = {"conv1.quantize": ActivationSpec(_A.RPRELU, 4)}
    quantization = Quantization(weights, ActivationSpec(_A.LSQ, 1), {}, bent)
    model = convolutions(quantization)
    trained(model, IMAGE, CLASSES)
    traced, dynamo = (
        streamline(export_qonnx(model, tmp_path / f"{dynamo}.onnx", IMAGE, dynamo=dynamo))
        for dynamo in (False, True)
    )
    assert [n.op for n in traced.graph.nodes] == [n.op for n in dynamo.graph.nodes]


def assert_bounded(network: Network, weights: WeightSpec, sums: int) -> None:
    """Check that accumulators stay within their bits, for every input that the types allow."""
    graph = network.graph
    nodes = [node for node in graph.nodes if isinstance(node.op, Conv | Linear)]
    assert len(nodes) <= sums
    if weights.accumulator_bits is not None:
        half = 2 ** (weights.accumulator_bits - 1)
        for node in nodes:
            element = graph.types[node.name].element
            assert -half < element.lo <= element.hi < half, node.name


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("slopes", [(-1.0, 0.0, 1.0, 3.0), (-0.3, 1e-3, 0.7, -5.0)])
def test_any_slope_of_an_rprelu_goes_into_the_thresholds(
    tmp_path: Path, bits: int, slopes: tuple[float, ...]
) -> None:
    torch.manual_seed(2)
    rprelu = ActivationSpec(_A.RPRELU, bits)
    model = convolutions(Quantization(WeightSpec(_W.XNOR, 1, per_channel=True), rprelu))
    x = trained(model, IMAGE, CLASSES)
    for module in model.modules():
        if isinstance(module, RPReLU):
            module.prelu.weight.data = torch.tensor(slopes)
            module.shift_in.shift.data = torch.tensor([0.0, 0.5, -0.25, 0.1])
            module.shift_out.shift.data = torch.tensor([0.3, -0.5, 0.0, 0.2])
        if isinstance(module, nn.BatchNorm2d):
            # rising, falling, and the same for every input
            module.weight.data = torch.tensor([1.0, -1.0, 0.0, 0.5])
    network = check(model, x, tmp_path)
    layers = (Conv, Linear, MaxPool, Reshape, Threshold)
    assert all(isinstance(node.op, layers) for node in network.graph.nodes)


class Residuals(nn.Module):
    """ReActNet's: binary convolutions behind RSign, and quantized shortcuts around them."""

    def __init__(self) -> None:
        super().__init__()
        xnor = WeightSpec(_W.XNOR, 1, per_channel=True)
        sums = ActivationSpec(_A.RPRELU, 8, limit=4.0)
        quantization = Quantization(xnor, ActivationSpec(_A.RSIGN, 1))
        self.quantize = input_quantizer()
        self.first = conv2d_block(of_bits(4, 4), IMAGE[0], WIDTH)
        self.block0, self.block1 = (
            BinaryResidual(quantization, WIDTH, WIDTH, 3, shortcut=nn.Identity(), sums=sums)
            for _ in range(2)
        )
        self.flatten = nn.Flatten()
        self.last = linear(WIDTH * 16, CLASSES, xnor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.block1(self.block0(self.first(self.quantize(x))))
        logits: torch.Tensor = self.last(self.flatten(features))
        return logits


def test_residual_blocks_of_reactnet_streamline_exactly(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = Residuals()
    check(model, trained(model, IMAGE, CLASSES), tmp_path)


def test_kinds_and_bits_may_be_mixed_by_layer(tmp_path: Path) -> None:
    torch.manual_seed(4)
    quantization = parse_quantization(
        {
            "weights": {"kind": "lsq", "bits": 4, "per_channel": True},
            "activations": {"kind": "lsq", "bits": 4},
            "layers": {
                "conv0*": {"weights": {"kind": "integer", "bits": 8}, "activations": "rsign"},
                "conv1.layer": {"weights": "xnor"},
                "conv1.quantize": {"activations": {"kind": "po2", "bits": 3}},
                "last": {"weights": {"kind": "a2q", "bits": 4, "accumulator_bits": 9}},
            },
        }
    )
    model = convolutions(quantization)
    network = check(model, trained(model, IMAGE, CLASSES), tmp_path)
    graph = network.graph
    weights = [node.op.weights for node in graph.nodes if isinstance(node.op, Conv | Linear)]
    kinds = [set(abs(values.int64).ravel().tolist()) for values in weights]
    assert max(kinds[0]) > 64
    assert kinds[1] == {1}
    assert max(kinds[2]) <= 7
    (first, second) = (node for node in graph.nodes if isinstance(node.op, Threshold))
    assert str(graph.types[first.name].element) == "int<-1..1 by 2>"
    assert str(graph.types[second.name].element) == "int<0..7>"
    last = graph.types[graph.outputs[0]].element
    assert -256 < last.lo <= last.hi < 256
