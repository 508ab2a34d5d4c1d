"""Read an ONNX file into plain frozen values. The one reader of files in this package.

What comes out is close to the file: nodes with their attributes as Python values, constants as
NumPy arrays, in an order in which every tensor is defined before it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.clipped_quantizers import with_limits
from lutloom.streamline.errors import ModelError, ModelFileError, show
from lutloom.streamline.external_data import LARGEST_FILE, take_in
from lutloom.streamline.local_functions import without_functions
from lutloom.streamline.node_order import in_order
from lutloom.streamline.source_checks import (
    check_format,
    check_input,
    check_words,
    opset_of,
)
from lutloom.streamline.tensors import FOUR_BITS, number_type, to_array, type_name

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"
Attribute: TypeAlias = "int | float | str | tuple[int, ...] | tuple[float, ...] | Array"

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
# The last two were those of FINN and of qonnx's Keras converter, once.
QUANTIZER_DOMAINS = frozenset(
    {"qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas", "finn", "qonnx"}
)

RUNTIME_DOMAINS = frozenset({"com.microsoft"})
"""Of ONNX Runtime's own operators, its quantizers among them."""

_TAKEN_OVER = frozenset({"DequantizeLinear", "QuantizeLinear"})

QUANTIZERS = frozenset(
    {"BipolarQuant", "IntQuant", "MultiThreshold", "Quant", "QuantAvgPool2d", "Trunc"}
)
"""Of those domains' operators the ones whose results are levels of a grid."""

LINEAR_QUANTIZER = "QuantizeLinear"
"""ONNX's own: its results are the levels themselves, and integers."""

INPUTS_OF_SECOND_TRUNC = 6
"""Of ``Trunc`` in its version 2; version 1 has five."""

