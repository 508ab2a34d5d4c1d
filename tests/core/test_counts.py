"""Counts in words."""

from __future__ import annotations

import pytest

from lutloom.core.counts import counted


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "tie", "0 ties"),
        (1, "tie", "1 tie"),
        (2, "tie", "2 ties"),
        (1, "clock cycle", "1 clock cycle"),
        (12_345, "clock cycle", "12,345 clock cycles"),
        (1, "class", "1 class"),
        (3, "class", "3 classes"),
        (2, "process", "2 processes"),
        ("1", "image", "1 image"),
        ("1.0", "image", "1.0 images"),
        ("1.02 k", "image", "1.02 k images"),
    ],
)
def test_one_is_no_plural(count: int | str, noun: str, said: str) -> None:
    assert counted(count, noun) == said
