"""Where one quantizer differs in one batch of images, and whether rounding explains it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.streamline.bounded import FLOAT64_MARGIN
from lutloom.streamline.exact_element import before_quantizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.types import IntArray
    from lutloom.streamline.bounded import Bools, Bounded, Floats
    from lutloom.streamline.exact_model import ExactModel
    from lutloom.streamline.level_edges import Edges
    from lutloom.streamline.source import SourceNode


@dataclass(frozen=True, slots=True)
class Difference:
    """One output of a quantizer that differs: where, by what, and how far that is excused.

    ``distance`` is that of the exact value from the executor's level, ``bound`` what float32 can
    have added to it: in steps of the quantizer, or in the data's own unit for thresholds and signs.
    """

    image: int
    element: tuple[int, ...]
    """Its place in the model's tensor, without the batch."""
    ours: int
    theirs: int
    distance: float
    bound: float

    @property
    def ratio(self) -> float:
        """Distance over bound: at most 1 where it is explained."""
        if self.bound == 0:
            return float("inf")
        return self.distance / self.bound if self.distance else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """Where a layer differs in one batch, and why: arrays ``[differences]``."""

    places: IntArray
    """``[differences, rank]``, the image first."""
    ours: IntArray
    theirs: IntArray
    distance: Floats
    bound: Floats
    is_explained: Bools
    is_tie: Bools


def explain(
    places: IntArray,
    ours: IntArray,
    theirs: IntArray,
    node: SourceNode,
    edges: Edges,
    bounded: Bounded,
    exact: ExactModel,
    *,
    is_host: bool,
) -> Differences:
    """Say of every difference whether the executor's rounding explains it.

    On the host both sides round: there our level, too, may be off by the bound.
    """
    import numpy as np

    at = tuple(places.T)
    value, bound = bounded.value[at], bounded.error[at]
    channels = edges.channels(bounded.value.shape)[at]
    rises = theirs > ours
    # The edges of both levels that face each other; the value lies on our side if ours is right.
    own_edge = edges.above(np.where(rises, ours, ours - 1), channels)
    their_edge = edges.above(np.where(rises, theirs - 1, theirs), channels)
    sign = np.where(rises, 1.0, -1.0)
    room, gap = sign * (own_edge - value), sign * (their_edge - value)
    is_right = room > bound * FLOAT64_MARGIN
    is_tie = np.zeros(len(places), dtype=bool)
    if is_host:
        is_right = room >= -bound
    else:
        for i in np.flatnonzero(np.abs(room) <= bound * FLOAT64_MARGIN).tolist():
            place = tuple(places[i].tolist())
            argument = before_quantizer(exact, node, place)
            # No rational number lies on an edge by accident: float64's word is taken for it.
            is_right[i] = argument is None or (
                edges.exact_level(node, argument, int(channels[i])) == int(ours[i])
            )
            is_tie[i] = argument is not None and argument == Fraction(float(own_edge[i]))
    distance = np.maximum(gap, 0.0)
    is_explained = is_right & (bound > 0) & (distance <= bound) & (ours != theirs)
    return Differences(places, ours, theirs, distance, bound, is_explained, is_tie & is_explained)


def nothing_known(places: IntArray, ours: IntArray, theirs: IntArray) -> Differences:
    """Return differences behind an operator without a bound: none has an explanation."""
    import numpy as np

    zero, no = np.zeros(len(places)), np.zeros(len(places), dtype=bool)
    return Differences(places, ours, theirs, zero, zero, no, no)


def from_image(found: Differences, start: int) -> Differences:
    """Count the images of a batch from ``start`` on."""
    places = found.places.copy()
    places[:, 0] += start
    return replace(found, places=places)


def together(found: Sequence[Differences]) -> Differences:
    """Return the differences of several batches as one."""
    import numpy as np

    return Differences(
        np.concatenate([entry.places for entry in found]),
        np.concatenate([entry.ours for entry in found]),
        np.concatenate([entry.theirs for entry in found]),
        np.concatenate([entry.distance for entry in found]),
        np.concatenate([entry.bound for entry in found]),
        np.concatenate([entry.is_explained for entry in found]),
        np.concatenate([entry.is_tie for entry in found]),
    )


def listed(found: Differences, which: IntArray) -> tuple[Difference, ...]:
    """Return those with the numbers ``which``, one by one."""
    return tuple(
        Difference(
            int(found.places[i, 0]),
            tuple(found.places[i, 1:].tolist()),
            int(found.ours[i]),
            int(found.theirs[i]),
            float(found.distance[i]),
            float(found.bound[i]),
        )
        for i in which.tolist()
    )
