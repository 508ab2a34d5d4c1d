"""Paddings beside the oracle: any constant around any data, in all forms of the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from lutloom.core.ops import BorderThreshold, Conv, MaxPool, Permute, Window
from lutloom.core.types import BIPOLAR, IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]

NIBBLE = IntType(-8, 7)


def padded(w: Writer, x: str, pads: list[int], value: float | None = None, **more: Any) -> str:  # noqa: ANN401 - as in ONNX
    """Pad as the opset has it; ``pads`` are those of all dimensions, the batch among them."""
    if w.opset < 11:
        return w.node("Pad", [x], pads=pads, value=value or 0.0, **more)
    inputs = [x, w.constant(pads, np.int64)]
    if value is not None:
        inputs.append(w.constant(value))
    return w.node("Pad", inputs, **more)


def data(seed: int, type_: IntType, *shape: int) -> Array:
    count = np.random.default_rng(seed).integers(0, type_.count, (12, *shape))
    return np.asarray(type_.lo + type_.step * count)


def names(network: Network) -> list[str]:
    return [node.op.name for node in network.graph.nodes]


def conv(w: Writer, x: str, channels: int = 2, pad: int = 0) -> str:
    weights = np.random.default_rng(1).integers(-3, 4, (2, channels, 2, 3))
    return w.node("Conv", [x, w.constant(weights)], pads=[pad] * 4)


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 20])
@pytest.mark.parametrize("value", [0.0, 1.5, -0.3])
def test_any_constant_may_lie_around_the_image(opset: int, value: float, tmp_path: Path) -> None:
    w = Writer(opset=opset)
    x = padded(w, w.quant("x", 0.5, bits=3), [0, 0, 1, 0, 0, 0, 2, 3], value)
    y = w.quant(conv(w, x), 0.7, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    is_integer = value / 0.5 == int(value / 0.5)
    assert names(network) == [
        "threshold",
        "conv",
        "threshold" if is_integer else "border_threshold",
    ]


def test_axes_may_be_chosen_since_opset_18(tmp_path: Path) -> None:
    w = Writer(opset=18)
    inputs = ["x", w.constant([1, 2, 0, -1], np.int64), "", w.constant([-1, 2], np.int64)]
    y = w.quant(conv(w, w.node("Pad", inputs)), 0.7, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    (op,) = (node.op for node in network.graph.nodes if isinstance(node.op, Conv))
    assert op.pads == (2, 1, -1, 0)


def test_padding_and_cropping_alone_are_windows_of_one_tap(tmp_path: Path) -> None:
    w = Writer()
    y = padded(w, w.quant("x", 0.5, bits=3), [0, 0, 1, -1, 0, 0, 0, 2], 1.0)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    assert names(network) == ["threshold", "window"]
    (op,) = (node.op for node in network.graph.nodes if isinstance(node.op, Window))
    assert (op.pads, op.fill) == ((1, -1, 0, 2), 2)


def test_signs_and_a_zero_between_them_are_padded_with_it(tmp_path: Path) -> None:
    w = Writer()
    y = w.quant(conv(w, padded(w, "x", [0, 0, 1, 1, 0, 0, 1, 1])), 2.0, bits=3)
    network, _ = compare(
        w.model(y, 2, 2, 2), tmp_path, data(0, BIPOLAR, 2, 2, 2), RawInput(BIPOLAR)
    )
    assert names(network) == ["conv", "threshold"]


@pytest.mark.parametrize("scales", ["one", "channels", "offsets"])
def test_channels_may_have_scales_and_offsets_of_their_own(scales: str, tmp_path: Path) -> None:
    w = Writer()
    x = "x"
    if scales != "one":
        x = w.binary("Mul", x, [[[0.5]], [[-0.25]]])
    if scales == "offsets":
        x = w.binary("Add", x, [[[0.3]], [[0.7]]])
    x = padded(w, x, [0, 0, 1, 2, 0, 0, 1, 0], 0.5)
    y = w.quant(conv(w, x), 0.7, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    assert names(network) == ["conv", "border_threshold"]


@pytest.mark.parametrize("type_", [BIPOLAR, IntType(3, 18, 5)])
def test_integers_that_are_never_zero_are_padded(type_: IntType, tmp_path: Path) -> None:
    w = Writer()
    x = padded(w, w.binary("Mul", "x", 0.25), [0, 0, 1, 2, 0, 0, 1, 0], 0.3)
    y = w.quant(conv(w, x), 0.7, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, type_, 2, 3, 4), RawInput(type_))
    assert names(network) == ["conv", "border_threshold"]


def test_numbers_of_any_size_add_up_exactly(tmp_path: Path) -> None:
    w = Writer()
    x = w.binary("Add", w.binary("Mul", "x", 2.0**-40), 2.0**-60)
    x = padded(w, x, [0, 0, 1, 2, 0, 0, 1, 0], 2.0**60)
    y = w.quant(conv(w, x), 2.0**-38, bits=3)
    compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))


def test_paddings_of_paddings_add_up(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.5, bits=3)
    for _ in range(2):
        x = padded(w, x, [0, 0, 1, 0, 0, 0, 0, 1])
    y = w.quant(conv(w, x, pad=1), 0.7, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    (op,) = (node.op for node in network.graph.nodes if isinstance(node.op, Conv))
    assert op.pads == (3, 1, 1, 3)


def test_two_paddings_that_differ_stay_two(tmp_path: Path) -> None:
    w = Writer()
    x = padded(w, w.quant("x", 0.5, bits=3), [0, 0, 1, 1, 0, 0, 1, 1], 1.0)
    y = w.quant(conv(w, x, pad=1), 0.7, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    assert names(network) == ["threshold", "window", "conv", "threshold"]


def test_zeros_around_a_pool_of_what_is_not_negative_are_left_out(tmp_path: Path) -> None:
    w = Writer()
    x = padded(w, w.quant("x", 0.5, bits=3, signed=False), [0, 0, 1, 1, 0, 0, 0, 0])
    y = w.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    network, _ = compare(w.model(y, 2, 3, 5), tmp_path, data(0, NIBBLE, 2, 3, 5), RawInput(NIBBLE))
    assert any(isinstance(node.op, MaxPool) for node in network.graph.nodes)
    assert not any(isinstance(node.op, Window) for node in network.graph.nodes)


def test_one_dimension_of_an_image_may_be_padded(tmp_path: Path) -> None:
    w = Writer()
    x = padded(w, w.quant("x", 0.5, bits=3), [0, 0, 2, 0, 0, 0, 1, 0], 0.25)
    y = w.quant(conv(w, x), 2.0, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    assert names(network) == ["threshold", "conv", "border_threshold"]


def test_a_dimension_of_channels_is_padded_where_another_one_stays(tmp_path: Path) -> None:
    w = Writer()
    y = w.quant(conv(w, padded(w, "x", [0, 1, 0, 1, 0, 0, 0, 0]), 3), 4.0, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    assert any(isinstance(node.op, Permute) for node in network.graph.nodes)


def test_a_padding_of_nothing_is_none(tmp_path: Path) -> None:
    w = Writer()
    y = w.quant(padded(w, "x", [0] * 8), 2.0, bits=3)
    network, _ = compare(w.model(y, 2, 3, 4), tmp_path, data(0, NIBBLE, 2, 3, 4), RawInput(NIBBLE))
    assert names(network) == ["threshold"]
    assert not any(isinstance(node.op, BorderThreshold) for node in network.graph.nodes)


def of_mode(mode: str) -> ModelProto:
    w = Writer()
    return w.model(padded(w, w.quant("x"), [0, 0, 1, 1, 0, 0, 1, 1], mode=mode), 2, 3, 4)


def of_pads(*pads: int, value: float | None = None) -> ModelProto:
    w = Writer()
    return w.model(padded(w, w.quant("x"), list(pads), value), 2, 3, 4)


def of_values() -> ModelProto:
    w = Writer()
    inputs = [w.quant("x"), w.constant([0] * 8, np.int64), w.constant([1.0, 2.0])]
    inputs[1] = w.constant([0, 0, 1, 0, 0, 0, 0, 0], np.int64)
    return w.model(w.node("Pad", inputs), 2, 3, 4)


def of_float() -> ModelProto:
    w = Writer()
    x = w.node("Relu", [w.binary("Add", w.quant("x"), 0.3)], name="act")
    return w.model(padded(w, x, [0, 0, 1, 1, 0, 0, 1, 1], 0.5), 2, 3, 4)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (of_mode("reflect"), r"repeats pixels \(mode 'reflect'\), .* as nn.ZeroPad2d does"),
        (of_mode("edge"), r"repeats pixels \(mode 'edge'\)"),
        (of_pads(0, 1, 1, 1, 0, 0, 0, 0), r"pads every dimension of \['N', 2, 3, 4\], and one"),
        (of_pads(1, 0, 0, 0, 0, 0, 0, 0), "pads the batch, which it should leave as it is"),
        (of_pads(0, 0, 1, 0), r"its pads \[0, 0, 1, 0\] should be two numbers for each of 4"),
        (of_pads(0, 0, 1, 0, 0, 0, 0, 0, value=np.nan), "its value is no number: it holds NaN"),
        (of_pads(0, 0, -2, 0, 0, 0, -1, 0), "do not fit into"),
        (of_values(), r"its value should be one number, not \[2\]"),
        (of_float(), "Relu node 'act' before it is not followed by a quantizer"),
    ],
)
def test_other_paddings_are_refused(model: ModelProto, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        streamline(write(model, tmp_path), RawInput(NIBBLE))
