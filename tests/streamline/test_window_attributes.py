"""Attributes of windows beside the oracle's reading of them, which shares no code with ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.streamline.errors import ModelError
from lutloom.streamline.oracle_values import Operation, OracleError
from lutloom.streamline.oracle_windows import axes
from lutloom.streamline.source import SourceNode
from lutloom.streamline.window_attributes import kernel_shape, pads_of, windows_of

AUTO_PADS = st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", ""])


def node(**attributes: Any) -> SourceNode:  # noqa: ANN401 - as in a file
    return SourceNode("it", "MaxPool", "", ("x",), ("y",), attributes)


@given(st.data(), AUTO_PADS, st.booleans(), st.integers(1, 2))
def test_windows_see_the_pixels_that_the_oracle_sees(
    data: st.DataObject, auto_pad: str, ceil_mode: bool, rank: int
) -> None:
    def draw(low: int, high: int, count: int = rank) -> tuple[int, ...]:
        return tuple(data.draw(st.lists(st.integers(low, high), min_size=count, max_size=count)))

    image, kernel = draw(1, 9), draw(1, 4)
    attributes = {"strides": draw(1, 4), "dilations": draw(1, 3), "pads": draw(0, 5, 2 * rank)}
    operation = Operation("MaxPool", {**attributes, "auto_pad": auto_pad}, 13, None, 1)
    ours = node(**attributes, auto_pad=auto_pad)
    try:
        theirs = axes(operation, image, kernel, ceil_mode=ceil_mode)
    except OracleError:
        with pytest.raises(ModelError, match="do not fit"):
            windows_of(ours, kernel, image, ceil_mode=ceil_mode)
        return
    windows = windows_of(ours, kernel, image, ceil_mode=ceil_mode)
    for place, axis in enumerate(theirs):
        table = np.stack([windows.pixels(image, place, tap) for tap in range(axis.kernel)], axis=1)
        seen = [[(t, int(p)) for t, p in enumerate(row) if p >= 0] for row in table]
        assert seen == axis.taps()
    befores, behinds = np.reshape(pads_of(ours, kernel, image), (2, rank)).tolist()
    assert befores == [axis.before for axis in theirs]
    assert behinds == [axis.after for axis in theirs]


@pytest.mark.parametrize(
    ("attributes", "image", "message"),
    [
        ({"strides": (0, 1)}, (4, 4), r"its strides \[0, 1\] should be positive"),
        ({"dilations": (1,)}, (4, 4), r"its dilations \[1\] should be 2 numbers"),
        ({"pads": (1, 1, 1)}, (4, 4), r"its pads \[1, 1, 1\] should be 4 numbers"),
        ({"pads": (0, -1, 0, 0)}, (4, 4), "should not be negative: crop with a Pad"),
        ({"auto_pad": "SAME"}, (4, 4), "its auto_pad should be one of NOTSET, SAME_UPPER"),
        ({}, (4,), "slides windows of 2 dimensions over images of 1"),
        ({}, (4, 1), "do not fit into .* use a smaller kernel, or pad more"),
    ],
)
def test_attributes_that_are_no_windows_are_refused(
    attributes: dict[str, Any], image: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        windows_of(node(**attributes), (2, 2), image)


def test_windows_over_three_dimensions_are_refused() -> None:
    with pytest.raises(ModelError, match="builds those over 1 or 2: split the layer"):
        windows_of(node(), (1, 1, 1), (4, 4, 4))


def test_a_kernel_shape_is_of_positive_numbers() -> None:
    assert kernel_shape(node(kernel_shape=(3, 2)), 2) == (3, 2)
    with pytest.raises(ModelError, match=r"its kernel_shape \[3, 0\] should be positive"):
        kernel_shape(node(kernel_shape=(3, 0)), 2)
