"""Nodes of the model as steps of a host program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lutloom.core.host import (
    Binary,
    BinaryKind,
    Clamp,
    Combine,
    Dequantize,
    HostStep,
    Largest,
    Normalize,
    Quantize,
    Softmax,
    ToShape,
    Transpose,
    Unary,
    UnaryKind,
)
from lutloom.core.rounding import Rounding
from lutloom.streamline.context import required_constant, shape_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.host_functions import PROGRAMS, leaky
from lutloom.streamline.linear_quantizers import of_data, zero_point_of_data
from lutloom.streamline.rules.batch_norm import epsilon_of
from lutloom.streamline.rules.clamp import clip_bounds
from lutloom.streamline.rules.top_k import selection
from lutloom.streamline.symbols import Constant, Fork, ShapeOf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.host import HostProgram
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Trail

_BINARY = {
    "Add": BinaryKind.ADD,
    "Sub": BinaryKind.SUB,
    "Mul": BinaryKind.MUL,
    "Div": BinaryKind.DIV,
    "Pow": BinaryKind.POW,
    "Max": BinaryKind.MAX,
    "Mean": BinaryKind.ADD,
    "Min": BinaryKind.MIN,
    "Sum": BinaryKind.ADD,
}
_UNARY = {
    "Neg": UnaryKind.NEG,
    "Abs": UnaryKind.ABS,
    "Relu": UnaryKind.RELU,
    "Sqrt": UnaryKind.SQRT,
    "Exp": UnaryKind.EXP,
    "Log": UnaryKind.LOG,
    "Sigmoid": UnaryKind.SIGMOID,
    "Tanh": UnaryKind.TANH,
    "Erf": UnaryKind.ERF,
}
_COERCED_SOFTMAX_UNTIL = 13


def host_program(trail: Trail, context: Context) -> HostProgram:
    """Return the steps of ``trail``.

    Raises ``ModelError`` for a node that has no step.
    """
    return tuple(step for entry in trail for step in _steps(entry, context))


def without_batch(
    node: SourceNode, array: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return a constant operand as float32, without the batch axis it may have.

    Raises ``ModelError`` if it does not broadcast to ``shape``.
    """
    import numpy as np

    operand = _finite(node, array)
    if operand.ndim > len(shape):
        if operand.ndim > len(shape) + 1 or operand.shape[0] != 1:
            raise ModelError(f"{node}: its operand {list(array.shape)} is larger than the data")
        operand = operand[0]
    try:
        np.broadcast_to(operand, shape)
    except ValueError as error:
        raise ModelError(
            f"{node}: its operand {list(array.shape)} does not broadcast to {['N', *shape]}"
        ) from error
    return operand


def _finite(node: SourceNode, array: NDArray[Any]) -> NDArray[np.float32]:
    """Return a constant of the host as float32."""
    import numpy as np

    with np.errstate(over="ignore"):
        floats = array.astype(np.float32)
    if not np.isfinite(floats).all():
        raise ModelError(f"{node}: its constant holds NaN or infinity: train the model again")
    return floats


def _steps(node: SourceNode | Fork, context: Context) -> tuple[HostStep, ...]:
    if isinstance(node, Fork):
        left, right = (host_program(side, context) for side in (node.left, node.right))
        return _halved(node.node, Combine(_BINARY[node.node.op_type], left, right))
    inputs = [context.symbols.get(name) if name else None for name in node.inputs]
    make = _STEPS.get(node.op_type)
    if make is None:
        raise ModelError(f"{node} can't run on the host: put it out of the model")
    return make(node, inputs, context)


def _data_shape(node: SourceNode, inputs: Inputs) -> tuple[int, ...]:
    for symbol in inputs:
        if symbol is not None and not isinstance(symbol, (Constant, ShapeOf)):
            return shape_of(node, symbol)
    raise ModelError(f"{node} has no data to work on")


def _binary(node: SourceNode, inputs: Inputs, _: Context) -> tuple[HostStep, ...]:
    shape = _data_shape(node, inputs)
    for index, symbol in enumerate(inputs):
        if isinstance(symbol, Constant):
            operand = without_batch(node, symbol.array, shape)
            step = Binary(_BINARY[node.op_type], operand, operand_first=index == 0)
            return _halved(node, step)
    raise ModelError(f"{node} combines two results as floats: put a quantizer on each branch")


def _halved(node: SourceNode, step: HostStep) -> tuple[HostStep, ...]:
    """Return ``step``, which adds two numbers, and for a mean their division by 2."""
    import numpy as np

    if node.op_type != "Mean":
        return (step,)
    return step, Binary(BinaryKind.MUL, np.full(1, 0.5, dtype=np.float32))


