"""What becomes of a simulation's outputs, batch by batch: kept, written, scored, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.data import count_of
from lutloom.expectation import Difference, difference
from lutloom.scores import Scores, scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(eq=False)
class Keeper:
    """Keeps all outputs, if they are wanted."""

    is_wanted: bool
    parts: list[Arrays] = field(default_factory=list)

    def take(self, outputs: Arrays) -> None:
        """Keep those of a batch."""
        if self.is_wanted:
            self.parts.append(outputs)

    def joined(self) -> dict[str, NDArray[Any]]:
        """Return those of all batches, by their names."""
        import numpy as np

        names = self.parts[0] if self.parts else ()
        return {name: np.concatenate([part[name] for part in self.parts]) for name in names}


@dataclass(eq=False)
class Scorer:
    """Scores the output ``name`` by ``labels``, if there are any."""

    name: str
    labels: NDArray[np.int64] | None
    done: int = 0
    scores: Scores | None = None

    def take(self, outputs: Arrays) -> None:
        """Score those of a batch."""
        if self.labels is None:
            return
        found = outputs[self.name]
        batch = scores(found, self.labels[self.done : self.done + len(found)])
        self.scores = batch if self.scores is None else self.scores + batch
        self.done += len(found)


@dataclass(eq=False)
class Comparer:
    """Compares the outputs with those that are ``expected``, if any are, batch by batch."""

    expected: Iterator[Arrays] | None
    done: int = 0
    difference: Difference | None = None

    def take(self, outputs: Arrays) -> None:
        """Compare those of a batch."""
        if self.expected is None:
            return
        found = difference(outputs, next(self.expected), self.done)
        self.difference = found if self.difference is None else self.difference.and_then(found)
        self.done += count_of(outputs)
