"""Trunc: integers without their low bits. QuantAvgPool2d: sums of windows, shifted.

``m = round(x / scale + zero_point)``, to even, is divided by a power of two and rounded as the node
says: a level. The first rounding is the inverse of ``m * scale``, where a scale is only nearly a
unit of ``x``: Brevitas rounds ``s / k^2`` to float32 for the mean of ``k^2`` integers. The two
roundings are one staircase: a level is reached where ``m`` is, half an integer below.

Of five inputs it is version 1 of the operator: the power is the difference of two bit widths, and
the result ``(level - zero_point) * scale`` keeps the scale. Of six it is version 2: the power is
the one nearest to ``output_scale / scale``, levels are clamped, and ``output_scale`` is their unit.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from lutloom.core.rational import rationals
from lutloom.core.rounding import Rounding
from lutloom.core.types import INT64_MAX
from lutloom.streamline.align import aligned, compact
from lutloom.streamline.context import required, required_constant, required_formula
from lutloom.streamline.curve import number
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered
from lutloom.streamline.quantize import MOST_STEPS, reach, thresholded
from lutloom.streamline.requantize import WideSteps
from lutloom.streamline.rounding import rounding_named, step_up
from lutloom.streamline.rules.average_pool import pooled_sum, unclamped
from lutloom.streamline.rules.quant import level_range, scale_of, zero_point_of
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.source import INPUTS_OF_SECOND_TRUNC
from lutloom.streamline.steps import Steps
from lutloom.streamline.symbols import Constant, Scaled
from lutloom.streamline.window_attributes import fitting

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol

_HALF = Fraction(1, 2)
# Beyond lies no number that is worth a bit.
_MOST_BITS = 64
# The order of axes that puts the channels last.
_IMAGES = {"NCHW": (1, 2, 0), "NHWC": (0, 1, 2)}


def trunc(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the levels, which stand for what the node gives.

    Raises ``ModelError`` for a constant, and for scales without a power of two between them.
    """
    import numpy as np

    if isinstance(required(node, inputs, 0), Constant):
        raise ModelError(f"{node} truncates a constant: fold it in the model before it is exported")
    x = required_formula(node, inputs, 0, "a Trunc")
    scale = aligned(node, x, scale_of(node, inputs, 1), "scale")
    zero_point = aligned(node, x, zero_point_of(node, inputs), "zero point")
    try:
        mode = rounding_named(node.text("rounding_mode", "FLOOR"))
    except ValueError as error:
        raise ModelError(f"{node}: {error}") from error
    y = scale_and_shift(x, np.asarray(1 / scale), zero_point)
    if len(inputs) != INPUTS_OF_SECOND_TRUNC:
        bits = _bits(node, inputs, 3) - _bits(node, inputs, 4)
        power = number(x, Fraction(2) ** bits).values
        return _truncated(node, y, power, mode, None, scale, -scale * zero_point, context)
    unit = aligned(node, x, scale_of(node, inputs, 4), "output scale")
    power = _nearest_powers(node, np.asarray(unit / scale))
    ends = level_range(node, _bits(node, inputs, 5))
    bias = np.asarray(-zero_point / power * unit)
    return _truncated(node, y, power, mode, ends, unit, bias, context)


