"""The oracle's convolutions and pooling beside ONNX Runtime, ONNX's reference, qonnx, and by hand.

The data are small integers, for means multiples of what is divided by: floats hold every number,
so that all have to be equal. Where executors and the standard differ a comment says how.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import partial
from math import exp, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from qonnx.core import onnx_exec
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.channels_last import base_wrapped_op
from qonnx.custom_op.general import maxpoolnhwc, quantavgpool2d
from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2
from qonnx.custom_op.registry import getCustomOp
from qonnx.util.basic import qonnx_make_model

from lutloom.streamline.executor import execute
from lutloom.streamline.oracle import evaluate
from lutloom.streamline.oracle_qonnx import nearest_power
from lutloom.streamline.oracle_values import OracleError
from tests.models import QONNX, Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    Array = NDArray[Any]

CHANNELS_LAST = "qonnx.custom_op.channels_last"
DIVISIBLE = 144  # by every number of pixels of a window of up to 4 by 4


def model_of(
    kind: str,
    x: Array,
    constants: list[Array],
    *,
    opset: int = 13,
    domain: str = "",
    datatype: str | None = None,
    **attributes: Any,  # noqa: ANN401 - whatever ONNX takes
) -> ModelProto:
    w = Writer(opset=opset, domain=domain or QONNX)
    inputs = ["x", *(w.constant(array, array.dtype) for array in constants)]
    w.node(kind, inputs, domain=domain, name="it", **attributes)
    return w.model("it_out", *x.shape[1:], datatype=datatype)


def exactly(model: ModelProto, x: Array) -> Array:
    return evaluate(model, x)["it_out"]


def if_it_is_defined(model: ModelProto, x: Array) -> Array:
    """Return the exact numbers, or draw another case where the standard has none."""
    try:
        return exactly(model, x)
    except OracleError as error:
        if not re.search("padding only|leave nothing|which ones is open", str(error)):
            raise
        reject()


def by_runtime(model: ModelProto, x: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"x": x.astype(np.float32)})[0])


def by_reference(model: ModelProto, x: Array) -> Array:
    (y,) = ReferenceEvaluator(model).run(None, {"x": x.astype(np.float32)})
    return np.asarray(y)


def by_qonnx(model: ModelProto, x: Array) -> Array:
    """Return what qonnx computes; or fail where it expects another shape."""
    wrapper = ModelWrapper(model)
    (node,) = wrapper.graph.node
    context = {
        entry.name: wrapper.get_initializer(entry.name) for entry in wrapper.graph.initializer
    }
    context |= {
        "x": x.astype(np.float32),
        "it_out": np.zeros(exactly(model, x).shape, dtype=np.float32),
    }
    with pytest.MonkeyPatch.context() as patch:
        # It writes models of a newer IR version than ONNX Runtime takes.
        for module in (base_wrapped_op, maxpoolnhwc, onnx_exec, quantavgpool2d):
            patch.setattr(module, "qonnx_make_model", partial(qonnx_make_model, ir_version=9))
        getCustomOp(node).execute_node(context, wrapper.graph)
    return np.asarray(context["it_out"])


def assert_equal(ours: Array, theirs: Array) -> None:
    assert ours.shape == theirs.shape
    assert (ours == theirs.astype(object)).all()


def integers(draw: Callable[..., Any], shape: tuple[int, ...], largest: int = 9) -> Array:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return np.asarray(rng.integers(-largest, largest + 1, shape), dtype=np.float32)


def row(*numbers: float | Fraction) -> Array:
    """Return an image of one channel and one axis."""
    return np.array([[numbers]])


@st.composite
def geometries(
    draw: st.DrawFn, *, auto_pads: tuple[str, ...] = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
) -> tuple[tuple[int, ...], list[int], dict[str, Any]]:
    """Return the sizes of an image, a kernel that fits in, and the node's attributes."""
    rank = draw(st.integers(1, 2))

    def numbers(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    kernel, strides, dilations = numbers(1, 4), numbers(1, 4), numbers(1, 3)
    auto_pad = draw(st.sampled_from(auto_pads))
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "auto_pad": auto_pad}
    pads = [0] * 2 * rank
    if auto_pad == "NOTSET":
        pads = [draw(st.integers(0, k - 1)) for k in kernel * 2]
        attributes["pads"] = pads
    elif auto_pad != "VALID":
        # ONNX Runtime refuses dilations, or ignores them, where it is to find the padding; it
        # refuses windows smaller than their stride there.
        attributes["dilations"] = [1] * rank
        attributes["strides"] = [min(s, k) for s, k in zip(strides, kernel, strict=True)]
    extents = [d * (k - 1) + 1 for d, k in zip(attributes["dilations"], kernel, strict=True)]
    least = [
        1 if auto_pad.startswith("SAME") else max(1, e - pads[i] - pads[i + rank])
        for i, e in enumerate(extents)
    ]
    sizes = tuple(draw(st.integers(n, n + 6)) for n in least)
    return sizes, kernel, attributes


