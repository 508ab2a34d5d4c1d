"""Each operator of the integer graph in the words of QONNX, exactly, or the reason why not.

linear      MatMul with integer weights
threshold   MultiThreshold, on -x where a channel falls; the difference of two if one does both
            of one class of places a MultiThreshold for each, masked, and their sum
requantize  Mul, Add, Clip, Quant
add         Mul by multipliers, Add
reshape     Reshape                                 permute     Transpose
top_k       TopK                                    duplicate   Identity
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutloom.core.multiply_shift import ShiftRounding
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Concat,
    Conv,
    Depthwise,
    Duplicate,
    Linear,
    Lookup,
    MatMul,
    MatVec,
    MaxPool,
    Multiply,
    Permute,
    Requantize,
    Reshape,
    Slice,
    Split,
    SumPool,
    Threshold,
    TopK,
    Upsample,
    Window,
)
from lutloom.core.ops.requantize import numbers
from lutloom.core.types import Const, IntType
from lutloom.core.windows import class_indices
from lutloom.streamline.finn_datatypes import datatype_name
from lutloom.streamline.qonnx_branches import write_branch
from lutloom.streamline.qonnx_site import NotQonnxError, Site, check_size, largest
from lutloom.streamline.qonnx_windows import write_windows
from lutloom.streamline.qonnx_writer import QONNX
from lutloom.streamline.up_steps import TooManyStepsError, in_one_direction, up_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.core.types import TensorType
    from lutloom.streamline.qonnx_writer import QonnxWriter

# What ONNX does to integers as well as to floats.
_MOVES = (Concat, Duplicate, Permute, Reshape, Slice, Split)

# The layouts of channels-last data, by the number of dimensions without the batch.
_LAYOUTS = {1: "NC", 2: "NWC", 3: "NHWC", 4: "NDHWC"}

_ROUNDINGS = {
    ShiftRounding.DOWN: "FLOOR",
    ShiftRounding.TIES_TO_EVEN: "ROUND",
    ShiftRounding.TO_ZERO: "DOWN",
    ShiftRounding.FROM_ZERO: "UP",
}


def write_node(writer: QonnxWriter, node: Node, types: Mapping[str, TensorType]) -> None:
    """Write the nodes that compute the results of ``node``.

    Raises ``NotQonnxError`` where they can't do so exactly.
    """
    site = Site(writer, node, types)
    is_moved = isinstance(node.op, _MOVES)
    if is_moved and writer.indices.issuperset(node.inputs):
        writer.indices.update(node.results)
    elif not writer.indices.isdisjoint(node.inputs):
        raise NotQonnxError(f"QONNX can't say {node}: it computes with the indices of top_k")
    match node.op:
        case Linear(weights=weights):
            _product(site, weights.data, site.y)
        case MatVec() as op:
            _matvec(site, op)
        case Conv() | Depthwise() | MaxPool() | SumPool() | Window() as op:
            write_windows(site, op)
        case Concat() | Lookup() | MatMul() | Multiply() | Slice() | Split() | Upsample() as op:
            write_branch(site, op)
        case BorderThreshold() as op:
            _border_threshold(site, op)
        case Threshold() as op:
            _threshold(site, op, site.y)
        case Requantize() as op:
            _requantize(site, op)
        case Add(multipliers=multipliers):
            _sum(site, multipliers)
        case TopK(k=k):
            _top_k(site, k)
        case op:
            _move(site, op)


def _product(site: Site, weights: NDArray[Any], name: str) -> None:
    import numpy as np

    site.check_constants(max(-int(weights.min()), int(weights.max())))
    magnitudes = np.abs(weights.astype(np.float64)).sum(axis=0)
    site.check_sum(float(magnitudes.max()) * largest(site.x_type.element))
    constant = site.writer.integers(f"{site.y}/weights", weights)
    site.writer.node("MatMul", [site.x, constant], name)


def _matvec(site: Site, op: MatVec) -> None:
    """Write a product; of several groups by a matrix that is zero between them."""
    import numpy as np

    outputs, columns = op.matrix.shape
    per_group = outputs // op.groups
    weights = np.zeros((op.groups, columns, op.groups, per_group), dtype=np.int64)
    own = op.matrix.data.reshape(op.groups, per_group, columns).swapaxes(1, 2)
    for group, matrix in enumerate(own):
        weights[group, :, group] = matrix
    whole = weights.reshape(op.groups * columns, outputs)
    if not op.has_border:
        _product(site, whole, site.y)
        return
    rows, places = class_indices(site.x_type.shape, op.rows, op.columns)
    border = np.broadcast_to(op.border.int64[rows, places], site.y_type.shape)
    site.check_constants(max(-op.border.lo, op.border.hi))
    element = op.sums.reach(site.x_type.element)
    check_size(site.node, element)
    sums = site.helper("sums", element)
    _product(site, whole, sums)
    constant = site.writer.integers(f"{site.y}/border", border)
    site.writer.node("Add", [sums, constant], site.y)


def _threshold(site: Site, op: Threshold, name: str) -> None:
    """Write the staircases ``op`` of the input as the value ``name``."""
    layout = _LAYOUTS.get(len(site.x_type.shape))
    if layout is None:
        raise NotQonnxError(
            f"QONNX can't say {site.node}: a MultiThreshold takes data of 1 to {max(_LAYOUTS)}"
            f" dimensions besides the batch, not {len(site.x_type.shape)}"
        )
    parts = in_one_direction(op, site.x_type.element)
    if len(parts) == 1:
        _multi_threshold(site, name, op, layout)
        return
    names = []
    for suffix, part in zip(("up", "down"), parts, strict=True):
        (type_,) = part.infer(site.x_type)
        check_size(site.node, type_.element)
        names.append(site.helper(suffix, type_.element))
        _multi_threshold(site, names[-1], part, layout)
    site.writer.node("Sub", names, name)


def _border_threshold(site: Site, op: BorderThreshold) -> None:
    """Write the staircases of every class of places, each times 1 at its places and 0 elsewhere."""
    import numpy as np

    rows, places = class_indices(site.x_type.shape, op.rows, op.columns)
    classes = np.broadcast_to(rows * op.base.shape[1] + places, site.x_type.shape[:-1])
    element = site.y_type.element.including(0)
    total = ""
    used = np.unique(classes).tolist()
    for index, number in enumerate(used):
        own, suffix = _of_class(op, *divmod(number, op.base.shape[1])), f"class{number}"
        (type_,) = own.infer(site.x_type)
        check_size(site.node, type_.element)
        levels = site.helper(suffix, type_.element)
        _threshold(site, own, levels)
        mask = site.writer.integers(f"{site.y}/mask", (classes == number)[..., np.newaxis])
        is_last = index == len(used) - 1
        if not index:
            total = site.y if is_last else site.helper("masked", type_.element.including(0))
            site.writer.node("Mul", [levels, mask], total)
            continue
        masked = site.helper("masked", type_.element.including(0))
        site.writer.node("Mul", [levels, mask], masked)
        added = site.y if is_last else site.helper("total", element)
        site.writer.node("Add", [total, masked], added)
        total = added


def _of_class(op: BorderThreshold, row: int, column: int) -> Threshold:
    tables = (op.thresholds, op.base, op.deltas)
    return Threshold(*(Const(table.data[row, column]) for table in tables))


def _multi_threshold(site: Site, name: str, op: Threshold, layout: str) -> None:
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


def _requantize(site: Site, op: Requantize) -> None:
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
    site.check_sum(float(max(largest(x) * abs(m) + abs(b))))
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


def _chain(site: Site, steps: list[tuple[str, list[NDArray[Any] | float]]], mode: str) -> None:
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


def _sum(site: Site, multipliers: Const) -> None:
    import numpy as np

    site.check_constants(max(-multipliers.lo, multipliers.hi))
    sizes = [largest(site.types[name].element) for name in site.node.inputs]
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


def _top_k(site: Site, k: int) -> None:
    values = site.helper("values", site.x_type.element)
    inputs = [site.x, site.writer.sizes(f"{site.y}/k", (k,))]
    # Equal values: the lower index first, in ONNX as here.
    site.writer.node("TopK", inputs, values, site.y, axis=-1, largest=1, sorted=1)
    site.writer.indices.add(site.y)


def _move(site: Site, op: object) -> None:
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
