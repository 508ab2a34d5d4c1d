"""``inspect``: what a model is, and what of it runs where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.core.files import OutputError
from lutloom.input_type import raw_input

if TYPE_CHECKING:
    from lutloom.core.graph import Graph, Node
    from lutloom.core.host import HostStep
    from lutloom.core.network import Network
    from lutloom.core.types import TensorType


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator of the integer graph."""

    name: str
    operator: str
    inputs: tuple[TensorType, ...]
    output: TensorType
    weights: int
    weight_bits: int
    macs: int
    multiplier_bits: int
    """Of the magnitudes of what its integers are multiplied by, to be added or compared: 0 if that
    is no more than a sign."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """What ``inspect`` found: the layers on the FPGA, and the steps on the host around them."""

    model: Path
    network: Network
    layers: tuple[Layer, ...]
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


def inspect(
    model: str | Path,
    *,
    input_type: str | None = None,
    input_scale: str | None = None,
    input_bias: str | None = None,
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
        tuple(_layer(network.graph, node) for node in network.graph.nodes),
        tuple(map(_step, network.head)),
        tuple(map(_step, network.tail)),
        None if qonnx is None else Path(qonnx),
    )


def _step(step: HostStep) -> str:
    """Return what a step on the host does, in a word or two."""
    from lutloom.core.host import Binary, Unary

    if isinstance(step, Binary | Unary):
        return str(step.kind.value)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(step).__name__).lower()


def _layer(graph: Graph, node: Node) -> Layer:
    from lutloom.core.ops import Add, Linear, Requantize
    from lutloom.core.ops.requantize import numbers
    from lutloom.core.types import IntType

    output = graph.types[node.name]
    weights = weight_bits = macs = multiplier = 0
    if isinstance(node.op, Add):
        multiplier = max(-node.op.multipliers.lo, node.op.multipliers.hi)
    elif isinstance(node.op, Requantize):
        multiplier = max(abs(int(m)) for m in numbers(node.op.multipliers))
    if isinstance(node.op, Linear):
        const = node.op.weights
        weights = const.data.size
        magnitudes = {abs(const.lo), abs(const.hi)}
        is_bipolar = magnitudes == {1} and 0 not in const.data
        weight_bits = 1 if is_bipolar else IntType(const.lo, const.hi).bits
        macs = weights * (output.size // output.channels)
    return Layer(
        node.name,
        node.op.name,
        tuple(graph.types[name] for name in node.inputs),
        output,
        weights,
        weight_bits,
        macs,
        multiplier.bit_length() if multiplier > 1 else 0,
    )
