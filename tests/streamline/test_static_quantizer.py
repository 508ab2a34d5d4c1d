"""Models of ONNX Runtime's static quantizer: exact, and equal to the runtime but for its errors."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import onnx
import pytest
from onnxruntime.quantization import QuantType

import lutloom
from lutloom.core.ops import Linear, Requantize
from lutloom.streamline.comparison import compare as compare_with
from lutloom.streamline.executor import execute
from lutloom.streamline.source import read_source
from tests.exact import compare
from tests.quantizer_models import MORE, NETWORKS, images, quantized

if TYPE_CHECKING:
    from pathlib import Path

SIGNED = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8}
OPTIONS: dict[str, dict[str, Any]] = {
    "unsigned": {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8},
    "unsigned weights": {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8},
    "signed": SIGNED,
    "per channel": {"per_channel": True, **SIGNED},
    "symmetric": {"per_channel": True, "extra_options": {"ActivationSymmetric": True}, **SIGNED},
    "float weights": {"per_channel": True, "extra_options": {"AddQDQPairToWeight": True}},
    "asymmetric weights": {"extra_options": {"WeightSymmetric": False}, **SIGNED},
    "reduced range": {"per_channel": True, "reduce_range": True},
    "a pair a reader": {"extra_options": {"DedicatedQDQPair": True}},
    "float biases": {"extra_options": {"QuantizeBias": False}},
}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, how) for name in NETWORKS for how in OPTIONS),
        *((name, how) for name in MORE for how in ("unsigned", "per channel")),
    ],
)
def test_it_is_exact_and_the_runtime_differs_by_its_errors_only(
    name: str, options: str, tmp_path: Path
) -> None:
    path = quantized(name, tmp_path, 14, **OPTIONS[options])
    network, tally = compare(onnx.load(path), tmp_path, images(1))
    assert tally.quantized > 0
    data = images(24)
    found = compare_with(network, read_source(path), execute(path, data), network.encode(data))
    assert all(layer.is_equal for layer in found.layers)
    assert found.outside == 0
    assert not found.beyond
    assert found.excused.all()


@pytest.mark.parametrize("opset", [10, 11, 19, 21])
def test_it_may_be_of_any_opset(opset: int, tmp_path: Path) -> None:
    compare(onnx.load(quantized("residual", tmp_path, opset)), tmp_path, images(1))


@pytest.mark.parametrize("kind", ["QInt16", "QUInt16"])
def test_activations_may_have_sixteen_bits(kind: str, tmp_path: Path) -> None:
    types = {"activation_type": QuantType[kind], "weight_type": QuantType.QInt8}
    network, _ = compare(onnx.load(quantized("dense", tmp_path, **types)), tmp_path, images(2))
    assert any(isinstance(node.op, Requantize) for node in network.graph.nodes)


def test_the_runtimes_own_domain_means_the_same(tmp_path: Path) -> None:
    options = {**OPTIONS["unsigned"], "extra_options": {"UseQDQContribOps": True}}
    path = quantized("residual", tmp_path, **options)
    model = onnx.load(path)
    assert "com.microsoft" in {node.domain for node in model.graph.node}
    network, _ = compare(model, tmp_path, images(1))
    data = images(8)
    found = compare_with(network, read_source(path), execute(path, data), network.encode(data))
    assert all(layer.is_equal for layer in found.layers)


def test_weights_may_have_four_bits(tmp_path: Path) -> None:
    types = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt4}
    path = quantized("dense", tmp_path, 21, per_channel=True, **types)
    network, _ = compare(onnx.load(path), tmp_path, images(2))
    weights = [node.op.weights for node in network.graph.nodes if isinstance(node.op, Linear)]
    assert all(entry.lo >= -8 and entry.hi <= 7 for entry in weights)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.skipif(find_spec("hls4ml") is None, reason="needs lutloom[csim]")
def test_a_residual_network_runs_as_cpp(tmp_path: Path) -> None:
    path = quantized("residual", tmp_path, **OPTIONS["per channel"])
    lutloom.compile(path, tmp_path / "build")
    assert lutloom.verify(tmp_path / "build", samples=6, exact=1).passed