_LONGEST_VALUE = 60


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
    limits: tuple[int, int] | None = None
    """Of a QuantizeLinear, the ends of its levels where its zero point's type does not say them."""

    def __str__(self) -> str:
        return f"{self.op_type} node {show(self.name)}"

    @property
    def is_quantizer(self) -> bool:
        """Whether its results are levels of a grid."""
        if self.domain in STANDARD_DOMAINS:
            return self.op_type == LINEAR_QUANTIZER
        return self.domain in QUANTIZER_DOMAINS and self.op_type in QUANTIZERS

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise self._wrong(name, "an integer", value)
        return value

    def number(self, name: str, default: float, *, may_be_infinite: bool = False) -> float:
        """Return a float attribute, exactly as the float32 that the file holds."""
        value = self.attributes.get(name, default)
        if not isinstance(value, (int, float)):
            raise self._wrong(name, "a number", value)
        if math.isnan(value) or (math.isinf(value) and not may_be_infinite):
            raise self._wrong(name, "a finite number", value)
        return float(value)

    def _wrong(self, name: str, wanted: str, value: object) -> ModelError:
        found = ascii(value)
        if len(found) > _LONGEST_VALUE:
            found = found[: _LONGEST_VALUE - 3] + "..."
        return ModelError(f"{self}: the attribute '{name}' should be {wanted}, not {found}")

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Return an attribute that is a list of integers, or None where it is absent."""
        value = self.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, tuple) or not all(isinstance(item, int) for item in value):
            raise self._wrong(name, "integers", value)
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
    notes: Mapping[str, str]
    """Metadata: texts by key."""


def read_source(path: Path) -> Source:
    """Read the model at ``path``; weights beside the file (external data) are read too.

    Raises ``ModelFileError`` if it is no readable model, ``ModelError`` if it holds what no
    model for this program may hold (subgraphs, sparse constants, cycles).
    """
    model = load_model(path)
    graph = model.graph
    check_format(path, model.ir_version)
    versions = {e.version for e in model.opset_import if e.domain in STANDARD_DOMAINS}
    opset = opset_of(path, versions)
    if not all(isinstance(text, str) for text in _texts(graph)):
        raise ModelFileError(f"{path} holds a name that is no text: the file is damaged")
    check_words(path, graph)
    constants = _constants(path, graph)
    inputs = [port for port in graph.input if port.name not in constants]
    for port in inputs:
        check_input(path, port)
    nodes = in_order(path, _nodes(path, graph), {*constants, *(port.name for port in graph.input)})
    defined = {name for node in nodes for name in node.outputs}.union(
        constants, (port.name for port in graph.input)
    )
    for port in graph.output:
        if port.name not in defined:
            raise ModelFileError(
                f"{path}: its output {show(port.name)} is one that nothing defines"
            )
    return Source(
        path=path,
        opset=opset,
        inputs=tuple(_port(path, port) for port in inputs),
        outputs=tuple(_port(path, port) for port in graph.output),
        nodes=with_limits(nodes, constants, _four_bits(graph)),
        constants=constants,
        datatypes={
            entry.tensor_name: pair.value
            for entry in graph.quantization_annotation
            for pair in entry.quant_parameter_tensor_names
            if pair.key == "finn_datatype"
        },
        notes={entry.key: entry.value for entry in model.metadata_props},
    )


def load_model(path: Path) -> onnx.ModelProto:
    """Read ``path`` as a protocol buffer, external data included, functions inlined.

    Raises ``ModelFileError`` if it is no readable model, ``ModelError`` for endless functions.
    """
    import onnx
    from google.protobuf.message import DecodeError

    data = _bytes(path)
    for beginning, what in _OTHER_KINDS.items():
        if data.startswith(beginning):
            raise ModelFileError(f"{path} can't be read as an ONNX model: {what}")
    try:
        model = onnx.ModelProto()
        model.ParseFromString(data)
    except (DecodeError, ValueError) as error:
        raise ModelFileError(
            f"{path} can't be read as an ONNX model, it is damaged or cut off: {error}"
        ) from error
    if not model.graph.node:
        raise ModelFileError(f"{path} holds no nodes: is it an ONNX model?")
    take_in(model, path)
    return without_functions(model, path, QUANTIZER_DOMAINS)


# What lies under the name of a model now and then, by its first bytes.
_OTHER_KINDS = {
    b"version https://git-lfs": "it is a pointer of Git LFS; fetch the file itself (git lfs pull)",
    b"PK\x03\x04": "it is a zip archive, as PyTorch saves; unpack it, or export the model as QONNX",
    b"\x1f\x8b": "it is compressed; unpack it first (gunzip)",
    b"\x80": "it is a pickle, as PyTorch saves; export the model as QONNX",
    b"\x89HDF": "it is HDF5, as Keras saves; export the model as QONNX",
    b"<": "it is a page of HTML or XML; download the file itself",
}


def _bytes(path: Path) -> bytes:
    """Return what the file at ``path`` holds; a model is never larger than 2 GB."""
    try:
        status = path.stat()
        if S_ISDIR(status.st_mode):
            raise ModelFileError(f"{path} is a directory: name the .onnx file")
        if not S_ISREG(status.st_mode):
            raise ModelFileError(f"{path} is no regular file: name the .onnx file")
        if status.st_size > LARGEST_FILE:
            raise ModelFileError(
                f"{path} is larger than 2 GB, which no ONNX file can be: it is damaged; export the"
                " model again"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path} can't be read as an ONNX model: {error}") from error


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
    if graph.sparse_initializer:
        raise ModelError(f"{path} holds sparse constants: export them dense")
    constants: dict[str, Array] = {}
    for tensor in graph.initializer:
        if tensor.name in constants:
            raise ModelFileError(f"{path} defines the constant {show(tensor.name)} twice")
        if not tensor.name:
            raise ModelFileError(f"{path} defines a constant without a name: export it again")
        constants[tensor.name] = to_array(path, tensor)
    return constants


def _four_bits(graph: onnx.GraphProto) -> dict[str, tuple[int, int]]:
    """Return the ends of every constant of four bits, by its name."""
    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    tensors += [
        (node.output[0], entry.t)
        for node in graph.node
        for entry in node.attribute
        if node.op_type == "Constant" and node.output and entry.HasField("t")
    ]
    kinds = {name: type_name(tensor.data_type) for name, tensor in tensors}
    return {name: FOUR_BITS[kind] for name, kind in kinds.items() if kind in FOUR_BITS}


def _port(path: Path, value: onnx.ValueInfoProto) -> Port:
    where = f"{path}: {show(value.name)}"
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.elem_type:
        raise ModelError(
            f"{where} is no tensor of numbers: a model's input and output should be tensors of"
            " float32; export it so"
        )
    dtype = number_type(tensor.elem_type)
    if dtype is None:
        raise ModelError(
            f"{where} is a tensor of {type_name(tensor.elem_type)}, which is no kind of number"
            " known here: export the model with float32"
        )
    if not tensor.HasField("shape"):
        return Port(value.name, None, dtype)
    dims = tuple(
        int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in tensor.shape.dim
    )
    return Port(value.name, dims, dtype)


def _nodes(path: Path, graph: onnx.GraphProto) -> list[SourceNode]:
    return [
        SourceNode(
            name=node.name or (node.output[0] if node.output else f"{node.op_type}_{index}"),
            op_type=node.op_type,
            domain=domain_of(node),
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes={entry.name: _attribute(path, node, entry) for entry in node.attribute},
        )
        for index, node in enumerate(graph.node)
    ]


def domain_of(node: onnx.NodeProto) -> str:
    """Return the domain of ``node``: ONNX Runtime's own name for what ONNX took over is ONNX's."""
    if node.domain in RUNTIME_DOMAINS and node.op_type in _TAKEN_OVER:
        return ""
    return node.domain


def _attribute(path: Path, node: onnx.NodeProto, entry: onnx.AttributeProto) -> Attribute:
    from onnx import AttributeProto

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
                return to_array(path, entry.t)
            except ModelFileError as error:
                raise ModelFileError(
                    f"{where}: its attribute '{entry.name}' is damaged: {error}"
                ) from error
        case AttributeProto.GRAPH | AttributeProto.GRAPHS:
            raise ModelError(
                f"{where} holds a subgraph: control flow has no dataflow hardware;"
                " export the model without it"
            )
    if entry.ref_attr_name:
        raise ModelError(
            f"{where}: the attribute '{entry.name}' is a function's, and no function is there:"
            " inline them (onnx.inliner) and export again"
        )
    raise ModelError(f"{where}: the attribute '{entry.name}' is of a kind that isn't supported")


def whole_model(path: Path) -> bytes:
    """Return the model at ``path`` as one file: weights that lie beside it are taken in.

    Raises ``ModelFileError`` if it can't be read, or is larger than a file of its kind can be.
    """
    model = load_model(path)
    try:
        return bytes(model.SerializeToString(deterministic=True))
    except ValueError as error:  # protocol buffers end at 2 GB
        raise ModelFileError(f"{path} is too large for one ONNX file: {error}") from error
