"""Where the windows of a model's node lie, by the exact interpreter's reading of it.

The lowering reads the same attributes by itself: what checks it should not share its mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from lutloom.streamline.oracle_convolutions import transposed_taps
from lutloom.streamline.oracle_values import Operation, OracleError
from lutloom.streamline.oracle_windows import axes

if TYPE_CHECKING:
    from lutloom.streamline.oracle_windows import Taps
    from lutloom.streamline.source import SourceNode

CHANNELS_LAST = frozenset({"Im2Col", "MaxPoolNHWC"})
"""Operators of QONNX whose data are channels-last, whatever their domain."""

_NAMES_OF_IM2COL = {"strides": "stride", "pads": "pad_amount", "dilations": "dilations"}


@dataclass(frozen=True)
class Places:
    """The windows of a node along each spatial axis: which ``(tap, pixel)`` meet in each result.

    ``counts`` are the divisors of an average along each axis, whose product is that of a window.
    """

    kernel: tuple[int, ...]
    taps: Sequence[Taps]
    counts: Sequence[Sequence[int]]

    @property
    def results(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        return tuple(map(len, self.taps))

    @property
    def size(self) -> int:
        """How many taps a window has."""
        return prod(self.kernel)


def places_of(node: SourceNode, image: Sequence[int], kernel: Sequence[int] = ()) -> Places:
    """Return the windows of ``node`` on an ``image`` of that many pixels.

    ``kernel`` is that of a convolution's weights; a pooling has its own.

    Raises ``OracleError`` where the standard leaves open where they lie.
    """
    attributes: Mapping[str, Any] = node.attributes
    match node.op_type:
        case "Im2Col":
            kernel = attributes["kernel_size"]
            attributes = {name: attributes.get(own) for name, own in _NAMES_OF_IM2COL.items()}
        case "QuantAvgPool2d":
            kernel = [node.integer("kernel", 1)] * 2
            attributes = {"strides": [node.integer("stride", 1)] * 2}
        case "GlobalAveragePool" | "GlobalMaxPool":
            kernel, attributes = image, {}
        case _ if not kernel:
            kernel = attributes.get("kernel_shape", ())
    if not kernel:
        raise OracleError(f"{node} has no kernel_shape")
    # Nothing here depends on the opset or on the batch.
    operation = Operation(node.op_type, attributes, opset=0, batch=None)
    if node.op_type == "ConvTranspose":
        return Places(tuple(kernel), transposed_taps(operation, image, kernel), ())
    windows = axes(operation, image, kernel, ceil_mode=bool(attributes.get("ceil_mode", 0)))
    taps = [axis.taps() for axis in windows]
    counts = [
        axis.padded()
        if attributes.get("count_include_pad", 0)
        else [len(pairs) for pairs in inside]
        for axis, inside in zip(windows, taps, strict=True)
    ]
    return Places(tuple(kernel), taps, counts)


def is_channels_last(node: SourceNode) -> bool:
    """Whether the channels of the data of ``node`` come last."""
    return (
        node.op_type in CHANNELS_LAST
        or node.domain.endswith("channels_last")
        or node.attributes.get("data_layout") == "NHWC"
    )
