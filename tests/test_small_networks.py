"""Small networks, each of which another tool refuses or gets wrong somewhere: all are right here.

Each is a convolution, a pooling or a few branches in a Brevitas model, exported, compiled, and
compared: the integer graph with qonnx's executor and with the exact interpreter, the processes with
the graph, and the compiled C++ with the processes, on every stream and with bounded FIFOs.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch
from torch import nn

import lutloom
from lutloom.qat.brevitas_parts import (
    Int32Bias,
    QuantConv2d,
    QuantConvTranspose2d,
    QuantReLU,
    TruncAdaptiveAvgPool2d,
    TruncAvgPool2d,
    Uint8ActPerTensorFloat,
)
from lutloom.qat.calibration import calibrate, random_images, variety
from lutloom.qat.export import export_qonnx
from lutloom.qat.models.blocks import (
    added,
    block,
    conv1d,
    conv2d,
    joined,
    linear,
)
from lutloom.qat.quantizers import weight_quantizer
from lutloom.qat.run import values_of
from lutloom.sim.csim import build as build_simulation
from lutloom.sim.reference import run
from tests.engines import check_engine
from tests.qat.bits import activation, signed, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.build import Build

IMAGE, SIGNAL = (4, 12, 11), (4, 20)
CHANNELS = 4


def ten_bits() -> nn.Module:
    module: nn.Module = QuantReLU(
        act_quant=Uint8ActPerTensorFloat, bit_width=10, return_quant_tensor=True
    )
    return module


def conv(
    bits: int = 4, kernel: int | tuple[int, int] = 3, quantize: nn.Module | None = None, **how: int
) -> nn.Module:
    """Return a convolution, its batch norm, and ``quantize`` or a ReLU of four bits."""
    layer = conv2d(CHANNELS, CHANNELS, kernel, weights(bits), **how)
    return block(layer, quantize or activation(4))


def bipolar(**how: int) -> list[nn.Module]:
    """Return a binarized convolution of a binarized image."""
    return [activation(1), conv(1, quantize=activation(1), **how)]


def dilated() -> list[nn.Module]:
    layer = QuantConv2d(
        CHANNELS,
        CHANNELS,
        3,
        stride=2,
        dilation=2,
        bias=False,
        weight_quant=weight_quantizer(weights(1)),
    )
    return [activation(1), block(layer, activation(1))]


def transposed() -> list[nn.Module]:
    layer = QuantConvTranspose2d(
        CHANNELS,
        CHANNELS,
        3,
        stride=2,
        padding=1,
        output_padding=1,
        bias=False,
        weight_quant=weight_quantizer(weights(4)),
    )
    return [signed(4), nn.MaxPool2d(2), layer, nn.BatchNorm2d(CHANNELS), activation(4)]


def biased() -> list[nn.Module]:
    """Return a convolution with a quantized bias and no batch norm."""
    layer = QuantConv2d(
        CHANNELS,
        CHANNELS,
        3,
        bias=True,
        bias_quant=Int32Bias,
        weight_quant=weight_quantizer(weights(4)),
    )
    return [signed(4), layer, activation(4)]


class Residual(nn.Module):
    """The sum of what comes and of its convolution, each quantized, quantized again."""

    def __init__(self, passing: nn.Module, branch: nn.Module, end: nn.Module) -> None:
        super().__init__()
        self.passing, self.branch = passing, conv(quantize=branch, padding=1)
        self.end = end

    def forward(self, x: object) -> object:
        x = self.passing(x)
        return self.end(added(self.branch(x), x))


class Joined(nn.Module):
    """The channels of two convolutions, one after the other, and a convolution of them."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = conv(quantize=first, padding=1)
        self.second = conv(quantize=second, kernel=1)
        self.both = block(conv2d(2 * CHANNELS, CHANNELS, 3, weights(4)), activation(4))

    def forward(self, x: object) -> object:
        return self.both(joined(self.first(x), self.second(x)))


def shared_residual(quantizer: nn.Module) -> list[nn.Module]:
    """Return a residual block whose branches share ``quantizer``."""
    return [signed(4), conv(), Residual(quantizer, quantizer, activation(4))]


def plain(module: nn.Module) -> nn.Module:
    """Return ``module``, one of torch's own, behind what makes plain tensors of Brevitas'."""
    return nn.Sequential(Plain(), module)


class Plain(nn.Module):
    def forward(self, x: object) -> torch.Tensor:
        return values_of(x)


