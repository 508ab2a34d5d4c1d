"""The oracle's padding, splitting and resizing beside ONNX Runtime and ONNX's reference.

They move numbers about, so that all have to be equal.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from lutloom.streamline.oracle import evaluate
from lutloom.streamline.oracle_values import OracleError
from tests.models import Writer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

IMAGE = np.arange(2 * 4 * 4 * 6).reshape(2, 4, 4, 6)


def assert_onnx_agrees(w: Writer, outputs: list[str], x: Array, *, reference: bool = True) -> None:
    """Compare with ONNX Runtime, and with the reference unless it is known to be wrong."""
    model = w.model(outputs, *x.shape[1:])
    feeds = {"x": x.astype(np.float32)}
    ours = evaluate(model, x)
    theirs = [onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)]
    if reference:
        theirs.append(ReferenceEvaluator(model).run(None, feeds))
    for results in theirs:
        for name, array in zip(outputs, results, strict=True):
            assert ours[name].shape == array.shape
            assert (ours[name] == array.astype(object)).all()


def padded(
    w: Writer, amounts: list[int], mode: str, value: float, axes: list[int] | None = None
) -> str:
    """Pad as the opset has it."""
    if w.opset < 11:
        return w.node("Pad", ["x"], pads=amounts, mode=mode, value=value)
    inputs = ["x", w.constant(amounts, np.int64), w.constant(value)]
    if axes is not None:
        inputs.append(w.constant(axes, np.int64))
    return w.node("Pad", inputs, mode=mode)


@given(
    st.sampled_from([10, 11, 13, 18, 19]),
    st.sampled_from(["constant", "edge", "reflect"]),
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
    st.sampled_from([0.0, -1.5]),
)
def test_padding_is_that_of_onnx(opset: int, mode: str, amounts: list[int], value: float) -> None:
    w = Writer(opset=opset)
    before, after = amounts[:2], amounts[2:]
    out = padded(w, [0, 0, *before, 0, 0, *after], mode, value)
    assert_onnx_agrees(w, [out], IMAGE)


def test_padding_is_of_chosen_axes_and_may_take_away() -> None:
    w = Writer(opset=18)
    assert_onnx_agrees(w, [padded(w, [1, 2, 0, 3], "constant", 7.0, [-1, 2])], IMAGE)
    w = Writer(opset=13)
    out = padded(w, [0, 0, -1, 2, 0, 0, 1, -3], "constant", 7.0)
    assert_onnx_agrees(w, [out], IMAGE, reference=False)  # NumPy, which it uses, only adds
    w = Writer(opset=19)
    assert_onnx_agrees(w, [padded(w, [0, 0, 1, 0, 0, 0, 2, 3], "wrap", 0.0)], IMAGE)
    w = Writer(opset=13)
    model = w.model(padded(w, [0, 0, -1, 0, 0, 0, 0, 0], "edge", 0.0), 4, 4, 6)
    with pytest.raises(OracleError, match="taken away"):
        evaluate(model, IMAGE)


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_splitting_is_that_of_onnx(opset: int) -> None:
    for sizes in ([1, 2, 3], None):
        w = Writer(opset=opset)
        outputs = ["a", "b", "c"]
        attributes: dict[str, Any] = {"axis": -1}
        inputs = ["x"]
        if sizes is None:
            attributes |= {"num_outputs": 3} if opset >= 18 else {}
        elif opset < 13:
            attributes["split"] = sizes
        else:
            inputs.append(w.constant(sizes, np.int64))
        w.node("Split", inputs, outputs=outputs, **attributes)
        assert_onnx_agrees(w, outputs, IMAGE)


def test_the_last_part_may_be_smaller() -> None:
    w = Writer(opset=18)
    w.node("Split", ["x"], outputs=["a", "b"], axis=1, num_outputs=2)
    x = np.arange(5).reshape(1, 5)
    assert_onnx_agrees(w, ["a", "b"], x)
    w = Writer(opset=18)
    w.node("Split", ["x", w.constant([2, 2], np.int64)], outputs=["a", "b"], axis=1)
    with pytest.raises(OracleError, match=r"5 can't be split into \[2, 2\]"):
        evaluate(w.model(["a", "b"], 5), x)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_becomes_space_and_back(mode: str) -> None:
    w = Writer()
    space = w.node("DepthToSpace", ["x"], blocksize=2, mode=mode)
    depth = w.node("SpaceToDepth", ["x"], blocksize=2)
    assert_onnx_agrees(w, [space, depth], IMAGE)


@pytest.mark.parametrize("opset", [9, 10])
def test_old_resizing_repeats_pixels(opset: int) -> None:
    w = Writer(opset=opset)
    kind = "Upsample" if opset < 10 else "Resize"
    out = w.node(kind, ["x", w.constant([1, 1, 2, 1.5])], mode="nearest")
    assert_onnx_agrees(w, [out], IMAGE, reference=False)  # it has whole scales only, or none
    w = Writer(opset=opset)
    model = w.model(w.node(kind, ["x", w.constant([1, 1, 1, 0.5])]), 4, 4, 6)
    with pytest.raises(OracleError, match="open before opset 11"):
        evaluate(model, IMAGE)


@given(
    st.sampled_from([11, 13, 18, 19]),
    st.sampled_from(["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]),
    st.sampled_from(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    # Floats hold these scales and their coordinates, so that ties are ties to all.
    st.tuples(*[st.sampled_from([0.5, 1.0, 2.0, 4.0])] * 2),
)
def test_resizing_takes_the_nearest_pixel(
    opset: int, coordinates: str, nearest: str, scales: tuple[float, float]
) -> None:
    w = Writer(opset=opset)
    attributes = {"coordinate_transformation_mode": coordinates, "nearest_mode": nearest}
    inputs = ["x", w.constant([]), w.constant([1, 1, *scales])]
    by_scales = w.node("Resize", inputs, mode="nearest", **attributes)
    sizes = [1, 4, *(int(n * s) for n, s in zip(IMAGE.shape[2:], scales, strict=True))]
    inputs = ["x", w.constant([]), w.constant([]), w.constant(sizes, np.int64)]
    by_sizes = w.node("Resize", inputs, mode="nearest", **attributes)
    outputs = [by_scales, by_sizes]
    model = w.model(outputs, 4, 4, 6, batch=1)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (image, *_) = IMAGE[:, np.newaxis]
    ours = evaluate(model, image)
    for name, array in zip(
        outputs, session.run(outputs, {"x": image.astype(np.float32)}), strict=True
    ):
        assert (ours[name] == array.astype(object)).all()


def test_exact_coordinates_are_no_floats() -> None:
    # (y + 1/2) / 3 - 1/2 for y = 4 is 1: no tie, whatever a float makes of thirds.
    x = np.arange(3).reshape(1, 1, 3)
    w = Writer(opset=13)
    out = w.node("Resize", ["x", "", w.constant([1, 1, 3])], nearest_mode="floor")
    assert evaluate(w.model(out, 1, 3), x)[out].ravel().tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2]
    out = w.node("Resize", ["x", "", "", w.constant([1, 1, 5], np.int64)], mode="linear")
    with pytest.raises(OracleError, match="has the mode 'linear'"):
        evaluate(w.model(out, 1, 3), x)


@pytest.mark.parametrize(
    ("coordinates", "pixel"), [("half_pixel", 1), ("pytorch_half_pixel", 0), ("align_corners", 0)]
)
def test_a_single_result_is_the_first_pixel_to_some(coordinates: str, pixel: int) -> None:
    x = np.arange(4).reshape(1, 1, 4)
    w = Writer(opset=13)
    inputs = ["x", "", w.constant([1, 1, 0.25])]
    out = w.node("Resize", inputs, coordinate_transformation_mode=coordinates)
    assert evaluate(w.model(out, 1, 4), x)[out].ravel().tolist() == [pixel]
    assert_onnx_agrees(w, [out], x, reference=False)


def test_padding_is_the_number_that_its_float_encodes() -> None:
    w = Writer()
    out = padded(w, [0, 1, 0, 0], "constant", 0.1)
    value = evaluate(w.model(out, 1), np.zeros((1, 1)))[out].ravel()[0]
    assert value == Fraction(float(np.float32(0.1)))
    w = Writer()
    model = w.model(padded(w, [0, 0, 1, 0], "constant", 0.0), 1)
    with pytest.raises(OracleError, match="a batch of one is padded"):
        evaluate(model, np.zeros((1, 1)))
