"""``y[..., i, ...] = x[..., index[i], ...]``: elements taken along one axis, once, often or never.

Exact: elements move, with all that they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, TypeVar

from lutloom.core.ops import Concat, Linear, Permute, Reshape, Slice, Upsample, Window
from lutloom.core.types import Const
from lutloom.streamline.align import compact
from lutloom.streamline.layout import moved_value, reordered
from lutloom.streamline.symbols import Curve, Scaled
from lutloom.streamline.take_steps import (
    Chosen,
    Finer,
    Part,
    Parts,
    Strided,
    Swapped,
    Tiled,
    recipe,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.op import Op
    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Classes
    from lutloom.streamline.take_steps import Index, Step

F = TypeVar("F", Scaled, Curve, Scaled | Curve)


def take(build: GraphBuilder, node: SourceNode, x: F, axis: int, index: Sequence[int]) -> F:
    """Return the elements ``index`` (at least one) of ``x`` along the model's dimension ``axis``.

    The trail stays that of ``x``: ``behind`` says what becomes of it.
    """
    wanted = tuple(index)
    steps = recipe(wanted, x.shape[axis])
    if not steps:
        return x
    if any(isinstance(step, Chosen) for step in steps):
        x = reordered(build, node, x, (*(a for a in x.axes if a != axis), axis))
    place = x.axes.index(axis)
    value = _written(build, node, x.value, place, steps, wanted)
    classes, of_arrays = _taken_classes(x.classes, place, wanted)
    return replace(
        x.with_arrays(lambda array: _taken_array(array, place, of_arrays)),
        value=value,
        shape=(*x.shape[:axis], len(wanted), *x.shape[axis + 1 :]),
        classes=classes,
    )


def _written(
    build: GraphBuilder,
    node: SourceNode,
    value: str,
    place: int,
    steps: tuple[Step, ...],
    index: Index,
) -> str:
    """Return the value behind ``steps`` along its axis ``place``; of a sum, that of its terms."""
    sum_ = build.deferred.get(value)
    if sum_ is None:
        writer = _Writer(build, node, place)
        for step in steps:
            value = writer.step(step, value)
        return value
    names = [_written(build, node, name, place, steps, index) for name in sum_.factors]
    factors = (_taken_array(factor, place, index) for factor in sum_.factors.values())
    return build.defer_again(value, dict(zip(names, factors, strict=True)))


def behind(node: SourceNode, x: F, moved: F) -> F:
    """Return ``moved``, which ``node`` has made of ``x`` by moving elements, as its result.

    Integers stand for the very tensor; of anything else the host would have to repeat the node.
    """
    if moved.value == x.value:
        return x
    x = moved
    if isinstance(x, Scaled) and not x.is_clamped:
        return replace(x, root="", trail=())
    return x.after(node)


def _taken_classes(classes: Classes, place: int, index: Index) -> tuple[Classes, Index]:
    """Return the classes of what is taken, and which entries of arrays those have."""
    import numpy as np

    of = classes[place] if classes else None
    if of is None:
        return classes, index
    kept, new = np.unique(of[list(index)], return_inverse=True)
    own = new.reshape(-1) if len(kept) > 1 else None
    others = (*classes[:place], own, *classes[place + 1 :])
    return others if any(o is not None for o in others) else (), tuple(kept.tolist())


def _taken_array(array: Rationals, place: int, index: Index) -> Rationals:
    return array if array.shape[place] == 1 else compact(array.take(list(index), axis=place))


@dataclass(frozen=True)
class _Writer:
    """Writes steps along the axis ``place`` of a value."""

    build: GraphBuilder
    node: SourceNode
    place: int

    def step(self, step: Step, value: str) -> str:
        """Return the value behind ``step``."""
        match step:
            case Part(start, stop):
                return self._add(Slice(self.place, start, stop), value)
            case Finer(times):
                factors = [1] * len(self._shape(value))
                factors[self.place] = times
                return self._add(Upsample(tuple(factors)), value)
            case Tiled(times):
                rows = self._apart(value, 1)
                return self._merged(self.step(Finer(times), rows))
            case Strided():
                return self._strided(value, step)
            case Swapped(rows):
                apart = self._apart(value, rows)
                axes = list(range(len(self._shape(apart))))
                axes[self.place : self.place + 2] = self.place + 1, self.place
                return self._merged(self._add(Permute(tuple(axes)), apart))
            case Parts(parts):
                names = [self.step(part, value) for part in parts]
                return self._add(Concat(self.place), *names)
            case Chosen(index):
                return self._add(Linear(self._matrix(self._size(value), index)), value)

    def _strided(self, value: str, step: Strided) -> str:
        """Return every n-th element: one of each n, or by windows where n are not left at last."""
        size = self._size(value)
        start, after = step.start, step.start + step.count * step.step
        if size % step.step and after <= size:
            value, start, size = self.step(Part(start, after), value), 0, after - start
        if size % step.step:
            return self._windows(value, step)
        first, phase = divmod(start, step.step)
        apart = self._apart(value, size // step.step)
        one = self._add(Slice(self.place + 1, phase, phase + 1), apart)
        part = Part(first, first + step.count)
        merged = self._merged(one)
        return merged if part == Part(0, self._size(merged)) else self.step(part, merged)

    def _windows(self, value: str, step: Strided) -> str:
        shape, place = self._shape(value), self.place
        image = (prod(shape[:place]), shape[place], prod(shape[place + 1 :]))
        last = step.start + (step.count - 1) * step.step
        pads = (0, -step.start, 0, last + 1 - shape[place])
        fill = self.build.types[value].element.lo
        op = Window((1, 1), (1, step.step), (1, 1), pads, (1, 1), 1, fill)
        strided = self._add(op, self._add(Reshape(image), value))
        return self._add(Reshape((*shape[:place], step.count, *shape[place + 1 :])), strided)

    def _matrix(self, size: int, index: Index) -> Const:
        import numpy as np

        weights = np.zeros((size, len(index)), dtype=np.int8)
        weights[list(index), range(len(index))] = 1
        return Const(weights)

    def _apart(self, value: str, rows: int) -> str:
        """Return the value with its axis as so many rows."""
        shape, place = self._shape(value), self.place
        sizes = (rows, shape[place] // rows)
        return self._add(Reshape((*shape[:place], *sizes, *shape[place + 1 :])), value)

    def _merged(self, value: str) -> str:
        """Return the value with its axis and the next one as one."""
        shape, place = self._shape(value), self.place
        size = shape[place] * shape[place + 1]
        return self._add(Reshape((*shape[:place], size, *shape[place + 2 :])), value)

    def _size(self, value: str) -> int:
        return self._shape(value)[self.place]

    def _shape(self, value: str) -> tuple[int, ...]:
        return self.build.types[value].shape

    def _add(self, op: Op, *values: str) -> str:
        return moved_value(self.build, self.node, "", op, *values)
