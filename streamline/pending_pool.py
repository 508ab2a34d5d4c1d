"""Max pools that are not in the graph yet, since a quantizer may come first.

A quantizer does not decrease, nor does what lies between a pool and it, as a rule: then the largest
of the levels is the level of the largest. Quantized first, pixels are a few bits wide where the
line buffer of the pool holds them, and not as wide as accumulators. What decreases in a channel
makes the smallest of the levels: the largest of the levels turned round, ``lo + hi - level``.

``p`` stands for a result of the pool in one of two ways:

- What is pooled rises or falls with its integers ``v`` in every channel, by ``signs``: ``p`` is the
  largest of each window's ``v``, or the smallest where it falls, and what it stands for is the same
  function of ``p`` as it was of ``v``. Whoever is no quantizer gets these integers.
- Otherwise (``gelu`` falls and rises; offsets may differ along the border of the image) ``p`` is
  the largest real number itself. Only a quantizer can read it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lutloom.core.ops import MaxPool, Requantize, Threshold
from lutloom.core.types import Const
from lutloom.streamline.align import compact, model_shape, varies_in_place
from lutloom.streamline.curve import expression_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.expression import of
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.steps import Steps
from lutloom.streamline.symbols import Curve, Scaled
from lutloom.streamline.trend import trend

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.op import Op
    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntArray, IntType
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.moves import Move
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula
    from lutloom.streamline.trend import Signs

# Levels for which a table turns integers round; more of them take a product.
_MOST_LEVELS = 256


@dataclass(frozen=True, eq=False)
class PendingPool:
    """``op`` on ``source``, whose value is ``[*image, C]``; ``signs`` as above, None for reals.

    Reals may lie elsewhere than ``op`` leaves them: ``moves`` come behind it.
    """

    node: SourceNode
    op: MaxPool
    source: Formula
    signs: Signs | None
    moves: tuple[Move, ...] = ()

    def refusal(self, reader: object) -> ModelError:
        """Return the error for a ``reader`` that is no quantizer."""
        return ModelError(
            f"{self.node}: the largest of what is no integer is for a quantizer alone, and {reader}"
            " reads it; put a quantizer in front of the pool"
        )

    def check_moves(self, *arrays: Rationals) -> None:
        """Refuse numbers that differ by channel or place, and would have to move back."""
        if self.moves and any(array.size > 1 for array in arrays):
            raise ModelError(
                f"{self.node}: the largest of what is no integer is moved behind it, and then meets"
                " numbers that differ from one to another; put a quantizer in front of the pool"
            )


def signs_of(x: Formula) -> Signs | None:
    """Return where ``x`` rises and falls with its integers, or None where integers do not do."""
    return None if varies_in_place(*x.arrays) else trend(x)


def beneath(x: Formula, build: GraphBuilder) -> Formula:
    """Return what a quantizer of ``x`` is to compute for every pixel: ``x`` without its pools."""
    pool = build.pools.get(x.value)
    return x if pool is None else beneath(before(x, pool, build), build)


def before(x: Formula, pool: PendingPool, build: GraphBuilder) -> Formula:
    """Return the function ``x`` of the result of ``pool`` for the pixels that it pools."""
    source = pool.source
    if pool.moves:
        pool.check_moves(*x.arrays)
        ones = (1,) * len(source.shape)
        x = x.with_arrays(lambda array: array.reshape(ones))
        x = replace(x, axes=source.axes, shape=source.shape)
    shape = model_shape(x.axes, build.types[source.value].shape)
    if pool.signs is not None:
        return replace(x, value=source.value, shape=shape)
    at = replace(source, axes=x.axes, shape=shape, root=x.root, trail=x.trail)
    return composed(pool.node, x, at)


def composed(node: SourceNode, x: Formula, at: Formula) -> Formula:
    """Return ``x`` of what ``at`` is of its value; axes, root and trail of both are the same."""
    match x, at:
        case Scaled(), Scaled():
            return _clamped(scale_and_shift(at, x.slope, x.offset), x.lower, x.upper)
    expression = of(expression_of(node, x), expression_of(node, at))
    return Curve(at.value, at.axes, at.shape, expression, x.root, x.trail, at.classes)


def _clamped(x: Scaled, lower: Rationals | None, upper: Rationals | None) -> Scaled:
    """Return ``min(max(x, lower), upper)``; a bound that is None is absent."""
    import numpy as np

    def limited(
        bound: Fraction | None, lo: Fraction | None, hi: Fraction | None, other: Fraction | None
    ) -> Fraction | None:
        if bound is None:
            return other
        bound = bound if lo is None else max(bound, lo)
        return bound if hi is None else min(bound, hi)

    absent = np.full((1,) * x.slope.ndim, None, dtype=object)
    lo, hi = (absent if bounds is None else bounds for bounds in (lower, upper))
    ends = []
    for own, other in ((x.lower, lo), (x.upper, hi)):
        own_ends = absent if own is None else own
        found = np.frompyfunc(limited, 4, 1)(own_ends, lo, hi, other)
        end = compact(np.asarray(found, dtype=object))
        ends.append(None if end.size == 1 and end.ravel()[0] is None else end)
    return replace(x, lower=ends[0], upper=ends[1])


def falling(x: Formula, pool: PendingPool, steps: Rationals) -> NDArray[np.bool_] | None:
    """Return for which channels the levels ``steps(x)`` fall as what is pooled rises.

    One entry a channel, or one for all; None where neither is known. ``steps`` are ``Steps``.
    """
    import numpy as np

    rises = trend(x)
    if rises is None:
        return None
    heights = np.array([of.height for of in steps.ravel().tolist()])
    signs = rises * heights if pool.signs is None else rises * heights * pool.signs
    return np.asarray(signs < 0)


def turned(steps: Rationals, falls: NDArray[np.bool_]) -> Rationals:
    """Return ``lo + hi - steps`` for the channels that ``falls`` says, levels from lo to hi."""
    import numpy as np

    def one(table: Steps, is_turned: bool) -> Steps:  # noqa: FBT001 - an element of an array
        if not is_turned:
            return table
        first = sum(table.ends) - table.first
        return Steps(table.boundaries, table.inclusive, first, -table.height)

    known: dict[tuple[Steps, bool], Steps] = {}
    tables, flags = np.broadcast_arrays(steps, falls)
    result = np.empty(tables.size, dtype=object)
    for place, key in enumerate(zip(tables.ravel().tolist(), flags.ravel().tolist(), strict=True)):
        result[place] = known.setdefault(key, one(*key))
    return result.reshape(tables.shape)


def ends_of(steps: Rationals) -> IntArray:
    """Return ``lo + hi`` of the levels of ``steps``: one entry a channel, or one for all."""
    import numpy as np

    return np.array([sum(table.ends) for table in steps.ravel().tolist()])


def turning(falls: NDArray[np.bool_], ends: IntArray | int, element: IntType) -> Op:
    """Return the operator of ``ends - x`` for the channels that ``falls`` says, of ``x`` else.

    ``ends`` has one entry a channel, or one for all. The integers of ``x`` are of ``element``.
    """
    import numpy as np

    falls, ends = np.broadcast_arrays(falls, ends)
    sign, zero = np.where(falls, -1, 1), np.where(falls, ends, 0)
    if 1 < element.count <= _MOST_LEVELS:
        reached = np.arange(element.lo + element.step, element.hi + 1, element.step)
        table = np.broadcast_to(reached, (len(sign), len(reached)))
        base = zero + sign * element.lo
        return Threshold(Const(table), Const(base), Const((sign * element.step)[:, None]))
    lowest, highest = (np.array([bound]) for bound in _reach(sign, zero, element))
    return Requantize(Const(sign[:, None]), Const(zero[:, None]), 0, Const(lowest), Const(highest))


def _reach(sign: IntArray, zero: IntArray, element: IntType) -> tuple[int, int]:
    ends = [
        int(s) * end + int(z)
        for s, z in zip(sign, zero, strict=True)
        for end in (element.lo, element.hi)
    ]
    return min(ends), max(ends)
