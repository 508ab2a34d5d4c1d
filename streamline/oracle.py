"""The specification, executed: an exact interpreter of a QONNX file, in real numbers.

Subgraphs of constants are folded node by node in float32, except that a quantizer of weights
gives its integers times its scale, unrounded. From the first node on that depends on the input,
every number is exact: each float32 constant is the number it encodes, and a batch normalization
is ``A x + B`` with ``A`` the real ``gamma / sqrt(variance + epsilon)`` rounded once to float64.
What is no rational (``exp(1)``) is known as closely as a comparison with it needs.

It is simple and slow, and it shares no code with the lowering that it judges: nothing of ours is
imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, inliner, numpy_helper

from lutloom.streamline.oracle_constants import fold
from lutloom.streamline.oracle_linear import LINEAR
from lutloom.streamline.oracle_operators import OPERATORS
from lutloom.streamline.oracle_qonnx import CHANNELS_LAST, QONNX
from lutloom.streamline.oracle_quantizers import quantize
from lutloom.streamline.oracle_values import Known, Operation, OracleError, Value, fractions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Inputs: TypeAlias = Array | Mapping[str, Array]

_STANDARD = ("", "ai.onnx")
_QUANTIZERS = frozenset(
    {"BipolarQuant", "IntQuant", "MultiThreshold", "Quant", "XnorPopcountMatMul"}
)


def evaluate(
    model: Path | onnx.ModelProto, x: Inputs, *, given: Mapping[str, Array] | None = None
) -> dict[str, Array]:
    """Return every tensor that depends on an input: object arrays of Fractions and ``Real``.

    ``x [batch, ...]`` holds the model's input, or its inputs by their names: integers, floats
    (taken exactly) or Fractions.
    ``given`` fixes other tensors ``[batch, ...]`` besides, as if the model had computed them.

    Raises ``OracleError`` for what it has no exact reading of.
    """
    return data_of(interpret(model, x, given=given))


def data_of(values: Mapping[str, Value]) -> dict[str, Array]:
    """Return the tensors that depend on the input, samples joined along the batch."""
    return {
        name: value.reshape(-1, *value.shape[2:])
        for name, value in values.items()
        if isinstance(value, np.ndarray)
    }


def interpret(
    model: Path | onnx.ModelProto, x: Inputs, *, given: Mapping[str, Array] | None = None
) -> dict[str, Value]:
    """Return every tensor, constants too; data have an axis of samples in front of their batch."""
    proto = _without_functions(onnx.load(model) if isinstance(model, Path) else model)
    constants = {
        entry.name: Known(numpy_helper.to_array(entry)) for entry in proto.graph.initializer
    }
    ports = [port for port in proto.graph.input if port.name not in constants]
    if not isinstance(x, Mapping):
        (port,) = ports
        x = {port.name: x}
    values: dict[str, Value] = dict(constants)
    for name, array in {**{port.name: x[port.name] for port in ports}, **(given or {})}.items():
        # Each sample is the model's input by itself, with a batch of one.
        values[name] = fractions(array)[:, np.newaxis]
    batch = max((_batch(port) or 0 for port in ports), default=0) or None
    waiting = list(proto.graph.node)
    while waiting:
        later = []
        for node in waiting:
            if all(name in values for name in node.input if name):
                _run(node, values, opset=_opset(proto), batch=batch)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise OracleError(f"{later[0].name} can't be computed: {list(later[0].input)}")
        waiting = later
    return values


def _without_functions(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its own functions inlined; quantizers mean what they mean here."""
    if not proto.functions:
        return proto
    known = [(f.domain, f.name) for f in proto.functions if f.name in _QUANTIZERS | QONNX.keys()]
    return inliner.inline_selected_functions(proto, known, exclude=True)


def _run(node: onnx.NodeProto, values: dict[str, Value], *, opset: int, batch: int | None) -> None:
    """Compute the results of ``node``, but for those that are given."""
    if all(name in values for name in node.output if name):
        return
    inputs = [values[name] if name else None for name in node.input]
    attributes = {entry.name: _attribute(entry) for entry in node.attribute}
    operation = Operation(node.op_type, attributes, opset, batch, len(node.output))
    try:
        results = _results(node, operation, inputs)
    except OracleError as error:
        raise OracleError(f"{node.op_type} {node.name}: {error}") from error
    except ZeroDivisionError as error:
        raise OracleError(f"{node.op_type} {node.name} divides by zero") from error
    for name, result in zip(node.output, results, strict=False):
        if name and result is not None:
            values.setdefault(name, result)


def _results(node: onnx.NodeProto, operation: Operation, inputs: list[Value]) -> list[Value]:
    if node.domain not in _STANDARD and node.op_type not in LINEAR:
        if node.op_type in _QUANTIZERS:
            return [quantize(operation, inputs)]
        operators = CHANNELS_LAST if node.domain.endswith("channels_last") else QONNX
        if node.op_type not in operators:
            raise OracleError(f"{node.domain}.{node.op_type} is unknown")
        return operators[node.op_type](operation, inputs)
    constants = [value for value in inputs if value is None or isinstance(value, Known)]
    if len(constants) == len(inputs):
        return list(fold(operation, constants))
    if node.op_type not in OPERATORS:
        raise OracleError(f"{node.op_type} is unknown")
    return OPERATORS[node.op_type](operation, inputs)


def _attribute(entry: onnx.AttributeProto) -> Any:  # noqa: ANN401 - whatever ONNX holds
    value = helper.get_attribute_value(entry)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _opset(proto: onnx.ModelProto) -> int:
    return max((o.version for o in proto.opset_import if o.domain in _STANDARD), default=9)


def _batch(port: onnx.ValueInfoProto) -> int | None:
    """Return the batch that the file fixes, where it does."""
    dims = port.type.tensor_type.shape.dim
    return dims[0].dim_value if dims and dims[0].dim_value > 0 else None
