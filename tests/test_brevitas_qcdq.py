"""QCDQ exports of Brevitas: exact, and equal to the runtime but for its errors."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import onnx
import torch
from brevitas.export import export_onnx_qcdq
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
)
from torch import nn

from lutloom.core.ops import Conv
from lutloom.streamline.comparison import compare as compare_with
from lutloom.streamline.executor import execute
from lutloom.streamline.source import read_source
from tests.exact import compare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHAPE = (3, 6, 6)


def narrow() -> nn.Module:
    """Return a network of 2 to 6 bits, which QCDQ writes by clipping bytes."""
    return nn.Sequential(
        QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=6, return_quant_tensor=True),
        QuantConv2d(
            3,
            8,
            3,
            padding=1,
            weight_bit_width=4,
            weight_quant=Int8WeightPerChannelFloat,
            bias_quant=Int32Bias,
        ),
        QuantReLU(bit_width=3),
        QuantConv2d(8, 6, 3, padding=1, groups=2, weight_bit_width=2, bias=False),
        nn.BatchNorm2d(6),
        QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat, bit_width=5),
        nn.Flatten(),
        QuantLinear(216, 5, bias=True, weight_bit_width=3),
    )


def eight_bits() -> nn.Module:
    return nn.Sequential(
        QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat),
        QuantConv2d(3, 8, 3, padding=1, weight_quant=Int8WeightPerTensorFixedPoint, bias=True),
        nn.GELU(),
        QuantIdentity(act_quant=Int8ActPerTensorFloat),
        nn.MaxPool2d(2),
        QuantConv2d(8, 8, 3, padding=1, groups=8, weight_quant=Int8WeightPerChannelFloat),
        QuantReLU(bit_width=8),
        nn.Flatten(),
        QuantLinear(72, 4, bias=False),
    )


@pytest.mark.parametrize("build", [narrow, eight_bits])
def test_a_qcdq_export_is_exact(build: Callable[[], nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = build()
    module(torch.randn(16, *SHAPE))
    module.eval()
    path = tmp_path / "export.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's older exporter
        export_onnx_qcdq(module, torch.randn(1, *SHAPE), str(path), opset_version=13, dynamo=False)
    data = np.random.default_rng(1).normal(0, 1, (64, *SHAPE)).astype(np.float32)
    network, tally = compare(onnx.load(path), tmp_path, data[:3])
    assert tally.quantized > 0
    kernels = [node.op.weights for node in network.graph.nodes if isinstance(node.op, Conv)]
    assert max(weights.hi for weights in kernels) <= (7 if build is narrow else 127)
    found = compare_with(network, read_source(path), execute(path, data), network.encode(data))
    assert all(layer.is_equal for layer in found.layers)
    assert found.outside == 0
    assert not found.beyond
