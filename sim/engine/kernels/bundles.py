"""How the ones of planes are counted for several outputs at once: see native/counting.hpp."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

OUTPUTS = (1, 2, 3, 4, 5)
"""Outputs that a bundle may have: for one more there are twice as many classes, or thrice, each
with fewer inputs."""

_SUM, _DIFFERENCE, _SUM_AND_DIFFERENCE = range(3)
_SAMPLE = 12  # outputs that show how large bundles should be, or a few less
_BLOCK = _BYTE = 8
_LEAST = 3  # bits that eight inputs carry into
_MASKS = ((-1, 0), (-1, -1), (0, 0))  # of an input: whether it is kept, whether it is complemented


@dataclass(frozen=True, eq=False)
class Bundles:
    """``Bundles`` of native/counting.hpp."""

    count: int
    numbers: int
    input_bits: int
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

    outputs: int
    input_bits: int
    ends: tuple[tuple[int, int], ...]
    classes: tuple[tuple[int, ...], ...]
    additions: tuple[tuple[int, ...], ...]
    offsets: NDArray[np.uint32]
    masks: NDArray[np.int64]
    numbers: tuple[Number, ...]
    planes: int

    @property
    def cost(self) -> float:
        """About how many instructions it takes to count them all."""
        # Eight inputs of a bit, or one of eight.
        blocks = sum(
            3 * _BLOCK * (plain + other + 1.5 * mixed) for plain, other, mixed, _, _ in self.classes
        )
        adding = sum(30 + 4 * width for *_, width in self.additions)
        return 2 * blocks + 40 * len(self.classes) + adding

    def in_buffer(self, buffer: int) -> Bundles:
        """Return the same as kernels take it, with the numbers in ``buffer``."""
        import numpy as np

        return Bundles(
            len(self.ends),
            buffer,
            self.input_bits,
            np.array(self.ends, np.int32),
            np.array(self.classes, np.int32),
            np.array(self.additions, np.int32),
            self.offsets,
            self.masks,
        )


def counts_of(
    signs: NDArray[np.int8], offsets: NDArray[np.int64], *, are_bytes: bool = False
) -> Counts:
    """Return how ``sum over i of signs[i, o] * sum over j of plane [i, j]`` is counted.

    ``signs [inputs, outputs]`` are -1, 0 and 1, ``offsets [inputs, levels]`` the planes' in bytes.
    If the planes ``are_bytes``, the offsets ``[inputs, 1]`` are those of the lowest of eight bits.
    """
    bits = _BYTE if are_bytes else 1

    def cost(outputs: int) -> float:
        some = signs[:, : _SAMPLE // outputs * outputs]
        return _counted(some, offsets, outputs, bits).cost / max(int(some.shape[1]), 1)

    return _counted(signs, offsets, min(OUTPUTS, key=cost), bits)


def _counted(
    signs: NDArray[np.int8], offsets: NDArray[np.int64], outputs: int, input_bits: int
) -> Counts:
    """Return the same for bundles of so many ``outputs``."""
    writer = _Writer(input_bits)
    for first in range(0, signs.shape[1], outputs):
        writer.add_bundle(signs[:, first : first + outputs], offsets)
    return writer.counts(outputs)


@dataclass(eq=False)
class _Writer:
    """The lists of all bundles, while they are made."""

    input_bits: int
    ends: list[tuple[int, int]] = field(default_factory=list)
    classes: list[tuple[int, ...]] = field(default_factory=list)
    additions: list[tuple[int, ...]] = field(default_factory=list)
    offsets: list[NDArray[np.int64]] = field(default_factory=list)
    masked: list[int] = field(default_factory=list)
    """How many inputs are added, how many complemented and how many ignored, in turns."""
    numbers: list[Number] = field(default_factory=list)
    planes: int = 1

    def counts(self, outputs: int) -> Counts:
        """Return what has been written, of bundles of so many ``outputs``."""
        import numpy as np

        return Counts(
            outputs,
            self.input_bits,
            tuple(self.ends),
            tuple(self.classes),
            tuple(self.additions),
            np.concatenate([np.zeros(0, np.uint32), *self.offsets]).astype(np.uint32),
            np.tile(_MASKS, (len(self.masked) // len(_MASKS), 1)).repeat(self.masked, axis=0),
            tuple(self.numbers),
            self.planes,
        )

    def add_bundle(self, signs: NDArray[np.int8], offsets: NDArray[np.int64]) -> None:
        """Add the bundle of the outputs of ``signs [inputs, outputs]``."""
        bundle = _Bundle()
        most, least = 2**self.input_bits - 1, _BYTE if self.input_bits > 1 else _LEAST
        known, classes = {}, []
        for pattern, plain, complemented in _classes(signs, offsets):
            known[pattern] = bundle.number(
                most * (len(plain) + len(complemented)), most * len(complemented), least=least
            )
            classes.append((known[pattern], *self._inputs(plain, complemented)))
        outputs = bundle.combined(known, signs.shape[1])
        places = bundle.places()
        self.classes += [
            (*blocks, places[number.place], max(number.width, least)) for number, *blocks in classes
        ]
        self.additions += [
            (kind, places[a], a_width, places[b], b_width, width)
            for kind, a, a_width, b, b_width, width in bundle.additions
        ]
        self.numbers += [replace(number, place=places[number.place]) for number in outputs]
        self.ends.append((len(self.classes), len(self.additions)))
        self.planes = max(self.planes, sum(bundle.widths))

    def _inputs(
        self, plain: NDArray[np.int64], complemented: NDArray[np.int64]
    ) -> tuple[int, int, int]:
        """Add the inputs of a class, and return how many blocks they are of each kind.

        Those of several bits are blocks by themselves.
        """
        import numpy as np

        if self.input_bits > 1:
            self.offsets += [plain, complemented]
            return len(plain), len(complemented), 0
        whole, turned = len(plain) // _BLOCK, len(complemented) // _BLOCK
        rest, odd = plain[whole * _BLOCK :], complemented[turned * _BLOCK :]
        left = np.concatenate([rest, odd])
        padding = -len(left) % _BLOCK
        blocks = (plain[: whole * _BLOCK], complemented[: turned * _BLOCK], left)
        # What pads is read too, and masked: any plane of the window will do.
        self.offsets += [*blocks, left[:1].repeat(padding)]
        self.masked += [len(rest), len(odd), padding]
        return whole, turned, (len(left) + padding) // _BLOCK


def _classes(
    signs: NDArray[np.int8], offsets: NDArray[np.int64]
) -> Iterator[tuple[tuple[int, ...], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the classes of inputs: their weights, of which the first one is 1, and their planes.

    The second ones are those of inputs with the opposite weights.
    """
    import numpy as np

    some = signs.any(axis=1)
    signs, offsets = signs[some], offsets[some]
    first = np.take_along_axis(signs, (signs != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    # In 16 bits, which are sorted faster.
    codes = (signs @ (3 ** np.arange(signs.shape[1])).astype(np.int16)) * first
    order = np.argsort(2 * codes + (first < 0), kind="stable")
    codes, offsets, is_plain = codes[order], offsets[order], first[order] > 0
    begins = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist()]
    ends = [*begins[1:], len(codes)]
    plains = np.add.reduceat(is_plain, begins, dtype=np.int64).tolist() if len(codes) else []
    for begin, plain, end in zip(begins, plains, ends, strict=False):
        pattern = _pattern(int(codes[begin]), signs.shape[1])
        middle = begin + plain
        yield pattern, offsets[begin:middle].ravel(), offsets[middle:end].ravel()


@lru_cache(maxsize=4096)
def _pattern(code: int, outputs: int) -> tuple[int, ...]:
    """Return the weights of which ``code`` is the number, in digits -1, 0 and 1."""
    digits = []
    for _ in range(outputs):
        digits.append((code + 1) % 3 - 1)
        code = (code - digits[-1]) // 3
    return tuple(digits)


@dataclass(eq=False)
class _Bundle:
    """The numbers of a bundle: ``widths`` of memory each, and how they are added up in place."""

    widths: list[int] = field(default_factory=lambda: [0])
    additions: list[tuple[int, ...]] = field(default_factory=list)

    def places(self) -> list[int]:
        """Return where each number lies."""
        return [sum(self.widths[:number]) for number in range(len(self.widths))]

    def number(self, most: int, more: int, *, least: int = 0) -> Number:
        """Return a new number, with memory for at least so many bits."""
        self.widths.append(max(most.bit_length(), least))
        return Number(len(self.widths) - 1, most, more)

    def combined(self, known: dict[tuple[int, ...], Number], outputs: int) -> list[Number]:
        """Return the numbers of outputs: sums of ``known`` ones, by what they count for each.

        Output by output from the last one on, those that differ in it alone become one.
        """
        found = []
        for output in reversed(range(outputs)):
            kinds: dict[tuple[int, ...], dict[int, Number]] = defaultdict(dict)
            for pattern, number in known.items():
                kinds[pattern[:output]][pattern[output]] = number
            parts = []
            known = {}
            for pattern, kind in kinds.items():
                left = [kind[0]] if 0 in kind else []
                if kind.keys() & {1, -1}:
                    joined, part = self._split(kind.get(1), kind.get(-1), is_joined=any(pattern))
                    left += joined
                    parts.append(part)
                if any(pattern):
                    known[pattern] = self._total(left)
            found.append(self._total(parts))
        return found[::-1]

    def _split(
        self, plus: Number | None, minus: Number | None, *, is_joined: bool
    ) -> tuple[list[Number], Number]:
        """Return ``plus + minus``, where it is asked for, and ``plus - minus``."""
        if minus is None:
            assert plus is not None
            return ([self._added(_SUM, self.number(0, 0), plus)] if is_joined else []), plus
        if not is_joined or plus is None:
            copy = [self._added(_SUM, self.number(0, 0), minus)] if is_joined else []
            return copy, self._added(_DIFFERENCE, plus or self.number(0, 0), minus)
        ones = 2**minus.width - 1
        total = Number(plus.place, plus.most + minus.most, plus.more + minus.more)
        difference = Number(minus.place, plus.most + ones, plus.more - minus.more + ones)
        self._addition(_SUM_AND_DIFFERENCE, plus, minus, max(total.width, difference.width))
        return [total], difference

    def _total(self, numbers: list[Number]) -> Number:
        """Return the sum of ``numbers``: the narrowest ones first."""
        left = sorted(numbers, key=lambda number: number.most)
        while len(left) > 1:
            b, a, *left = left
            left = sorted([*left, self._added(_SUM, a, b)], key=lambda number: number.most)
        return left[0] if left else Number(0, 0, 0)

    def _added(self, kind: int, a: Number, b: Number) -> Number:
        """Return ``a + b``, or ``a - b``: as ``a + ~b``, since ``~b`` is ``2**width - 1 - b``."""
        ones = 2**b.width - 1
        most, more = (b.most, b.more) if kind == _SUM else (ones, ones - b.more)
        grown = Number(a.place, a.most + most, a.more + more)
        self._addition(kind, a, b, grown.width)
        return grown

    def _addition(self, kind: int, a: Number, b: Number, width: int) -> None:
        """Add an addition to the list, and see that there is memory for what it makes."""
        self.widths[a.place] = max(self.widths[a.place], width)
        if kind == _SUM_AND_DIFFERENCE:
            self.widths[b.place] = max(self.widths[b.place], width)
        self.additions.append((kind, a.place, a.width, b.place, b.width, width))