def quant_avg_pool(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the sum of each window, shifted right until it fits into ``obits`` bits."""
    x = unclamped(node, inputs, "a mean")
    rank = len(x.shape)
    layout = node.text("data_layout", "NCHW")
    if rank != 3 or layout not in _IMAGES:
        raise ModelError(f"{node}: data of {rank + 1} dimensions have no layout {layout}")
    x = reordered(context.build, node, x, _IMAGES[layout])
    image = context.build.types[x.value].shape[:-1]
    size, stride = node.integer("kernel", 0), node.integer("stride", 0)
    ibits, obits = node.integer("ibits", 0), node.integer("obits", 0)
    if min(size, stride, ibits, obits) < 1 or max(ibits, obits) > _MOST_BITS:
        raise ModelError(
            f"{node}: its kernel, stride, ibits and obits ({size}, {stride}, {ibits}, {obits})"
            f" should be positive, and bits at most {_MOST_BITS}"
        )
    windows = fitting(node, (size,) * 2, image, (stride,) * 2, (1, 1), (0,) * 4)
    total = pooled_sum(node, x, windows, context)
    most = (2**ibits - 1) * size * size
    shift = max(0, most.bit_length() - obits)
    one, zero, power = (number(total, value).values for value in (1, 0, 2**shift))
    return _truncated(node, total, power, Rounding.FLOOR, None, one, zero, context)


def _bits(node: SourceNode, inputs: Inputs, index: int) -> int:
    array = required_constant(node, inputs, index, "bit width").array
    bits = float(array.reshape(-1)[0]) if array.size == 1 else 0.0
    if not 1 <= bits <= _MOST_BITS or bits != int(bits):
        raise ModelError(
            f"{node}: its bit widths should be integers from 1 to {_MOST_BITS}, not"
            f" {array.tolist()}"
        )
    return int(bits)


def _nearest_powers(node: SourceNode, ratios: Rationals) -> Rationals:
    """Return ``2 ** round(log2(ratio))``; a rational is never midway between two."""
    import numpy as np

    def nearest(ratio: Fraction) -> Fraction:
        if ratio <= 0:
            raise ModelError(
                f"{node}: its scale and its output scale have different signs, so that no power of"
                " two lies between them: train or export the model again"
            )
        exponent = ratio.numerator.bit_length() - ratio.denominator.bit_length()
        if Fraction(2) ** exponent > ratio:
            exponent -= 1
        return Fraction(2) ** (exponent + (ratio * ratio > Fraction(2) ** (2 * exponent + 1)))

    return compact(np.asarray(np.frompyfunc(nearest, 1, 1)(ratios), dtype=object))


def _truncated(
    node: SourceNode,
    y: Formula,
    power: Rationals,
    mode: Rounding,
    ends: tuple[int, int] | None,
    unit: Rationals,
    bias: Rationals,
    context: Context,
) -> Scaled:
    """Return ``clamp(round(round(y) / power))``, which stands for ``unit * level + bias``."""
    import numpy as np

    powers = set(power.ravel().tolist())
    least, most = reach(y, context)
    lo = min(floor((least - 1) / p) for p in powers) - 1
    hi = max(ceil((most + 1) / p) for p in powers) + 1
    if ends is not None:
        lo = min(max(lo, ends[0]), ends[1])
        hi = max(min(hi, ends[1]), lo)
    if max(-lo, hi) > INT64_MAX:
        raise ModelError(
            f"{node}: its levels lie beyond 64 bits, because its zero point does or its scale is"
            " tiny: train or export the model again"
        )
    steps: Rationals
    if hi - lo > MOST_STEPS:
        y = scale_and_shift(_of_integers(node, y, context), np.asarray(1 / power), rationals(0))
        steps = np.full((1,) * len(y.shape), WideSteps(mode, lo, hi), dtype=object)
    else:
        tables = {p: _steps(mode, p, lo, hi) for p in powers}
        steps = np.asarray(np.frompyfunc(tables.get, 1, 1)(power), dtype=object)
    return thresholded(node, y, steps, unit, bias, context)


def _steps(mode: Rounding, power: Fraction, lo: int, hi: int) -> Steps:
    """Return the steps of rounding to even, dividing by ``power``, rounding by ``mode`` and
    clamping to ``lo .. hi``.
    """
    step = step_up(mode)
    first = []
    for level in range(lo, hi):
        boundary, inclusive = step(level)
        first.append(ceil(boundary * power) if inclusive else floor(boundary * power) + 1)
    # Of the tie below an integer, the even one takes it.
    return Steps(tuple(m - _HALF for m in first), tuple(m % 2 == 0 for m in first), lo, 1)


def _of_integers(node: SourceNode, y: Formula, context: Context) -> Scaled:
    """Return ``round(y)`` as an affine map with integers of its own, and integers between bounds.

    Raises ``ModelError`` where there is none.
    """
    import numpy as np

    def to_integers(array: Rationals) -> Rationals:
        rounded = np.frompyfunc(lambda n: None if n is None else Fraction(round(n)), 1, 1)(array)
        return np.asarray(rounded, dtype=object)

    found = None
    if isinstance(y, Scaled):
        element = context.build.types[y.value].element
        farthest = max(-element.lo, element.hi)
        whole = y.with_arrays(to_integers)
        error = np.abs(y.slope - whole.slope) * farthest + np.abs(y.offset - whole.offset)
        if all(entry < _HALF for entry in error.ravel().tolist()):
            found = whole
    if found is None:
        raise ModelError(
            f"{node} has too many levels within reach for thresholds, and rounds what is no integer"
            " before it truncates: use a scale that the one of its input is a multiple of, or"
            " truncate to 12 bits"
        )
    return found