NETWORKS: Mapping[str, Callable[[], list[nn.Module]]] = {
    # elsewhere other numbers, without a word
    "padded bipolar convolution": lambda: bipolar(padding=1),
    "depthwise bipolar convolution": lambda: bipolar(padding=1, groups=CHANNELS),
    "grouped bipolar convolution": lambda: bipolar(groups=2),
    # right elsewhere too
    "weights with a scale a channel": lambda: [signed(4), conv(4)],
    "maximum of 2x2": lambda: [signed(4), conv(), nn.MaxPool2d(2)],
    "maximum of 3x3, stride 2, padded": lambda: [signed(4), conv(), nn.MaxPool2d(3, 2, 1)],
    "depthwise convolution": lambda: [signed(4), conv(groups=CHANNELS, padding=1)],
    "signed activations": lambda: [signed(4), conv(quantize=signed(4), padding=1)],
    "ternary weights, two bits": lambda: [signed(2), conv(2, quantize=activation(2))],
    "activations of 8 bits": lambda: [signed(8), conv(quantize=activation(8))],
    "stride 2, padded": lambda: [signed(4), conv(stride=2, padding=1)],
    "flatten between convolution and layer": lambda: [
        signed(4), conv(), nn.Flatten(), block(linear(CHANNELS * 90, 6, weights(4)), activation(4)),
    ],
    "bipolar convolution, stride 2, dilation 2": dilated,
    "kernel that is no square": lambda: [signed(4), conv(kernel=(1, 5))],
    # refused elsewhere
    "maximum of 2x2, stride 3": lambda: [signed(4), conv(), nn.MaxPool2d(2, 3)],
    "maximum of 3x3, padded, of signed activations": lambda: [
        signed(4), conv(quantize=signed(4)), nn.MaxPool2d(3, 2, 1),
    ],
    "mean in floats": lambda: [signed(4), conv(), nn.AvgPool2d(2)],
    "truncated mean": lambda: [signed(4), conv(), TruncAvgPool2d(2, bit_width=4)],
    "global mean": lambda: [signed(4), conv(), TruncAdaptiveAvgPool2d(1, bit_width=8)],
    "transposed convolution": transposed,
    "activations of 10 bits": lambda: [signed(4), conv(quantize=ten_bits())],
    "uneven padding": lambda: [signed(4), nn.ZeroPad2d((2, 1, 0, 3)), conv()],
    "convolution of a signal": lambda: [
        signed(4), block(conv1d(CHANNELS, CHANNELS, 3, weights(4), padding=1), activation(4)),
        nn.MaxPool1d(2),
    ],
    "grouped convolution": lambda: [signed(4), conv(groups=2, padding=1)],
    "quantized bias without batch norm": biased,
    "residual block with a shared quantizer": lambda: shared_residual(activation(4)),
    "signed residual": lambda: shared_residual(signed(4)),
    "concatenation with a shared quantizer": lambda: [signed(4), Joined(*[activation(4)] * 2)],
    "residual block and concatenation whose scales meet": lambda: [
        signed(4),
        Residual(activation(4), signed(4, 0.73), activation(4)),
        Joined(activation(4), signed(4, 0.73)),
    ],
    "global mean in floats": lambda: [signed(4), conv(), plain(nn.AdaptiveAvgPool2d(1))],
    "residual block, concatenation and global mean": lambda: [
        *shared_residual(activation(4)), Joined(*[signed(4)] * 2), plain(nn.AdaptiveAvgPool2d(1)),
    ],
    "nearest upsampling": lambda: [
        signed(4), conv(), plain(nn.Upsample(scale_factor=2, mode="nearest")), conv(stride=2),
    ],
    "nearest upsampling by two factors": lambda: [
        signed(4), conv(stride=2), plain(nn.Upsample(scale_factor=(3.0, 2.0))), conv(stride=2),
    ],
}  # fmt: skip
BOTH = ("uneven padding", "convolution of a signal", "truncated mean", "nearest upsampling")
WITH_FIFOS = (
    *("padded bipolar convolution", "depthwise convolution", "uneven padding"),
    *("residual block with a shared quantizer", "concatenation with a shared quantizer"),
    *("residual block, concatenation and global mean", "nearest upsampling by two factors"),
)


def made(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """Return the calibrated network and the shape of its input."""
    torch.manual_seed(0)
    shape = SIGNAL if name == "convolution of a signal" else IMAGE
    features = nn.Sequential(*NETWORKS[name](), nn.Flatten())
    outputs = features.eval()(torch.zeros(1, *shape))
    width = (outputs if isinstance(outputs, torch.Tensor) else outputs.value).shape[1]
    model = nn.Sequential(*features, linear(width, 5, weights(4)))
    calibrate(model, floats(integers(shape, 32)))
    return model, shape


def integers(shape: tuple[int, ...], count: int) -> NDArray[np.int64]:
    return random_images(shape, count).astype(np.int64) - 128


def floats(x: NDArray[np.int64]) -> NDArray[np.float32]:
    return (x / 128).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "dynamo"),
    [*((name, False) for name in NETWORKS), *((name, True) for name in BOTH)],
)
def test_the_graph_its_processes_and_the_cpp_compute_what_the_model_does(
    tmp_path: Path, name: str, dynamo: bool
) -> None:
    model, shape = made(name)
    data = integers(shape, 24)
    path = export_qonnx(model, tmp_path / "m.onnx", shape, dynamo=dynamo)
    build = lutloom.compile(
        path, tmp_path / "build", input_type="int8", input_scale="1/128", data=data
    )
    result = lutloom.verify(build, data, samples=24, exact=6, csim=False)
    assert result.passed, result.first_failure
    found = variety(model, floats(data))
    assert all(use.used > 1 for use in found.activations)
    assert len(found.classes) > 1
    if not dynamo:
        compiled_equals_reference(build, build.network.encode(data), bounded=name in WITH_FIFOS)


def compiled_equals_reference(build: Build, inputs: NDArray[np.int64], *, bounded: bool) -> None:
    """Check every stream of the compiled C++; if ``bounded``, its FIFOs are as deep as planned."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    simulation = build_simulation(build.directory, bounded=bounded)
    expected = run(build.processes, {build.network.input_value: inputs})
    for name, found in simulation.trace(inputs).items():
        assert np.array_equal(found, expected[name]), name
    for graph in (build.network.graph, build.processes):
        check_engine(graph, {build.network.input_value: inputs})
