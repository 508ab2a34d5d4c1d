"""What a model becomes, one layer a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lutloom.console.joins import show_joins
from lutloom.console.terminal import say, show, shown
from lutloom.core.counts import counted
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.core.network import Network
    from lutloom.core.ports import InputPort, OutputPort
    from lutloom.inspection import Inspection, Layer


def show_inspection(result: Inspection) -> None:
    """Print the layers of a model."""
    from lutloom.inspection import step_name

    network = result.network
    show(
        (
            Column("layer", Kind.NAME),
            Column("operator", Kind.WORDS),
            Column("from", Kind.WORDS, is_spare=True),
            Column("to"),
            Column("integers", Kind.TEXT, is_spare=True),
            *map(Column, ("bits", "weights", "MACs")),
        ),
        (
            (
                layer.name,
                f"{layer.operator} {layer.window}".rstrip(),
                ", ".join(_size(type_.shape) for type_ in layer.inputs),
                _size(layer.output.shape),
                str(layer.output.element).removeprefix("int<").removesuffix(">"),
                str(layer.output.element.bits),
                _factors(layer),
                f"{layer.macs:,}" if layer.macs else "",
            )
            for layer in result.layers
        ),
    )
    show_joins(result.joins, "for one result")
    for port in network.inputs:
        of = f" {port.name}" if len(network.inputs) > 1 else ""
        steps = ", ".join(map(step_name, port.head)) or "nothing: raw integers go in"
        say(f"on the host, before{of}", steps)
    for out in network.outputs:
        of = f" {out.name}" if len(network.outputs) > 1 else ""
        say(f"on the host, behind{of}", ", ".join(map(step_name, out.tail)) or "nothing")
    say(
        "on the FPGA",
        f"{counted(result.weights, 'weight')}, {counted(result.weight_bits, 'bit')},"
        f" {counted(result.macs, 'MAC')}",
    )
    say_widest(result.widest_sum)
    say("model", f"{_ports(network.inputs)} to {_ports(network.outputs)}")
    say("integers that go in", ", ".join(_integers(network, port) for port in network.inputs))
    if result.qonnx is not None:
        say("integer graph", str(result.qonnx))


def say_widest(layer: Layer | None) -> None:
    """Print the layer with the widest sum, if any layer sums."""
    if layer is not None:
        say("widest sum", f"{counted(layer.accumulator_bits, 'bit')}, {shown(layer.name)}")


def _integers(network: Network, port: InputPort) -> str:
    """Return the integers that go in, and what one step of them stands for if that is one thing."""
    integers, meaning = network.graph.inputs[port.value].element, network.meaning[port.value]
    is_plain = not port.is_raw or len(meaning.scale) > 1 or meaning.scale[0] == 1
    return f"{integers}" if is_plain else f"{integers} times {meaning.scale[0]}"


def _factors(layer: Layer) -> str:
    if layer.weights:
        return f"{layer.weights:,} x {layer.weight_bits} bit"
    return f"multipliers: {layer.multiplier_bits} bit" if layer.multiplier_bits else ""


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "1"


def _ports(ports: Sequence[InputPort] | Sequence[OutputPort]) -> str:
    """Return the shapes of the model's inputs or outputs, of several with their names."""
    return ", ".join(
        f"{f'{port.name} ' if len(ports) > 1 else ''}[{', '.join(['N', *map(str, port.shape)])}]"
        for port in ports
    )
