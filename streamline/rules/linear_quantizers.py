"""QuantizeLinear and DequantizeLinear of data: the levels themselves, and what they stand for.

Integers between the two may move about (be reshaped, joined, pooled by their maximum), and become
reals by a DequantizeLinear only: ONNX's integers wrap around where they are added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.rounding import Rounding
from lutloom.streamline.align import aligned
from lutloom.streamline.context import required, required_formula
from lutloom.streamline.errors import ModelError
from lutloom.streamline.linear_quantizers import of_data, zero_point_of_data
from lutloom.streamline.quantize import Uniform, quantize
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.source import LINEAR_QUANTIZER
from lutloom.streamline.symbols import HostFloat

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol


def quantize_linear(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``clamp(round(x / scale) + zero_point, lo, hi)``, half to even: integers as they are.

    Raises ``ModelError`` for channels that have zero points of their own.
    """
    import numpy as np

    x = required(node, inputs, 0)
    quantizer = of_data(node, inputs)
    shift = zero_point_of_data(node, quantizer)
    if isinstance(x, HostFloat) and not isinstance(x.start, str):
        return host_only(node, inputs, context)
    lo, hi = quantizer.limits(node)
    zero, one = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32)
    uniform = Uniform(node, Rounding.HALF_EVEN, quantizer.scale, zero, one, lo, hi, shift)
    return quantize(uniform, x, context)


def dequantize_linear(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``(x - zero_point) * scale`` of integers."""
    import numpy as np

    x = required(node, inputs, 0)
    quantizer = of_data(node, inputs)
    if node.inputs[0] not in context.integers:
        raise ModelError(
            f"{node} reads floats, and should read what a QuantizeLinear gave: export the model"
            " again"
        )
    if isinstance(x, HostFloat):
        return host_only(node, inputs, context)
    y = required_formula(node, inputs, 0, "a DequantizeLinear")
    scale = aligned(node, y, quantizer.scale, "scale")
    zero_point = aligned(node, y, quantizer.zero_point, "zero point")
    return scale_and_shift(y, scale, np.asarray(-scale * zero_point)).after(node)


_MOVES = frozenset(
    "ArgMax ArgMin Clip Concat DepthToSpace Dropout Expand Flatten Gather"
    " GlobalMaxPool Identity Max MaxPool Min ReduceMax ReduceMin Relu Reshape Resize Slice"
    " SpaceToDepth Split Squeeze Tile TopK Transpose Unsqueeze Upsample".split()
)
_REAL = frozenset({"Cast", "DequantizeLinear", "Shape"})


def follow_integers(node: SourceNode, context: Context) -> None:
    """Remember which results of ``node`` are integers.

    Raises ``ModelError`` where it computes with some: at 8 bits they would wrap around.
    """
    reads_integers = not context.integers.isdisjoint(node.inputs)
    if reads_integers and node.op_type not in _MOVES | _REAL:
        raise ModelError(
            f"{node} computes with the integers of a QuantizeLinear, which wrap around in a"
            " runtime; put a DequantizeLinear before it"
        )
    if node.op_type == LINEAR_QUANTIZER or (reads_integers and node.op_type not in _REAL):
        context.integers.update(node.outputs)