@given(st.data(), geometries())
def test_convolutions_are_those_of_onnx(
    data: st.DataObject, geometry: tuple[tuple[int, ...], list[int], dict[str, Any]]
) -> None:
    sizes, kernel, attributes = geometry
    groups, channels, filters = (data.draw(st.integers(1, 3)) for _ in range(3))
    x = integers(data.draw, (2, groups * channels, *sizes))
    constants = [integers(data.draw, (groups * filters, channels, *kernel))]
    if data.draw(st.booleans()):
        constants.append(integers(data.draw, (groups * filters,)))
    model = model_of("Conv", x, constants, group=groups, **attributes)
    ours = exactly(model, x)
    assert_equal(ours, by_runtime(model, x))
    assert_equal(ours, by_reference(model, x))


@given(st.data(), geometries(auto_pads=("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")))
def test_transposed_convolutions_are_those_of_onnx(
    data: st.DataObject, geometry: tuple[tuple[int, ...], list[int], dict[str, Any]]
) -> None:
    sizes, kernel, attributes = geometry
    strides, dilations = attributes["strides"], attributes["dilations"]
    groups, channels, filters = (data.draw(st.integers(1, 3)) for _ in range(3))
    more = [data.draw(st.integers(0, s - 1)) for s in strides]
    full = [
        s * (n - 1) + m + d * (k - 1) + 1
        for s, n, m, d, k in zip(strides, sizes, more, dilations, kernel, strict=True)
    ]
    has_shape = data.draw(st.booleans())
    if has_shape:
        attributes.pop("pads", None)
        attributes["output_shape"] = [data.draw(st.integers(max(1, n - 3), n)) for n in full]
    x = integers(data.draw, (2, groups * channels, *sizes))
    constants = [
        integers(data.draw, (groups * channels, filters, *kernel)),
        integers(data.draw, (groups * filters,)),
    ]
    attributes |= {"group": groups, "output_padding": more}
    model = model_of("ConvTranspose", x, constants, opset=11, **attributes)
    ours = if_it_is_defined(model, x)
    assert_equal(ours, by_runtime(model, x))
    # The reference takes several groups of filters apart wrongly, and forgets to crop where
    # there is an output_shape without padding to be found.
    if groups == 1 and not has_shape:
        assert_equal(ours, by_reference(model, x))


@given(st.data(), geometries(), st.sampled_from([10, 12, 22]))
def test_max_pooling_is_that_of_onnx_runtime(
    data: st.DataObject,
    geometry: tuple[tuple[int, ...], list[int], dict[str, Any]],
    opset: int,
) -> None:
    sizes, kernel, attributes = geometry
    x = integers(data.draw, (2, 2, *sizes))
    # ONNX Runtime rounds up with VALID too, where the standard's two formulas are equal.
    is_ceil = attributes["auto_pad"] != "VALID" and data.draw(st.booleans())
    attributes |= {"kernel_shape": kernel, "ceil_mode": int(is_ceil)}
    model = model_of("MaxPool", x, [], opset=opset, **attributes)
    ours = if_it_is_defined(model, x)
    assert_equal(ours, by_runtime(model, x))


