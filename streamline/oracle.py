"""The specification, executed: an exact interpreter of a QONNX file, in rational numbers.

Subgraphs of constants are folded node by node in float32, except that a quantizer of weights
gives its integers times its scale, unrounded. From the first node on that depends on the input,
every number is exact: each float32 constant is the number it encodes, and a batch normalization
is ``A x + B`` with ``A`` the real ``gamma / sqrt(variance + epsilon)`` rounded once to float64.

It is simple and slow, and it shares no code with the lowering that it judges: nothing of ours is
imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lutloom.streamline.oracle_constants import fold
from lutloom.streamline.oracle_operators import INEXACT, OPERATORS
from lutloom.streamline.oracle_quantizers import quantize
from lutloom.streamline.oracle_values import Known, Operation, OracleError, Value, fractions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

_STANDARD = ("", "ai.onnx")
_QUANTIZERS = frozenset({"BipolarQuant", "IntQuant", "MultiThreshold", "Quant"})


def evaluate(
    model: Path | onnx.ModelProto, x: Array, *, given: Mapping[str, Array] | None = None
) -> dict[str, Array]:
    """Return every tensor that depends on the input, as an object array of Fractions.

    ``x [batch, ...]`` holds the model's input: integers, floats (taken exactly) or Fractions.
    ``given`` fixes other tensors ``[batch, ...]`` besides, as if the model had computed them.
    Tensors behind a function that leaves the rationals (a softmax) are absent.

    Raises ``OracleError`` for what it has no exact reading of.
    """
    proto = onnx.load(model) if isinstance(model, Path) else model
    forced = {name: fractions(array) for name, array in (given or {}).items()}
    constants = {
        entry.name: Known(numpy_helper.to_array(entry)) for entry in proto.graph.initializer
    }
    (port,) = [port for port in proto.graph.input if port.name not in constants]
    reals = fractions(x)
    samples = [
        _one(
            proto,
            port,
            constants,
            reals[i : i + 1],
            {name: array[i : i + 1] for name, array in forced.items()},
        )
        for i in range(len(reals))
    ]
    return {name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]}


def _one(
    proto: onnx.ModelProto,
    port: onnx.ValueInfoProto,
    constants: dict[str, Known],
    x: Array,
    forced: Mapping[str, Array],
) -> dict[str, Array]:
    """Evaluate one sample; constants that are folded on the way stay in ``constants``."""
    values: dict[str, Array] = {port.name: x, **forced}
    lost: set[str] = set()
    waiting = list(proto.graph.node)
    while waiting:
        later = []
        for node in waiting:
            names = [name for name in node.input if name]
            if lost.intersection(names):
                lost.update(node.output)
            elif all(name in values or name in constants for name in names):
                _run(proto, port, node, values, constants, lost)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise OracleError(f"{later[0].name} can't be computed: {list(later[0].input)}")
        waiting = later
    return values


def _run(
    proto: onnx.ModelProto,
    port: onnx.ValueInfoProto,
    node: onnx.NodeProto,
    values: dict[str, Array],
    constants: dict[str, Known],
    lost: set[str],
) -> None:
    if all(name in values or name in constants for name in node.output if name):
        return
    inputs: list[Value] = [
        None if not name else values.get(name, constants.get(name)) for name in node.input
    ]
    operation = _operation(proto, port, node)
    results: list[Value]
    if node.domain not in _STANDARD:
        if node.op_type not in _QUANTIZERS:
            raise OracleError(f"{node.domain}.{node.op_type} is unknown")
        results = [quantize(operation, inputs)]
    elif all(value is None or isinstance(value, Known) for value in inputs):
        results = list(fold(operation, [v for v in inputs if v is None or isinstance(v, Known)]))
    elif node.op_type in INEXACT:
        lost.update(node.output)
        return
    elif node.op_type not in OPERATORS:
        raise OracleError(f"{node.op_type} is unknown")
    else:
        results = OPERATORS[node.op_type](operation, inputs)
    for name, result in zip(node.output, results, strict=False):
        if isinstance(result, Known):
            constants.setdefault(name, result)
        elif result is not None:
            values.setdefault(name, result)


def _operation(
    proto: onnx.ModelProto, port: onnx.ValueInfoProto, node: onnx.NodeProto
) -> Operation:
    attributes: dict[str, Any] = {}
    for entry in node.attribute:
        value = helper.get_attribute_value(entry)
        attributes[entry.name] = value.decode() if isinstance(value, bytes) else value
    opset = max((o.version for o in proto.opset_import if o.domain in _STANDARD), default=9)
    dims = port.type.tensor_type.shape.dim
    batch = dims[0].dim_value if dims and dims[0].dim_value > 0 else None
    return Operation(node.op_type, attributes, opset, batch)
