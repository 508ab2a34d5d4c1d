"""Values brought into another order of axes: written into the graph only where it matters."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from lutloom.core.ops import Permute, Reshape
from lutloom.streamline.align import compact
from lutloom.streamline.border_classes import channels_apart, expanded
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lutloom.core.op import Op
    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula

    Groups: TypeAlias = list[tuple[list[int], list[int]]]

F = TypeVar("F", Scaled, Curve, Scaled | Curve)


def reordered(build: GraphBuilder, node: SourceNode, x: F, axes: tuple[int, ...]) -> F:
    """Return ``x`` with its value's axes in the order ``axes`` of the model's."""
    if x.axes == axes:
        return x
    moves = tuple(x.axes.index(axis) for axis in axes)
    shape = build.types[x.value].shape
    # Moving axes of size 1 about leaves the elements in their order.
    moved = [axis for axis in moves if shape[axis] > 1]
    if moved == sorted(moved):
        target = tuple(shape[axis] for axis in moves)
        value = moved_value(build, node, "/reshape", Reshape(target), x.value)
    else:
        value = moved_value(build, node, "/permute", Permute(moves), x.value)
    moved_arrays = x.with_arrays(lambda array: array.transpose(moves))
    classes = tuple(x.classes[axis] for axis in moves) if x.classes else ()
    return channels_apart(node, replace(moved_arrays, value=value, axes=axes, classes=classes))


def moved_value(build: GraphBuilder, node: SourceNode, suffix: str, op: Op, *sources: str) -> str:
    """Return the result of ``op``: the one that is there, so that equal branches meet again."""
    for known in build.nodes:
        if known.inputs == sources and known.op == op:
            return known.results[0]
    return build.add(node, suffix, op, sources)


def transposed(x: F, moves: tuple[int, ...]) -> F:
    """Return ``x`` with the model's axis ``moves[j]`` as axis ``j``: nothing moves yet."""
    places = tuple(moves.index(axis) for axis in x.axes)
    return replace(x, axes=places, shape=tuple(x.shape[axis] for axis in moves))


def in_model_order(build: GraphBuilder, node: SourceNode, x: F) -> F:
    """Return ``x`` with its value's axes in the model's own order."""
    return reordered(build, node, x, tuple(range(len(x.shape))))


def reshaped(build: GraphBuilder, node: SourceNode, x: F, shape: tuple[int, ...]) -> F:
    """Return ``x`` as a tensor of the model's ``shape``, elements in the model's order.

    Axes of both shapes that hold the same elements between them are a group. Elements move in the
    value only where a group's axes are apart there, or in another order than the model's: channels
    that lie last stay there while places are split, joined, or get company of size 1.
    """
    import numpy as np

    if shape == x.shape:
        return x
    groups = _in_order(x, _groups(x.shape, shape))
    wanted: list[int] = [axis for old, _ in groups for axis in old]
    ones: list[int] = [axis for axis in x.axes if x.shape[axis] == 1]
    if [axis for axis in x.axes if axis not in ones] != wanted:
        x = reordered(build, node, x, (*ones, *wanted))
    kept = {old[0]: new[0] for old, new in groups if len(old) == len(new) == 1}
    named = zip(x.axes, x.classes, strict=True) if x.classes else ()
    classes = {axis: of for axis, of in named if of is not None}
    if not classes.keys() <= kept.keys():
        x, classes = expanded(node, x), {}
    made: list[int] = [axis for _, new in groups for axis in new]
    axes: tuple[int, ...] = tuple(range(len(shape)))
    if made != sorted(made):
        axes = (*(axis for axis in axes if axis not in made), *made)
    target = tuple(shape[axis] for axis in axes)
    value = moved_value(build, node, "", Reshape(target), x.value)
    phases = _phases(x, groups)
    behind = {kept[axis]: of for axis, of in classes.items()}
    for old, new in groups:
        if new[0] in phases:
            of_phases = np.arange(prod(phases[new[0]])).reshape(phases[new[0]])
            sizes = [x.shape[axis] for axis in old]
            behind[new[0]] = np.broadcast_to(of_phases, sizes).reshape(-1)
    y = replace(
        x.with_arrays(lambda array: _regrouped(array, x, groups, shape, axes, phases)),
        value=value,
        axes=axes,
        shape=shape,
        classes=tuple(behind.get(axis) for axis in axes) if behind else (),
    )
    return channels_apart(node, y)