@given(st.data(), geometries(), st.sampled_from([10, 11, 18, 19, 22]), st.integers(0, 1))
def test_average_pooling_is_that_of_onnx_runtime(
    data: st.DataObject,
    geometry: tuple[tuple[int, ...], list[int], dict[str, Any]],
    opset: int,
    includes: int,
) -> None:
    sizes, kernel, attributes = geometry
    if opset < 19:  # there are no dilations
        del attributes["dilations"]
    x = integers(data.draw, (2, 2, *sizes)) * DIVISIBLE
    is_ceil = attributes["auto_pad"] != "VALID" and data.draw(st.booleans())
    attributes |= {
        "kernel_shape": kernel,
        "ceil_mode": int(is_ceil),
        "count_include_pad": includes,
    }
    model = model_of("AveragePool", x, [], opset=opset, **attributes)
    ours = if_it_is_defined(model, x)
    assert_equal(ours, by_runtime(model, x))
    # With ceil_mode the reference puts half of what a last window lacks in front of the image; it
    # forgets the dilation when it finds the size of the result.
    if not is_ceil and (attributes["auto_pad"] == "NOTSET" or opset < 19):
        assert_equal(ours, by_reference(model, x))


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("sizes", [(6,), (3, 4), (2, 3, 2)])
def test_global_pooling_takes_the_whole_image(kind: str, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 10, (2, 3, *sizes)) * prod(sizes)
    model = model_of(kind, x, [])
    assert_equal(exactly(model, x), by_runtime(model, x))
    if kind == "GlobalAveragePool" or len(sizes) == 2:  # the reference's maximum is of two axes
        assert_equal(exactly(model, x), by_reference(model, x))


@pytest.mark.parametrize("kind", ["ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"])
@pytest.mark.parametrize("opset", [11, 13, 18])
def test_reductions_over_the_image_are_those_of_onnx(kind: str, opset: int) -> None:
    x = np.random.default_rng(1).integers(-9, 10, (2, 3, 4, 5)) * 20
    for axes in ([2, 3], [-1]):
        as_input = opset >= 18 or (opset >= 13 and kind == "ReduceSum")
        constants = [np.array(axes)] if as_input else []
        attributes: dict[str, Any] = {"keepdims": 0} | ({} if as_input else {"axes": axes})
        model = model_of(kind, x, constants, opset=opset, **attributes)
        assert_equal(exactly(model, x), by_runtime(model, x))


def test_a_last_window_hangs_over_with_ceil_mode() -> None:
    x = row(1, 2, 3, 4, 5)
    pool: dict[str, Any] = {"kernel_shape": [2], "strides": [2]}
    assert exactly(model_of("MaxPool", x, [], **pool), x).ravel().tolist() == [2, 4]
    model = model_of("MaxPool", x, [], ceil_mode=1, **pool)
    assert exactly(model, x).ravel().tolist() == [2, 4, 5]
    # An image smaller than the window is a window all the same.
    model = model_of("MaxPool", row(1, 2), [], ceil_mode=1, kernel_shape=[3], strides=[2])
    assert exactly(model, row(1, 2)).ravel().tolist() == [2]


def test_a_window_that_begins_behind_the_image_is_none() -> None:
    # ceil((3 + 2 - 3) / 4) + 1 is 2, and the second window would begin at pixel 4, in the padding;
    # with a stride of 3 at pixel 3, where the padding begins. Said since opset 22 only, but
    # executors leave it out in every opset.
    x = row(1, 2, 3)
    pool: dict[str, Any] = {"ceil_mode": 1, "kernel_shape": [3], "pads": [0, 2]}
    for opset in (10, 22):
        for kind, wanted in (("MaxPool", 3), ("AveragePool", 2)):
            for stride in (3, 4):
                model = model_of(kind, x, [], opset=opset, strides=[stride], **pool)
                assert exactly(model, x).ravel().tolist() == [wanted]
                assert_equal(exactly(model, x), by_runtime(model, x))


