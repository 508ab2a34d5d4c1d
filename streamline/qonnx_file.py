"""The integer graph as a QONNX file, for qonnx's executor, Netron and FINN to read.

    linear      MatMul with integer weights          reshape    Reshape
    threshold   MultiThreshold, on -x where it falls permute    Transpose
    add         Mul by multipliers, Add              top_k      TopK
    duplicate   Identity

Exact: all values, thresholds and partial sums, in whatever order they are added, are integers
below 2^24 in magnitude, which float32 holds and adds without rounding. A graph with others is
refused: the node, and why. What the host does before and behind rounds, and is not in the file.

Data are channels-last, behind an open batch; the datatype of every tensor is annotated
(``finn_datatype``), and what it means as reals stands in its documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import LutloomError
from lutloom.core.files import write_file
from lutloom.core.ops import (
    Add,
    Duplicate,
    Linear,
    MatVec,
    Permute,
    Reshape,
    Threshold,
    TopK,
)
from lutloom.core.types import IntType, TensorType
from lutloom.streamline.finn_datatypes import datatype_name
from lutloom.streamline.up_steps import NotUpStepsError, up_steps

if TYPE_CHECKING:
    from pathlib import Path

    import onnx
    from numpy.typing import NDArray

    from lutloom.core.graph import Graph, Node
    from lutloom.core.meaning import Meaning, ValueMeaning
    from lutloom.core.network import Network
    from lutloom.core.types import Const

# float32 holds every integer up to this magnitude, and this one is not reached.
_LIMIT = 2**24
_OPSET, _IR_VERSION = 13, 8
_QONNX = "qonnx.custom_op.general"
# The layouts of channels-last data, by the number of dimensions without the batch.
_LAYOUTS = {1: "NC", 2: "NWC", 3: "NHWC", 4: "NDHWC"}


class NotQonnxError(LutloomError, ValueError):
    """A graph that QONNX can't say exactly: the node, and why."""


def write_qonnx(network: Network, path: Path) -> None:
    """Write the integer graph of ``network`` to ``path`` as a QONNX file, in one step.

    Raises ``NotQonnxError`` where QONNX can't say it, and ``OutputError`` where the file can't be
    written; what was at ``path`` then stays.
    """
    try:
        data = qonnx_model(network.graph, network.meaning).SerializeToString(deterministic=True)
    except ValueError as error:  # protocol buffers end at 2 GB
        if isinstance(error, NotQonnxError):
            raise
        raise NotQonnxError(f"the graph is too large for one ONNX file: {error}") from error
    write_file(path, bytes(data))


def qonnx_model(graph: Graph, meaning: Meaning) -> onnx.ModelProto:
    """Return ``graph`` as a QONNX model whose tensors have the names of its values.

    Inputs and outputs are ``[batch, *shape]``, float32 that hold integers; indices are int64.
    Raises ``NotQonnxError`` as above.
    """
    from onnx import helper

    writer = _Writer(graph, meaning)
    outputs = tuple(dict.fromkeys(graph.outputs))
    if "" in graph.types:
        raise NotQonnxError("QONNX can't say a value without a name")
    for name in outputs:
        if name in graph.inputs:
            raise NotQonnxError(f"QONNX can't say a graph whose output {name} is its input")
    for name, type_ in graph.inputs.items():
        _check_size(name, type_.element)
    for node in graph.nodes:
        for name in node.results:
            _check_size(str(node), graph.types[name].element)
        writer.write(node)
    inner = [name for name in graph.types if name not in {*graph.inputs, *outputs}]
    written = helper.make_graph(
        writer.nodes,
        "integers",
        [writer.port(name) for name in graph.inputs],
        [writer.port(name) for name in outputs],
        writer.constants,
        value_info=[*map(writer.port, inner), *writer.helpers],
        doc_string="The integers between the host's parts of a network that lutloom streamlined.",
    )
    written.quantization_annotation.extend(
        writer.annotation(name, type_.element) for name, type_ in graph.types.items()
    )
    written.quantization_annotation.extend(writer.annotations)
    return helper.make_model(
        written,
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_QONNX, 1)],
        ir_version=_IR_VERSION,
        producer_name="lutloom",
    )