def _in_order(x: Formula, groups: Groups) -> Groups:
    """Return ``groups`` in the order in which their elements should lie: where least has to move.

    If some must, the model's first axis comes last in values in which it is not first: those are
    channels, which layers want last.
    """
    places = {axis: place for place, axis in enumerate(x.axes)}

    def by(end: Callable[[Iterable[int]], int], *, last: bool) -> Groups:
        return sorted(
            groups, key=lambda group: (last and 0 in group[0], end(places[a] for a in group[0]))
        )

    def cost(order: Groups) -> tuple[bool, bool, int]:
        wanted = [axis for old, _ in order for axis in old]
        apart = (axis for axis in x.axes if x.shape[axis] > 1)
        pairs = list(zip(wanted, apart, strict=True))
        first = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
        block = prod(x.shape[axis] for axis in wanted[first:])
        return first < len(pairs), x.axes[0] != 0 and 0 not in order[-1][0], block

    candidates = [by(max, last=False), by(min, last=False), by(max, last=True), by(min, last=True)]
    return min(candidates, key=cost) if groups else groups


def _groups(old: tuple[int, ...], new: tuple[int, ...]) -> Groups:
    """Return the least groups of axes of both shapes with the same elements, without size 1."""
    assert prod(old) == prod(new)
    olds, news = ([a for a, size in enumerate(shape) if size > 1] for shape in (old, new))
    groups: Groups = []
    while olds:
        left, right = [olds.pop(0)], [news.pop(0)]
        while (here := prod(old[a] for a in left)) != (there := prod(new[a] for a in right)):
            if here < there:
                left.append(olds.pop(0))
            else:
                right.append(news.pop(0))
        groups.append((left, right))
    return groups


def _phases(x: Formula, groups: Groups) -> dict[int, list[int]]:
    """Return the axes that become one, and along some of which alone the numbers of ``x`` vary.

    By the new axis: how many numbers there are along each old one. Pixels within blocks are such.
    """
    phases = {}
    for old, new in groups:
        if len(old) > 1 and len(new) == 1:
            places = [x.axes.index(axis) for axis in old]
            own = [max(array.shape[place] for array in x.arrays) for place in places]
            if 1 < prod(own) < prod(x.shape[axis] for axis in old):
                phases[new[0]] = own
    return phases


def _regrouped(
    array: Rationals,
    x: Formula,
    groups: Groups,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    phases: Mapping[int, list[int]],
) -> Rationals:
    """Return ``array`` of ``x`` as it is in the ``axes`` of the new ``shape``."""
    import numpy as np

    whole: list[int] = []
    sizes: dict[int, int] = {}
    for old, new in groups:
        own = [array.shape[x.axes.index(axis)] for axis in old]
        if len(old) == len(new) == 1 or prod(own) == 1:
            whole += own
            sizes |= dict.fromkeys(new, own[0])
        elif new[0] in phases:
            whole += phases[new[0]]
            sizes[new[0]] = prod(phases[new[0]])
        else:
            whole += [x.shape[axis] for axis in old]
            sizes |= {axis: shape[axis] for axis in new}
    moved = [x.axes.index(axis) for old, _ in groups for axis in old]
    small = array.transpose((*(a for a in range(array.ndim) if a not in moved), *moved))
    spread = np.broadcast_to(small.reshape(small.shape[array.ndim - len(moved) :]), whole)
    return compact(spread.reshape([sizes.get(axis, 1) for axis in axes]))