@pytest.mark.parametrize("opset", [10, 11, 19, 22])
def test_padding_counts_if_it_is_asked_to_but_nothing_behind_it(opset: int) -> None:
    x = row(6, 12, 18, 24)
    pool: dict[str, Any] = {"kernel_shape": [3], "strides": [2], "pads": [1, 1], "opset": opset}
    expected = {
        (0, 0): [9, 18],  # (6 + 12) / 2, (12 + 18 + 24) / 3
        (0, 1): [6, 18],  # the padding in front is a third pixel
        (1, 0): [9, 18, 24],  # 24 / 1
        (1, 1): [6, 18, 12],  # 24 / 2: a pixel and one of padding; what hangs over is neither
    }
    for (is_ceil, includes), wanted in expected.items():
        model = model_of(
            "AveragePool", x, [], ceil_mode=is_ceil, count_include_pad=includes, **pool
        )
        assert exactly(model, x).ravel().tolist() == wanted
        # ONNX Runtime before 1.17 or so divided by 3 in the last case.
        assert_equal(exactly(model, x), by_runtime(model, x))


def test_a_window_of_padding_only_has_a_mean_if_padding_counts() -> None:
    x = row(4, 8)
    pool: dict[str, Any] = {"kernel_shape": [2], "strides": [1], "pads": [2, 0], "opset": 19}
    model = model_of("AveragePool", x, [], count_include_pad=1, **pool)
    assert exactly(model, x).ravel().tolist() == [0, 2, 6]
    for kind in ("AveragePool", "MaxPool"):
        with pytest.raises(OracleError, match="padding only"):
            exactly(model_of(kind, x, [], **pool), x)


def test_automatic_padding_is_the_standards() -> None:
    x = row(1, 2, 3, 4)
    weights = np.array([[[1, 10, 100]]], dtype=np.float32)

    def convolved(auto_pad: str, stride: int, dilation: int = 1) -> list[int]:
        model = model_of(
            "Conv", x, [weights], auto_pad=auto_pad, strides=[stride], dilations=[dilation]
        )
        return list(exactly(model, x).ravel())

    assert convolved("SAME_UPPER", 2) == [321, 43]  # one pixel lacks, at the end
    assert convolved("SAME_LOWER", 2) == [210, 432]  # at the beginning
    assert convolved("VALID", 2) == [321]
    # Two in front and two behind. ONNX Runtime refuses a dilation here.
    assert convolved("SAME_UPPER", 1, 2) == [310, 420, 31, 42]

    # No padding is needed where the stride leaves pixels over, and none is taken away.
    five, one = row(1, 2, 3, 4, 5), np.ones((1, 1, 1), dtype=np.float32)
    model = model_of("Conv", five, [one], auto_pad="SAME_UPPER", strides=[3])
    assert exactly(model, five).ravel().tolist() == [1, 4]
    assert_equal(exactly(model, five), by_runtime(model, five))

    pool: dict[str, Any] = {"kernel_shape": [2], "opset": 22}
    # The reference rounds the size down with SAME_LOWER; the standard, and ONNX Runtime, up.
    model = model_of("MaxPool", row(3, 1, 2), [], auto_pad="SAME_LOWER", strides=[2], **pool)
    assert exactly(model, row(3, 1, 2)).ravel().tolist() == [3, 2]
    # ONNX Runtime forgets the dilation when it finds the padding, and gives 2 results.
    model = model_of("MaxPool", x, [], auto_pad="SAME_UPPER", dilations=[2], **pool)
    assert exactly(model, x).ravel().tolist() == [2, 3, 4, 3]
    # ceil((5 - 2 + 1) / 2) is 2 with ceil_mode; ONNX Runtime takes ceil((5 - 2) / 2) + 1.
    for is_ceil in (0, 1):
        model = model_of(
            "MaxPool", five, [], auto_pad="VALID", strides=[2], ceil_mode=is_ceil, **pool
        )
        assert exactly(model, five).ravel().tolist() == [2, 4]


