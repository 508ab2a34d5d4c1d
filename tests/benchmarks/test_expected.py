"""Which logits of a batch are right, and which row is marked."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.expected import Expected

LOGITS = np.array([[1, 2], [4, 3], [0, 5]], np.float32)
EXPECTED = Expected(LOGITS, np.full((3, 2), 0.25), np.array([False, False, True]))


def test_equal_logits_are_equal_over_and_over_again() -> None:
    verdict = EXPECTED.compare(LOGITS[np.arange(8) % 3], is_integer=True)
    assert (verdict.is_right, str(verdict)) == (True, "equal")


def test_an_integer_engine_has_no_excuse() -> None:
    logits = LOGITS.copy()
    logits[2, 0] += 0.125
    verdict = EXPECTED.compare(logits, is_integer=True)
    assert (verdict.is_right, str(verdict)) == (False, "WRONG: 1 of 3 images")


def test_a_float_may_be_as_far_as_its_bound() -> None:
    assert str(EXPECTED.compare(LOGITS + np.float32(0.25), is_integer=False)) == "within bound"
    assert not EXPECTED.compare(LOGITS + np.float32(0.5), is_integer=False).is_right


def test_only_an_image_near_an_edge_is_excused() -> None:
    logits = LOGITS.copy()
    logits[2] = [1, 9]
    verdict = EXPECTED.compare(logits, is_integer=False)
    assert verdict.is_right
    assert str(verdict) == "1 of 3 round otherwise, near an edge"
    logits[0] = [1, 9]
    assert str(EXPECTED.compare(logits, is_integer=False)) == "WRONG: 1 of 3 images"


def test_nothing_excuses_another_class() -> None:
    logits = LOGITS.copy()
    logits[2] = [9, 1]
    verdict = EXPECTED.compare(logits, is_integer=False)
    assert (verdict.differing, verdict.excused, verdict.classes) == (1, 1, 1)
    assert str(verdict) == "WRONG: 1 of 3 images"


def test_another_shape_is_wrong() -> None:
    assert not EXPECTED.compare(LOGITS[:, :1], is_integer=False).is_right


def test_what_is_no_number_is_wrong() -> None:
    logits = LOGITS.copy()
    logits[0, 0] = np.nan
    assert not EXPECTED.compare(logits, is_integer=False).is_right
