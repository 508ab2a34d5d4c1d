"""A constant among the data: ``0 * x + c`` of any value of its shape, in integers as they are near.

Exact: a staircase without steps gives one integer wherever the data lead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.ops import Reshape, Threshold
from lutloom.core.rational import rationals
from lutloom.core.types import Const
from lutloom.streamline.align import compact, varies_in_place
from lutloom.streamline.border_classes import check_elements
from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import ONE, ZERO, Scaled
from lutloom.streamline.take import take

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntArray
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Constant, Formula


def constant_branch(
    node: SourceNode,
    constant: Constant,
    branches: Sequence[Formula],
    axis: int,
    build: GraphBuilder,
) -> Scaled:
    """Return ``constant`` as a tensor beside ``branches``, from which it differs along ``axis``.

    Raises ``ModelError`` where it has a batch of its own, or holds no numbers.
    """
    import numpy as np

    like = _carrier(node, branches, build)
    array = constant.reals()
    if array.ndim != len(like.shape) + 1 or array.shape[0] != 1 or not array.size:
        raise ModelError(
            f"{node} joins data of the shape {['N', *like.shape]} and a constant of the shape"
            f" {list(array.shape)}, which should be the same for every image: 1 in front"
        )
    others = (*array.shape[1 : axis + 1], like.shape[axis], *array.shape[axis + 2 :])
    if others != like.shape:
        raise ModelError(
            f"{node} joins data of the shape {['N', *like.shape]} and a constant of the shape"
            f" {list(array.shape)}, which should differ along axis {axis + 1} only"
        )
    try:
        reals = compact(rationals(array[0]).transpose(like.axes))
    except ValueError as error:
        raise ModelError(f"{node}: its constant is no number: {error}") from error
    check_elements(node, reals.size)
    place = take(build, node, like, axis, [0] * array.shape[axis + 1])
    element = build.types[like.value].element
    slope, offset = _line(like)
    near = np.frompyfunc(lambda c: _nearest((c - offset) / slope, element.lo, element.hi), 1, 1)
    integers = np.asarray(near(reals), dtype=np.int64)
    value = _constant(build, node, place.value, integers)
    blank = np.full((1,) * len(like.shape), slope, dtype=object)
    rest = compact(np.asarray(reals - integers.astype(object) * slope, dtype=object))
    return Scaled(value, place.axes, place.shape, blank, rest)


def _carrier(node: SourceNode, branches: Sequence[Formula], build: GraphBuilder) -> Scaled:
    """Return a tensor of integers among ``branches``, or one of those that they are made of."""
    import numpy as np

    for x in branches:
        name = x.value
        if name in build.deferred:
            name = next(iter(build.deferred[name].factors))
        pool = build.pools.get(name)
        if name in build.concats or (pool is not None and pool.signs is None):
            continue
        if isinstance(x, Scaled) and name == x.value:
            return replace(x, lower=None, upper=None)
        one, zero = (np.full((1,) * len(x.shape), number, dtype=object) for number in (ONE, ZERO))
        return Scaled(name, x.axes, x.shape, one, zero)
    raise ModelError(
        f"{node} joins a constant and what is no integer yet; put a quantizer on each branch"
    )


def _line(x: Scaled) -> tuple[Fraction, Fraction]:
    """Return the scale and bias of ``x`` if all elements share one, so that they can stay one."""
    if x.slope.size == x.offset.size == 1 and x.slope.item():
        return x.slope.item(), x.offset.item()
    return ONE, ZERO


def _nearest(wanted: Fraction, lo: int, hi: int) -> int:
    """Return ``wanted`` if it is an integer not far from others; else one of theirs beside it."""
    reach = hi - lo
    if wanted.denominator == 1 and lo - reach <= wanted <= hi + reach:
        return int(wanted)
    return min(max(round(wanted), lo), hi)


def _constant(build: GraphBuilder, node: SourceNode, carrier: str, integers: IntArray) -> str:
    """Return a value of the shape of ``carrier`` that holds ``integers``, which broadcast to it."""
    import numpy as np

    shape = build.types[carrier].shape
    if not varies_in_place(_objects(integers)):
        return build.add(node, "/constant", _stairs(integers.reshape(-1)), (carrier,))
    whole = np.broadcast_to(integers, shape).reshape(-1)
    flat = build.add(node, "/flat", Reshape(whole.shape), (carrier,))
    value = build.add(node, "/constant", _stairs(whole), (flat,))
    return build.add(node, "/whole", Reshape(shape), (value,))


def _objects(integers: IntArray) -> Rationals:
    return integers.astype(object)


def _stairs(integers: IntArray) -> Threshold:
    import numpy as np

    none = np.zeros((len(integers), 0), dtype=np.int64)
    return Threshold(Const(none), Const(integers), Const(none))
