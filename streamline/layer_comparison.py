"""One quantizer over all images: what differs, what explains it, and the ties that keep coming."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.streamline.differences import Difference, Differences, from_image, listed, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

# Of one element's images, how many have to be ties for it to be structural: one in that many.
_STRUCTURAL = 100
# How many differences a layer lists by themselves.
_LISTED = 5


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
    """Of all elements, in the unit of a difference; None where there is no bound at all."""
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
    bounds: NDArray[np.float32] | None
    near_ties: IntArray | None
    """How many images have their value within float64's reach of an edge, by element."""


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
        count = np.sum(tied, axis=0)
        often = count * _STRUCTURAL >= images
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
        largest_bound=max((float(x.max(initial=0.0)) for x in bounds), default=None),
        nearest=listed(found, nearest[is_explained[nearest]]),
        first_unexplained=listed(found, unexplained),
        ties=ties,
    )


def _median(bounds: Sequence[NDArray[np.float32]]) -> float | None:
    import numpy as np

    if not bounds or not sum(array.size for array in bounds):
        return None
    return float(np.median(np.concatenate(bounds)))
