"""Quant (IntQuant) and BipolarQuant: of weights a grid, of data thresholds, or a host part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lutloom.core.host import round_by
from lutloom.core.rational import rationals
from lutloom.streamline.context import required, required_constant
from lutloom.streamline.errors import ModelError
from lutloom.streamline.quantize import Uniform, quantize
from lutloom.streamline.rounding import rounding_named
from lutloom.streamline.symbols import Constant, Grid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_MOST_BITS = 32
_FINEST_ZERO_POINT = 256
_LARGEST_ZERO_POINT = 2**31


def bipolar_quant(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``scale`` where ``x >= 0``, else ``-scale``."""
    import numpy as np

    x = required(node, inputs, 0)
    scale = scale_of(node, inputs, 1)
    if isinstance(x, Constant):
        _check_weights(node, x, scale, np.zeros(1))
        signs = np.where(x.array >= 0, 1, -1)
        return _weights(node, signs, np.zeros(1, dtype=np.float32), scale)
    one = np.ones(1, dtype=np.float32)
    return quantize(Uniform(node, None, one, 0 * one, scale, -1, 1), x, context)


def quant(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``(clamp(round(x / scale + zero_point)) - zero_point) * scale``."""
    import numpy as np

    x = required(node, inputs, 0)
    scale = scale_of(node, inputs, 1)
    zero_point = zero_point_of(node, inputs)
    if isinstance(x, Constant):
        _check_weights(node, x, scale, zero_point)
    bits = _bits(node, inputs)
    for name in ("signed", "narrow"):
        if name not in node.attributes:
            raise ModelError(f"{node} lacks the attribute '{name}': export the model again")
    is_signed = bool(node.integer("signed", 1))
    try:
        mode = rounding_named(node.text("rounding_mode", "ROUND"))
    except ValueError as error:
        raise ModelError(f"{node}: {error}") from error
    if bits == 1 and is_signed:
        # qonnx takes a signed bit to be bipolar: the sign, and not the integers -1 and 0.
        if isinstance(x, Constant):
            signs = np.where(_levels(x, scale, zero_point) >= 0, 1, -1)
            return _weights(node, signs, zero_point, scale)
        return quantize(Uniform(node, None, scale, zero_point, scale, -1, 1), x, context)
    lo, hi = level_range(node, bits)
    if isinstance(x, Constant):
        levels = round_by(mode, np.clip(_levels(x, scale, zero_point), lo, hi)).astype(np.int64)
        return _weights(node, levels, zero_point, scale)
    return quantize(Uniform(node, mode, scale, zero_point, scale, lo, hi), x, context)


def other_quantizer(node: SourceNode, _: Inputs, __: Context) -> Symbol:
    """Refuse a quantizer of another kind, with its reason."""
    raise ModelError(f"{node}: {OTHER_QUANTIZERS[node.op_type]}")


OTHER_QUANTIZERS: Mapping[str, str] = {
    "DynamicQuantizeLinear": "its scale depends on the data, which no fixed hardware can follow;"
    " train with a scale that is learned or calibrated",
    "FloatQuant": "it quantizes to floats of few bits, whose sums are no integers; train with an"
    " integer quantizer (Int8WeightPerTensorFloat, Int8ActPerTensorFloat or the like)",
    **dict.fromkeys(
        (
            "ConvInteger",
            "MatMulInteger",
            "QGemm",
            "QLinearAdd",
            "QLinearAveragePool",
            "QLinearConcat",
            "QLinearConv",
            "QLinearGlobalAveragePool",
            "QLinearLeakyRelu",
            "QLinearMatMul",
            "QLinearMul",
            "QLinearSigmoid",
        ),
        "it computes with integers as a runtime's kernels round them; write the model with pairs of"
        " QuantizeLinear and DequantizeLinear (quant_format=QuantFormat.QDQ)",
    ),
}


def _levels(x: Constant, scale: NDArray[Any], zero_point: NDArray[Any]) -> NDArray[Any]:
    """Return ``x / scale + zero_point`` in float32, as qonnx computes it."""
    import numpy as np

    with np.errstate(all="ignore"):  # beyond float32 lies infinity, which is clamped
        return np.asarray(x.array.astype(np.float32) / scale + zero_point)


def _check_weights(
    node: SourceNode, x: Constant, scale: NDArray[Any], zero_point: NDArray[Any]
) -> None:
    import numpy as np

    if x.array.dtype.kind != "f":
        raise ModelError(
            f"{node}: its constant input holds {x.array.dtype}, and should hold floats: put a Cast"
            " before it"
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


def _weights(
    node: SourceNode, levels: NDArray[Any], zero_point: NDArray[Any], scale: NDArray[Any]
) -> Constant:
    """Return ``(levels - zero_point) * scale``: a zero point between integers refines the grid."""
    import numpy as np

    # What is rounded here stands for nothing: it is what a float32 program goes on with.
    with np.errstate(all="ignore"):
        array = ((levels - zero_point) * scale).astype(np.float32)
    exact = rationals(zero_point)
    finest = max((number.denominator for number in exact.ravel().tolist()), default=1)
    if finest > _FINEST_ZERO_POINT or np.abs(zero_point).max(initial=0) >= _LARGEST_ZERO_POINT:
        raise ModelError(
            f"{node}: the zero point of its weights is no multiple of 1/{_FINEST_ZERO_POINT} below"
            f" {_LARGEST_ZERO_POINT}, so that they are no small integers; quantize weights"
            " symmetrically"
        )
    shift = np.asarray(exact * finest).astype(np.int64)
    integers = levels.astype(np.int64) * finest - shift
    return Constant(array, Grid(integers, np.asarray(rationals(scale) / finest, dtype=object)))


def level_range(node: SourceNode, bits: int) -> tuple[int, int]:
    """Return the lowest and the highest level that the attributes of ``node`` allow."""
    is_signed, is_narrow = bool(node.integer("signed", 1)), bool(node.integer("narrow", 0))
    lo = -(2 ** (bits - 1)) + is_narrow if is_signed else 0
    hi = 2 ** (bits - 1) - 1 if is_signed else 2**bits - 1 - is_narrow
    if lo > hi:
        raise ModelError(f"{node}: {bits} bits, narrow, leave no value: use more bits")
    return lo, hi


def zero_point_of(node: SourceNode, inputs: Inputs) -> NDArray[np.float32]:
    """Return the zero point, its third input, as float32."""
    import numpy as np

    zero_point = required_constant(node, inputs, 2, "zero point").array.astype(np.float32)
    if not np.isfinite(zero_point).all():
        raise ModelError(f"{node}: its zero point is no number: train or export the model again")
    return zero_point


def scale_of(node: SourceNode, inputs: Inputs, index: int) -> NDArray[np.float32]:
    """Return a scale, the input ``index``, as float32."""
    import numpy as np

    with np.errstate(over="ignore"):  # a double beyond float32 is refused as infinite
        scale = required_constant(node, inputs, index, "scale").array.astype(np.float32)
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
