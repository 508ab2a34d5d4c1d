"""Operators that compute nothing: they move data about, or tell their shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod, trunc
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from lutloom.streamline.oracle_reals import Real
from lutloom.streamline.oracle_values import (
    Known,
    Operation,
    OracleError,
    Value,
    Values,
    axis_of,
    data,
    each,
    fractions,
    given,
    known,
    real,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE})
_INTEGERS = frozenset({TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64})


def _as_is(operation: Operation, inputs: Values) -> list[Value]:
    training = given(inputs, 2) if operation.kind == "Dropout" else None
    if training is not None and training.array.any():
        raise OracleError("a dropout in training mode is random")
    return [inputs[0]]


def _cast(operation: Operation, inputs: Values) -> list[Value]:
    """Return reals as they are, and towards zero where they become integers."""
    x, target = data(inputs[0]), operation.attributes["to"]
    if target in _FLOATS:
        return [x]
    if target not in _INTEGERS:
        raise OracleError(f"a cast to {TensorProto.DataType.Name(target)} rounds")
    if any(isinstance(number, Real) for number in x.flat):
        raise OracleError("a cast of what is no rational to an integer")
    return [fractions(each(trunc, x))]


def _reshape(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    sizes = [int(size) for size in known(inputs[1]).array.ravel()]
    if not operation.attributes.get("allowzero", 0):
        sizes = [x.shape[i + 1] if size == 0 else size for i, size in enumerate(sizes)]
    if operation.batch is not None and sizes and sizes[0] == operation.batch:
        sizes[0] = 1  # the file's batch; here it is one sample at a time
    return [x.reshape(len(x), *sizes)]


def _flatten(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    axis = operation.attributes.get("axis", 1)
    axis += x.ndim - 1 if axis < 0 else 0
    return [x.reshape(len(x), prod(x.shape[1 : axis + 1]), -1)]


def axes_of(operation: Operation, inputs: Values) -> tuple[int, ...] | None:
    """Return the axes that an operator has as an attribute, or as its second input."""
    if "axes" in operation.attributes:
        return tuple(operation.attributes["axes"])
    axes = given(inputs, 1)
    return None if axes is None else tuple(int(axis) for axis in axes.array.ravel())


def _squeeze(operation: Operation, inputs: Values) -> list[Value]:
    x, axes = data(inputs[0]), axes_of(operation, inputs)
    if axes is None:
        # The batch is one here, and any number in the file: it is not squeezed.
        return [np.squeeze(x, tuple(axis for axis in range(2, x.ndim) if x.shape[axis] == 1))]
    return [np.squeeze(x, tuple(axis_of(axis, x) for axis in axes))]


def _unsqueeze(operation: Operation, inputs: Values) -> list[Value]:
    x, axes = data(inputs[0]), axes_of(operation, inputs)
    if axes is None:
        raise OracleError("Unsqueeze lacks its axes")
    rank = x.ndim - 1 + len(axes)
    return [np.expand_dims(x, tuple(axis % rank + 1 for axis in axes))]


def _transpose(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    axes = operation.attributes.get("perm") or range(x.ndim - 1)[::-1]
    return [x.transpose(0, *(axis + 1 for axis in axes))]


def _shape(operation: Operation, inputs: Values) -> list[Value]:
    sizes = data(inputs[0]).shape[1:]
    start, end = operation.attributes.get("start", 0), operation.attributes.get("end", len(sizes))
    return [Known(np.array(sizes[start:end], dtype=np.int64))]


def _size(_: Operation, inputs: Values) -> list[Value]:
    return [Known(np.array(prod(data(inputs[0]).shape[1:]), dtype=np.int64))]


def _concat(operation: Operation, inputs: Values) -> list[Value]:
    parts = [value for value in inputs if value is not None]
    samples = next(len(value) for value in parts if not isinstance(value, Known))
    arrays = [
        np.broadcast_to(real(value), (samples, *value.array.shape))
        if isinstance(value, Known)
        else value
        for value in parts
    ]
    return [np.concatenate(arrays, axis_of(operation.attributes["axis"], arrays[0]))]


def _gather(operation: Operation, inputs: Values) -> list[Value]:
    axis = operation.attributes.get("axis", 0)
    if isinstance(inputs[0], Known) and not isinstance(inputs[1], Known):
        return [_rows(known(inputs[0]), axis, data(inputs[1]))]
    x, indices = data(inputs[0]), known(inputs[1]).array
    return [np.take(x, indices, axis_of(axis, x))]


def _rows(table: Known, axis: int, indices: Array) -> Array:
    """Return the row of a constant for each of the integers of the data."""
    if axis % table.array.ndim != 0:
        raise OracleError("columns of a table, chosen by the data")
    if any(index.denominator != 1 for index in indices.flat):
        raise OracleError("a row between two others")
    return np.take(table.reals(), indices.astype(np.int64), axis=0)


def _expand(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    sizes = [int(size) for size in known(inputs[1]).array.ravel()]
    if len(sizes) > x.ndim - 1:
        raise OracleError("data are expanded by dimensions in front of the batch")
    if len(sizes) == x.ndim - 1 and sizes[0] == operation.batch:
        sizes[0] = 1  # as above
    whole = np.broadcast_shapes(x.shape[1:], tuple(sizes))
    return [np.broadcast_to(x, (len(x), *whole))]


def _tile(_: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    repeats = [int(repeat) for repeat in known(inputs[1]).array.ravel()]
    if len(repeats) != x.ndim - 1 or repeats[0] != 1:
        raise OracleError(f"data are repeated {repeats} times")
    return [np.tile(x, (1, *repeats))]


def _slice(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])

    def numbers(index: int, name: str) -> list[int] | None:
        if name in operation.attributes:
            return list(operation.attributes[name])
        value = given(inputs, index)
        return None if value is None else [int(number) for number in value.array.ravel()]

    starts, ends = numbers(1, "starts") or [], numbers(2, "ends") or []
    axes = numbers(3, "axes") or list(range(len(starts)))
    steps = numbers(4, "steps") or [1] * len(starts)
    places = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # Backwards, an end before the beginning is none.
        is_before = step < 0 and end < -x.shape[axis_of(axis, x)]
        places[axis_of(axis, x)] = slice(start, None if is_before else end, step)
    return [x[tuple(places)]]


SHAPES: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    **dict.fromkeys(("Dropout", "Identity"), _as_is),
    "Cast": _cast,
    "Concat": _concat,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
