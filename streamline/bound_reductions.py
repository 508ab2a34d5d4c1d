"""Error bounds of sums, means and extremes along axes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from lutloom.streamline.bound_arithmetic import averaged, grid_of, summed
from lutloom.streamline.bounded import Bounded

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Bound, Operands, Tensors
    from lutloom.streamline.source import SourceNode


def reduced_axes(node: SourceNode, operands: Operands) -> tuple[int, ...]:
    """Return the axes of a reduction, an attribute or its second input; all where it has none."""
    rank = operands[0].value.ndim
    axes = node.integers("axes")
    if axes is None and len(operands) > 1:
        axes = tuple(int(axis) for axis in operands[1].value.ravel())
    if axes:
        return tuple(axis % rank for axis in axes)
    return () if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))


def _sum(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Bound a sum or a mean, added up in any order."""
    import numpy as np

    x, axes = operands[0], reduced_axes(node, operands)
    if not axes:
        return x
    reduced: dict[str, Any] = {"axis": axes, "keepdims": bool(node.integer("keepdims", 1))}
    count = prod(x.value.shape[axis] for axis in axes)
    total = summed(
        x.value.sum(**reduced),
        np.abs(x.value).sum(**reduced),
        x.error.sum(**reduced),
        count,
        grid_of(x.value),
    )
    return total if node.op_type == "ReduceSum" else averaged(total, np.asarray(float(count)))


def _extreme(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Bound the largest or smallest: off by no more than those that can be it."""
    import numpy as np

    x, axes = operands[0], reduced_axes(node, operands)
    if not axes:
        return x
    sign = 1.0 if node.op_type == "ReduceMax" else -1.0
    values = sign * x.value
    surely = (values - x.error).max(axis=axes, keepdims=True)
    error = np.where(values + x.error >= surely, x.error, 0.0)
    reduced: dict[str, Any] = {"axis": axes, "keepdims": bool(node.integer("keepdims", 1))}
    return Bounded(sign * values.max(**reduced), error.max(**reduced), x.is_exact)


REDUCTION_BOUNDS: Mapping[str, Bound] = {
    "ReduceMax": _extreme,
    "ReduceMean": _sum,
    "ReduceMin": _extreme,
    "ReduceSum": _sum,
}
