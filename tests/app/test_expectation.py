"""Outputs that are not as expected: the first one is named, and all are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import lutloom
from lutloom.core.errors import RangeError
from lutloom.expectation import difference, open_expected

NUMBERS = arrays(np.float32, (4, 3), elements=st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf]))


@given(found=st.tuples(NUMBERS, NUMBERS), wanted=st.tuples(NUMBERS, NUMBERS), cut=st.integers(1, 3))
def test_a_difference_is_the_first_one_and_counts_all(
    found: tuple[np.ndarray, ...], wanted: tuple[np.ndarray, ...], cut: int
) -> None:
    one, other = (dict(zip("ab", pair, strict=True)) for pair in (found, wanted))
    places = [
        (image, name, place)
        for image in range(4)
        for name in "ab"
        for place in range(3)
        if not np.array_equal(one[name][image, place], other[name][image, place], equal_nan=True)
    ]
    whole = difference(one, other, 7)
    if not places:
        assert whole is None
        return
    assert whole is not None
    image, name, place = places[0]
    assert (whole.output, whole.position) == (name, (image + 7, place))
    numbers = [one[name][image, place], other[name][image, place]]
    assert np.array_equal([whole.found, whole.wanted], numbers, equal_nan=True)
    assert (whole.numbers, whole.images) == (len(places), len({image for image, _, _ in places}))
    head, tail = (
        difference({n: a[part] for n, a in one.items()}, {n: a[part] for n, a in other.items()}, at)
        for part, at in ((slice(cut), 7), (slice(cut, None), 7 + cut))
    )
    assert str(whole if head is None else head.and_then(tail)) == str(whole)
    assert head is not None or tail is not None


def test_what_was_written_once_is_expected_of_all_or_of_the_first_images(
    float_build: Path, models: Path, tmp_path: Path
) -> None:
    data, path = models / "float.npy", tmp_path / "out.npy"
    lutloom.simulate(float_build, data, output=path)
    for limit in (None, 3, 99):
        result = lutloom.simulate(float_build, data, expect=path, limit=limit, batch=2)
        assert (result.difference, result.passed) == (None, True)
    first = np.load(path)[:3]
    assert lutloom.simulate(float_build, data, expect=first, limit=3).passed
    wrong = np.load(path).astype(np.float64)
    wrong[4, 2] += 1
    wrong[6] += 1
    assert lutloom.simulate(float_build, data, expect=wrong, limit=4).passed
    result = lutloom.simulate(float_build, data, expect=wrong, batch=3)
    assert not result.passed
    assert result.difference is not None
    assert (result.difference.numbers, result.difference.images) == (5, 2)
    value = result.first[4, 2]
    name = lutloom.load_build(float_build).network.output.name
    assert str(result.difference) == (
        f"{name}[4, 2] is {float(value)} instead of {float(value) + 1}; numbers that differ:"
        " 5, in images: 2"
    )


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (np.zeros((6, 4)), r"has the shape \[6, 4\], and should have \[7, 4\]$"),
        (np.zeros((7, 5)), r"has the shape \[7, 5\], and should have \[7, 4\]$"),
        (np.zeros(7), r"has the shape \[7\], and should have \[7, 4\]$"),
        (np.zeros(()), r"has the shape \[\], and should have \[7, 4\]$"),
        (np.zeros((7, 4), "S1"), r" holds \|S1, not numbers$"),
        ({"logits": np.zeros((7, 4))}, r"^the expected outputs are \['logits'\], but the model's"),
    ],
)
def test_what_can_not_be_expected_is_said(
    expected: np.ndarray | dict[str, np.ndarray], said: str, float_build: Path
) -> None:
    network = lutloom.load_build(float_build).network
    with pytest.raises(RangeError, match=said):
        open_expected(expected, network, 7, 7)
