"""Pools of Brevitas, by both of torch's exporters: equal to the interpreter and to Brevitas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import onnx
import torch
from torch import nn

from lutloom.qat.brevitas_parts import (
    QuantIdentity,
    QuantReLU,
    TruncAdaptiveAvgPool2d,
    TruncAvgPool2d,
)
from lutloom.qat.export import export_qonnx
from lutloom.qat.quantizers import activation_quantizer, fixed_point_quantizer, relu_quantizer
from lutloom.sim.reference import run
from lutloom.streamline.executor import execute
from tests.exact import compare
from tests.models import write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SHAPE = (3, 8, 9)


def data(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.6, (24, *SHAPE)).astype(np.float32)


def signed(bits: int = 4) -> nn.Module:
    """Return a quantizer whose scale is a power of two."""
    module: nn.Module = QuantIdentity(
        act_quant=fixed_point_quantizer(bits), return_quant_tensor=True
    )
    return module


def unsigned(bits: int = 4) -> nn.Module:
    """Return a quantizer whose scale, 1 / 15 for four bits, is none."""
    module: nn.Module = QuantReLU(act_quant=relu_quantizer(bits), return_quant_tensor=True)
    return module


def truncated(kernel: int, stride: int, bits: int, mode: str = "ROUND") -> nn.Module:
    module: nn.Module = TruncAvgPool2d(kernel, stride, bit_width=bits, float_to_int_impl_type=mode)
    return module


def adaptive(bits: int) -> nn.Module:
    module: nn.Module = TruncAdaptiveAvgPool2d(1, bit_width=bits)
    return module


POOLS: Mapping[str, Callable[[], list[nn.Module]]] = {
    "truncated mean": lambda: [truncated(2, 2, 4)],
    "truncated mean of nine": lambda: [truncated(3, 2, 5)],
    "truncated mean, rounded down": lambda: [truncated(2, 2, 8, "FLOOR"), signed(6)],
    "truncated mean, rounded up": lambda: [truncated(3, 3, 4, "CEIL")],
    "truncated global mean": lambda: [adaptive(5)],
    "two truncated means": lambda: [truncated(2, 1, 6), truncated(2, 2, 4)],
    "mean": lambda: [nn.AvgPool2d(2), signed(6)],
    "padded mean": lambda: [nn.AvgPool2d(3, 2, 1), signed(6)],
    "padded mean of pixels only": lambda: [
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), signed(5),
    ],
    "global mean": lambda: [nn.AdaptiveAvgPool2d(1), signed(7)],
    "maximum": lambda: [nn.MaxPool2d(3, 2, 1, ceil_mode=True)],
    "dilated maximum": lambda: [nn.MaxPool2d(2, 1, dilation=3)],
    "global maximum": lambda: [nn.AdaptiveMaxPool2d(1)],
}  # fmt: skip
TRUNCATED = tuple(name for name in POOLS if "truncated" in name)


class Values(nn.Module):
    """The numbers of a tensor, without what Brevitas knows about them."""

    def forward(self, x: Any) -> torch.Tensor:  # noqa: ANN401 - a tensor, or a quantized one
        values: torch.Tensor = x if isinstance(x, torch.Tensor) else x.value
        return values


def exported(
    directory: Path, *layers: nn.Module, dynamo: bool = False
) -> tuple[nn.Module, onnx.ModelProto]:
    """Return a calibrated network of ``layers``, and the file that it is written to."""
    network = nn.Sequential(*layers, Values()).train()
    network(torch.from_numpy(data(1)))
    path = export_qonnx(network.eval(), directory / "model.onnx", SHAPE, dynamo=dynamo)
    return network, onnx.load(path)


@pytest.mark.parametrize("name", POOLS)
def test_pools_are_exact_and_brevitas_agrees_where_floats_make_no_error(
    name: str, tmp_path: Path
) -> None:
    """Scales are powers of two, but of means of nine: a rounding repairs those that are shifted."""
    network, model = exported(tmp_path, signed(), *POOLS[name]())
    lowered, _ = compare(model, tmp_path, data()[:4])
    values = run(lowered.graph, {lowered.input_value: lowered.encode(data())})
    ours = lowered.decode(values[lowered.output_value])
    with torch.no_grad():
        theirs = network(torch.from_numpy(data())).numpy()
    assert (ours == theirs).all()
    tensors = execute(write(model, tmp_path), data())
    assert (ours == tensors[model.graph.output[0].name]).all()


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_means_of_any_scale_are_exact(name: str, tmp_path: Path) -> None:
    _, model = exported(tmp_path, unsigned(), *POOLS[name]())
    compare(model, tmp_path, data()[:6])


@pytest.mark.parametrize(
    "name", ["truncated mean of nine", "truncated global mean", "padded mean of pixels only"]
)
def test_the_exporter_on_torch_export_writes_pools_too(name: str, tmp_path: Path) -> None:
    _, model = exported(tmp_path, unsigned(), *POOLS[name](), dynamo=True)
    compare(model, tmp_path, data()[:6])


def test_bipolar_pixels_are_pooled(tmp_path: Path) -> None:
    quantizer = QuantIdentity(act_quant=activation_quantizer(1), return_quant_tensor=True)
    _, model = exported(tmp_path, quantizer, nn.MaxPool2d(2))
    network, _ = compare(model, tmp_path, data()[:6])
    assert network.graph.types[network.output_value].element.bits == 1