def test_the_padding_of_a_transposed_convolution_is_larger_in_front() -> None:
    x, weights = row(1, 2), np.array([[[1, 10, 100]]], dtype=np.float32)

    def computed(**attributes: Any) -> list[int]:  # noqa: ANN401 - whatever ONNX takes
        model = model_of("ConvTranspose", x, [weights], strides=[2], **attributes)
        return list(exactly(model, x).ravel())

    assert computed() == [1, 10, 102, 20, 200]
    assert computed(output_padding=[1]) == [1, 10, 102, 20, 200, 0]
    assert computed(pads=[1, 1]) == [10, 102, 20]
    # By the formula of opset 11. That of opset 1 has the halves the other way round, against its
    # own words on SAME_UPPER; ONNX Runtime has those of opset 11 in every opset.
    assert computed(output_shape=[4]) == [10, 102, 20, 200]
    assert computed(output_shape=[4], auto_pad="SAME_UPPER") == [1, 10, 102, 20]
    assert computed(auto_pad="SAME_LOWER") == [10, 102, 20, 200]
    with pytest.raises(OracleError, match="6 results are wanted of 5: which ones is open"):
        computed(output_shape=[6])


def test_weights_are_integers_times_their_scale() -> None:
    w = Writer()
    weights = w.quant(w.constant([[[0.7, -0.4]]]), 0.1, bits=4)  # 7 and -4 times float32(0.1)
    w.node("Conv", ["x", weights, w.constant([0.3])], name="it")
    tenth, bias = (Fraction(float(np.float32(value))) for value in (0.1, 0.3))
    x = row(1, 1, 2)
    expected = [3 * tenth + bias, -tenth + bias]
    assert exactly(w.model("it_out", 1, 3), x).ravel().tolist() == expected


def test_numbers_may_be_longer_than_a_machine_word() -> None:
    x = row(2**60 + 1, 2**60, 2**60 - 1)
    weights = np.array([[[2**20, 3]]], dtype=np.float32)
    model = model_of("Conv", x, [weights])
    assert exactly(model, x).ravel().tolist() == [
        2**20 * (2**60 + 1) + 3 * 2**60,
        2**80 + 3 * (2**60 - 1),
    ]


def test_sums_may_be_longer_than_a_machine_word() -> None:
    x = row(*[2**31] * 4)
    model = model_of("Conv", x, [np.full((1, 1, 4), 2**31, dtype=np.float32)])
    assert exactly(model, x).item() == 2**64
    x = row(*[2**62] * 4)
    assert exactly(model_of("AveragePool", x, [], kernel_shape=[4]), x).item() == 2**62
    assert exactly(model_of("GlobalAveragePool", x, []), x).item() == 2**62


def test_irrational_numbers_are_pooled_and_convolved_as_they_are() -> None:
    w = Writer()
    w.node("Exp", ["x"], name="exp")
    w.node("MaxPool", ["exp_out"], name="largest", kernel_shape=[2])
    w.node("AveragePool", ["exp_out"], name="mean", kernel_shape=[3])
    w.node("GlobalMaxPool", ["exp_out"], name="all")
    w.node("Conv", ["exp_out", w.constant([[[1, 2]]])], name="sums", pads=[1, 0])
    x = row(1, 2, Fraction(2) + Fraction(1, 10**30))
    values = evaluate(w.model(["largest_out", "mean_out", "sums_out", "all_out"], 1, 3), x)
    one, two, more = values["exp_out"].ravel()
    assert two < more
    assert values["largest_out"].ravel().tolist() == [two, more]
    assert values["all_out"].item() == more
    assert values["mean_out"].item() * 3 == one + two + more
    assert values["sums_out"].ravel().tolist() == [2 * one, one + 2 * two, two + 2 * more]
    assert float(one) == exp(1)


