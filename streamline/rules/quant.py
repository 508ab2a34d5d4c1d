"""Quant (IntQuant) and BipolarQuant: of weights a grid, of data thresholds, or a host part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutloom.core.host import round_by
from lutloom.core.rational import rationals
from lutloom.streamline.context import required, required_constant
from lutloom.streamline.errors import ModelError
from lutloom.streamline.quantize import Uniform, quantize
from lutloom.streamline.rounding import rounding_named
from lutloom.streamline.symbols import Constant, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_MOST_BITS = 32


def bipolar_quant(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``scale`` where ``x >= 0``, else ``-scale``."""
    import numpy as np

    x = required(node, inputs, 0)
    scale = _scale(node, inputs)
    if isinstance(x, Constant):
        _check_weights(node, x, scale, np.zeros(1))
        signs = np.where(x.array >= 0, 1, -1)
        return _weights(signs, scale, np.asarray(signs * scale))
    one = np.ones(1, dtype=np.float32)
    return quantize(Uniform(node, None, one, 0 * one, scale, -1, 1), x, context)


def quant(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``(clamp(round(x / scale + zero_point)) - zero_point) * scale``."""
    import numpy as np

    x = required(node, inputs, 0)
    scale = _scale(node, inputs)
    zero_point = required_constant(node, inputs, 2, "zero point").array.astype(np.float32)
    if not np.isfinite(zero_point).all():
        raise ModelError(f"{node}: its zero point is no number: train or export the model again")
    if isinstance(x, Constant):
        _check_weights(node, x, scale, zero_point)
    bits = _bits(node, inputs)
    for name in ("signed", "narrow"):
        if name not in node.attributes:
            raise ModelError(f"{node} lacks the attribute '{name}': export the model again")
    is_signed, is_narrow = bool(node.integer("signed", 1)), bool(node.integer("narrow", 0))
    try:
        mode = rounding_named(node.text("rounding_mode", "ROUND"))
    except ValueError as error:
        raise ModelError(f"{node}: {error}") from error
    if bits == 1 and is_signed:
        # qonnx takes a signed bit to be bipolar: the sign, and not the integers -1 and 0.
        if isinstance(x, Constant):
            scaled = x.array / scale + zero_point
            signs = np.where(scaled >= 0, 1, -1)
            return _weights(_centred(node, signs, zero_point), scale, None)
        return quantize(Uniform(node, None, scale, zero_point, scale, -1, 1), x, context)
    lo = -(2 ** (bits - 1)) + is_narrow if is_signed else 0
    hi = 2 ** (bits - 1) - 1 if is_signed else 2**bits - 1 - is_narrow
    if lo > hi:
        raise ModelError(f"{node}: {bits} bits, narrow, leave no value: use more bits")
    if isinstance(x, Constant):
        levels = round_by(mode, np.clip(x.array / scale + zero_point, lo, hi)).astype(np.int64)
        return _weights(_centred(node, levels, zero_point), scale, None)
    return quantize(Uniform(node, mode, scale, zero_point, scale, lo, hi), x, context)


def _check_weights(
    node: SourceNode, x: Constant, scale: NDArray[Any], zero_point: NDArray[Any]
) -> None:
    import numpy as np

    if x.array.dtype.kind != "f":
        raise ModelError(
            f"{node}: its constant input holds {x.array.dtype}, and should hold floats"
        )
    if not np.isfinite(x.array).all():
        raise ModelError(f"{node}: its constant input holds NaN or infinity: train the model again")
    for array, what in ((scale, "scale"), (zero_point, "zero point")):
        try:
            np.broadcast_to(array, x.array.shape)
        except ValueError as error:
            raise ModelError(
                f"{node}: its {what} of shape {list(array.shape)} does not fit weights of shape"
                f" {list(x.array.shape)}; use one {what}, or one an output"
            ) from error


def _weights(integers: NDArray[Any], scale: NDArray[Any], floats: NDArray[Any] | None) -> Constant:
    import numpy as np

    array = (integers * scale).astype(np.float32) if floats is None else floats.astype(np.float32)
    return Constant(array, Grid(integers.astype(np.int64), rationals(scale)))


def _centred(node: SourceNode, levels: NDArray[Any], zero_point: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    if (zero_point != np.round(zero_point)).any():
        raise ModelError(
            f"{node}: the zero point of its weights is no integer; quantize weights symmetrically"
        )
    return np.asarray(levels - zero_point.astype(np.int64))


def _scale(node: SourceNode, inputs: Inputs) -> NDArray[Any]:
    import numpy as np

    scale = required_constant(node, inputs, 1, "scale").array.astype(np.float32)
    if not np.isfinite(scale).all() or (scale == 0).any():
        raise ModelError(
            f"{node}: its scale is zero, infinite or no number: train or export the model again"
        )
    return scale


def _bits(node: SourceNode, inputs: Inputs) -> int:
    array = required_constant(node, inputs, 3, "bit width").array
    bits = float(array.reshape(-1)[0]) if array.size == 1 else 0.0
    if not 1 <= bits <= _MOST_BITS or bits != int(bits):
        raise ModelError(
            f"{node}: its bit width should be one integer from 1 to {_MOST_BITS}, not"
            f" {array.tolist()}"
        )
    return int(bits)
