"""Reshape, Flatten, Squeeze, Unsqueeze and Transpose: the same elements in other places."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from lutloom.streamline.context import required, required_integers, shape_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reshaped, transposed
from lutloom.streamline.symbols import Constant, Curve, HostFloat, Indices, Scaled, ShapeOf
from lutloom.streamline.tensors import MOST_AXES

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol


def reshape(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the data in the shape that the second input says, constant or computed."""
    x = required(node, inputs, 0)
    target = required(node, inputs, 1)
    sizes: tuple[int | None, ...]
    match target:
        case ShapeOf(sizes=sizes):
            pass
        case Constant():
            sizes = required_integers(node, inputs, 1, "sizes")
        case _:
            raise ModelError(f"{node}: its shape depends on the data; export it with a fixed one")
    if isinstance(x, ShapeOf):
        return _of_sizes(node, x, sizes)
    shape = shape_of(node, x)
    if not node.integer("allowzero", 0):
        whole = (None, *shape)
        sizes = tuple(
            whole[i] if size == 0 and i < len(whole) else size for i, size in enumerate(sizes)
        )
    return _to(node, x, _resolved(node, sizes, shape, context), context)


def _of_sizes(node: SourceNode, x: ShapeOf, target: tuple[int | None, ...]) -> ShapeOf:
    """Return sizes as one number, or as a row of them: exporters do both to the same end."""
    if target not in ((), (-1,), (len(x.sizes),)) or (not target and len(x.sizes) != 1):
        raise ModelError(
            f"{node} reshapes sizes to {list(target)}: export the model with fixed ones"
        )
    return ShapeOf(x.sizes, is_scalar=not target)


def _resolved(
    node: SourceNode, sizes: tuple[int | None, ...], shape: tuple[int, ...], context: Context
) -> tuple[int, ...]:
    """Return the target without its batch; its first size must be the batch, or that of a trace."""
    size = prod(shape)
    rest = sizes[1:]
    known = prod(s for s in rest if s is not None and s > 0)
    open_ended = [i for i, s in enumerate(rest) if s == -1]
    is_batch = bool(sizes) and (
        sizes[0] is None
        or (sizes[0] == -1 and not open_ended)
        or (sizes[0] == context.batch and sizes[0] is not None)
        # An exporter that traced one image wrote down its batch: every image becomes such a row.
        # A batch that was set behind the exporter's back can't have been meant by it either.
        or sizes[0] == 1
    )
    if open_ended and known and size % known == 0:
        rest = (*rest[: open_ended[0]], size // known, *rest[open_ended[0] + 1 :])
    whole = tuple(s for s in rest if s is not None and s > 0)
    if not is_batch or len(whole) != len(rest) or prod(whole) != size:
        shown = ["N" if s is None else s for s in sizes]
        raise ModelError(
            f"{node} reshapes {['N', *shape]} to {shown}, which mixes images of a batch; its first"
            " size should be the batch"
        )
    return whole


def _to(node: SourceNode, x: Symbol, shape: tuple[int, ...], context: Context) -> Symbol:
    if len(shape) >= MOST_AXES:
        raise ModelError(f"{node} makes {len(shape) + 1} dimensions; at most {MOST_AXES} are read")
    match x:
        case Scaled() | Curve():
            return reshaped(context.build, node, x, shape).after(node)
        case HostFloat():
            return replace(x, shape=shape, trail=(*x.trail, node))
        case Indices():
            return replace(x, shape=shape)
        case _:
            raise ModelError(f"{node}: its input should be the data")


def flatten(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the data as one row an image."""
    x = required(node, inputs, 0)
    shape = shape_of(node, x)
    if node.integer("axis", 1) % (len(shape) + 1) != 1:
        raise ModelError(f"{node}: its axis should be 1, so that the batch stays")
    return _to(node, x, (prod(shape),), context)


def squeeze(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the data without some dimensions of size 1."""
    x = required(node, inputs, 0)
    if isinstance(x, ShapeOf):
        return ShapeOf(x.sizes, is_scalar=True)
    shape = shape_of(node, x)
    axes = _axes(node, inputs, len(shape) + 1)
    if axes is None:
        axes = tuple(axis for axis, size in enumerate(shape, 1) if size == 1)
    if 0 in axes or any(shape[axis - 1] != 1 for axis in axes):
        raise ModelError(f"{node} removes a dimension of {['N', *shape]} that is not of size 1")
    kept = tuple(size for axis, size in enumerate(shape, 1) if axis not in axes)
    return _to(node, x, kept, context)


def unsqueeze(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the data with more dimensions of size 1."""
    x = required(node, inputs, 0)
    if isinstance(x, ShapeOf):
        return ShapeOf(x.sizes)
    shape = shape_of(node, x)
    count = len(node.integers("axes") or _constant_axes(node, inputs) or ())
    axes = _axes(node, inputs, len(shape) + 1 + count) or ()
    if 0 in axes:
        raise ModelError(f"{node} puts a dimension before the batch")
    sizes = iter(shape)
    grown = tuple(1 if axis in axes else next(sizes) for axis in range(1, len(shape) + 1 + count))
    return _to(node, x, grown, context)


def _axes(node: SourceNode, inputs: Inputs, rank: int) -> tuple[int, ...] | None:
    axes = node.integers("axes")
    if axes is None:
        axes = _constant_axes(node, inputs)
    if axes is None:
        return None
    if any(not -rank <= axis < rank for axis in axes):
        raise ModelError(f"{node}: its axes {list(axes)} are not those of {rank} dimensions")
    return tuple(axis % rank for axis in axes)


def _constant_axes(node: SourceNode, inputs: Inputs) -> tuple[int, ...] | None:
    if len(inputs) < 2 or inputs[1] is None:
        return None
    return required_integers(node, inputs, 1, "axes")


def transpose(node: SourceNode, inputs: Inputs, _: Context) -> Symbol:
    """Return the data with their dimensions in another order: nothing moves before it must."""
    x = required(node, inputs, 0)
    shape = shape_of(node, x)
    axes = node.integers("perm") or tuple(reversed(range(len(shape) + 1)))
    if sorted(axes) != list(range(len(shape) + 1)) or axes[0] != 0:
        raise ModelError(f"{node} should leave the batch in front, not permute by {list(axes)}")
    moves = tuple(axis - 1 for axis in axes[1:])
    match x:
        case Scaled() | Curve():
            return transposed(x, moves).after(node)
        case HostFloat():
            moved = tuple(shape[axis] for axis in moves)
            return replace(x, shape=moved, trail=(*x.trail, node))
        case _:
            raise ModelError(f"{node}: its input should be the data")
