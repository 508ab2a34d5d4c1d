"""Constant folding: subgraphs that no input reaches, node by node, each in one way only.

- What a quantizer of constants gave is exact, its integers times its scale, and stays so under
  Add, Sub, Mul, Div and Neg, and wherever elements only move (``constant_grids``).
- Elementary arithmetic is IEEE 754's, in the constants' own type: NumPy's, like any runtime's.
- Functions and sums are the exact real, rounded once to the type (``constant_functions``).
- Anything else is run by ONNX Runtime, one node a session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.constant_functions import FUNCTIONS
from lutloom.streamline.constant_grids import combined, moved, picked
from lutloom.streamline.constant_quantizers import dequantized, quantized
from lutloom.streamline.errors import ModelError, show
from lutloom.streamline.fold_limits import check_fold, check_folded
from lutloom.streamline.run_node import run_node
from lutloom.streamline.source import STANDARD_DOMAINS, SourceNode
from lutloom.streamline.symbols import Constant

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
    "Round": "rint",
}
# Of integers, ONNX has quotients of its own.
_FLOAT_ELEMENTARY = {"Div": "divide", "Reciprocal": "reciprocal"}
# FLOAT and DOUBLE of ONNX's TensorProto: what a quantizer gave stands for the same numbers.
_WIDE_FLOATS = (1, 11)
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div", "Neg"})


def fold(node: SourceNode, inputs: Sequence[Constant | None], opset: int) -> Constant:
    """Return the first result of ``node`` for constant ``inputs`` (None: an omitted one).

    Raises ``ModelError`` if the node can't be evaluated.
    """
    import numpy as np

    if node.domain not in STANDARD_DOMAINS:
        raise ModelError(
            f"{node}: the operator {show(node.domain)}.{node.op_type} is not known;"
            " export the model without it"
        )
    check_fold(node, [None if x is None else x.array for x in inputs], opset)
    try:
        with np.errstate(all="ignore"):
            folded = _folded(node, inputs, opset)
            check_folded(node, folded.array)
            return folded
    except ModelError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError, MemoryError) as error:
        raise ModelError(f"{node} can't be evaluated: {error}") from error


def constant_of(node: SourceNode) -> Constant:
    """Return what a Constant node holds.

    Raises ``ModelError`` if that is no dense tensor.
    """
    import numpy as np

    value = node.attributes.get("value")
    if isinstance(value, np.ndarray):
        return Constant(value)
    for name, dtype in (("value_float", np.float32), ("value_int", np.int64)):
        if name in node.attributes:
            return Constant(np.asarray(node.attributes[name], dtype=dtype))
        if f"{name}s" in node.attributes:
            return Constant(np.asarray(node.attributes[f"{name}s"], dtype=dtype))
    raise ModelError(f"{node} holds no dense numbers: export it as a plain constant")


def _folded(node: SourceNode, inputs: Sequence[Constant | None], opset: int) -> Constant:
    import numpy as np

    given = [constant for constant in inputs if constant is not None]
    arrays = [constant.array for constant in given]
    match node.op_type:
        case "QuantizeLinear":
            return quantized(node, inputs)
        case "DequantizeLinear":
            return dequantized(node, inputs)
    if node.op_type in FUNCTIONS and arrays and arrays[0].dtype.kind == "f":
        return Constant(FUNCTIONS[node.op_type](node, arrays))
    if node.op_type in _ARITHMETIC and len({array.dtype for array in arrays}) > 1:
        types = " and ".join(str(array.dtype) for array in arrays)
        raise ModelError(f"{node}: its constants hold {types}, and should hold one type: cast one")
    if node.op_type in _ELEMENTARY:
        array = np.asarray(getattr(np, _ELEMENTARY[node.op_type])(*arrays))
    elif node.op_type in _FLOAT_ELEMENTARY and arrays[0].dtype.kind == "f":
        array = np.asarray(getattr(np, _FLOAT_ELEMENTARY[node.op_type])(*arrays))
    elif node.op_type in _LAYOUT and inputs[0] is not None:
        return moved(given[0], lambda x: _LAYOUT[node.op_type](node, (x, *arrays[1:])))
    elif node.op_type in _MOVES and inputs[0] is not None:
        return picked(given[:1], lambda x: run_node(node, (x[0], *_rest(inputs)), opset))
    elif node.op_type == "Cast" and node.integer("to", 0) in _WIDE_FLOATS and given[0].grid:
        return Constant(run_node(node, arrays, opset), given[0].grid)
    elif node.op_type == "Concat":
        return picked(given, lambda x: run_node(node, x, opset))
    else:
        array = run_node(node, [None if x is None else x.array for x in inputs], opset)
    if node.op_type in _ARITHMETIC and any(constant.grid is not None for constant in given):
        return combined(node, given, array)
    return Constant(array)


def _rest(inputs: Sequence[Constant | None]) -> list[Array | None]:
    return [None if constant is None else constant.array for constant in inputs[1:]]


def _transpose(node: SourceNode, given: Sequence[Array]) -> Array:
    return given[0].transpose(node.integers("perm"))


def _reshape(_: SourceNode, given: Sequence[Array]) -> Array:
    x = given[0]
    sizes = [int(size) for size in given[1].ravel()]
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes)])


def _identity(_: SourceNode, given: Sequence[Array]) -> Array:
    return given[0]


# By NumPy, since these come with all weights of a model ...
_LAYOUT: Mapping[str, Callable[[SourceNode, Sequence[Array]], Array]] = {
    "Identity": _identity,
    "Reshape": _reshape,
    "Transpose": _transpose,
}
# ... and these by ONNX Runtime, which knows their attributes in every opset.
_MOVES = frozenset({"Expand", "Flatten", "Gather", "Slice", "Squeeze", "Tile", "Unsqueeze"})
