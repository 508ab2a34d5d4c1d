"""Each operator of the integer graph in the words of QONNX, exactly, or the reason why not.

linear      MatMul with integer weights
threshold   MultiThreshold, on -x where a channel falls; the difference of two if one does both
requantize  Mul, Add, Clip, Quant
add         Mul by multipliers, Add
reshape     Reshape                                 permute     Transpose
top_k       TopK                                    duplicate   Identity
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import LutloomError
from lutloom.core.multiply_shift import ShiftRounding
from lutloom.core.ops import (
    Add,
    Duplicate,
    Linear,
    MatVec,
    Permute,
    Requantize,
    Reshape,
    Threshold,
    TopK,
)
from lutloom.core.ops.requantize import numbers
from lutloom.core.types import IntType
from lutloom.streamline.finn_datatypes import datatype_name
from lutloom.streamline.qonnx_writer import QONNX
from lutloom.streamline.up_steps import TooManyStepsError, in_one_direction, up_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.core.types import Const, TensorType
    from lutloom.streamline.qonnx_writer import QonnxWriter

# float32 holds every integer up to this magnitude, and this one is not reached.
_LIMIT = 2**24
# The layouts of channels-last data, by the number of dimensions without the batch.
_LAYOUTS = {1: "NC", 2: "NWC", 3: "NHWC", 4: "NDHWC"}

_ROUNDINGS = {
    ShiftRounding.DOWN: "FLOOR",
    ShiftRounding.TIES_TO_EVEN: "ROUND",
    ShiftRounding.TO_ZERO: "DOWN",
    ShiftRounding.FROM_ZERO: "UP",
}


class NotQonnxError(LutloomError, ValueError):
    """A graph that QONNX can't say exactly: the node, and why."""


def check_size(what: object, type_: IntType) -> None:
    """Raise ``NotQonnxError`` unless float32 holds all integers as large as those of ``type_``."""
    largest = max(-type_.lo, type_.hi)
    if largest >= _LIMIT:
        raise NotQonnxError(
            f"QONNX can't say {what} exactly: its integers reach {largest:,}, and float32 holds all"
            " integers below 2^24 only"
        )


def write_node(writer: QonnxWriter, node: Node, types: Mapping[str, TensorType]) -> None:
    """Write the nodes that compute the results of ``node``.

    Raises ``NotQonnxError`` where they can't do so exactly.
    """
    site = _Site(writer, node, types)
    is_moved = isinstance(node.op, Reshape | Permute | Duplicate)
    if is_moved and site.x in writer.indices:
        writer.indices.update(node.results)
    elif not writer.indices.isdisjoint(node.inputs):
        raise NotQonnxError(f"QONNX can't say {node}: it computes with the indices of top_k")
    match node.op:
        case Linear(weights=weights):
            _product(site, weights.data)
        case MatVec(matrix=matrix):
            _product(site, matrix.data.T)
        case Threshold() as op:
            _threshold(site, op)
        case Requantize() as op:
            _requantize(site, op)
        case Add(multipliers=multipliers):
            _sum(site, multipliers)
        case TopK(k=k):
            _top_k(site, k)
        case op:
            _move(site, op)


@dataclass(frozen=True, slots=True)
class _Site:
    """Where a node stands: its only or first input and result, and what to write to."""

    writer: QonnxWriter
    node: Node
    types: Mapping[str, TensorType]

    @property
    def x(self) -> str:
        return self.node.inputs[0]

    @property
    def y(self) -> str:
        return self.node.results[0]

    @property
    def x_type(self) -> TensorType:
        return self.types[self.x]

    @property
    def y_type(self) -> TensorType:
        return self.types[self.y]

    def check_sum(self, reach: float) -> None:
        """Refuse partial sums of magnitude ``reach`` or less, if they leave the limit."""
        if reach >= _LIMIT:
            raise NotQonnxError(
                f"QONNX can't say {self.node} exactly: its partial sums may reach {reach:,.0f}, and"
                " float32 holds all integers below 2^24 only"
            )

    def check_constants(self, largest: int) -> None:
        """Refuse constants of magnitude ``largest``, if they leave the limit: where x is 0, say."""
        if largest >= _LIMIT:
            raise NotQonnxError(
                f"QONNX can't say {self.node} exactly: its constants reach {largest:,}, and float32"
                " holds all integers below 2^24 only"
            )

    def helper(self, suffix: str, element: IntType | None) -> str:
        """Add a value like the result that is none of the graph's; return its name."""
        writer = self.writer
        return writer.value(writer.fresh(f"{self.y}/{suffix}"), element, self.y_type.shape)


