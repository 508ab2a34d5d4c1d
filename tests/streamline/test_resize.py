"""Resize and Upsample to the nearest pixel: all modes and scales, of every opset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.ops import Upsample
from lutloom.streamline.errors import ModelError
from lutloom.streamline.pipeline import streamline
from tests.models import Writer, write
from tests.moves import FORMS, NIBBLE, check_moved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def resized(
    w: Writer,
    x: str,
    scales: Sequence[float] = (),
    sizes: Sequence[int] = (),
    **attributes: Any,  # noqa: ANN401 - whatever ONNX takes
) -> str:
    """Resize as the opset has it."""
    if w.opset < 11:
        kind = "Upsample" if w.opset < 10 else "Resize"
        return w.node(kind, [x, w.constant(scales)], name="resize", **attributes)
    roi = "" if w.opset >= 13 else w.constant(np.zeros(0))
    if sizes:
        none = "" if w.opset >= 13 else w.constant(np.zeros(0))
        inputs = [x, roi, none, w.constant(sizes, np.int64)]
    else:
        inputs = [x, roi, w.constant(scales)]
    return w.node("Resize", inputs, name="resize", **attributes)


COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
PYTORCH: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5, 0.5])
def test_images_are_exact_in_every_form(form: str, scale: float, tmp_path: Path) -> None:
    def move(w: Writer, x: str) -> str:
        return resized(w, x, (1, 1, scale, scale), **PYTORCH)

    check_moved(move, form, (2, 4, 4), tmp_path, count=8)


@pytest.mark.parametrize("opset", [9, 10, 11, 13, 18])
def test_a_factor_repeats_pixels_in_every_opset(opset: int, tmp_path: Path) -> None:
    """In one step of hardware for each axis, and no more."""
    network = check_moved(
        lambda w, x: resized(w, x, (1, 1, 2, 2), **(PYTORCH if opset > 10 else {})),
        "levels",
        (3, 2, 3),
        tmp_path,
        opset=opset,
    )
    (op,) = [node.op for node in network.graph.nodes if isinstance(node.op, Upsample)]
    assert sorted(op.factors) == [1, 2, 2]


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_mode_takes_the_pixels_of_the_standard(
    coordinates: str, rounding: str, tmp_path: Path
) -> None:
    modes: dict[str, Any] = {
        "coordinate_transformation_mode": coordinates,
        "nearest_mode": rounding,
    }
    for size, result in ((1, 4), (2, 5), (3, 2), (4, 6), (5, 3), (5, 7), (6, 1), (7, 4)):
        check_moved(
            lambda w, x: resized(w, x, sizes=(1, 1, result), **modes),  # noqa: B023 - at once
            "levels",
            (1, size),
            tmp_path,
            count=3,
        )


@pytest.mark.parametrize("scale", [0.25, 0.4, 0.6, 0.75, 1.0, 1.25, 1.3, 2.5, 3.0])
def test_any_scale_is_exact(scale: float, tmp_path: Path) -> None:
    for size in (1, 2, 4, 5, 7):
        if int(size * np.float32(scale)):
            check_moved(
                lambda w, x: resized(w, x, (1, 1, scale)), "channels", (2, size), tmp_path, count=3
            )


def test_channels_may_be_repeated_too(tmp_path: Path) -> None:
    check_moved(lambda w, x: resized(w, x, (1, 3, 1, 1)), "channels", (2, 2, 2), tmp_path)


def test_sizes_may_begin_with_the_batch_that_the_model_computes(tmp_path: Path) -> None:
    def move(w: Writer, x: str) -> str:
        first = w.node("Gather", [w.node("Shape", [x]), w.constant([0], np.int64)])
        sizes = w.node("Concat", [first, w.constant([2, 4, 6], np.int64)], axis=0)
        return w.node("Resize", [x, "", "", sizes], **PYTORCH)

    check_moved(move, "levels", (2, 2, 3), tmp_path)


def test_axes_may_be_named(tmp_path: Path) -> None:
    check_moved(
        lambda w, x: resized(w, x, (2.0, 3.0), axes=[3, -2], **PYTORCH),
        "levels",
        (2, 2, 3),
        tmp_path,
        opset=18,
    )


@pytest.mark.parametrize(
    ("scales", "attributes", "message"),
    [
        ((1, 1, 2, 2), {"mode": "linear"}, r"interpolates between pixels \(mode 'linear'\)"),
        ((1, 1, 2, 2), {"mode": "cubic"}, r"take the nearest ones, as nn.Upsample\(mode='nearest"),
        ((2, 1, 2, 2), {}, "cuts or joins along the batch"),
        ((1, 1, 2), {}, "has scales or sizes for 3 axes, and should have one for each of 4"),
        ((1, 1, 0.1, 1), {}, "makes 0 pixels of 3, and should make 1 to 1,048,576"),
        ((1, 1, -2, 1), {}, "makes -6 pixels of 3"),
        ((1, 1, 1e9, 1), {}, "pixels of 3, and should make 1 to"),
        ((1, 1, np.nan, 1), {}, "its scales are no numbers"),
        ((1, 1, 2, 2), {"nearest_mode": "up"}, "its nearest_mode 'up' should be one of"),
        (
            (1, 1, 2, 2),
            {"coordinate_transformation_mode": "tf_crop_and_resize"},
            "its coordinates 'tf_crop_and_resize' are not known here",
        ),
        (
            (1, 1, 2, 2),
            {"keep_aspect_ratio_policy": "not_larger"},
            "keeps the aspect ratio by itself",
        ),
    ],
)
def test_hostile_scales_are_refused(
    scales: Sequence[float], attributes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    w = Writer(opset=18)
    x = resized(w, w.quant("x"), scales, **attributes)
    with pytest.raises(ModelError, match=f"^Resize node 'resize'.*{message}"):
        streamline(write(w.model(w.quant(x, 0.5), 2, 3, 3), tmp_path), NIBBLE)


def test_leaving_out_pixels_is_refused_before_opset_11(tmp_path: Path) -> None:
    w = Writer(opset=10)
    x = resized(w, w.quant("x"), (1, 1, 0.5, 1))
    with pytest.raises(ModelError, match="before opset 11 it is open which pixels are left out"):
        streamline(write(w.model(w.quant(x, 0.5), 2, 4, 4), tmp_path), NIBBLE)
