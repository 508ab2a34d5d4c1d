"""Run a source model as it is, by qonnx's own executor, every tensor kept.

The model is only made runnable for a batch: the batch size is set, constants that the exporter
computes at run time (shapes) are folded by qonnx, and the IR version is lowered to one that ONNX
Runtime takes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lutloom.streamline.errors import ModelError
from lutloom.streamline.folded_model import fold_functions
from lutloom.streamline.rounding import rounding_named
from lutloom.streamline.source import QUANTIZER_DOMAINS, STANDARD_DOMAINS, load_model, read_source

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import onnx
    from numpy.typing import NDArray

_IR_VERSION = 10
_SELECTIONS = ("ArgMax", "ArgMin", "TopK")


@dataclass(frozen=True, slots=True, eq=False)
class Executor:
    """qonnx's executor with a model, ready for batches of one size."""

    path: Path
    batch: int
    wrapper: Any

    def run(self, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return every tensor for the model's input ``x [batch, ...]``, the constants among them.

        Raises ``ModelError`` if qonnx can't run the model.
        """
        from qonnx.core.onnx_exec import execute_onnx

        with _quietly(self.path):
            name = self.wrapper.graph.input[0].name
            feeds = {name: x.astype(_dtype(self.wrapper, name))}
            context: Mapping[str, NDArray[Any]] = execute_onnx(
                self.wrapper, feeds, return_full_exec_context=True
            )
        # Omitted operands are kept under an empty name.
        return {name: array for name, array in context.items() if array is not None}


def prepare(path: Path, batch: int) -> Executor:
    """Return an executor of the model at ``path`` for ``batch`` samples at a time.

    Raises ``ModelError`` if qonnx can't run the model.
    """
    model = load_model(path)
    fold_functions(model, read_source(path))
    with _quietly(path):
        return Executor(path, batch, _runnable(model, batch))


def execute(path: Path, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return every tensor of the model at ``path`` for its input ``x [batch, ...]``.

    Raises ``ModelError`` if qonnx can't run the model.
    """
    return prepare(path, len(x)).run(x)


@contextmanager
def _quietly(path: Path) -> Iterator[None]:
    """Turn whatever qonnx raises into a ``ModelError``, and drop its warnings."""
    with _old_ir_version(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about shapes and versions
        try:
            yield
        except Exception as error:  # qonnx raises bare exceptions of every kind
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{path}: qonnx's executor can't run the model: {reason}") from error


def _runnable(model: onnx.ModelProto, batch: int) -> Any:  # noqa: ANN401 - qonnx is untyped
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.general import RemoveStaticGraphInputs
    from qonnx.transformation.infer_shapes import InferShapes

    model.ir_version = min(model.ir_version, _IR_VERSION)
    for node in model.graph.node:
        if node.domain in QUANTIZER_DOMAINS:
            node.domain = "qonnx.custom_op.general"
            _name_rounding(node)
        elif node.domain in STANDARD_DOMAINS:
            node.domain = ""  # whatever it is imported as
    for entry in model.opset_import:
        if entry.domain in STANDARD_DOMAINS:
            entry.domain = ""
    _set_batch(model.graph, batch)
    wrapper = ModelWrapper(model)
    for transformation in (
        RemoveStaticGraphInputs(),
        InferShapes(),
        # Folding the weight quantizers as well would be right, and slower for every batch.
        FoldConstants(exclude_op_types=["Quant", "IntQuant", "BipolarQuant"]),
        InferShapes(),
    ):
        wrapper = wrapper.transform(transformation)
    return wrapper


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
def _old_ir_version() -> Iterator[None]:
    """Let qonnx stamp its models of one node with an IR version that ONNX Runtime takes.

    onnx 1.23 stamps its newest, 14, and ONNX Runtime 1.31 stops at 13.
    """
    from qonnx.core import onnx_exec

    original = onnx_exec.qonnx_make_model
    onnx_exec.qonnx_make_model = partial(original, ir_version=_IR_VERSION)
    try:
        yield
    finally:
        onnx_exec.qonnx_make_model = original
