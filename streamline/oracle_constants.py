"""Subgraphs of constants, folded node by node in float32; moving weights about rounds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from lutloom.streamline.oracle_values import Known, Operation, OracleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]


def fold(operation: Operation, inputs: Sequence[Known | None]) -> list[Known]:
    """Return the results of an operator of the standard domain for constant inputs."""
    if operation.kind == "Constant":
        return [Known(_constant(operation))]
    first = inputs[0] if inputs else None
    if operation.kind == "Identity" and first is not None:
        return [first]
    if operation.kind in {"Reshape", "Transpose"} and first is not None:
        return [Known(_moved(operation, inputs, first.array), _moved_exact(operation, inputs))]
    results = _evaluated(operation, inputs)
    if operation.kind in {"Flatten", "Squeeze", "Unsqueeze"} and first is not None:
        exact = None if first.exact is None else first.exact.reshape(results[0].shape)
        return [Known(results[0], exact)]
    return [Known(array) for array in results]


def _constant(operation: Operation) -> Array:
    attributes = operation.attributes
    if "value" in attributes:
        return np.asarray(numpy_helper.to_array(attributes["value"]))
    if "value_float" in attributes or "value_floats" in attributes:
        numbers = attributes.get("value_float", attributes.get("value_floats"))
        return np.asarray(numbers, dtype=np.float32)
    if "value_int" in attributes or "value_ints" in attributes:
        return np.asarray(attributes.get("value_int", attributes.get("value_ints")), dtype=np.int64)
    raise OracleError("a constant holds no numbers")


def _moved(operation: Operation, inputs: Sequence[Known | None], array: Array) -> Array:
    if operation.kind == "Transpose":
        return array.transpose(operation.attributes.get("perm"))
    target = inputs[1]
    assert target is not None
    sizes = [int(size) for size in target.array.ravel()]
    return array.reshape([array.shape[i] if s == 0 else s for i, s in enumerate(sizes)])


def _moved_exact(operation: Operation, inputs: Sequence[Known | None]) -> Array | None:
    first = inputs[0]
    if first is None or first.exact is None:
        return None
    return _moved(operation, inputs, first.exact)


def _evaluated(operation: Operation, inputs: Sequence[Known | None]) -> list[Array]:
    """Run one node by ONNX's reference implementation, which computes in the constants' types."""
    names = [f"x{index}" if value is not None else "" for index, value in enumerate(inputs)]
    node = helper.make_node(operation.kind, names, ["y"], **operation.attributes)
    feeds = {name: v.array for name, v in zip(names, inputs, strict=True) if v is not None}
    ports = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for name, a in feeds.items()
    ]
    result = helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)
    graph = helper.make_graph([node], "fold", ports, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", operation.opset)])
    with np.errstate(all="ignore"):
        return [np.asarray(y) for y in ReferenceEvaluator(model).run(None, feeds)]