def _check_size(what: str, type_: IntType) -> None:
    largest = max(-type_.lo, type_.hi)
    if largest >= _LIMIT:
        raise NotQonnxError(
            f"QONNX can't say {what} exactly: its integers reach {largest:,}, and float32 holds all"
            " integers below 2^24 only"
        )


@dataclass(eq=False)
class _Writer:
    """The file while it is being written."""

    graph: Graph
    meaning: Meaning
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    helpers: list[onnx.ValueInfoProto] = field(default_factory=list)
    """Values that are none of the graph's: terms of a sum, what a falling threshold reads."""
    annotations: list[onnx.TensorAnnotation] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)
    _indices: set[str] = field(default_factory=set)
    """Values that TopK made, which are int64."""

    def __post_init__(self) -> None:
        self._names.update(self.graph.types)

    def port(self, name: str) -> onnx.ValueInfoProto:
        """Return name, type and shape of a value, and what it means."""
        return self._info(name, self.graph.types[name], _documented(self.meaning.get(name)))

    def annotation(self, name: str, type_: IntType) -> onnx.TensorAnnotation:
        """Return the annotation of a tensor with its datatype."""
        from onnx import StringStringEntryProto, TensorAnnotation

        entry = StringStringEntryProto(key="finn_datatype", value=datatype_name(type_))
        return TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[entry])

    def write(self, node: Node) -> None:
        """Write the nodes that compute ``node``."""
        is_moved = isinstance(node.op, Reshape | Permute | Duplicate)
        if is_moved and node.inputs[0] in self._indices:
            self._indices.update(node.results)
        elif not self._indices.isdisjoint(node.inputs):
            raise NotQonnxError(f"QONNX can't say {node}: it computes with the indices of top_k")
        (x, *_), (y, *_) = node.inputs, node.results
        match node.op:
            case Linear(weights=weights):
                self._product(node, weights.data)
            case MatVec(matrix=matrix):
                self._product(node, matrix.data.T)
            case Threshold() as op:
                self._threshold(node, op)
            case Add(multipliers=multipliers):
                self._sum(node, multipliers)
            case Reshape(shape=shape):
                # 0 copies the batch.
                self._node("Reshape", [x, self._shape(f"{y}/shape", (0, *shape))], y)
            case Permute(axes=axes):
                self._node("Transpose", [x], y, perm=[0, *(axis + 1 for axis in axes)])
            case Duplicate():
                for name in node.results:
                    self._node("Identity", [x], name)
            case TopK(k=k):
                values = self._fresh(f"{y}/values")
                inputs = [x, self._shape(f"{y}/k", (k,))]
                self._node("TopK", inputs, values, y, axis=-1, largest=1, sorted=1)
                self._helper(values, self.graph.types[x].element, self.graph.types[y].shape)
                self._indices.add(y)
            case _:
                raise NotQonnxError(f"QONNX has no operator for {node}")

    def _product(self, node: Node, weights: NDArray[Any]) -> None:
        import numpy as np

        x = self.graph.types[node.inputs[0]].element
        magnitudes = np.abs(weights.astype(np.float64)).sum(axis=0)
        self._check_sum(node, float(magnitudes.max()) * max(-x.lo, x.hi))
        name = self._integers(f"{node.name}/weights", weights)
        self._node("MatMul", [node.inputs[0], name], node.name)

    def _check_sum(self, node: Node, reach: float) -> None:
        """Refuse partial sums of magnitude ``reach`` or less, if they leave the limit."""
        if reach >= _LIMIT:
            raise NotQonnxError(
                f"QONNX can't say {node} exactly: its partial sums may reach {reach:,.0f}, and"
                " float32 holds all integers below 2^24 only"
            )

    def _threshold(self, node: Node, op: Threshold) -> None:
        (x,) = node.inputs
        type_ = self.graph.types[x]
        layout = _LAYOUTS.get(len(type_.shape))
        if layout is None:
            raise NotQonnxError(
                f"QONNX can't say {node}: a MultiThreshold takes data of 1 to"
                f" {max(_LAYOUTS)} dimensions besides the batch, not {len(type_.shape)}"
            )
        try:
            steps = up_steps(op, type_.element)
        except NotUpStepsError as error:
            raise NotQonnxError(f"QONNX can't say {node}: {error}") from error
        # The executor multiplies the count before it adds the bias.
        self._check_sum(node, steps.scale * steps.thresholds.shape[1])
        if (steps.signs < 0).any():
            signs = self._integers(f"{node.name}/signs", steps.signs)
            turned = self._fresh(f"{node.name}/signed")
            self._node("Mul", [x, signs], turned)
            lo, hi = type_.element.lo, type_.element.hi
            self._helper(turned, IntType(min(lo, -hi), max(hi, -lo)), type_.shape)
            x = turned
        table = self._integers(f"{node.name}/thresholds", steps.thresholds)
        self._node(
            "MultiThreshold",
            [x, table],
            node.name,
            domain=_QONNX,
            out_dtype=datatype_name(self.graph.types[node.name].element),
            out_scale=float(steps.scale),
            out_bias=float(steps.bias),
            data_layout=layout,
        )

    def _sum(self, node: Node, multipliers: Const) -> None:
        import numpy as np

        elements = [self.graph.types[name].element for name in node.inputs]
        sizes = [max(-element.lo, element.hi) for element in elements]
        reach = np.abs(multipliers.data.astype(np.float64)).T @ np.array(sizes, dtype=np.float64)
        self._check_sum(node, float(reach.max()))
        shape = self.graph.types[node.name].shape
        terms = []
        for index, (name, row) in enumerate(zip(node.inputs, multipliers.data, strict=True)):
            if (row == 1).all():
                terms.append(name)
                continue
            term = self._fresh(f"{node.name}/term{index}")
            self._node("Mul", [name, self._integers(f"{node.name}/multipliers{index}", row)], term)
            size = sizes[index] * int(np.abs(row.astype(np.int64)).max())
            self._helper(term, IntType(-size, size), shape)
            terms.append(term)
        total = terms[0]
        for index, term in enumerate(terms[1:], start=1):
            is_last = index == len(terms) - 1
            result = node.name if is_last else self._fresh(f"{node.name}/sum{index}")
            if not is_last:
                self._helper(result, IntType(-int(reach.max()), int(reach.max())), shape)
            self._node("Add", [total, term], result)
            total = result

    def _node(
        self,
        kind: str,
        inputs: list[str],
        *outputs: str,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401 - whatever ONNX takes
    ) -> None:
        from onnx import helper

        # qonnx keeps names of nodes and of tensors apart, and so the node may be called as its
        # result.
        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name=outputs[-1], domain=domain, **attributes)
        )

    def _integers(self, wanted: str, values: NDArray[Any]) -> str:
        """Add a constant of integers, as float32; return its name."""
        import numpy as np
        from onnx import numpy_helper

        name = self._fresh(wanted)
        # Rows of a matrix that was transposed lie apart; the file holds them in order.
        array = np.ascontiguousarray(values, dtype=np.float32)
        self.constants.append(numpy_helper.from_array(array, name))
        lo, hi = int(values.min()), int(values.max())
        is_bipolar = (lo, hi) == (-1, 1) and not (values == 0).any()
        self.annotations.append(self.annotation(name, IntType(lo, hi, 2 if is_bipolar else 1)))
        return name

    def _shape(self, wanted: str, sizes: tuple[int, ...]) -> str:
        import numpy as np
        from onnx import numpy_helper

        name = self._fresh(wanted)
        self.constants.append(numpy_helper.from_array(np.array(sizes, dtype=np.int64), name))
        return name

    def _helper(self, name: str, element: IntType, shape: tuple[int, ...]) -> None:
        self.helpers.append(self._info(name, TensorType(element, shape), ""))
        self.annotations.append(self.annotation(name, element))

    def _info(self, name: str, type_: TensorType, documentation: str) -> onnx.ValueInfoProto:
        from onnx import TensorProto, helper

        element = TensorProto.INT64 if name in self._indices else TensorProto.FLOAT
        return helper.make_tensor_value_info(
            name, element, ["N", *type_.shape], doc_string=documentation
        )

    def _fresh(self, wanted: str) -> str:
        name = wanted
        while name in self._names:
            name += "'"
        self._names.add(name)
        return name


def _documented(meaning: ValueMeaning | None) -> str:
    """Return what the integers of a value stand for, in words."""
    if meaning is None:
        return ""
    scale, bias = (
        str(numbers[0]) if len(numbers) == 1 else f"{what}[channel]"
        for numbers, what in ((meaning.scale, "scale"), (meaning.bias, "bias"))
    )
    return f"{meaning.tensor} = {scale} * integer + {bias}"
