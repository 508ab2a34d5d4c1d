"""The integer graph as a QONNX file, for qonnx's executor, Netron and others to read.

Exact: all values, thresholds and partial sums, in whatever order they are added, are integers
below 2^24 in magnitude, or such integers times a power of two, which float32 holds and adds without
rounding. A graph with others is refused: the node, and why. What the host does before and behind
rounds, and is not in the file.

Data are channels-last, behind an open batch; the datatype of every tensor is annotated
(``finn_datatype``), and what it means as reals stands in its documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.files import write_file
from lutloom.streamline.qonnx_operators import write_node
from lutloom.streamline.qonnx_site import NotQonnxError, check_size
from lutloom.streamline.qonnx_writer import QONNX, QonnxWriter

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from lutloom.core.graph import Graph
    from lutloom.core.meaning import Meaning, ValueMeaning
    from lutloom.core.network import Network

_OPSET, _IR_VERSION = 13, 8


def write_qonnx(network: Network, path: Path) -> None:
    """Write the integer graph of ``network`` to ``path`` as a QONNX file, in one step.

    Raises ``NotQonnxError`` where QONNX can't say it, and ``OutputError`` where the file can't be
    written; what was at ``path`` then stays.
    """
    model = qonnx_model(network.graph, network.meaning)
    try:
        data = bytes(model.SerializeToString(deterministic=True))
    except ValueError as error:  # protocol buffers end at 2 GB
        raise NotQonnxError(f"the graph is too large for one ONNX file: {error}") from error
    write_file(path, data)


def qonnx_model(graph: Graph, meaning: Meaning) -> onnx.ModelProto:
    """Return ``graph`` as a QONNX model whose tensors have the names of its values.

    Inputs and outputs are ``[batch, *shape]``, float32 that hold integers; indices are int64.
    Raises ``NotQonnxError`` as above.
    """
    from onnx import helper

    outputs = tuple(dict.fromkeys(graph.outputs))
    _check_names(graph)
    writer = QonnxWriter(set(graph.types))
    for name, type_ in graph.inputs.items():
        check_size(name, type_.element)
    for node in graph.nodes:
        for name in node.results:
            check_size(node, graph.types[name].element)
        write_node(writer, node, graph.types)
    for name, type_ in graph.types.items():
        writer.value(name, type_.element, type_.shape, _documented(meaning.get(name)))
    ports = {*graph.inputs, *outputs}
    written = helper.make_graph(
        writer.nodes,
        "integers",
        [writer.values[name] for name in graph.inputs],
        [writer.values[name] for name in outputs],
        writer.constants,
        doc_string="The integers between the host's parts of a network that lutloom streamlined.",
        value_info=[info for name, info in writer.values.items() if name not in ports],
    )
    written.quantization_annotation.extend(writer.annotations)
    return helper.make_model(
        written,
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(QONNX, 1)],
        ir_version=_IR_VERSION,
        producer_name="lutloom",
    )


def _check_names(graph: Graph) -> None:
    if "" in graph.types:
        raise NotQonnxError("QONNX can't say a value without a name")
    for name in graph.outputs:
        if name in graph.inputs:
            raise NotQonnxError(f"QONNX can't say a graph whose output {name} is its input")


def _documented(meaning: ValueMeaning | None) -> str:
    """Return what the integers of a value stand for, in words."""
    if meaning is None:
        return ""
    scale, bias = (
        str(numbers[0]) if len(numbers) == 1 else f"{what}[channel]"
        for numbers, what in ((meaning.scale, "scale"), (meaning.bias, "bias"))
    )
    return f"{meaning.tensor} = {scale} * integer + {bias}"
