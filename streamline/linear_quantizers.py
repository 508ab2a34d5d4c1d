"""What QuantizeLinear and DequantizeLinear say: a scale, a zero point, and which levels there are.

``level = clamp(round(x / scale) + zero_point, lo, hi)``, half to even, stands for
``(level - zero_point) * scale``. The type of the zero point says how many levels there are, and
where it does not the node's own ``limits`` do (``clipped_quantizers``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.context import required, required_constant, shape_of
from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.streamline.context import Inputs
    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]

# What is quantized to where the zero point is absent, by the numbers of ONNX's types.
_RANGES = {
    0: (0, 255),
    2: (0, 255),
    3: (-128, 127),
    4: (0, 65535),
    5: (-32768, 32767),
    21: (0, 15),
    22: (-8, 7),
}
_MOST_BYTES = 2


@dataclass(frozen=True, eq=False)
class LinearQuantizer:
    """The constants of a node; both arrays broadcast to its tensor, the batch included."""

    scale: NDArray[np.float32]
    zero_point: IntArray
    dtype: np.dtype[Any] | None
    """That of the zero point; None where there is none."""

    def limits(self, node: SourceNode) -> tuple[int, int]:
        """Return the lowest and the highest level of ``node``, a QuantizeLinear.

        Raises ``ModelError`` for a type that is none of up to 16 bits.
        """
        import numpy as np

        if self.dtype is None:
            code = node.integer("output_dtype", 0)
            if code not in _RANGES:
                raise ModelError(
                    f"{node} quantizes to type {code} of ONNX, which is none of integers of 4, 8 or"
                    " 16 bits; quantize to int8 or uint8"
                )
            lo, hi = _RANGES[code]
        elif self.dtype.itemsize > _MOST_BYTES:
            raise ModelError(
                f"{node}: its zero point holds {self.dtype}, and integers of 4, 8 or 16 bits are"
                " quantized to; quantize to int8 or uint8"
            )
        else:
            lo, hi = int(np.iinfo(self.dtype).min), int(np.iinfo(self.dtype).max)
        if node.limits is not None:
            lo, hi = (min(max(end, lo), hi) for end in node.limits)
        return lo, hi


def linear_quantizer(
    node: SourceNode, shape: tuple[int | None, ...], arrays: list[Array | None]
) -> LinearQuantizer:
    """Return what ``arrays``, the inputs of ``node`` from the second on, say of a tensor of
    ``shape``, whose batch may be None.

    Raises ``ModelError`` if one of them is missing, or does not fit.
    """
    import numpy as np

    scale, zero_point = (*arrays, None, None)[:2]
    if scale is None:
        raise ModelError(f"{node} lacks its data or its scale: the file is damaged")
    if node.integer("block_size", 0):
        raise ModelError(f"{node} has a scale for every block; use one for the tensor or a channel")
    if scale.dtype.kind != "f" or not np.isfinite(scale).all() or (scale == 0).any():
        raise ModelError(f"{node}: its scale is zero or no number: train or export the model again")
    if zero_point is not None and zero_point.dtype.kind not in "iu":
        raise ModelError(
            f"{node}: its zero point holds {zero_point.dtype}, and should hold integers"
        )
    place: tuple[int, ...] = ()
    if scale.size > 1:
        axis, rank = node.integer("axis", 1), len(shape)
        if not -rank <= axis < rank or scale.shape != (shape[axis],):
            found = ["N" if size is None else size for size in shape]
            raise ModelError(
                f"{node}: its scale of shape {list(scale.shape)} does not fit a tensor of shape"
                f" {found}; use one, or one for each index of its axis"
            )
        place = tuple(scale.size if i == axis % rank else 1 for i in range(rank))
    if zero_point is not None and zero_point.size != scale.size:
        raise ModelError(f"{node}: its zero point should have the shape of its scale")
    zeros = np.zeros(scale.shape) if zero_point is None else zero_point
    return LinearQuantizer(
        scale.astype(np.float32).reshape(place),
        zeros.astype(np.int64).reshape(place),
        None if zero_point is None else zero_point.dtype,
    )


def of_data(node: SourceNode, inputs: Inputs) -> LinearQuantizer:
    """Return the constants of ``node``, whose first input is data.

    Raises ``ModelError`` where they depend on the data, or do not fit.
    """
    shape = shape_of(node, required(node, inputs, 0))
    names = ("scale", "zero point")
    arrays = [
        None if symbol is None else required_constant(node, inputs, index, names[index - 1]).array
        for index, symbol in enumerate(inputs[1:], start=1)
    ]
    return linear_quantizer(node, (None, *shape), arrays)


def of_tensors(node: SourceNode, tensors: Mapping[str, Array]) -> LinearQuantizer:
    """Return the constants of ``node``, all of whose inputs are among ``tensors``."""
    x, *others = (tensors[name] if name else None for name in node.inputs)
    assert x is not None
    return linear_quantizer(node, x.shape, others)


def zero_point_of_data(node: SourceNode, quantizer: LinearQuantizer) -> int:
    """Return the zero point that all channels share.

    Raises ``ModelError`` if they do not.
    """
    import numpy as np

    zero_points = np.unique(quantizer.zero_point)
    if zero_points.size > 1:
        raise ModelError(
            f"{node}: its channels have zero points of their own; use one for the tensor, or"
            " quantize it symmetrically"
        )
    return int(zero_points[0])
