"""What runs on the host, before and behind the integers: a small closed set of steps in NumPy.

A step maps ``[batch, ...]`` to ``[batch, ...]``; floats are float32, as in the model, operation
by operation, so that elementary ones give the very numbers of an ONNX runtime without graph
optimisations. Axes and shapes leave the batch out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from lutloom.core.rounding import Rounding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Array: TypeAlias = NDArray[Any]


class BinaryKind(Enum):
    """An operation with two operands."""

    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    POW = "pow"
    MIN = "min"
    MAX = "max"
    KEEP_ABOVE = "keep_above"
    """The left one where it is above the right one, else 0."""


class UnaryKind(Enum):
    """A function of each element."""

    NEG = "neg"
    ABS = "abs"
    RELU = "relu"
    SQRT = "sqrt"
    EXP = "exp"
    LOG = "log"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    ERF = "erf"


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """``x OP operand``, or ``operand OP x``; the operand broadcasts to ``x`` without its batch."""

    kind: BinaryKind
    operand: Floats
    operand_first: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Combine:
    """``left(x) OP right(x)``: two programs on the same numbers, ``x * sigmoid(x)`` for one."""

    kind: BinaryKind
    left: HostProgram
    right: HostProgram


@dataclass(frozen=True, slots=True)
class Unary:
    """A function of each element."""

    kind: UnaryKind


@dataclass(frozen=True, slots=True)
class Clamp:
    """``min(max(x, lo), hi)``; a bound that is None is absent."""

    lo: float | None
    hi: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Normalize:
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` over axis 0 (the channels)."""

    gamma: Floats
    beta: Floats
    mean: Floats
    variance: Floats
    epsilon: float


@dataclass(frozen=True, slots=True)
class Softmax:
    """Softmax along ``axis``, or its logarithm."""

    axis: int
    logarithm: bool


