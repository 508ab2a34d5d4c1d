from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops import Window
from lutloom.core.types import BIPOLAR, INT64_MAX, IntType, TensorType
from tests.windows import ELEMENTS, random_image, random_windows, seen

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.sampled_from(ELEMENTS))
def test_a_row_holds_group_by_group_the_channels_of_every_tap(seed: int, element: IntType) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng)
    windows = random_windows(rng, image)
    groups, fill = int(rng.integers(1, 4)), int(rng.integers(-3, 4))
    x = TensorType(element, (*image, groups * int(rng.integers(1, 4))))
    data = rng.integers(element.count, size=(3, *x.shape)) * element.step + element.lo
    places = (windows.kernel, windows.stride, windows.dilation, windows.pads, windows.spacing)
    op = Window(*places, groups, fill)
    taps = seen(data, windows, fill)
    parts = np.split(taps, groups, axis=-1)
    rows = np.concatenate([part.reshape(*part.shape[:-2], -1) for part in parts], axis=-1)
    (y,) = op.reference(data)
    assert np.array_equal(y, rows)
    (type_,) = op.infer(x)
    assert type_.shape == y.shape[1:]
    assert type_.element.holds(y).all()
    is_masked = seen(np.ones((1, *image, 1), int), windows, 0) == 0
    possible = set() if is_masked.all() else {*range(element.lo, element.hi + 1, element.step)}
    assert type_.element == IntType.spanning(possible | ({fill} if is_masked.any() else set()))


def pad(before: int, after: int, fill: int) -> Window:
    return Window((1,), (1,), (1,), (before, after), (1,), 1, fill)


def test_a_window_of_one_tap_pads_and_crops() -> None:
    x = np.array([[[1, -1], [1, 1], [-1, -1]]])
    assert pad(1, -2, 0).reference(x)[0].tolist() == [[[0, 0], [1, -1]]]
    type_ = TensorType(BIPOLAR, (3, 2))
    assert pad(1, 0, 0).infer(type_)[0] == TensorType(IntType(-1, 1), (4, 2))
    assert pad(1, 0, 1).infer(type_)[0] == TensorType(BIPOLAR, (4, 2))
    assert pad(-1, 0, 77).infer(type_)[0] == TensorType(BIPOLAR, (2, 2))


def test_what_does_not_fit_is_refused() -> None:
    x = TensorType(BIPOLAR, (3, 2))
    with pytest.raises(
        TypeError, match=r"^3 groups do not divide the 2 channels of int<-1\.\.1 by"
    ):
        Window((1,), (1,), (1,), (0, 0), (1,), 3, 0).infer(x)
    with pytest.raises(TypeError, match=r"^0 groups do not divide the 2 channels"):
        Window((1,), (1,), (1,), (0, 0), (1,), 0, 0).infer(x)
    with pytest.raises(TypeError, match=r"^windows of 2 axes do not fit an image of 1$"):
        Window((1, 1), (1, 1), (1, 1), (0,) * 4, (1, 1), 1, 0).infer(x)
    with pytest.raises(ValueError, match=r"needs more than 64 bits$"):
        pad(1, 0, INT64_MAX + 1).infer(x)
