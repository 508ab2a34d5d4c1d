from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen.packing import RomLayout, pack_frames, to_bits, unpack_frames
from lutloom.core.types import BIPOLAR, INT64_MAX, INT64_MIN, IntType

ELEMENTS = st.sampled_from(
    [
        BIPOLAR,
        IntType(0, 0),
        IntType(-1, 0),
        IntType(0, 6),
        IntType(-3, 3, 2),
        IntType(-100, 27),
        IntType(-(2**40), 2**40, 2**10),
        IntType(INT64_MIN, INT64_MAX),
    ]
)


@given(
    ELEMENTS, st.integers(1, 9), st.integers(1, 5), st.sampled_from([8, 64, 96, 1024]), st.data()
)
def test_unpacking_gives_back_what_was_packed(
    element: IntType, size: int, frames: int, word_bits: int, data: st.DataObject
) -> None:
    codes = st.integers(0, element.count - 1)
    drawn = data.draw(st.lists(codes, min_size=size * frames, max_size=size * frames))
    values = np.array([c * element.step + element.lo for c in drawn], np.int64)
    values = values.reshape(frames, size)
    words = pack_frames(values, element, word_bits)
    assert words.shape == (frames, -(-size * element.bits // word_bits), -(-word_bits // 64))
    assert np.array_equal(unpack_frames(words, element, (size,), word_bits), values)


def test_element_zero_is_in_the_lowest_bits_and_the_tail_is_zero() -> None:
    words = pack_frames(np.array([[1, 2, 3], [7, 0, 7]]), IntType(0, 7), 8)
    assert words.tolist() == [[[0b11010001], [0]], [[0b11000111], [1]]]


def test_negative_values_are_in_twos_complement() -> None:
    assert pack_frames(np.array([[-1, -2]]), IntType(-2, 1), 64).tolist() == [[[0b1011]]]


@given(st.integers(1, 300))
def test_rom_entries_hold_the_words_in_order(width: int) -> None:
    layout = RomLayout.of(width)
    rng = np.random.default_rng(width)
    bits = rng.integers(2, size=(7, width)).astype(np.uint8)
    entries = layout.entries(bits)
    assert entries.shape == (-(-7 // layout.group), layout.chunks)
    for index, word in enumerate(bits):
        entry = sum(
            int(c) << (layout.chunk_bits * i) for i, c in enumerate(entries[index // layout.group])
        )
        shifted = entry >> (index % layout.group * width)
        assert [shifted >> i & 1 for i in range(width)] == word.tolist()


@pytest.mark.parametrize(
    ("width", "chunk_bits", "chunks", "group"),
    [
        (1, 64, 1, 64),
        (64, 64, 1, 1),
        (24, 8, 3, 1),
        (10, 64, 1, 6),
        (128, 64, 2, 1),
        (96, 32, 3, 1),
    ],
)
def test_rom_layouts_waste_little(width: int, chunk_bits: int, chunks: int, group: int) -> None:
    assert RomLayout.of(width) == RomLayout(width, chunk_bits, chunks, group)


def test_bits_are_lowest_first() -> None:
    assert to_bits(np.array([[5, -1]]), 4).tolist() == [[1, 0, 1, 0, 1, 1, 1, 1]]
