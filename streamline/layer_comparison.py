"""One quantizer over all images: what differs, what explains it, and the ties that keep coming."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.streamline.differences import Difference, Differences, from_image, listed, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.types import IntArray
    from lutloom.streamline.bounded import Bools, Floats

# Of one element's images, how many have to be ties for it to be structural: one in that many.
_STRUCTURAL = 100
# How many differences a layer lists by themselves.
_LISTED = 5
# Of a float32: 16 upper bits tell sizes apart that differ by 1 %.
_LOWER_BITS = 16


@dataclass(frozen=True, slots=True)
class TiedElement:
    """An element that lies on the edge of a level, exactly, for at least 1 % of the images."""

    element: tuple[int, ...]
    tied: int
    """How many images; in float64, to 2^-20 of the bound."""
    differing: int
    """In how many of them the executor falls on the other side; each of them is an exact tie."""


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """One quantizer: how many of its outputs were compared, and how they differ.

    ``elements`` are equal or ``differing``; those are ``explained`` by a bound, or explained and
    ``structural``, or neither.
    """

    value: str
    node: str
    elements: int
    skipped: int
    """Outputs that were not compared: the executor's rounding made an integer of their image, in a
    layer further in front, that no exact arithmetic gives for any image."""
    differing: int
    explained: int
    structural: int
    off_grid: int
    """Outputs of the executor that stand for no integer at all."""
    median_bound: float | None
    """Of all elements, to 1 %, in the unit of a difference; None where there is no bound at all."""
    largest_bound: float | None
    """Likewise: 0 where float32 makes no error."""
    nearest: tuple[Difference, ...]
    """Of the explained ones those with the largest ratio, that first."""
    first_unexplained: tuple[Difference, ...]
    """Of those without an explanation."""
    ties: tuple[TiedElement, ...]
    """The structural ties in which a difference was found."""

    @property
    def unexplained(self) -> int:
        """How many differ without an explanation."""
        return self.differing - self.explained - self.structural

    @property
    def is_equal(self) -> bool:
        """Whether every output is equal, or differs for a reason that was proved."""
        return self.off_grid == 0 and self.unexplained == 0

    @property
    def largest_ratio(self) -> float:
        """Of the explained differences, the largest distance over bound; 0 for none."""
        return self.nearest[0].ratio if self.nearest else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class LayerPart:
    """One quantizer in one batch."""

    value: str
    node: str
    elements: int
    skipped: int
    off_grid: int
    differences: Differences
    bounds: BoundCounts | None
    near_ties: IntArray | None
    """How many images have their value within float64's reach of an edge, by element."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundCounts:
    """The bounds of one layer in one batch: how many there are of each size, to 1 %.

    The bounds themselves of a large network would not fit in memory for all images. ``sizes`` are
    the upper halves of float32 numbers, ascending.
    """

    sizes: IntArray
    counts: IntArray
    largest: float


def counted(bounds: Floats) -> BoundCounts:
    """Return how many ``bounds`` there are of each size; not a number is no bound at all."""
    import numpy as np

    # Positive numbers are in the order of their codes.
    numbers = np.nan_to_num(bounds, nan=np.inf, posinf=np.inf).astype(np.float32).ravel()
    counts = np.bincount(numbers.view(np.uint32) >> _LOWER_BITS)
    (sizes,) = np.nonzero(counts)
    return BoundCounts(sizes, counts[sizes], float(numbers.max(initial=0.0)))


def counted_ties(near: Bools) -> IntArray:
    """Return in how many images ``near [batch, ...]`` holds, in as few bytes as that takes."""
    import numpy as np

    return np.asarray(near.sum(axis=0, dtype=np.min_scalar_type(len(near))))


def together_from(batches: Sequence[LayerPart], starts: Sequence[int]) -> Differences:
    """Return the differences of all ``batches``, whose first images have the numbers ``starts``."""
    parts = zip(batches, starts, strict=True)
    return together([from_image(batch.differences, start) for batch, start in parts])


def merge_layer(batches: Sequence[LayerPart], found: Differences, images: int) -> LayerComparison:
    """Return one layer over all ``batches``; ``found`` are its differences."""
    import numpy as np

    first = batches[0]
    tied = [batch.near_ties for batch in batches if batch.near_ties is not None]
    is_structural = np.zeros(len(found.places), dtype=bool)
    ties: tuple[TiedElement, ...] = ()
    if tied and found.is_tie.any():
        count = np.asarray(np.sum(tied, axis=0, dtype=np.int64))
        often = np.asarray(count * _STRUCTURAL >= images)
        is_structural = found.is_tie & often[tuple(found.places[:, 1:].T)]
        where, differing = np.unique(found.places[is_structural][:, 1:], axis=0, return_counts=True)
        ties = tuple(
            TiedElement(tuple(place), int(count[tuple(place)]), int(n))
            for place, n in zip(where.tolist(), differing, strict=True)
        )
    is_explained = found.is_explained & ~is_structural
    with np.errstate(all="ignore"):
        ratio = np.where(is_explained, found.distance / found.bound, -1.0)
    nearest = np.argsort(-np.nan_to_num(ratio, nan=-1.0), kind="stable")[:_LISTED]
    unexplained = np.flatnonzero(~found.is_explained)[:_LISTED]
    bounds = [batch.bounds for batch in batches if batch.bounds is not None]
    return LayerComparison(
        first.value,
        first.node,
        elements=sum(batch.elements for batch in batches),
        skipped=sum(batch.skipped for batch in batches),
        differing=len(found.places),
        explained=int(is_explained.sum()),
        structural=int(is_structural.sum()),
        off_grid=sum(batch.off_grid for batch in batches),
        median_bound=_median(bounds),
        largest_bound=max((part.largest for part in bounds), default=None),
        nearest=listed(found, nearest[is_explained[nearest]]),
        first_unexplained=listed(found, unexplained),
        ties=ties,
    )


def _median(bounds: Sequence[BoundCounts]) -> float | None:
    import numpy as np

    total = sum(int(part.counts.sum()) for part in bounds)
    if not total:
        return None
    sizes = np.concatenate([part.sizes for part in bounds])
    counts = np.concatenate([part.counts for part in bounds])
    order = np.argsort(sizes, kind="stable")
    place = np.searchsorted(np.cumsum(counts[order]), (total + 1) // 2)
    code = np.uint32(sizes[order][place]) << np.uint32(_LOWER_BITS)
    return float(code.view(np.float32))