@dataclass(frozen=True, slots=True)
class ToShape:
    """A row-major reshape."""

    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Transpose:
    """Axis ``j`` of the result is axis ``axes[j]`` of the input."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Quantize:
    """``clamp(round(x / scale + zero_point) + shift, lo, hi)``, int64, computed in float32.

    QONNX's Quant adds its zero point before it rounds, ONNX's QuantizeLinear behind that.
    """

    scale: Floats
    zero_point: Floats
    lo: int
    hi: int
    rounding: Rounding
    shift: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Dequantize:
    """``(x - zero_point) * scale`` of integers below 2^24, in float32."""

    scale: Floats
    zero_point: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Binarize:
    """``+1`` where ``x / scale + zero_point >= 0``, else ``-1``: int64."""

    scale: Floats
    zero_point: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """``first + height * n``, int64, where ``x`` is at or above ``n`` thresholds of its channel.

    ``thresholds`` is ``[channels, steps]`` along ``axis``, or has one row for all channels.
    """

    thresholds: Floats
    axis: int
    first: int
    height: int


@dataclass(frozen=True, slots=True)
class Largest:
    """Indices of the ``k`` largest along ``axis``, ties to the lowest index, int64."""

    k: int
    axis: int


HostStep: TypeAlias = (
    Binary
    | Combine
    | Unary
    | Clamp
    | Normalize
    | Softmax
    | ToShape
    | Transpose
    | Quantize
    | Dequantize
    | Binarize
    | Count
    | Largest
)

HostProgram: TypeAlias = "tuple[HostStep, ...]"


def run_host(program: HostProgram, x: Array) -> Array:
    """Return what ``program`` makes of ``x [batch, ...]``; infinities and NaN arise silently."""
    import numpy as np

    with np.errstate(all="ignore"):
        return _run_all(program, x)


def _run_all(program: HostProgram, x: Array) -> Array:
    for step in program:
        x = _run(step, x)
    return x


def _run(step: HostStep, x: Array) -> Array:
    import numpy as np

    match step:
        case Binary(kind, operand, first):
            return _binary(kind, operand, x) if first else _binary(kind, x, operand)
        case Combine(kind, left, right):
            return _binary(kind, _run_all(left, x), _run_all(right, x))
        case Unary(kind):
            return _unary(kind, x)
        case Clamp(lo, hi):
            return _clamp(x, lo, hi)
        case Normalize():
            return _normalize(step, x)
        case Softmax(axis, logarithm):
            shifted = x - x.max(axis=axis + 1, keepdims=True)
            exponents = np.exp(shifted)
            total = exponents.sum(axis=axis + 1, keepdims=True)
            return np.asarray(shifted - np.log(total) if logarithm else exponents / total)
        case ToShape(shape):
            return x.reshape(x.shape[0], *shape)
        case Transpose(axes):
            return np.asarray(x.transpose(0, *(axis + 1 for axis in axes)))
        case Dequantize(scale, zero_point):
            return np.asarray((x.astype(np.float32) - zero_point) * scale)
        case Quantize() | Binarize() | Count() | Largest():
            return _integers(step, x)
        case _:
            assert_never(step)


def _integers(step: Quantize | Binarize | Count | Largest, x: Array) -> Array:
    import numpy as np

    match step:
        case Quantize(scale, zero_point, lo, hi, rounding, shift):
            scaled = np.clip(x / scale + zero_point, lo - shift, hi - shift)
            return np.asarray(round_by(rounding, scaled).astype(np.int64) + shift)
        case Binarize(scale, zero_point):
            return np.where(x / scale + zero_point >= 0, np.int64(1), np.int64(-1))
        case Count(thresholds, axis, first, height):
            reached = np.moveaxis(x, axis + 1, -1)[..., np.newaxis] >= thresholds
            levels = first + height * reached.sum(axis=-1, dtype=np.int64)
            return np.asarray(np.moveaxis(levels, -1, axis + 1))
        case Largest(k, axis):
            order = np.argsort(-x, axis=axis + 1, kind="stable")
            return np.take(order, np.arange(k), axis=axis + 1).astype(np.int64)
        case _:
            assert_never(step)


def _clamp(x: Array, lo: float | None, hi: float | None) -> Array:
    import numpy as np

    if lo is not None:
        x = np.maximum(x, np.float32(lo))
    return x if hi is None else np.minimum(x, np.float32(hi))


def _binary(kind: BinaryKind, left: Array, right: Array) -> Array:
    import numpy as np

    match kind:
        case BinaryKind.ADD:
            return left + right
        case BinaryKind.SUB:
            return left - right
        case BinaryKind.MUL:
            return left * right
        case BinaryKind.DIV:
            return left / right
        case BinaryKind.POW:
            return np.power(left, right)
        case BinaryKind.MIN:
            return np.minimum(left, right)
        case BinaryKind.MAX:
            return np.maximum(left, right)
        case BinaryKind.KEEP_ABOVE:
            return np.where(left > right, left, np.zeros_like(left))
        case _:
            assert_never(kind)


def _unary(kind: UnaryKind, x: Array) -> Array:
    import numpy as np

    match kind:
        case UnaryKind.NEG:
            return -x
        case UnaryKind.ABS:
            return np.abs(x)
        case UnaryKind.RELU:
            return np.maximum(x, 0)
        case UnaryKind.SQRT:
            return np.sqrt(x)
        case UnaryKind.EXP:
            return np.exp(x)
        case UnaryKind.LOG:
            return np.log(x)
        case UnaryKind.SIGMOID:
            # exp(-|x|) can't overflow, whatever the sign.
            small = np.exp(-np.abs(x))
            return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype)
        case UnaryKind.TANH:
            return np.tanh(x)
        case UnaryKind.ERF:
            from math import erf  # NumPy has none

            return np.asarray(np.frompyfunc(erf, 1, 1)(x)).astype(x.dtype)
        case _:
            assert_never(kind)


def _normalize(step: Normalize, x: Array) -> Array:
    import numpy as np

    column = (-1, *[1] * (x.ndim - 2))
    factor = step.gamma / np.sqrt(step.variance + np.float32(step.epsilon))
    offset = step.beta - step.mean * factor
    return np.asarray(x * factor.reshape(column) + offset.reshape(column))


def round_by(mode: Rounding, y: Array) -> Array:
    """Return ``y`` rounded, in its own precision."""
    import numpy as np

    match mode:
        case Rounding.HALF_EVEN:
            return np.round(y)
        case Rounding.HALF_UP:
            return np.sign(y) * np.floor(np.abs(y) + np.float32(0.5))
        case Rounding.HALF_DOWN:
            return np.sign(y) * np.ceil(np.abs(y) - np.float32(0.5))
        case Rounding.FLOOR:
            return np.floor(y)
        case Rounding.CEIL:
            return np.ceil(y)
        case Rounding.UP:
            return np.sign(y) * np.ceil(np.abs(y))
        case Rounding.DOWN:
            return np.trunc(y)
        case _:
            assert_never(mode)
