"""Tensors one behind the other that are not in the graph: functions of integers, for a quantizer.

A quantizer works element by element: behind a concatenation it is one in front of every branch,
with the numbers that it has for that part. So the branches may be sums that are deferred, pools of
what is no integer, or functions, each of another kind; and their levels are joined, which are
narrower than what is under them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import prod
from typing import TYPE_CHECKING

from lutloom.core.ops import Permute, Reshape, Slice, Upsample
from lutloom.core.types import IntType, TensorType
from lutloom.streamline.align import compact, model_shape
from lutloom.streamline.border_classes import expanded
from lutloom.streamline.errors import ModelError
from lutloom.streamline.moves import moved_array
from lutloom.streamline.pending_pool import composed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.moves import Move
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula


@dataclass(frozen=True, eq=False)
class PendingConcat:
    """``branches`` along the axis ``place`` of their values, of so many ``sizes`` there."""

    node: SourceNode
    place: int
    branches: tuple[Formula, ...]
    sizes: tuple[int, ...]

    def refusal(self, reader: object) -> ModelError:
        """Return the error for a ``reader`` that is no quantizer."""
        return ModelError(
            f"{self.node} joins what is no integer yet, which is for a quantizer alone, and"
            f" {reader} reads it; put a quantizer on each branch"
        )

    def behind(
        self, op: Move, shape: tuple[int, ...], add: Callable[[Move, str], str]
    ) -> PendingConcat | None:
        """Return the branches behind ``op``, which is applied to the whole, of ``shape``.

        ``add`` gives the result of an operator. None where the branches do not stay apart.
        """
        found = self._parts(op, shape)
        if found is None:
            return None
        place, parts = found
        branches, sizes = [], []
        for branch, before, part in zip(self.branches, self.sizes, parts, strict=True):
            if part is not None:
                own = (*shape[: self.place], before, *shape[self.place + 1 :])
                branches.append(_moved(self.node, branch, part.op, own, add))
                sizes.append(part.size)
        return PendingConcat(self.node, place, tuple(branches), tuple(sizes))

    def _parts(self, op: Move, shape: tuple[int, ...]) -> tuple[int, list[_Part | None]] | None:
        """Return the new place, and what becomes of each branch: None, if nothing does."""
        match op:
            case Permute(axes):
                return axes.index(self.place), [_Part(op, size) for size in self.sizes]
            case Upsample(factors):
                times = factors[self.place]
                return self.place, [_Part(op, size * times) for size in self.sizes]
            case Slice(axis, start, stop) if axis == self.place:
                ends = pairwise(accumulate(self.sizes, initial=0))
                return self.place, [_overlap(axis, start, stop, *part) for part in ends]
            case Slice():
                return self.place, [_Part(op, size) for size in self.sizes]
            case Reshape(new):
                return self._reshaped(new, shape)

    def _reshaped(
        self, new: tuple[int, ...], shape: tuple[int, ...]
    ) -> tuple[int, list[_Part | None]] | None:
        before, rest = prod(shape[: self.place]), prod(shape[self.place + 1 :])
        for place in range(len(new)):
            inner = prod(new[place + 1 :])
            if prod(new[:place]) == before and all(size * rest % inner == 0 for size in self.sizes):
                sizes = [size * rest // inner for size in self.sizes]
                return place, [
                    _Part(Reshape((*new[:place], size, *new[place + 1 :])), size) for size in sizes
                ]
        return None

    def applied(
        self, x: Formula, steps: Rationals, build: GraphBuilder
    ) -> list[tuple[Formula, Rationals]]:
        """Return the function ``x`` of the whole, and ``steps``, for each branch: of its value."""
        parts = []
        for branch, ends in zip(
            self.branches, pairwise(accumulate(self.sizes, initial=0)), strict=True
        ):
            index = range(*ends)

            def of_part(array: Rationals, index: range = index) -> Rationals:
                if array.shape[self.place] == 1:
                    return array
                return compact(array.take(index, axis=self.place))

            at = replace(
                branch,
                axes=x.axes,
                shape=model_shape(x.axes, build.types[branch.value].shape),
                root=x.root,
                trail=x.trail,
            )
            if _varies_along(at, [*x.arrays, steps]):
                at = expanded(self.node, at)
            parts.append((composed(self.node, x.with_arrays(of_part), at), of_part(steps)))
        return parts


@dataclass(frozen=True, slots=True)
class _Part:
    """What is applied to a branch, and its size then; no operator changes nothing."""

    op: Move | None
    size: int


def _overlap(axis: int, start: int, stop: int, begin: int, end: int) -> _Part | None:
    first, last = max(start, begin), min(stop, end)
    if first >= last:
        return None
    whole = (first, last) == (begin, end)
    return _Part(None if whole else Slice(axis, first - begin, last - begin), last - first)


def _moved(
    node: SourceNode,
    branch: Formula,
    op: Move | None,
    shape: tuple[int, ...],
    add: Callable[[Move, str], str],
) -> Formula:
    if op is None:
        return branch
    branch = expanded(node, branch)
    value = add(op, branch.value)
    moved = branch.with_arrays(lambda array: moved_array(array, op, shape))
    (type_,) = op.infer(TensorType(IntType(0, 0), shape))
    return replace(moved, value=value, axes=tuple(range(len(type_.shape))), shape=type_.shape)


def _varies_along(x: Formula, arrays: Iterable[Rationals]) -> bool:
    """Whether any of ``arrays`` differs along an axis along which ``x`` has classes."""
    return any(
        array.shape[axis] > 1
        for axis, classes in enumerate(x.classes)
        if classes is not None
        for array in arrays
    )


def own_axes(x: Formula, shape: tuple[int, ...]) -> Formula:
    """Return ``x`` as if the axes of its value, of ``shape``, were the model's."""
    return replace(x, axes=tuple(range(len(shape))), shape=shape)