def _product(site: _Site, weights: NDArray[Any]) -> None:
    import numpy as np

    site.check_constants(max(-int(weights.min()), int(weights.max())))
    magnitudes = np.abs(weights.astype(np.float64)).sum(axis=0)
    site.check_sum(float(magnitudes.max()) * _largest(site.x_type.element))
    constant = site.writer.integers(f"{site.y}/weights", weights)
    site.writer.node("MatMul", [site.x, constant], site.y)


def _largest(element: IntType) -> int:
    return max(-element.lo, element.hi)


def _threshold(site: _Site, op: Threshold) -> None:
    layout = _LAYOUTS.get(len(site.x_type.shape))
    if layout is None:
        raise NotQonnxError(
            f"QONNX can't say {site.node}: a MultiThreshold takes data of 1 to {max(_LAYOUTS)}"
            f" dimensions besides the batch, not {len(site.x_type.shape)}"
        )
    parts = in_one_direction(op, site.x_type.element)
    if len(parts) == 1:
        _multi_threshold(site, site.y, op, layout)
        return
    names = []
    for suffix, part in zip(("up", "down"), parts, strict=True):
        (type_,) = part.infer(site.x_type)
        check_size(site.node, type_.element)
        names.append(site.helper(suffix, type_.element))
        _multi_threshold(site, names[-1], part, layout)
    site.writer.node("Sub", names, site.y)


def _multi_threshold(site: _Site, name: str, op: Threshold, layout: str) -> None:
    """Write ``op``, no channel of which goes up and down, as the value ``name``."""
    writer, element = site.writer, site.x_type.element
    try:
        steps = up_steps(op, element)
    except TooManyStepsError as error:
        raise NotQonnxError(f"QONNX can't say {site.node}: {error}") from error
    # The executor multiplies the count before it adds the bias.
    site.check_sum(steps.scale * steps.thresholds.shape[1])
    x = site.x
    if (steps.signs < 0).any():
        signs = writer.integers(f"{name}/signs", steps.signs)
        lo, hi = min(element.lo, -element.hi), max(element.hi, -element.lo)
        x = writer.value(writer.fresh(f"{name}/signed"), IntType(lo, hi), site.x_type.shape)
        writer.node("Mul", [site.x, signs], x)
    writer.node(
        "MultiThreshold",
        [x, writer.integers(f"{name}/thresholds", steps.thresholds)],
        name,
        domain=QONNX,
        out_dtype=datatype_name(op.infer(site.x_type)[0].element),
        out_scale=float(steps.scale),
        out_bias=float(steps.bias),
        data_layout=layout,
    )


