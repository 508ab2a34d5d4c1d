"""Sums that outputs share: what the lists say is what each output counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lutloom.sim.engine.kernels.bundles import counts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.sim.engine.kernels.bundles import Counts

_BLOCK = 8
_SUM, _DIFFERENCE, _BOTH = range(3)


def class_sums(counts: Counts, values: NDArray[np.int64]) -> list[int]:
    """Return what each class counts, where the plane at an offset is that one of ``values``."""
    most = 2**counts.input_bits - 1
    size = 1 if counts.input_bits > 1 else _BLOCK
    places, masks = iter(counts.offsets.tolist()), iter(counts.masks.tolist())
    sums = []
    for plain, complemented, mixed, _, _ in counts.classes:
        total = sum(int(values[next(places)]) for _ in range(plain * size))
        total += sum(most - int(values[next(places)]) for _ in range(complemented * size))
        for _ in range(mixed * size):
            keep, flip = next(masks)
            total += (int(values[next(places)]) & keep ^ flip) & most
        sums.append(total)
    return sums


def numbers_of(counts: Counts, values: NDArray[np.int64]) -> list[int]:
    """Return the numbers of all outputs."""
    sums = class_sums(counts, values)
    found: list[int] = []
    begin = (0, 0)
    for end in counts.ends:
        kept = {0: 0}
        for kind in range(begin[0], end[0]):
            place, width = counts.classes[kind][3:]
            assert sums[kind] < 2**width
            kept[place] = sums[kind]
        for kind, a, a_width, b, b_width, width in counts.additions[begin[1] : end[1]]:
            x, y = kept[a] if a_width else 0, kept[b]
            less = x + 2**b_width - 1 - y
            assert y < 2**b_width
            assert max(x, x + y if kind != _DIFFERENCE else 0, less if kind else 0) < 2**width
            kept[a] = less if kind == _DIFFERENCE else x + y
            if kind == _BOTH:
                kept[b] = less
        begin = end
        own = counts.numbers[len(found) : len(found) + counts.outputs]
        found += [kept[number.place] if number.width else 0 for number in own]
    return found


@given(
    st.integers(0, 2**32),
    st.integers(0, 90),
    st.integers(1, 23),
    st.sampled_from([(-1, 1), (-1, 0, 1), (0, 1), (-1,), (0, 0, 0, 0, 1)]),
    st.booleans(),
)
def test_numbers_are_the_sums_of_signs_and_what_they_say_more(
    seed: int, inputs: int, outputs: int, among: tuple[int, ...], are_bytes: bool
) -> None:
    rng = np.random.default_rng(seed)
    signs = rng.choice(among, (inputs, outputs)).astype(np.int8)
    levels = 1 if are_bytes else int(rng.integers(1, 4))
    offsets = rng.permutation(inputs * levels).reshape(inputs, levels)
    values = rng.integers(0, 2 ** (8 if are_bytes else 1), inputs * levels)
    counts = counts_of(signs, offsets, are_bytes=are_bytes)
    expected = signs.T.astype(np.int64) @ values[offsets].sum(axis=1)
    found = numbers_of(counts, values)
    for number, value, sum_ in zip(counts.numbers, found, expected.tolist(), strict=True):
        assert 0 <= value <= number.most
        assert value - number.more == sum_
    assert all(number.place + number.width <= counts.planes for number in counts.numbers)
