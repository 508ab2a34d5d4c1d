"""Constant folding: subgraphs that no input reaches, node by node in float32, as qonnx folds them.

Elementary arithmetic and layout are NumPy's, which is IEEE 754 like any runtime's; a weight
quantizer keeps its exact grid besides. Anything else is run by ONNX Runtime, one node a session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.errors import ModelError
from lutloom.streamline.source import STANDARD_DOMAINS, SourceNode, show
from lutloom.streamline.symbols import Constant, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

_ELEMENTARY: Mapping[str, str] = {
    "Add": "add",
    "Sub": "subtract",
    "Mul": "multiply",
    "Neg": "negative",
    "Abs": "absolute",
    "Sqrt": "sqrt",
    "Ceil": "ceil",
    "Floor": "floor",
}


def fold(node: SourceNode, inputs: Sequence[Constant | None], opset: int) -> Constant:
    """Return the first result of ``node`` for constant ``inputs`` (None: an omitted one).

    Raises ``ModelError`` if the node can't be evaluated.
    """
    import numpy as np

    given = [constant.array for constant in inputs if constant is not None]
    layout = _LAYOUT.get(node.op_type) if node.domain in STANDARD_DOMAINS else None
    try:
        with np.errstate(all="ignore"):
            if node.op_type in _ELEMENTARY and node.domain in STANDARD_DOMAINS:
                return Constant(np.asarray(getattr(np, _ELEMENTARY[node.op_type])(*given)))
            if layout is not None and inputs and inputs[0] is not None:
                return _relayout(inputs[0], layout(node, given))
            if node.op_type in _SAME_ORDER and inputs and inputs[0] is not None:
                shape = _run(node, inputs, opset).shape
                return _relayout(inputs[0], lambda x: x.reshape(shape))
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise ModelError(f"{node} can't be evaluated: {error}") from error
    return Constant(_run(node, inputs, opset))


def _relayout(x: Constant, move: Callable[[Array], Array]) -> Constant:
    import numpy as np

    array = move(x.array)
    if x.grid is None:
        return Constant(array)
    scale = (
        x.grid.scale.reshape(())
        if x.grid.scale.size == 1
        else move(np.broadcast_to(x.grid.scale, x.grid.integers.shape))
    )
    return Constant(array, Grid(move(x.grid.integers), scale))


def _transpose(node: SourceNode, _: Sequence[Array]) -> Callable[[Array], Array]:
    axes = node.integers("perm")
    return lambda x: x.transpose(axes)


def _reshape(_: SourceNode, given: Sequence[Array]) -> Callable[[Array], Array]:
    sizes = [int(size) for size in given[1].ravel()]

    def move(x: Array) -> Array:
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes)])

    return move


def _identity(_: SourceNode, __: Sequence[Array]) -> Callable[[Array], Array]:
    return lambda x: x


_LAYOUT: Mapping[str, Callable[[SourceNode, Sequence[Array]], Callable[[Array], Array]]] = {
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Identity": _identity,
}


# The elements stay in their order, and only the shape is new, whatever the opset calls its axes.
_SAME_ORDER = frozenset({"Flatten", "Squeeze", "Unsqueeze"})


def _run(node: SourceNode, inputs: Sequence[Constant | None], opset: int) -> Array:
    """Run one node of the standard domain in ONNX Runtime."""
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    if node.domain not in STANDARD_DOMAINS:
        raise ModelError(
            f"{node}: the operator {show(node.domain)}.{node.op_type} is not known;"
            " export the model without it"
        )
    attributes: dict[str, Any] = {
        key: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for key, value in node.attributes.items()
    }
    feeds: dict[str, Array] = {}
    names: list[str] = []
    for index, constant in enumerate(inputs):
        names.append("" if constant is None else f"x{index}")
        if constant is not None:
            feeds[f"x{index}"] = constant.array
    ports = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in feeds.items()
    ]
    try:
        graph = helper.make_graph(
            [helper.make_node(node.op_type, names, ["y"], **attributes)],
            "fold",
            ports,
            [onnx.ValueInfoProto(name="y")],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        return np.asarray(session.run(None, feeds)[0])
    except Exception as error:  # onnx and ONNX Runtime raise many unrelated classes
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ModelError(f"{node} can't be evaluated: {reason}") from error
