"""Operators of QONNX that are neither ONNX's nor quantizers to a scale of their own, on exact data.

``Trunc`` drops low bits, ``QuantAvgPool2d`` sums and shifts, ``Im2Col`` lays windows out as rows.
Those of the domain ``channels_last`` are ONNX's, with the channels behind the spatial axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.streamline.oracle_operators import OPERATORS
from lutloom.streamline.oracle_pools import pooled
from lutloom.streamline.oracle_quantizers import integer_range, rounded
from lutloom.streamline.oracle_reals import Number
from lutloom.streamline.oracle_values import (
    Known,
    Operation,
    OracleError,
    Value,
    Values,
    aligned,
    data,
    each,
    known,
)
from lutloom.streamline.oracle_windows import axes, elements, pixels, places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def _trunc(operation: Operation, inputs: Values) -> list[Value]:
    """Drop low bits: of five inputs as in version 1, of six as in version 2.

    ``y = round(x / scale + zero_point)``, to even, is divided by a power of two and rounded as the
    node says. In version 1 that power is the difference of the two bit widths, and the result is
    ``(y - zero_point) * scale``: the scale is not multiplied by it. In version 2 it is the power
    of two nearest (in its logarithm) to ``output_scale / scale``; ``y`` is clamped to the output's
    bits (behind the rounding here, in front of it in qonnx: the order of numbers and the integers
    stay), and the result is ``(y - zero_point / power) * output_scale``.
    """
    mode = operation.attributes.get("rounding_mode", "FLOOR")
    scale, zero_point = (Known(known(value).array.astype(np.float32)) for value in inputs[1:3])
    if len(inputs) == 5:
        power = Fraction(2) ** (_whole(inputs[3]) - _whole(inputs[4]))

        def first(x: Number, s: Fraction, zero: Fraction) -> Fraction:
            y = Fraction(rounded("ROUND", x / s + zero))
            return (rounded(mode, y / power) - zero) * s

        return [each(first, *aligned(data(inputs[0]), scale, zero_point))]
    output_scale = Known(known(inputs[4]).array.astype(np.float32))
    lowest, highest = integer_range(
        known(inputs[5]).array,
        signed=bool(operation.attributes.get("signed", 1)),
        narrow=bool(operation.attributes.get("narrow", 0)),
    )

    def second(x: Number, s: Fraction, zero: Fraction, wanted: Fraction) -> Fraction:
        power = nearest_power(wanted / s)
        y = rounded(mode, Fraction(rounded("ROUND", x / s + zero)) / power)
        return (min(max(y, lowest), highest) - zero / power) * wanted

    return [each(second, *aligned(data(inputs[0]), scale, zero_point, output_scale))]


def _whole(value: Value) -> int:
    numbers = known(value).array.ravel().tolist()
    if len(numbers) != 1 or numbers[0] != int(numbers[0]):
        raise OracleError(f"a bit width of {numbers} is no integer")
    return int(numbers[0])


def nearest_power(ratio: Fraction) -> Fraction:
    """Return ``2 ** round(log2(ratio))``; a rational is never midway between two.

    Raises ``OracleError`` where ``ratio`` is not positive.
    """
    if ratio <= 0:
        raise OracleError(f"a quotient of scales of {ratio} has no logarithm")
    exponent = ratio.numerator.bit_length() - ratio.denominator.bit_length()
    while ratio * ratio < Fraction(2) ** (2 * exponent - 1):
        exponent -= 1
    while ratio * ratio > Fraction(2) ** (2 * exponent + 1):
        exponent += 1
    return Fraction(2) ** exponent


def shift_of_average(attributes: Mapping[str, Any]) -> int:
    """Return by how many bits a ``QuantAvgPool2d`` shifts its sums."""
    most = (2 ** attributes["ibits"] - 1) * attributes["kernel"] ** 2
    return int(max(0, most.bit_length() - attributes["obits"]))


def _quant_avg_pool(operation: Operation, inputs: Values) -> list[Value]:
    """Return the sum of each window, shifted right until it fits in ``obits`` bits."""
    size, stride = operation.attributes["kernel"], operation.attributes["stride"]
    layout = operation.attributes.get("data_layout", "NCHW")
    if layout not in {"NCHW", "NHWC"}:
        raise OracleError(f"a data_layout of {layout!r}")
    x = data(inputs[0])
    if layout == "NHWC":
        x = np.moveaxis(x, -1, 2)
    window = replace(operation, attributes={"strides": [stride, stride]})
    taps = [axis.taps() for axis in axes(window, x.shape[3:], [size, size])]
    shift = shift_of_average(operation.attributes)
    sums = pooled(np.sum, x, taps, terms=size * size)
    y = each(lambda total: Fraction(rounded("ROUND", total) >> shift), sums)
    return [np.moveaxis(y, 2, -1) if layout == "NHWC" else y]


def _im2col(operation: Operation, inputs: Values) -> list[Value]:
    """Return the windows of ``[1, height, width, channels]`` as rows: row, column, channel."""
    x = np.moveaxis(data(inputs[0]), -1, 2)
    kernel = operation.attributes["kernel_size"]
    named = {"strides": "stride", "pads": "pad_amount", "dilations": "dilations"}
    attributes = {name: operation.attributes.get(theirs) for name, theirs in named.items()}
    windows = axes(replace(operation, attributes=attributes), x.shape[3:], kernel)
    padding = Fraction(operation.attributes.get("pad_value", 0))
    sizes = [axis.results for axis in windows]
    out = np.full((*x.shape[:2], *sizes, x.shape[2], *kernel), padding, dtype=object)
    for place, pairs in places([axis.taps() for axis in windows]):
        at: tuple[Any, ...] = (slice(None), slice(None), *place)
        out[at][elements(pairs)] = x[pixels(pairs)]
    last = 2 + len(sizes)
    return [np.moveaxis(out, last, -1).reshape(*x.shape[:2], *sizes, -1)]


def _channels_last(operation: Operation, inputs: Values) -> list[Value]:
    """Do what ONNX's operator of that name does; the weights have their channels last too."""
    first: list[Value] = [np.moveaxis(data(inputs[0]), -1, 2), *inputs[1:]]
    if operation.kind == "Conv":
        weights = known(inputs[1])
        exact = None if weights.exact is None else np.moveaxis(weights.exact, -1, 1)
        first[1] = Known(np.moveaxis(weights.array, -1, 1), exact)
    kind = operation.kind.removesuffix("NHWC")
    (y,) = OPERATORS[kind](replace(operation, kind=kind), first)
    return [np.moveaxis(data(y), 2, -1)]


QONNX: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    "Im2Col": _im2col,
    "MaxPoolNHWC": _channels_last,
    "QuantAvgPool2d": _quant_avg_pool,
    "Trunc": _trunc,
}
CHANNELS_LAST: Mapping[str, Callable[[Operation, Values], list[Value]]] = dict.fromkeys(
    ("BatchNormalization", "Conv", "MaxPool"), _channels_last
)