def _requantize(site: _Site, op: Requantize) -> None:
    """Write ``op`` as an affine map, a clamp of its reals, and a quantizer of scale 1.

    The reals are multiples of ``2^-shift`` of integers below the limit, which float32 holds; a
    clamp at integers and a rounding may change places; and where multiples of a level go to the
    even one, half a level less and ``ROUND`` are the same.
    """
    import numpy as np

    x, y = site.x_type.element, site.y_type.element
    m, b = numbers(op.multipliers), numbers(op.biases)
    if op.rounding is ShiftRounding.TIES_TO_EVEN:
        if op.shift == 0:
            raise NotQonnxError(f"QONNX can't say {site.node}: it rounds integers to even ones")
        b = b - (1 << (op.shift - 1))
    site.check_constants(max(abs(m)))
    site.check_sum(float(max(_largest(x) * abs(m) + abs(b))))
    unit = 2.0**-op.shift
    steps: list[tuple[str, list[NDArray[Any] | float]]] = []
    if op.shift or (m != 1).any():
        steps.append(("Mul", [m.astype(np.float64) * unit]))
    if (b != 0).any():
        steps.append(("Add", [b.astype(np.float64) * unit]))
    least, most = (extreme(m * x.lo, m * x.hi) + b for extreme in (np.minimum, np.maximum))
    lowest, highest = (const.int64.astype(object) for const in (op.lowest, op.highest))
    if (least < lowest << op.shift).any() or (most > highest << op.shift).any():
        if len(lowest) == len(highest) == 1:
            steps.append(("Clip", [int(lowest[0]), int(highest[0])]))
        else:
            steps += [("Max", [op.lowest.data]), ("Min", [op.highest.data])]
    if op.shift:
        # One bit, signed, would be bipolar.
        bits = max(IntType(y.lo, y.hi).bits, 2 if y.lo < 0 else 1)
        steps.append(("Quant", [1, 0, bits]))
    _chain(site, steps or [("Identity", [])], _ROUNDINGS[op.rounding])


def _chain(site: _Site, steps: list[tuple[str, list[NDArray[Any] | float]]], mode: str) -> None:
    """Write nodes that follow each other, each with its constants."""
    x = site.x
    for index, (kind, operands) in enumerate(steps, start=1):
        result = site.y if index == len(steps) else site.helper(kind.lower(), None)
        constants = [
            site.writer.constant(f"{site.y}/{kind.lower()}{place}", values)
            for place, values in enumerate(operands)
        ]
        if kind == "Quant":
            signed = int(site.y_type.element.lo < 0)
            quantizer = {"signed": signed, "narrow": 0, "rounding_mode": mode}
            site.writer.node(kind, [x, *constants], result, domain=QONNX, **quantizer)
        else:
            site.writer.node(kind, [x, *constants], result)
        x = result


def _sum(site: _Site, multipliers: Const) -> None:
    import numpy as np

    site.check_constants(max(-multipliers.lo, multipliers.hi))
    sizes = [_largest(site.types[name].element) for name in site.node.inputs]
    magnitudes = np.abs(multipliers.data.astype(np.float64))
    reach = float((magnitudes.T @ np.array(sizes, dtype=np.float64)).max())
    site.check_sum(reach)
    terms = []
    for index, (name, row) in enumerate(zip(site.node.inputs, multipliers.data, strict=True)):
        if (row == 1).all():
            terms.append(name)
            continue
        factors = site.writer.integers(f"{site.y}/multipliers{index}", row)
        size = sizes[index] * int(magnitudes[index].max())
        terms.append(site.helper(f"term{index}", IntType(-size, size)))
        site.writer.node("Mul", [name, factors], terms[-1])
    total = terms[0]
    for index, term in enumerate(terms[1:], start=1):
        is_last = index == len(terms) - 1
        size = int(reach)
        result = site.y if is_last else site.helper(f"sum{index}", IntType(-size, size))
        site.writer.node("Add", [total, term], result)
        total = result


def _top_k(site: _Site, k: int) -> None:
    values = site.helper("values", site.x_type.element)
    inputs = [site.x, site.writer.sizes(f"{site.y}/k", (k,))]
    # Equal values: the lower index first, in ONNX as here.
    site.writer.node("TopK", inputs, values, site.y, axis=-1, largest=1, sorted=1)
    site.writer.indices.add(site.y)


def _move(site: _Site, op: object) -> None:
    """Write an operator that computes nothing."""
    match op:
        case Reshape(shape=shape):
            # 0 copies the batch.
            sizes = site.writer.sizes(f"{site.y}/shape", (0, *shape))
            site.writer.node("Reshape", [site.x, sizes], site.y)
        case Permute(axes=axes):
            perm = [0, *(axis + 1 for axis in axes)]
            site.writer.node("Transpose", [site.x], site.y, perm=perm)
        case Duplicate():
            for name in site.node.results:
                site.writer.node("Identity", [site.x], name)
        case _:
            raise NotQonnxError(f"QONNX has no operator for {site.node}")
