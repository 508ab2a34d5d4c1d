"""How the ones of planes are counted for several outputs at once: see native/counting.hpp."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

OUTPUTS = 4
"""Outputs of a bundle: twice as many classes for one more, each with half the inputs."""

_BLOCK = 8


@dataclass(frozen=True, eq=False)
class Bundles:
    """``Bundles`` of native/counting.hpp."""

    count: int
    numbers: int
    ends: NDArray[np.int32]
    classes: NDArray[np.int32]
    additions: NDArray[np.int32]
    offsets: NDArray[np.uint32]
    masks: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Number:
    """A number in planes from ``place`` on: up to ``most``, and ``more`` than what it counts."""

    place: int
    most: int
    more: int

    @property
    def width(self) -> int:
        """How many planes it has."""
        return self.most.bit_length()


@dataclass(frozen=True, eq=False)
class Counts:
    """What bundles count: the ``numbers`` of all outputs, in as many ``planes`` of memory."""

    ends: tuple[tuple[int, int], ...]
    classes: tuple[tuple[int, ...], ...]
    additions: tuple[tuple[int, ...], ...]
    offsets: NDArray[np.uint32]
    masks: NDArray[np.int64]
    numbers: tuple[Number, ...]
    planes: int

    def in_buffer(self, buffer: int) -> Bundles:
        """Return the same as kernels take it, with the numbers in ``buffer``."""
        import numpy as np

        return Bundles(
            len(self.ends),
            buffer,
            np.array(self.ends, np.int32),
            np.array(self.classes, np.int32),
            np.array(self.additions, np.int32),
            self.offsets,
            self.masks,
        )


def counts_of(signs: NDArray[np.int8], offsets: NDArray[np.int64]) -> Counts:
    """Return how ``sum over i of signs[i, o] * sum over j of plane [i, j]`` is counted.

    ``signs [inputs, outputs]`` are -1, 0 and 1, ``offsets [inputs, levels]`` the planes' in bytes.
    """
    writer = _Writer()
    for first in range(0, signs.shape[1], OUTPUTS):
        writer.add_bundle(signs[:, first : first + OUTPUTS], offsets)
    return writer.counts()


@dataclass(eq=False)
class _Writer:
    """The lists of all bundles, while they are made."""

    ends: list[tuple[int, int]] = field(default_factory=list)
    classes: list[tuple[int, ...]] = field(default_factory=list)
    additions: list[tuple[int, ...]] = field(default_factory=list)
    offsets: list[NDArray[np.int64]] = field(default_factory=list)
    masks: list[NDArray[np.int64]] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    used: int = 0
    planes: int = 1

    def counts(self) -> Counts:
        """Return what has been written."""
        import numpy as np

        return Counts(
            tuple(self.ends),
            tuple(self.classes),
            tuple(self.additions),
            np.concatenate([np.zeros(0, np.uint32), *self.offsets]).astype(np.uint32),
            np.concatenate([np.zeros((0, 2), np.int64), *self.masks]),
            tuple(self.numbers),
            self.planes,
        )

    def add_bundle(self, signs: NDArray[np.int8], offsets: NDArray[np.int64]) -> None:
        """Add the bundle of the outputs of ``signs [inputs, outputs]``.

        Output by output from the last one on, classes that differ in it alone become one.
        """
        self.used = 0
        known = self._classes(signs, offsets)
        outputs = []
        for output in reversed(range(signs.shape[1])):
            kinds: dict[tuple[int, ...], dict[int, Number]] = defaultdict(dict)
            for pattern, number in known.items():
                kinds[pattern[:output]][pattern[output]] = number
            parts = [self._difference(kind.get(1), kind.get(-1)) for kind in kinds.values()]
            outputs.append(self._total(part for part in parts if part is not None))
            known = {
                pattern: self._total(kind.values())
                for pattern, kind in kinds.items()
                if any(pattern)
            }
        self.numbers += reversed(outputs)
        self.ends.append((len(self.classes), len(self.additions)))
        self.planes = max(self.planes, self.used)

    def _classes(
        self, signs: NDArray[np.int8], offsets: NDArray[np.int64]
    ) -> dict[tuple[int, ...], Number]:
        """Return the counts of the inputs by their weights, of which the first one is 1."""
        import numpy as np

        some = signs.any(axis=1)
        signs, offsets = signs[some], offsets[some]
        first = np.take_along_axis(signs, (signs != 0).argmax(axis=1)[:, None], axis=1)
        patterns, kinds = np.unique(signs * first, axis=0, return_inverse=True)
        known = {}
        for kind, pattern in enumerate(patterns.tolist()):
            chosen = kinds.ravel() == kind
            plain = offsets[chosen & (first[:, 0] > 0)].ravel()
            complemented = offsets[chosen & (first[:, 0] < 0)].ravel()
            known[tuple(pattern)] = self._class(plain, complemented)
        return known

    def _class(self, plain: NDArray[np.int64], complemented: NDArray[np.int64]) -> Number:
        """Add the class of these inputs."""
        import numpy as np

        whole, turned = len(plain) // _BLOCK, len(complemented) // _BLOCK
        rest, odd = plain[whole * _BLOCK :], complemented[turned * _BLOCK :]
        left = np.concatenate([rest, odd])
        padding = -len(left) % _BLOCK
        flips = np.repeat([0, -1, 0], [len(rest), len(odd), padding])
        keeps = np.repeat([-1, 0], [len(left), padding])
        most = len(plain) + len(complemented)
        number = self._number(most, len(complemented))
        words = (whole, turned, (len(left) + padding) // _BLOCK, number.place, number.width)
        self.classes.append(words)
        blocks = (plain[: whole * _BLOCK], complemented[: turned * _BLOCK], left)
        # What pads is read too, and masked: any plane of the window will do.
        self.offsets += [*blocks, np.repeat(left[:1], padding)]
        self.masks.append(np.stack([keeps, flips], axis=1))
        return number

    def _number(self, most: int, more: int) -> Number:
        number = Number(self.used, most, more)
        self.used += number.width
        return number

    def _total(self, numbers: Iterable[Number]) -> Number:
        """Add the sum of ``numbers``, the narrowest ones first."""
        left = sorted(numbers, key=lambda number: number.most)
        while len(left) > 1:
            a, b, *left = left
            total = self._number(a.most + b.most, a.more + b.more)
            self._addition(0, a, b, total)
            left = sorted([*left, total], key=lambda number: number.most)
        return left[0] if left else Number(0, 0, 0)

    def _difference(self, a: Number | None, b: Number | None) -> Number | None:
        """Add ``a - b``: with ``~b``, which is ``2**width - 1 - b``."""
        if b is None:
            return a
        least = Number(0, 0, 0) if a is None else a
        ones = 2**b.width - 1
        difference = self._number(least.most + ones, least.more - b.more + ones)
        self._addition(1, least, b, difference)
        return difference

    def _addition(self, is_difference: int, a: Number, b: Number, target: Number) -> None:
        self.additions.append(
            (is_difference, a.place, a.width, b.place, b.width, target.place, target.width)
        )