@pytest.mark.parametrize(
    ("kind", "shape", "weights", "attributes", "message"),
    [
        ("Conv", (2, 5), (3, 1, 2), {}, "weights .3, 1, 2. for data .1, 2, 5."),
        ("Conv", (2, 5), (3, 1, 2), {"group": 2}, "3 filters, in 2 groups"),
        ("Conv", (2, 5), (3, 2, 2), {"kernel_shape": [3]}, "kernel_shape is .3. for weights"),
        ("Conv", (2, 5), (3, 2, 2), {"strides": [1, 1]}, "strides are .1, 1. for 1 axes"),
        ("Conv", (2, 5), (3, 2, 2), {"strides": [0]}, "should be positive"),
        ("Conv", (2, 5), (3, 2, 2), {"pads": [-1, 0]}, "should not be negative"),
        ("Conv", (2, 5), (3, 2, 2), {"auto_pad": "SAME"}, "auto_pad has no 'SAME'"),
        ("Conv", (2, 1), (3, 2, 2), {}, "a window of 2 pixels on 1 with 0 of padding"),
        ("MaxPool", (2, 5), None, {}, "lacks its kernel_shape"),
        ("MaxPool", (2, 5), None, {"kernel_shape": [2, 2]}, "a window of 2 axes on an image of 1"),
        ("ConvTranspose", (1, 1), (1, 1, 2), {"pads": [1, 1]}, "leave nothing of 2"),
    ],
)
def test_what_has_no_meaning_is_refused(
    kind: str,
    shape: tuple[int, ...],
    weights: tuple[int, ...] | None,
    attributes: dict[str, Any],
    message: str,
) -> None:
    x = np.zeros((1, *shape))
    constants = [] if weights is None else [np.zeros(weights, dtype=np.float32)]
    with pytest.raises(OracleError, match=message):
        exactly(model_of(kind, x, constants, **attributes), x)


