"""Run one node of the standard domain in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.errors import ModelError
from lutloom.streamline.fold_limits import check_folded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]

_IR_VERSION = 8


def run_node(node: SourceNode, inputs: Sequence[Array | None], opset: int) -> Array:
    """Return the first result of ``node`` for ``inputs`` (None: an omitted one).

    Raises ``ModelError`` with ONNX Runtime's reason.
    """
    result = _run(node, inputs, opset, ["y"])[0]
    check_folded(node, result)
    return result


def results_of(node: SourceNode, inputs: Sequence[Array | None], opset: int) -> list[Array]:
    """Return all results of ``node``, as above."""
    return _run(node, inputs, opset, [f"y{index}" for index in range(len(node.outputs))])


def _run(
    node: SourceNode, inputs: Sequence[Array | None], opset: int, outputs: Sequence[str]
) -> list[Array]:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    attributes: dict[str, Any] = {
        key: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for key, value in node.attributes.items()
    }
    names = ["" if array is None else f"x{index}" for index, array in enumerate(inputs)]
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    try:
        ports = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in feeds.items()
        ]
        graph = helper.make_graph(
            [helper.make_node(node.op_type, names, outputs, **attributes)],
            "fold",
            ports,
            [onnx.ValueInfoProto(name=name) for name in outputs],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=_IR_VERSION
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        return list(session.run(None, feeds))
    except Exception as error:  # onnx and ONNX Runtime raise many unrelated classes
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ModelError(f"{node} can't be evaluated: {reason}") from error
