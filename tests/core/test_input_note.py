"""What is noted of an input is read again, and nothing else is taken for a note."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.input_note import BYTES, note_key, read_note, write_note
from lutloom.core.types import IntType


@given(st.fractions(min_value="1/1000000", max_value=1000, max_denominator=10**6))
def test_a_note_is_read_as_it_was_written(scale: Fraction) -> None:
    assert read_note(write_note(BYTES, scale)) == (IntType(0, 255), scale)


@given(st.text(max_size=20))
def test_any_text_is_a_note_or_none(text: str) -> None:
    found = read_note(text)
    assert found is None or found[1] != 0


def test_the_key_names_the_input() -> None:
    assert note_key("pixels") == "lutloom.input.pixels"
