"""Run a source model as it is, node by node, by qonnx's own functions and ONNX Runtime.

The model is only made runnable for a batch: the batch size is set, the sizes that an exporter wrote
for one image are inferred anew, and the IR version is lowered to one that ONNX Runtime takes. What
no input reaches is computed once for all batches.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor_shapes import infer_shapes
from lutloom.streamline.folded_model import fold_functions
from lutloom.streamline.rounding import rounding_named
from lutloom.streamline.source import (
    INPUTS_OF_SECOND_TRUNC,
    QUANTIZER_DOMAINS,
    STANDARD_DOMAINS,
    domain_of,
    load_model,
    read_source,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import onnx
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Inputs: TypeAlias = Array | Mapping[str, Array]

_IR_VERSION = 10
_SELECTIONS = ("ArgMax", "ArgMin", "TopK")
_QONNX = "qonnx.custom_op.general"
# Of one image only: qonnx lays out the windows of several in another order.
_OF_ONE_IMAGE = frozenset({"Im2Col"})


@dataclass(frozen=True, slots=True, eq=False)
class Executor:
    """A model that is ready for batches of one size.

    ``constants`` are the tensors that no input reaches, ``nodes`` compute the others; of these
    ``shapes`` are known.
    """

    path: Path
    batch: int
    wrapper: Any
    opset: int
    constants: Mapping[str, Array]
    nodes: tuple[onnx.NodeProto, ...]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def elements(self) -> int:
        """How many numbers all tensors that depend on the input hold."""
        return sum(prod(self.shapes[name]) for node in self.nodes for name in node.output if name)

    def run(self, x: Inputs) -> dict[str, Array]:
        """Return every tensor for the model's input ``x [batch, ...]``, the constants among them.

        Several inputs are given by their names. Raises ``ModelError`` if qonnx can't run the model.
        """
        import numpy as np

        if not isinstance(x, Mapping):
            (port,) = self.wrapper.graph.input
            x = {port.name: x}
        samples = len(next(iter(x.values())))
        with _quietly(self.path):
            parts = [
                self._run({name: array[start : start + self.batch] for name, array in x.items()})
                for start in range(0, samples, self.batch)
            ]
        if len(parts) == 1:
            return {**self.constants, **parts[0]}
        joined = {  # a size that the model computes has no axis of the batch: nobody reads it
            name: np.concatenate([np.atleast_1d(part[name]) for part in parts]) for name in parts[0]
        }
        return {**self.constants, **joined}

    def _run(self, x: Mapping[str, Array]) -> dict[str, Array]:
        tensors: dict[str, Array | None] = {
            **self.constants,
            **{name: array.astype(_dtype(self.wrapper, name)) for name, array in x.items()},
            "": None,  # omitted operands
        }
        for node in self.nodes:
            _run_node(self.wrapper, node, tensors, self.shapes, self.opset)
        return {
            name: array
            for name, array in tensors.items()
            if array is not None and name not in self.constants
        }


def prepare(path: Path, batch: int) -> Executor:
    """Return an executor of the model at ``path`` for ``batch`` samples at a time.

    Raises ``ModelError`` if qonnx can't run the model.
    """
    model, source = load_model(path), read_source(path)
    fold_functions(model, source)
    if any(node.op_type in _OF_ONE_IMAGE for node in source.nodes):
        batch = 1
    with _quietly(path):
        return _prepared(path, model, batch, source.opset)


def execute(path: Path, x: Inputs) -> dict[str, Array]:
    """Return every tensor of the model at ``path`` for its input ``x [batch, ...]``.

    Several inputs are given by their names. Raises ``ModelError`` if qonnx can't run the model.
    """
    samples = len(next(iter(x.values()))) if isinstance(x, Mapping) else len(x)
    return prepare(path, samples).run(x)


@contextmanager
def _quietly(path: Path) -> Iterator[None]:
    """Turn whatever qonnx raises into a ``ModelError``; drop its and ONNX Runtime's warnings."""
    with _old_ir_version(), _without_logs(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about shapes and versions
        try:
            yield
        except Exception as error:  # qonnx raises bare exceptions of every kind
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{path}: qonnx's executor can't run the model: {reason}") from error


def _prepared(path: Path, model: onnx.ModelProto, batch: int, opset: int) -> Executor:
    from onnx import helper, numpy_helper
    from qonnx.core.modelwrapper import ModelWrapper

    model.ir_version = min(model.ir_version, _IR_VERSION)
    for node in model.graph.node:
        if node.domain in QUANTIZER_DOMAINS:
            node.domain = _QONNX
            _name_rounding(node)
        elif domain_of(node) in STANDARD_DOMAINS:
            node.domain = ""  # whatever it is imported as
    for entry in model.opset_import:
        if entry.domain in STANDARD_DOMAINS:
            entry.domain = ""
    _annotate(model.graph)
    _set_batch(model.graph, batch)
    constants: dict[str, Array | None] = {
        entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer
    }
    for port in [port for port in model.graph.input if port.name in constants]:
        model.graph.input.remove(port)
    known = infer_shapes(model)
    shapes = {
        entry.name: tuple(dim.dim_value for dim in entry.type.tensor_type.shape.dim)
        for entry in known
    }
    for entry in known:
        # ONNX and ONNX Runtime do not agree on all windows; nobody needs their sizes to run.
        entry.type.tensor_type.ClearField("shape")
    outputs = {port.name for port in model.graph.output}
    model.graph.value_info.extend(entry for entry in known if entry.name not in outputs)
    model.graph.value_info.extend(
        helper.make_tensor_value_info(entry.name, entry.data_type, entry.dims)
        for entry in model.graph.initializer
    )
    # Their numbers are among the constants; here qonnx would search them for every node.
    del model.graph.initializer[:]
    wrapper = ModelWrapper(model)
    constants[""] = None
    nodes = []
    for node in model.graph.node:
        if all(name in constants for name in node.input):
            _run_node(wrapper, node, constants, shapes, opset)
        else:
            nodes.append(node)
    arrays = {name: array for name, array in constants.items() if array is not None}
    return Executor(path, batch, wrapper, opset, arrays, tuple(nodes), shapes)


def _run_node(
    wrapper: Any,  # noqa: ANN401 - qonnx is untyped
    node: onnx.NodeProto,
    tensors: dict[str, Array | None],
    shapes: Mapping[str, tuple[int, ...]],
    opset: int,
) -> None:
    """Add the results of ``node`` to ``tensors``, as qonnx computes them."""
    import numpy as np
    from qonnx.core.onnx_exec import execute_node

    version = opset
    if node.domain == _QONNX:
        version = 2 if len(node.input) == INPUTS_OF_SECOND_TRUNC else 1
    for name in node.output:
        if name:  # a place to put it, of which qonnx reads the shape
            tensors[name] = np.broadcast_to(np.float32(0), shapes[name])
    _sanitize(wrapper, node.input, tensors)
    execute_node(node, tensors, wrapper.graph, version)
    _sanitize(wrapper, node.output, tensors)


def _sanitize(
    wrapper: Any,  # noqa: ANN401 - as above
    names: Sequence[str],
    tensors: dict[str, Array | None],
) -> None:
    """Round what is annotated as integers and holds others, as qonnx does, or not at all."""
    import numpy as np
    from qonnx.util.basic import get_sanitize_quant_tensors, sanitize_quant_values

    if not get_sanitize_quant_tensors() or not wrapper.graph.quantization_annotation:
        return
    for name in names:
        array = tensors[name]
        datatype = wrapper.get_tensor_datatype(name)
        # qonnx's own function takes seconds for a million integers that are in order.
        if array is not None and datatype.is_integer() and not np.all(datatype.allowed(array)):
            sanitize_quant_values(wrapper, [name], tensors)


def _annotate(graph: onnx.GraphProto) -> None:
    """Say that an ``Im2Col`` reads floats where nothing is said of it: qonnx looks it up."""
    from onnx import StringStringEntryProto, TensorAnnotation

    annotated = {entry.tensor_name for entry in graph.quantization_annotation}
    for node in graph.node:
        if node.op_type == "Im2Col" and node.input[0] not in annotated:
            entry = StringStringEntryProto(key="finn_datatype", value="FLOAT32")
            graph.quantization_annotation.append(
                TensorAnnotation(tensor_name=node.input[0], quant_parameter_tensor_names=[entry])
            )
            annotated.add(node.input[0])


def _name_rounding(node: onnx.NodeProto) -> None:
    """Call the rounding mode of a quantizer, which may be Brevitas' name, what qonnx calls it."""
    for entry in node.attribute:
        if entry.name == "rounding_mode":
            entry.s = rounding_named(entry.s.decode()).value.upper().encode()


def _set_batch(graph: onnx.GraphProto, batch: int) -> None:
    """Set the batch of ``graph``'s input, and let all other shapes be inferred.

    qonnx's own ChangeBatchSize wants a shape at the output, and takes every Reshape for one of
    data.
    """
    import onnx
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    ports = [port for port in graph.input if port.name not in constants]
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            constants[node.output[0]] = node.attribute[0].t
    for port in ports:
        for dim in port.type.tensor_type.shape.dim[:1]:
            dim.dim_value = batch
    indices = {node.output[-1] for node in graph.node if node.op_type in _SELECTIONS}
    for port in graph.output:
        port.type.tensor_type.ClearField("shape")
        if port.name in indices:  # some exporters call them floats
            port.type.tensor_type.elem_type = onnx.TensorProto.INT64
    del graph.value_info[:]
    dependent = {port.name for port in ports}
    for index, node in enumerate(graph.node):
        if not dependent.intersection(node.input):
            continue
        dependent.update(node.output)
        shape = constants.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is None:
            continue
        sizes = numpy_helper.to_array(shape).copy()
        if sizes[0] > 0:  # else it is inferred, or copied, already
            sizes[0] = batch
            node.input[1] += f"/batch{index}"  # others may read the old one
            graph.initializer.append(numpy_helper.from_array(sizes, node.input[1]))


def _dtype(wrapper: Any, name: str) -> np.dtype[Any]:  # noqa: ANN401 - as above
    from onnx import helper

    (port,) = (port for port in wrapper.graph.input if port.name == name)
    return helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)


@contextmanager
def _without_logs() -> Iterator[None]:
    """Let ONNX Runtime write nothing: errors are raised, and it warns of what qonnx asks for."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # as it is from the start


@contextmanager
def _old_ir_version() -> Iterator[None]:
    """Let qonnx stamp its models of one node with an IR version that ONNX Runtime takes.

    onnx 1.23 stamps its newest, 14, and ONNX Runtime 1.31 stops at 13.
    """
    from qonnx.core import onnx_exec
    from qonnx.custom_op.channels_last import base_wrapped_op
    from qonnx.custom_op.general import maxpoolnhwc, quantavgpool2d

    modules: tuple[Any, ...] = (onnx_exec, base_wrapped_op, maxpoolnhwc, quantavgpool2d)
    original = onnx_exec.qonnx_make_model
    for module in modules:
        module.qonnx_make_model = partial(original, ir_version=_IR_VERSION)
    try:
        yield
    finally:
        for module in modules:
            module.qonnx_make_model = original
