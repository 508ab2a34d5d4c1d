"""Read an ONNX file into plain frozen values. The one reader of files in this package.

What comes out is close to the file: nodes with their attributes as Python values, constants as
NumPy arrays, in an order in which every tensor is defined before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.errors import ModelError, ModelFileError

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"
Attribute: TypeAlias = "int | float | str | tuple[int, ...] | tuple[float, ...] | Array"

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
QUANTIZER_DOMAINS = frozenset(
    {"qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas"}
)


@dataclass(frozen=True, slots=True, eq=False)
class SourceNode:
    """One node of the file."""

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    """Tensor names; an omitted optional input is the empty string."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    def __str__(self) -> str:
        return f"{self.op_type} node {show(self.name)}"

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise ModelError(f"{self}: the attribute '{name}' should be an integer, not {value!r}")
        return value

    def number(self, name: str, default: float) -> float:
        """Return a float attribute, exactly as the float32 that the file holds."""
        value = self.attributes.get(name, default)
        if not isinstance(value, (int, float)):
            raise ModelError(f"{self}: the attribute '{name}' should be a number, not {value!r}")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise ModelError(f"{self}: the attribute '{name}' should be a string, not {value!r}")
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Return an attribute that is a list of integers, or None where it is absent."""
        value = self.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, tuple) or not all(isinstance(item, int) for item in value):
            raise ModelError(f"{self}: the attribute '{name}' should be integers, not {value!r}")
        return tuple(int(item) for item in value)


@dataclass(frozen=True, slots=True, eq=False)
class Port:
    """An input or output of the model. ``shape`` begins with the batch; None where it is open."""

    name: str
    shape: tuple[int | None, ...] | None
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A model as it stands in its file."""

    path: Path
    opset: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: tuple[SourceNode, ...]
    constants: Mapping[str, Array]
    datatypes: Mapping[str, str]
    """Annotated datatypes (``finn_datatype``) by tensor."""


def show(name: str) -> str:
    """Return ``name`` for a message: quoted, without control characters, of readable length."""
    readable = name if len(name) <= 80 else name[:77] + "..."
    return "'" + readable.encode("unicode_escape").decode("ascii") + "'"


def read_source(path: Path) -> Source:
    """Read the model at ``path``; weights beside the file (external data) are read too.

    Raises ``ModelFileError`` if it is no readable model, ``ModelError`` if it holds what no
    model for this program may hold (subgraphs, functions, sparse constants, cycles).
    """
    model = load_model(path)
    graph = model.graph
    if not graph.node:
        raise ModelFileError(f"{path} holds no nodes: is it an ONNX model?")
    if model.functions:
        raise ModelError(f"{path} defines functions: inline them (onnx.inliner) and export again")
    if not all(isinstance(text, str) for text in _texts(graph)):
        raise ModelFileError(f"{path} holds a name that is no text: the file is damaged")
    constants = _constants(path, graph)
    nodes = _sorted(path, _nodes(graph), constants, graph)
    defined = {name for node in nodes for name in node.outputs}.union(
        constants, (port.name for port in graph.input)
    )
    for port in graph.output:
        if port.name not in defined:
            raise ModelFileError(
                f"{path}: its output {show(port.name)} is one that nothing defines"
            )
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    return Source(
        path=path,
        opset=opsets.get("", opsets.get("ai.onnx", 9)),
        inputs=tuple(_port(port) for port in graph.input if port.name not in constants),
        outputs=tuple(_port(port) for port in graph.output),
        nodes=nodes,
        constants=constants,
        datatypes={
            entry.tensor_name: pair.value
            for entry in graph.quantization_annotation
            for pair in entry.quant_parameter_tensor_names
            if pair.key == "finn_datatype"
        },
    )


