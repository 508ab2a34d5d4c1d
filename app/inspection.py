"""``inspect``: what a model is, and what of it runs where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.core.files import OutputError
from lutloom.input_type import raw_input
from lutloom.joins import joins_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.graph import Graph, Node
    from lutloom.core.host import HostStep
    from lutloom.core.network import Network
    from lutloom.core.types import TensorType
    from lutloom.input_type import ByInput
    from lutloom.joins import Join


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator of the integer graph."""

    name: str
    operator: str
    window: str
    """Of an operator with windows: ``3x3``, and its stride, padding, ... where it has any."""
    inputs: tuple[TensorType, ...]
    output: TensorType
    weights: int
    weight_bits: int
    macs: int
    multiplier_bits: int
    """Of the magnitudes of what its integers are multiplied by, to be added or compared: 0 if that
    is no more than a sign."""
    accumulator_bits: int
    """Of the sums that it adds up; 0 if it adds up none."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """What ``inspect`` found: the layers on the FPGA, and the steps on the host around them.

    ``head`` are those of all inputs, ``tail`` of all outputs; the network says which is whose.
    """

    model: Path
    network: Network
    layers: tuple[Layer, ...]
    joins: tuple[Join, ...]
    """Where results meet, and what that costs."""
    head: tuple[str, ...]
    tail: tuple[str, ...]
    qonnx: Path | None
    """The file that the integer graph was written to, if that was asked for."""

    @property
    def weights(self) -> int:
        """Number of weights on the FPGA."""
        return sum(layer.weights for layer in self.layers)

    @property
    def weight_bits(self) -> int:
        """Bits that the weights take."""
        return sum(layer.weights * layer.weight_bits for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations an image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def widest_sum(self) -> Layer | None:
        """The layer with the widest accumulator, the first of equal ones; None without any."""
        return widest_sum(self.layers)


def inspect(
    model: str | Path,
    *,
    input_type: ByInput = None,
    input_scale: ByInput = None,
    input_bias: ByInput = None,
    qonnx: str | Path | None = None,
) -> Inspection:
    """Return what the QONNX file ``model`` becomes; the input's options are those of ``compile``.

    ``qonnx`` is a file to write the integers between the host's parts to, as a QONNX model.

    Raises a ``LutloomError`` naming the node if the model can't be lowered, or if QONNX can't say
    its integers exactly.
    """
    from lutloom.streamline.pipeline import streamline

    model = Path(model)
    if qonnx is not None and model.exists() and Path(qonnx).resolve() == model.resolve():
        raise OutputError(f"{qonnx} is the model itself: write its integers to another file")
    network = streamline(model, raw_input(input_type, input_scale, input_bias))
    if qonnx is not None:
        from lutloom.streamline.qonnx_file import write_qonnx

        write_qonnx(network, Path(qonnx))
    return Inspection(
        model,
        network,
        layers_of(network.graph),
        joins_of(network),
        tuple(step_name(step) for port in network.inputs for step in port.head),
        tuple(step_name(step) for port in network.outputs for step in port.tail),
        None if qonnx is None else Path(qonnx),
    )


def step_name(step: HostStep) -> str:
    """Return what a step on the host does, in a word or two."""
    from lutloom.core.host import Binary, Unary

    if isinstance(step, Binary | Unary):
        return str(step.kind.value)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(step).__name__).lower()


def widest_sum(layers: Sequence[Layer]) -> Layer | None:
    """Return the layer with the widest accumulator, the first of equal ones; None without any."""
    sums = [layer for layer in layers if layer.accumulator_bits]
    return max(sums, key=lambda layer: layer.accumulator_bits, default=None)


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """Return what ``inspect`` says of each operator."""
    return tuple(_layer(graph, node) for node in graph.nodes)


def _layer(graph: Graph, node: Node) -> Layer:
    from lutloom.core.ops import Add, Conv, Linear, Requantize, SumPool
    from lutloom.core.ops.requantize import numbers
    from lutloom.core.types import IntType

    output = graph.types[node.name]
    weights = weight_bits = macs = multiplier = 0
    if isinstance(node.op, Add):
        multiplier = max(-node.op.multipliers.lo, node.op.multipliers.hi)
    elif isinstance(node.op, Requantize):
        multiplier = max(abs(int(m)) for m in numbers(node.op.multipliers))
    if isinstance(node.op, Linear | Conv):
        const = node.op.weights
        weights = const.data.size
        magnitudes = {abs(const.lo), abs(const.hi)}
        is_bipolar = magnitudes == {1} and 0 not in const.data
        weight_bits = 1 if is_bipolar else IntType(const.lo, const.hi).bits
        # Taps on padding are counted, as is usual.
        macs = weights * (output.size // output.channels)
    is_sum = isinstance(node.op, Add | Conv | Linear | SumPool)
    return Layer(
        node.name,
        node.op.name,
        _window(node, graph.types[node.inputs[0]]),
        tuple(graph.types[name] for name in node.inputs),
        output,
        weights,
        weight_bits,
        macs,
        multiplier.bit_length() if multiplier > 1 else 0,
        output.element.bits if is_sum else 0,
    )


def _window(node: Node, x: TensorType) -> str:
    """Return what is to be said of the windows of ``node``, if it has any."""
    from lutloom.core.ops import Conv, MaxPool, SumPool, Window

    if not isinstance(node.op, Conv | MaxPool | SumPool | Window):
        return ""
    windows = node.op.windows
    if windows.kernel == x.shape[:-1] and isinstance(node.op, SumPool | MaxPool):
        return "global"
    said = [_by(windows.kernel)]
    for what, entries, default in (
        ("stride", windows.stride, 1),
        ("dilation", windows.dilation, 1),
        ("spacing", windows.spacing, 1),
        ("pads", windows.pads, 0),
    ):
        if set(entries) == {default}:
            continue
        said.append(f"{what} {entries[0] if len(set(entries)) == 1 else _by(entries)}")
    groups = node.op.groups if isinstance(node.op, Conv | Window) else 1
    if groups > 1:
        said.append("depthwise" if groups == x.channels else f"{groups} groups")
    return ", ".join(said)


def _by(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers))
