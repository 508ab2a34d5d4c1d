"""``x + y``  =  ``s * (m * p + n * q) + b`` for integers ``p`` and ``q``: scales that meet.

Exact: two rational scales are integer multiples ``m`` and ``n`` of their greatest common divisor
``s``, channel by channel. The biases add up outside of the integers. Where the multipliers would be
too wide, or the scales vary along several axes, the sum is left to the quantizer that reads it
(``deferred_sum``). A branch without slope is a bias, and a value that is added to itself has a
scale of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.ops import Add, Reshape
from lutloom.core.rational import common_divisor
from lutloom.core.types import Const
from lutloom.streamline.align import compact, varies_in_place, varying_axes
from lutloom.streamline.border_classes import check_together, expanded, in_one_form, spread
from lutloom.streamline.broadcast import broadcast
from lutloom.streamline.clamp_terms import terms_of
from lutloom.streamline.layout import reordered
from lutloom.streamline.settled_sum import MOST_MULTIPLIER_BITS
from lutloom.streamline.symbols import Scaled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.context import Context
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula


def join(node: SourceNode, left: Formula, right: Formula, context: Context, *, sign: int) -> Scaled:
    """Return ``left + sign * right``, whose shapes broadcast.

    Raises ``ModelError`` if they do not.
    """
    import numpy as np

    build = context.build
    left, right = in_one_form(node, *broadcast(node, left, right, context))
    check_together(node, left, right)
    offsets: list[Rationals] = []
    factors: dict[str, Rationals] = {}
    for branch, factor in ((left, 1), (right, sign)):
        terms, shift = terms_of(node, branch, build)
        offsets.append(np.asarray(shift * factor))
        for name, own in terms.items():
            factors[name] = np.asarray(factors.get(name, 0) + own * factor)
    return combination(node, factors, np.asarray(sum(offsets)), left, build)


def combination(
    node: SourceNode,
    factors: Mapping[str, Rationals],
    offset: Rationals,
    like: Formula,
    build: GraphBuilder,
) -> Scaled:
    """Return ``sum(factors[name] * name) + offset``, of values whose axes are those of ``like``.

    Offsets may have an entry a class of ``like``.
    """
    import numpy as np

    factors = {name: compact(own) for name, own in factors.items()}
    if like.classes and varies_in_place(*factors.values()):
        # The values are multiplied place by place.
        slopes = np.asarray(sum(factors.values()))
        expanded(node, Scaled("", like.axes, like.shape, slopes, offset, classes=like.classes))
        offset = spread(offset, like.classes)
        factors = {name: spread(own, like.classes) for name, own in factors.items()}
        like = replace(like, classes=())
    offset = compact(offset)
    live = {name: own for name, own in factors.items() if own.any()}
    if len(live) < 2:
        name, slope = next(iter((live or factors).items()))
        return _of_one(node, name, slope, offset, like, build)
    return _sum(node, live, offset, like, build)


def _of_one(
    node: SourceNode,
    name: str,
    slope: Rationals,
    offset: Rationals,
    like: Formula,
    build: GraphBuilder,
) -> Scaled:
    """Return ``slope * name + offset``, under a name of its own: another tensor of the model."""
    value = build.add(node, "", Reshape(build.types[name].shape), (name,))
    x = Scaled(value, like.axes, like.shape, slope, offset, classes=like.classes)
    return _last(node, x, build)


def _sum(
    node: SourceNode,
    factors: dict[str, Rationals],
    offset: Rationals,
    like: Formula,
    build: GraphBuilder,
) -> Scaled:
    import numpy as np

    varying = varying_axes(*factors.values())
    broadcast = np.broadcast_arrays(*factors.values())
    columns = list(zip(*(own.ravel().tolist() for own in broadcast), strict=True))
    steps = [common_divisor(column) or 1 for column in columns]
    multipliers = [
        [int(entry / step) for entry, step in zip(row, steps, strict=True)]
        for row in zip(*columns, strict=True)
    ]
    widest = max(abs(m) for row in multipliers for m in row).bit_length()
    because = ""
    if len(varying) > 1:
        because = "the scales of its branches vary along several dimensions"
    elif widest > MOST_MULTIPLIER_BITS or not _fits(multipliers, list(factors), build):
        because = f"the scales of its branches meet in multipliers of {widest} bits"
    if because:
        value, unit = build.defer(node, factors, because)
        slope = np.full((1,) * len(like.shape), unit, dtype=object)
        return Scaled(value, like.axes, like.shape, slope, offset, classes=like.classes)
    slope = np.empty(broadcast[0].shape, dtype=object)
    slope.ravel()[:] = steps
    whole = Scaled("", like.axes, like.shape, slope, offset, classes=like.classes)
    branches = [_last(node, replace(whole, value=name), build) for name in factors]
    add = Add(Const(np.array(multipliers, dtype=np.int64)))
    value = build.add(node, "", add, tuple(branch.value for branch in branches))
    return replace(branches[0], value=value)


def _fits(multipliers: list[list[int]], names: list[str], build: GraphBuilder) -> bool:
    """Whether every sum takes 64 bits at most."""
    largest = [max(-build.types[n].element.lo, build.types[n].element.hi) for n in names]
    sums = (
        sum(abs(m) * most for m, most in zip(column, largest, strict=True))
        for column in zip(*multipliers, strict=True)
    )
    return bool(max(sums).bit_length() < 64)


def _last(node: SourceNode, x: Scaled, build: GraphBuilder) -> Scaled:
    """Return ``x`` with the axis last along which it varies: the channels of a value."""
    axes = varying_axes(x.slope) or varying_axes(x.offset)
    if len(axes) != 1 or (x.classes and x.classes[axes[0]] is not None):
        return x
    order = (*(x.axes[a] for a in range(len(x.axes)) if a != axes[0]), x.axes[axes[0]])
    return reordered(build, node, x, order)
