from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.types import Const
from lutloom.core.windows import Windows, class_indices, tap_views
from tests.windows import random_image, random_windows, seen

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_taps_see_what_lies_under_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng)
    windows = random_windows(rng, image)
    x = rng.integers(-9, 10, (2, *image, 2))
    wanted = seen(x, windows, -77)
    assert windows.results(image) == wanted.shape[1:-2]
    views = np.stack(list(tap_views(x, windows, -77)), axis=-2)
    assert np.array_equal(views, wanted)


@given(seeds)
def test_windows_of_one_class_have_the_same_masked_taps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng)
    windows = random_windows(rng, image)
    is_there = seen(np.ones((1, *image, 1), int), windows, 0)[0, ..., 0] == 1
    borders = windows.borders(image)
    assert borders.is_masking == (not is_there.all())
    masks = borders.masks
    for place in np.ndindex(*windows.results(image)):
        kind = tuple(classes[index] for classes, index in zip(borders.classes, place, strict=True))
        assert np.array_equal(masks[kind], is_there[place])
    # No two classes of an axis are the same one, and none is without a window.
    for classes, patterns in zip(borders.classes, borders.patterns, strict=True):
        assert len({row.tobytes() for row in patterns}) == len(patterns)
        assert sorted(set(classes.tolist())) == list(range(len(patterns)))


def windows_of(**changed: tuple[int, ...]) -> Windows:
    one: dict[str, Any] = {"kernel": (3,), "stride": (1,), "dilation": (1,), "spacing": (1,)}
    return Windows(**{**one, "pads": (0, 0), **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kernel": (0,)}, r"^kernel should be 1 numbers from 1 to 4194304, not \[0\]$"),
        ({"kernel": (10**9,)}, r"^kernel should be 1 numbers from 1 to 4194304, not \[10{9}\]$"),
        ({"stride": (1, 1)}, r"^stride should be 1 numbers from 1 to 4194304, not \[1, 1\]$"),
        ({"stride": (10**19,)}, r"^stride should be 1 numbers from 1 to 4194304, not \[10{19}\]$"),
        ({"dilation": (-1,)}, r"^dilation should be 1 numbers from 1 to 4194304, not \[-1\]$"),
        ({"spacing": (0,)}, r"^spacing should be 1 numbers from 1 to 4194304, not \[0\]$"),
        ({"pads": (0,)}, r"^pads should be 2 numbers up to 4194304, not \[0\]$"),
        ({"pads": (0, -(10**9))}, r"^pads should be 2 numbers up to 4194304, not \[0, -10{9}\]$"),
    ],
)
def test_what_is_no_window_is_refused(changed: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        windows_of(**changed)
    with pytest.raises(TypeError, match=r"^pads should be 0 numbers up to 4194304, not \[\]$"):
        Windows((), (), (), (), ())


@pytest.mark.parametrize(
    ("changed", "image", "message"),
    [
        ({}, (2,), r"^windows of \[3\] taps, \[1\] apart, do not fit into \[2\] pixels with the p"),
        ({"dilation": (3,)}, (6,), r"^windows of \[3\] taps, \[3\] apart, do not fit into \[6\]"),
        ({"pads": (-2, -1)}, (5,), r"with the pads \[-2, -1\]; use a smaller kernel, or pad more$"),
        ({}, (5, 5), r"^windows of 1 axes do not fit an image of 2$"),
        ({"pads": (0, 2**22)}, (4,), r"^an axis of 4194308 places, padding included, is too long"),
        ({"spacing": (2**22,)}, (3,), r"^an axis of 8388609 places, padding included, is too lon"),
        ({}, (2**40,), r"^an axis of 1099511627776 places, padding included, is too long: at mos"),
    ],
)
def test_windows_that_do_not_fit_are_refused(
    changed: dict[str, tuple[int, ...]], image: tuple[int, ...], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        windows_of(**changed).results(image)


def test_too_many_windows_are_refused() -> None:
    one = Windows((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1))
    assert one.results((2**14, 2**14)) == (2**14, 2**14)
    with pytest.raises(
        TypeError, match=r"^\[16385, 16384\] windows are too many: at most 268435456 "
    ):
        one.results((2**14 + 1, 2**14))


def test_huge_windows_take_no_table_of_all_their_taps() -> None:
    """2^20 results of 2^20 taps along one axis: 8 TiB, had one been made."""
    tracemalloc.start()
    plain = windows_of(kernel=(2**20,)).borders((2**21,))
    assert not plain.is_masking
    cut_off = windows_of(kernel=(2**20,), pads=(2**20, 2**20))
    with pytest.raises(TypeError, match=r"^windows of 1048576 taps are cut off in 2\d{6} ways"):
        cut_off.borders((2**20,))
    row = 2**10
    both = Windows((row, row), (1, 1), (1, 1), (row // 2,) * 4, (1, 1))
    with pytest.raises(TypeError, match=r"^windows of \[1024, 1024\] taps are cut off in \d+ ways"):
        both.borders((row, row))
    assert tracemalloc.get_traced_memory()[1] < 2**29
    tracemalloc.stop()


def test_cut_off_windows_of_a_long_signal_are_told_apart() -> None:
    windows = windows_of(kernel=(251,), pads=(125, 125))
    borders = windows.borders((2**20,))
    assert borders.masks.shape == (251, 251)
    assert int(borders.masks.sum()) == 251 * 251 - 2 * 125 * 126 // 2


def test_classes_are_those_of_places() -> None:
    rows, columns = Const([0, 1, 0]), Const([1, 0])
    height, width = class_indices((3, 2, 5), rows, columns)
    assert (height.tolist(), width.tolist()) == ([[0], [1], [0]], [1, 0])
    assert [part.tolist() for part in class_indices((2, 5), Const([0]), columns)] == [0, [1, 0]]
    assert [part.tolist() for part in class_indices((5,), Const([0]), Const([3]))] == [0, 3]
    for shape, message in (
        ((2, 2, 5), r"^rows are classes of 3 places, not of \[2, 2, 5\]$"),
        ((3, 3, 5), r"^columns are classes of 2 places, not of \[3, 3, 5\]$"),
        ((2, 5), r"^rows are classes of 3 places, not of \[2, 5\]$"),
        ((3, 3, 2, 5), r"are classes of . places, not of \[3, 3, 2, 5\]$"),
    ):
        with pytest.raises(TypeError, match=message):
            class_indices(shape, rows, columns)
