"""What the comparison with a float executor found: of one batch of images, and of all together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lutloom.streamline.layer_comparison import (
    LayerComparison,
    LayerPart,
    merge_layer,
    together_from,
)

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Bools


@dataclass(frozen=True, slots=True)
class Beyond:
    """A tensor in which the executor's floats are further off than the bound says they can be."""

    tensor: str
    node: str
    elements: int
    beyond: int
    is_constant: bool
    """Whether no input reaches it: then the executor folds it in another way."""


@dataclass(frozen=True, slots=True, eq=False)
class OutputComparison:
    """One output of the model, behind the executor's own last integers.

    In a ``Part`` it is that of its images, and ``excused`` are those that lie within the bounds.
    """

    name: str
    elements: int
    outside: int | None
    """How many numbers differ by more than twice the bound on the float32 error of the host's part:
    ours and the executor's; of indices, by more than the bounds of the values that they choose
    from. None where the host's part holds an operator without a bound."""
    excused: Bools
    """``[images]``: those whose output may be another one from end to end. Either differences of
    layers, all of them explained, have led elsewhere; or all layers are equal, and the output lies
    within its bounds."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All quantizers, and the model's outputs behind the executor's own last integers."""

    layers: tuple[LayerComparison, ...]
    outputs: tuple[OutputComparison, ...]
    beyond: tuple[Beyond, ...]
    """Where a bound turned out to be too small."""

    @property
    def outside(self) -> int | None:
        """How many numbers of all outputs lie outside; None where one has no bound."""
        return _sum(output.outside for output in self.outputs)

    @property
    def excused(self) -> Bools:
        """``[images]``: those that are excused in every output."""
        import numpy as np

        return np.asarray(np.all([output.excused for output in self.outputs], axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What the comparison of one batch of images found, until ``merge`` puts them together."""

    images: int
    layers: tuple[LayerPart, ...]
    outputs: tuple[OutputComparison, ...]
    beyond: tuple[Beyond, ...]


def merge(parts: Sequence[Part]) -> Comparison:
    """Return the comparison of all images of ``parts``, which follow one another."""
    import numpy as np

    images = sum(part.images for part in parts)
    starts = np.cumsum([0, *(part.images for part in parts)])[:-1].tolist()
    led_elsewhere, wrong = np.zeros((2, images), dtype=bool)
    layers = []
    for batches in zip(*(part.layers for part in parts), strict=True):
        found = together_from(batches, starts)
        led_elsewhere[found.places[found.is_explained, 0]] = True
        wrong[found.places[~found.is_explained, 0]] = True
        layers.append(merge_layer(batches, found, images))
    beyond: dict[str, Beyond] = {}
    for entry in (entry for part in parts for entry in part.beyond):
        earlier = beyond.get(entry.tensor, replace(entry, elements=0, beyond=0))
        beyond[entry.tensor] = replace(
            entry,
            elements=earlier.elements + entry.elements,
            beyond=earlier.beyond + entry.beyond,
        )
    outputs = tuple(
        OutputComparison(
            batches[0].name,
            sum(batch.elements for batch in batches),
            _sum(batch.outside for batch in batches),
            (np.concatenate([batch.excused for batch in batches]) | led_elsewhere) & ~wrong,
        )
        for batches in zip(*(part.outputs for part in parts), strict=True)
    )
    return Comparison(tuple(layers), outputs, tuple(beyond.values()))


def _sum(counts: Iterable[int | None]) -> int | None:
    """Return the sum of ``counts``; None where one is not known."""
    found = list(counts)
    known = [count for count in found if count is not None]
    return sum(known) if len(known) == len(found) else None
