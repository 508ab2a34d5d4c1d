"""Subgraphs of constants, folded node by node; what a quantizer gave stays exact.

Sums and products of quantized constants are exact, and moving constants about rounds nothing.
Functions (Log, Pow, ...) and sums of float constants are the real number, rounded once to their
type. Everything else is what ONNX's reference implementation computes in the constants' types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from lutloom.streamline.oracle_linear import dequantized_constant, quantized_constant
from lutloom.streamline.oracle_values import Known, Operation, OracleError, fractions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

_MOVES = frozenset(
    "Concat Expand Flatten Gather Identity Reshape Slice Squeeze Tile Transpose Unsqueeze".split()
)
_DECIMALS = 60


def fold(operation: Operation, inputs: Sequence[Known | None]) -> list[Known]:
    """Return the results of an operator of the standard domain for constant inputs."""
    kind = operation.kind
    given = [value for value in inputs if value is not None]
    if kind == "Constant":
        return [Known(_constant(operation))]
    if kind == "QuantizeLinear":
        return [quantized_constant(operation, given)]
    if kind == "DequantizeLinear":
        return [dequantized_constant(operation, given)]
    is_float = bool(given) and given[0].array.dtype.kind == "f"
    if kind in _FUNCTIONS and is_float:
        return [Known(_FUNCTIONS[kind](operation, [value.array for value in given]))]
    results = [Known(array) for array in _evaluated(operation, inputs)]
    if all(value.exact is None for value in given):
        return results
    if kind == "Cast" and operation.attributes["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE):
        return [Known(results[0].array, given[0].exact)]
    if kind in _ARITHMETIC:
        exact = _ARITHMETIC[kind](*(value.reals() for value in given))
        return [Known(results[0].array, np.asarray(exact, dtype=object))]
    if kind in _MOVES:
        return [Known(results[0].array, _moved(operation, inputs))]
    return results


def _moved(operation: Operation, inputs: Sequence[Known | None]) -> Array:
    """Return the exact elements where the numbers of their places end up."""
    data = [v for v in inputs if v is not None] if operation.kind == "Concat" else [inputs[0]]
    exact = [value.reals() for value in data if value is not None]
    start = 0
    places: list[Known | None] = []
    for array in exact:
        places.append(Known(np.arange(start, start + array.size).reshape(array.shape)))
        start += array.size
    (taken,) = _evaluated(operation, [*places, *inputs[len(places) :]])
    return np.asarray(np.concatenate([array.ravel() for array in exact])[taken])


_ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    "Add": lambda x, y: x + y,
    "Sub": lambda x, y: x - y,
    "Mul": lambda x, y: x * y,
    "Div": lambda x, y: x / y,
    "Neg": lambda x: -x,
}


def _nearest(value: Fraction | Decimal, dtype: Any) -> Any:  # noqa: ANN401 - a number of dtype
    """Return the float of ``dtype`` nearest to ``value``, ties to even."""
    real = Fraction(value)
    with np.errstate(over="ignore"):
        guess = np.asarray(float(real)).astype(dtype)
    towards = (np.nextafter(guess, np.asarray(end, dtype)) for end in (-inf, inf))
    near = [x for x in (guess, *map(np.asarray, towards)) if isfinite(float(x))]
    if not isfinite(float(guess)):
        return guess[()]
    bits = f"u{np.dtype(dtype).itemsize}"
    best = min(near, key=lambda x: (abs(Fraction(float(x)) - real), int(x.view(bits)) & 1))
    return best[()]


def _rounded(value: Callable[..., Fraction | Decimal | float], *arrays: Array) -> Array:
    """Return a function of each element, computed in decimals and rounded once."""
    wide = np.broadcast_arrays(*arrays)
    out = np.empty(wide[0].shape, dtype=arrays[0].dtype)
    for index in np.ndindex(out.shape):
        with localcontext() as context:
            context.prec = _DECIMALS
            number = value(*(float(array[index]) for array in wide))
        out[index] = number if isinstance(number, float) else _nearest(number, out.dtype)
    return out


def _log(x: float) -> Decimal | float:
    if x <= 0:
        return -inf if x == 0 else nan
    return Decimal(x).ln()


def _tanh(x: float) -> Decimal | float:
    if x == 0 or abs(x) > 50:
        return x if x == 0 else float(np.sign(x))
    with localcontext() as context:
        context.prec = 400
        twice = (2 * Decimal(x)).exp()
        return (twice - 1) / (twice + 1)


def _power(x: float, y: float) -> Fraction | Decimal | float:
    if not isfinite(x) or not isfinite(y) or x == 0 or (x < 0 and not y.is_integer()):
        with np.errstate(all="ignore"):
            return float(np.power(np.float64(x), y))
    if y.is_integer() and abs(y) <= 1024:
        return Fraction(x) ** int(y)
    return Decimal(x) ** Decimal(y)


def _function(value: Callable[..., Any]) -> Callable[[Operation, list[Array]], Array]:
    return lambda _, arrays: _rounded(value, *arrays)


def _reduced(operation: Operation, arrays: list[Array]) -> Array:
    """Sum exactly along the axes, divide for a mean, and round once."""
    x = arrays[0]
    axes = operation.attributes.get("axes")
    if axes is None and len(arrays) > 1:
        axes = arrays[1].ravel().tolist()
    if not axes and operation.attributes.get("noop_with_empty_axes", 0):
        return x
    axis = tuple(axes) if axes else None
    keep = bool(operation.attributes.get("keepdims", 1))
    total = np.asarray(np.sum(fractions(x), axis=axis, keepdims=keep), dtype=object)
    if operation.kind == "ReduceMean":
        total = np.asarray(total * Fraction(total.size, x.size), dtype=object)
    return np.asarray(np.vectorize(lambda v: _nearest(v, x.dtype), otypes=[x.dtype])(total))


_FUNCTIONS: Mapping[str, Callable[[Operation, list[Array]], Array]] = {
    "Exp": _function(lambda x: Decimal(x).exp()),
    "Log": _function(_log),
    "Pow": _function(_power),
    "ReduceMean": _reduced,
    "ReduceSum": _reduced,
    "Sigmoid": _function(lambda x: 1 / (1 + (-Decimal(x)).exp())),
    "Tanh": _function(_tanh),
}


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