def _composed(node: SourceNode, _: Inputs, __: Context) -> tuple[HostStep, ...]:
    return PROGRAMS[node.op_type](node)


def _prelu(node: SourceNode, inputs: Inputs, _: Context) -> tuple[HostStep, ...]:
    slope = required_constant(node, inputs, 1, "slope").array
    operand = without_batch(node, slope, _data_shape(node, inputs))
    return leaky(Binary(BinaryKind.MUL, operand))


def _unary(node: SourceNode, _: Inputs, __: Context) -> tuple[HostStep, ...]:
    return (Unary(_UNARY[node.op_type]),)


def _clip(node: SourceNode, inputs: Inputs, _: Context) -> tuple[HostStep, ...]:
    lo, hi = clip_bounds(node, inputs)
    return (Clamp(None if lo is None else float(lo), None if hi is None else float(hi)),)


def _normalize(node: SourceNode, inputs: Inputs, _: Context) -> tuple[HostStep, ...]:
    import numpy as np

    arrays = [_finite(node, symbol.array) for symbol in inputs if isinstance(symbol, Constant)]
    gamma, beta, mean, variance = arrays
    channels = _data_shape(node, inputs)[0]
    if any(array.shape != (channels,) for array in arrays):
        shapes = [list(array.shape) for array in arrays]
        raise ModelError(f"{node}: its parameters {shapes} should be [{channels}], one a channel")
    if (variance + np.float32(epsilon_of(node)) <= 0).any():
        raise ModelError(f"{node}: a variance plus epsilon is not positive: train the model again")
    return (Normalize(gamma, beta, mean, variance, epsilon_of(node)),)


def _softmax(node: SourceNode, inputs: Inputs, context: Context) -> tuple[HostStep, ...]:
    rank = len(_data_shape(node, inputs)) + 1
    coerced = context.opset < _COERCED_SOFTMAX_UNTIL
    axis = node.integer("axis", 1 if coerced else -1)
    if not -rank <= axis < rank:
        raise ModelError(f"{node}: its axis {axis} is not one of {rank} dimensions")
    axis %= rank
    if axis == 0 or (coerced and axis != rank - 1):
        raise ModelError(f"{node}: its axis should be the last one, that of the channels")
    return (Softmax(axis - 1, logarithm=node.op_type == "LogSoftmax"),)


def _to_shape(node: SourceNode, _: Inputs, context: Context) -> tuple[HostStep, ...]:
    return (ToShape(shape_of(node, context.symbols[node.outputs[0]])),)


def _transpose(node: SourceNode, inputs: Inputs, _: Context) -> tuple[HostStep, ...]:
    rank = len(_data_shape(node, inputs)) + 1
    axes = node.integers("perm") or tuple(reversed(range(rank)))
    return (Transpose(tuple(axis - 1 for axis in axes[1:])),)


def _nothing(_: SourceNode, __: Inputs, ___: Context) -> tuple[HostStep, ...]:
    return ()


def _largest(node: SourceNode, inputs: Inputs, _: Context) -> tuple[HostStep, ...]:
    shape = _data_shape(node, inputs)
    wanted = selection(node, inputs, shape)
    negated = () if wanted.largest else (Unary(UnaryKind.NEG),)
    return (*negated, Largest(wanted.k, wanted.axis), ToShape(wanted.shape))


def _quantized(node: SourceNode, inputs: Inputs, _: Context) -> tuple[HostStep, ...]:
    import numpy as np

    quantizer = of_data(node, inputs)
    scale = without_batch(node, quantizer.scale, _data_shape(node, inputs))
    zero, shift = np.zeros(1, dtype=np.float32), zero_point_of_data(node, quantizer)
    return (Quantize(scale, zero, *quantizer.limits(node), Rounding.HALF_EVEN, shift),)


def _dequantized(node: SourceNode, inputs: Inputs, _: Context) -> tuple[HostStep, ...]:
    quantizer, shape = of_data(node, inputs), _data_shape(node, inputs)
    arrays = (quantizer.scale, quantizer.zero_point)
    scale, zero_point = (without_batch(node, array, shape) for array in arrays)
    return (Dequantize(scale, zero_point),)


_STEPS: Mapping[str, Callable[[SourceNode, Inputs, Context], tuple[HostStep, ...]]] = {
    **dict.fromkeys(_BINARY, _binary),
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(("Cast", "Dropout", "Identity"), _nothing),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), _to_shape),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK"), _largest),
    "BatchNormalization": _normalize,
    **dict.fromkeys(PROGRAMS, _composed),
    "Clip": _clip,
    "DequantizeLinear": _dequantized,
    "QuantizeLinear": _quantized,
    "PRelu": _prelu,
    "Transpose": _transpose,
}