ROUNDINGS = ["ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]


@given(
    st.sampled_from(ROUNDINGS),
    st.integers(0, 4),
    st.integers(-3, 3),
    st.integers(-2, 2),
    st.integers(0, 2**32),
)
def test_truncation_of_version_1_is_qonnxs(
    mode: str, dropped: int, exponent: int, zero_point: int, seed: int
) -> None:
    scale = 2.0**exponent
    # Half steps too: they are rounded to whole ones first.
    x = np.random.default_rng(seed).integers(-200, 201, (1, 40)) / 2 * scale
    numbers = [scale, zero_point, 8, 8 - dropped]
    constants = [np.array(number, dtype=np.float32) for number in numbers]
    model = model_of("Trunc", x, constants, domain=QONNX, rounding_mode=mode)
    assert_equal(exactly(model, x), trunc_v1(x, *constants, mode))


@given(
    st.sampled_from(ROUNDINGS),
    st.tuples(st.booleans(), st.booleans()),
    st.integers(1, 6),
    st.integers(-1, 4),
    st.integers(-2, 2),
    st.integers(0, 2**32),
)
def test_truncation_of_version_2_is_qonnxs(
    mode: str, kind: tuple[bool, bool], bits: int, dropped: int, zero_point: int, seed: int
) -> None:
    signed, narrow = kind
    rng = np.random.default_rng(seed)
    scale = np.array(2.0 ** rng.integers(-3, 3, (4, 1)), dtype=np.float32)
    x = rng.integers(-100, 101, (1, 4, 10)) / 2 * scale
    # What is not a power of two times the scale is divided by the nearest one all the same.
    output_scale = scale * np.float32(2.0**dropped * rng.choice([0.75, 1, 1.25]))
    numbers = [scale, zero_point, 8, output_scale, bits]
    constants = [np.array(number, dtype=np.float32) for number in numbers]
    model = model_of(
        "Trunc", x, constants, domain=QONNX, rounding_mode=mode, signed=signed, narrow=narrow
    )
    narrower = [array.astype(np.float64) for array in constants]
    wanted = trunc_v2(x, *narrower[:3], narrow, signed, *narrower[3:], mode)
    assert_equal(exactly(model, x), wanted)


def test_rounding_first_undoes_that_the_scale_of_a_mean_is_rounded() -> None:
    # As Brevitas exports TruncAvgPool2d: the mean has a ninth of the scale, rounded to float32, and
    # 10 bits; those above the lowest 6 are kept.
    rng = np.random.default_rng(0)
    levels: Array = rng.integers(0, 64, (5, 2, 7, 7))
    w = Writer(opset=13)
    tenth, ninth = np.float32(0.1), np.float32(0.1) / np.float32(9)
    x = w.quant("x", tenth, bits=6, signed=False)
    mean = w.node("AveragePool", [x], kernel_shape=[3, 3], strides=[2, 2], count_include_pad=1)
    inputs = [mean, *(w.constant(n) for n in (ninth, 0.0, 10.0, ninth * np.float32(64), 4.0))]
    attributes: dict[str, Any] = {"rounding_mode": "floor", "signed": 0, "narrow": 0}
    w.node("Trunc", inputs, domain=QONNX, name="it", **attributes)
    ours = exactly(w.model("it_out", 2, 7, 7), levels * Fraction(float(tenth)))
    sums = np.lib.stride_tricks.sliding_window_view(levels, (3, 3), (2, 3))[:, :, ::2, ::2]
    kept = sums.sum(axis=(-2, -1)) >> 6
    assert_equal(ours, kept * np.float64(ninth * np.float32(64)))


@pytest.mark.parametrize("seed", range(8))
def test_networks_whose_floats_are_exact_are_qonnxs(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)

    def power(*shape: int) -> Array:
        return np.asarray(2.0 ** rng.integers(-2, 2, shape))

    w = Writer()
    x, channels = w.quant("x", power(), bits=3, signed=bool(rng.integers(2))), 2
    for _ in range(3):
        groups = int(rng.choice([1, channels]))
        weights = w.constant(rng.normal(0, 2, (4, channels // groups, 3, 2)))
        scaled = w.quant(weights, power(4, 1, 1, 1), bits=int(rng.integers(2, 5)))
        attributes = {"pads": [1, 0, 1, 1], "strides": rng.integers(1, 3, 2).tolist()}
        x, channels = w.node("Conv", [x, scaled], group=groups, **attributes), 4
        gamma = power(4) * rng.choice([-1, 1], 4)
        beta, mean = rng.integers(-8, 9, (2, 4)) / 4
        x = w.batch_norm(x, gamma, beta, mean, power(4) ** 2, 0.0)
        is_last = rng.integers(2)
        x = x if is_last else w.quant(x, power(), bits=3)
        x = w.node("MaxPool", [x], kernel_shape=[2, 2], pads=[0, 1, 1, 0])
        x = w.bipolar(x, power()) if rng.integers(2) else w.quant(x, power(), bits=3)
    x = w.node("Flatten", [w.node("AveragePool", [x], kernel_shape=[2, 2])])
    model = w.model(x, 2, 12, 11)
    data = rng.integers(-40, 41, (4, 2, 12, 11)).astype(np.float32) / 8
    theirs = execute(write(model, tmp_path), data)
    for name, numbers in evaluate(model, data).items():
        assert_equal(numbers, theirs[name])


def test_the_power_of_two_is_the_nearest_in_its_logarithm() -> None:
    assert [nearest_power(Fraction(n)) for n in (1, 2, 3, 5, 6, 11, 12)] == [1, 2, 4, 4, 8, 8, 16]
    assert nearest_power(Fraction(1, 3)) == Fraction(1, 4)
    # The square root of two is 1.41421356...
    assert nearest_power(Fraction("1.41421356")) == 1
    assert nearest_power(Fraction("1.41421357")) == 2
    assert nearest_power(Fraction(15, 10 * 2**200)) == Fraction(2, 2**200)
    with pytest.raises(OracleError, match="has no logarithm"):
        nearest_power(Fraction(0))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 8), st.booleans(), st.data())
def test_sums_that_are_shifted_are_qonnxs(
    kernel: int, stride: int, bits: int, is_last: bool, data: st.DataObject
) -> None:
    x = integers(data.draw, (1, 3, kernel + 3, kernel + 2), 15)
    attributes: dict[str, Any] = {
        "kernel": kernel,
        "stride": stride,
        "ibits": 4,
        "obits": bits,
        "signed": 1,
        "data_layout": "NHWC" if is_last else "NCHW",
    }
    x = x.transpose(0, 2, 3, 1) if is_last else x
    model = model_of("QuantAvgPool2d", x, [], domain=QONNX, **attributes)
    assert_equal(exactly(model, x), by_qonnx(model, x))


@given(st.data(), geometries(auto_pads=("NOTSET",)))
def test_operators_with_channels_last_are_qonnxs(
    data: st.DataObject, geometry: tuple[tuple[int, ...], list[int], dict[str, Any]]
) -> None:
    sizes, kernel, attributes = geometry
    del attributes["auto_pad"]
    groups, channels, filters = (data.draw(st.integers(1, 2)) for _ in range(3))
    x = integers(data.draw, (1, *sizes, groups * channels))
    weights = integers(data.draw, (groups * filters, *kernel, channels))
    model = model_of(
        "Conv", x, [weights], domain=CHANNELS_LAST, group=groups, kernel_shape=kernel, **attributes
    )
    assert_equal(exactly(model, x), by_qonnx(model, x))


@pytest.mark.parametrize(("kind", "domain"), [("MaxPool", CHANNELS_LAST), ("MaxPoolNHWC", QONNX)])
@pytest.mark.parametrize("is_ceil", [0, 1])
def test_pooling_with_channels_last_is_qonnxs(kind: str, domain: str, is_ceil: int) -> None:
    x = np.random.default_rng(3).integers(-9, 10, (1, 6, 5, 3))
    for pads in ([0, 0, 0, 0], [1, 0, 1, 0]):
        attributes: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": pads}
        model = model_of(kind, x, [], domain=domain, ceil_mode=is_ceil, **attributes)
        assert_equal(exactly(model, x), by_qonnx(model, x))


def test_normalization_with_channels_last_is_qonnxs() -> None:
    x = np.random.default_rng(4).integers(-9, 10, (1, 3, 2, 4))
    numbers = [[1, -2, 0.5, 3], [1, 2, 3, 4], [0, 1, -1, 2], [1, 4, 16, 0.25]]
    constants = [np.array(row, dtype=np.float32) for row in numbers]
    attributes: dict[str, Any] = {"epsilon": 0.0, "momentum": 0.9}
    model = model_of("BatchNormalization", x, constants, domain=CHANNELS_LAST, **attributes)
    assert_equal(exactly(model, x), by_qonnx(model, x))


@given(st.data(), geometries(auto_pads=("NOTSET",)))
def test_windows_as_rows_are_qonnxs(
    data: st.DataObject, geometry: tuple[tuple[int, ...], list[int], dict[str, Any]]
) -> None:
    sizes, kernel, attributes = geometry
    assume(len(sizes) == 2 and min(sizes) > 1)
    x = integers(data.draw, (1, *sizes, data.draw(st.integers(1, 3))))
    model = model_of(
        "Im2Col",
        x,
        [],
        domain=QONNX,
        datatype="INT5",
        stride=attributes["strides"],
        kernel_size=kernel,
        input_shape=str(x.shape),
        pad_amount=attributes["pads"],
        pad_value=data.draw(st.integers(-1, 1)),
        dilations=attributes["dilations"],
    )
    assert_equal(exactly(model, x), by_qonnx(model, x))