def load_model(path: Path) -> onnx.ModelProto:
    """Read ``path`` as a protocol buffer, external data included.

    Raises ``ModelFileError`` if it is no readable model.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if path.is_dir():
        raise ModelFileError(f"{path} is a directory: name the .onnx file")
    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except FileNotFoundError as error:
        raise ModelFileError(f"{path} does not exist") from error
    except (OSError, DecodeError, ValueError) as error:
        raise ModelFileError(
            f"{path} can't be read as an ONNX model, it is damaged or cut off: {error}"
        ) from error
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # onnx raises half a dozen unrelated classes here
        raise ModelFileError(
            f"{path}: its external data can't be read: {str(error).splitlines()[0]}"
        ) from error
    return model


def _texts(graph: onnx.GraphProto) -> Iterator[object]:
    """Yield every name in the file; protobuf gives bytes where they are no UTF-8."""
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (entry.name for entry in node.attribute)
    for named in (*graph.input, *graph.output, *graph.initializer):
        yield named.name
    for annotation in graph.quantization_annotation:
        yield annotation.tensor_name
        for pair in annotation.quant_parameter_tensor_names:
            yield from (pair.key, pair.value)


def _constants(path: Path, graph: onnx.GraphProto) -> dict[str, Array]:
    from onnx import numpy_helper

    if graph.sparse_initializer:
        raise ModelError(f"{path} holds sparse constants: export them dense")
    constants: dict[str, Array] = {}
    for tensor in graph.initializer:
        try:
            array = numpy_helper.to_array(tensor)
        except Exception as error:  # as above: truncated or mistyped contents
            raise ModelFileError(
                f"{path}: the constant {show(tensor.name)} is damaged: {error}"
            ) from error
        if tensor.name in constants:
            raise ModelFileError(f"{path} defines the constant {show(tensor.name)} twice")
        array.setflags(write=False)
        constants[tensor.name] = array
    return constants


def _port(value: onnx.ValueInfoProto) -> Port:
    from onnx import helper

    tensor = value.type.tensor_type
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    except (KeyError, TypeError) as error:
        raise ModelError(f"{show(value.name)} is no tensor of numbers") from error
    if not tensor.HasField("shape"):
        return Port(value.name, None, dtype)
    dims = tuple(
        int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in tensor.shape.dim
    )
    return Port(value.name, dims, dtype)


def _nodes(graph: onnx.GraphProto) -> list[SourceNode]:
    return [
        SourceNode(
            name=node.name or (node.output[0] if node.output else f"{node.op_type}_{index}"),
            op_type=node.op_type,
            domain=node.domain,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes={entry.name: _attribute(node, entry) for entry in node.attribute},
        )
        for index, node in enumerate(graph.node)
    ]


def _attribute(node: onnx.NodeProto, entry: onnx.AttributeProto) -> Attribute:
    from onnx import AttributeProto, numpy_helper

    where = f"{node.op_type} node {show(node.name)}"
    match entry.type:
        case AttributeProto.INT:
            return int(entry.i)
        case AttributeProto.FLOAT:
            return float(entry.f)
        case AttributeProto.STRING:
            return bytes(entry.s).decode("utf-8", "replace")
        case AttributeProto.INTS:
            return tuple(int(item) for item in entry.ints)
        case AttributeProto.FLOATS:
            return tuple(float(item) for item in entry.floats)
        case AttributeProto.TENSOR:
            try:
                return numpy_helper.to_array(entry.t)
            except Exception as error:  # as for constants
                raise ModelFileError(
                    f"{where}: its attribute {show(entry.name)} is damaged: {error}"
                ) from error
        case AttributeProto.GRAPH | AttributeProto.GRAPHS:
            raise ModelError(
                f"{where} holds a subgraph: control flow has no dataflow hardware;"
                " export the model without it"
            )
    raise ModelError(f"{where}: the attribute '{entry.name}' is of a kind that isn't supported")


def _sorted(
    path: Path, nodes: list[SourceNode], constants: Mapping[str, Array], graph: onnx.GraphProto
) -> tuple[SourceNode, ...]:
    """Return ``nodes`` in topological order, in the file's own where that is one."""
    defined = set(constants) | {port.name for port in graph.input} | {""}
    producers: dict[str, SourceNode] = {}
    for node in nodes:
        for name in node.outputs:
            if name and (name in producers or name in defined):
                raise ModelFileError(f"{path} defines the tensor {show(name)} twice")
            producers[name] = node
    for node in nodes:
        for name in node.inputs:
            if name not in defined and name not in producers:
                raise ModelFileError(f"{path}: {node} reads {show(name)}, which nothing defines")
    ordered: list[SourceNode] = []
    waiting = nodes
    while waiting:
        later = []
        for node in waiting:
            if all(name in defined for name in node.inputs):
                ordered.append(node)
                defined.update(node.outputs)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise ModelFileError(f"{path}: {later[0]} depends on its own result")
        waiting = later
    return tuple(ordered)


def whole_model(path: Path) -> bytes:
    """Return the model at ``path`` as one file: weights that lie beside it are taken in.

    Raises ``ModelFileError`` if it can't be read, or is larger than a file of its kind can be.
    """
    model = load_model(path)
    try:
        return bytes(model.SerializeToString(deterministic=True))
    except ValueError as error:  # protocol buffers end at 2 GB
        raise ModelFileError(f"{path} is too large for one ONNX file: {error}") from error
