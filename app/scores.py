"""How a model's outputs meet labels: accuracy, the k largest, which class was taken for which."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lutloom.core.counts import counted
from lutloom.core.errors import DataFileError
from lutloom.core.files import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.ports import OutputPort


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What became of labelled images.

    ``pairs`` counts them by (label, class that the model tells), ``ranks`` by the place that the
    label has among the model's classes, the largest output first; who has none is in no rank.
    """

    pairs: Mapping[tuple[int, int], int] = field(default_factory=dict)
    ranks: Mapping[int, int] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many images there were."""
        return sum(self.pairs.values())

    @property
    def correct(self) -> int:
        """How many of their labels were met."""
        return sum(count for (label, class_), count in self.pairs.items() if label == class_)

    def within(self, k: int) -> int:
        """Return how many of the labels were among the ``k`` largest outputs."""
        return sum(count for rank, count in self.ranks.items() if rank < k)

    def confusion(self, classes: int = 0) -> NDArray[np.int64]:
        """Return the images by label (rows) and by class that the model tells (columns).

        There are as many of both as occur, or ``classes``, whichever is more. Raises
        ``DataFileError`` for more than a matrix can be made of.
        """
        import numpy as np

        size = max([classes, *(1 + max(pair) for pair in self.pairs)])
        if size > _MOST_CLASSES:
            raise DataFileError(
                f"{size:,} classes are too many for a matrix of them: at most {_MOST_CLASSES:,}"
            )
        matrix = np.zeros((size, size), np.int64)
        for pair, count in self.pairs.items():
            matrix[pair] = count
        return matrix

    def __add__(self, other: Scores) -> Scores:
        return Scores(Counter(self.pairs) + Counter(other.pairs), _sum(self.ranks, other.ranks))


_MOST_CLASSES = 10_000


def _sum(one: Mapping[int, int], other: Mapping[int, int]) -> Counter[int]:
    return Counter(one) + Counter(other)


def classes(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the class of each image: the largest output (the lowest of equal ones), or the index
    that the model itself gives.
    """
    import numpy as np

    rows = _flat(outputs)
    if outputs.dtype.kind == "i":
        return np.asarray(rows[:, 0])
    return np.asarray(rows.argmax(axis=1))


def scores(outputs: NDArray[Any], labels: NDArray[np.int64]) -> Scores:
    """Return how ``outputs [n, ...]`` meet ``labels [n]``."""
    import numpy as np

    rows, told = _flat(outputs), classes(outputs)
    if outputs.dtype.kind == "i":
        images, ranks = np.nonzero(rows == labels[:, np.newaxis])
        _, first = np.unique(images, return_index=True)
        ranks = ranks[first]
    else:
        own = np.take_along_axis(rows, labels[:, np.newaxis], axis=1)
        before = np.arange(rows.shape[1]) < labels[:, np.newaxis]
        ranks = ((rows > own) | ((rows == own) & before)).sum(axis=1)
    pairs = zip(labels.tolist(), told.tolist(), strict=True)
    return Scores(Counter(pairs), Counter(ranks.tolist()))


def told_apart(port: OutputPort) -> int | None:
    """Return how many classes the output ``port`` tells apart, if it says."""
    return None if port.is_integer else math.prod(port.shape)


def check_labels(labels: NDArray[np.int64], port: OutputPort) -> None:
    """Raise ``DataFileError`` if a label is no class that the output ``port`` tells."""
    count = told_apart(port)
    if count is not None and len(labels) and int(labels.max()) >= count:
        image = int(labels.argmax())
        raise DataFileError(
            f"the label of image {image} is {labels[image]}, but the model tells"
            f" {counted(count, 'class')} apart, 0 to {count - 1}"
        )


def write_confusion(path: Path, matrix: NDArray[np.int64], names: tuple[str, ...]) -> None:
    """Write ``matrix`` as a CSV file with the names of the classes: a row for each label."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", *class_names(len(matrix), names)])
    for name, row in zip(class_names(len(matrix), names), matrix.tolist(), strict=True):
        writer.writerow([name, *row])
    write_file(path, text.getvalue().encode(errors="surrogateescape"))


def class_names(count: int, names: tuple[str, ...]) -> list[str]:
    """Return what ``count`` classes are called: numbers, where there is no name."""
    return [names[index] if index < len(names) else str(index) for index in range(count)]


def _flat(outputs: NDArray[Any]) -> NDArray[Any]:
    return outputs.reshape(len(outputs), math.prod(outputs.shape[1:]))
