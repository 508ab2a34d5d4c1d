"""What differs along the border of an image is held, and quantized, once a class of places."""

from __future__ import annotations

from fractions import Fraction
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.ops import BorderThreshold, Threshold
from lutloom.core.types import IntType
from lutloom.streamline.border_classes import expanded, spread
from lutloom.streamline.border_steps import border_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import SourceNode
from lutloom.streamline.staircase import Ramp, staircase
from lutloom.streamline.steps import sign_steps
from lutloom.streamline.symbols import Scaled
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.network import Network

SHAPE = (2, 7, 8)
RAW = RawInput(IntType(0, 255))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def images(shape: tuple[int, ...] = SHAPE, count: int = 6) -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return (random.integers(-9, 10, (count, *shape)) / 4).astype(np.float32)


def some_bytes(*shape: int) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, 256, (4, *shape))


def weights(w: Writer, *shape: int, seed: int = 3, bits: int = 4) -> str:
    random = np.random.default_rng(seed)
    return w.quant(w.constant(random.integers(-7, 8, shape)), 0.25, bits=bits)


def padded(w: Writer, x: str, outputs: int = 3, inputs: int = 2, **how: Any) -> str:  # noqa: ANN401
    """Return a padded layer of ``x``."""
    kernel = weights(w, outputs, inputs, 3, 3)
    return w.node("Conv", [x, kernel], **({"pads": [1, 1, 1, 1]} | how))


def shifted(w: Writer, x: str = "x") -> str:
    """Return levels whose zero lies between two of them, so that no integer is padding."""
    return w.quant(x, 0.5, 2.5, bits=3, signed=False)


def last(network: Network) -> BorderThreshold:
    op = network.graph.nodes[-1].op
    assert isinstance(op, BorderThreshold)
    return op


ROUNDINGS = ("ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


@pytest.mark.parametrize("mode", ROUNDINGS)
def test_a_padded_layer_with_a_bias_in_its_input_has_classes_of_thresholds(
    mode: str, tmp_path: Path
) -> None:
    w = Writer()
    x = w.quant(padded(w, shifted(w)), 0.75, 1.0, bits=4, mode=mode)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert last(network).base.shape == (3, 3, 3)
    assert last(network).rows.int64.tolist() == [0, 1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("function", ["Relu", "Sigmoid", "Elu", "Gelu", "HardSwish"])
def test_functions_are_quantized_by_classes(function: str, tmp_path: Path) -> None:
    w = Writer(opset=20)
    x = w.batch_norm(padded(w, shifted(w)), (0.5, -0.7, 0.0), (0.1, 0.2, 0.3), (0, 1, 0), (1, 2, 3))
    x = w.quant(w.node(function, [x]), 0.2, bits=4)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert last(network).base.shape[-1] == 3


def test_diamonds_and_scales_of_channels_are_quantized_by_classes(tmp_path: Path) -> None:
    w = Writer()
    x = padded(w, shifted(w))
    x = w.node("Mul", [x, w.node("Sigmoid", [w.binary("Sub", x, [[[1.0]], [[2.0]], [[0.5]]])])])
    x = w.quant(x, [[[[0.5]], [[0.3]], [[0.25]]]], bits=4)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert last(network).base.shape == (3, 3, 3)


def test_bipolar_quantizers_and_tables_are_by_classes(tmp_path: Path) -> None:
    w = Writer()
    x = padded(w, shifted(w))
    table = np.linspace(-3, 3, 9).reshape(3, 3)
    for y in (w.bipolar(x, 0.5), w.multi_threshold(x, table, 0.5, -1.0)):
        network, _ = compare(w.model(y, *SHAPE), tmp_path, images())
        assert last(network).base.shape == (3, 3, 3)


def test_tables_of_thresholds_along_an_axis_with_classes(tmp_path: Path) -> None:
    """qonnx takes the last of three dimensions for the channels: here the signal's."""
    w = Writer()
    x = w.node("Conv", [shifted(w), weights(w, 3, 2, 3)], pads=[1, 1])
    x = w.multi_threshold(x, np.linspace(-3, 3, 27).reshape(9, 3), 0.5, -1.0)
    compare(w.model(x, 2, 9), tmp_path, images((2, 9)))


def test_signals_have_classes_along_their_axis(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Conv", [shifted(w), weights(w, 3, 2, 3)], pads=[2, 1], dilations=[2])
    network, _ = compare(w.model(w.quant(x, 0.75), 2, 9), tmp_path, images((2, 9)))
    assert last(network).base.shape[0] == 1
    assert last(network).columns.shape == (8,)


def test_strides_dilations_and_groups_have_classes(tmp_path: Path) -> None:
    for how in (
        {"strides": [2, 3]},
        {"dilations": [2, 1], "pads": [2, 0, 1, 1]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2], "pads": [0, 0, 0, 0]},
    ):
        w = Writer()
        x = w.node("Conv", [shifted(w), weights(w, 4, 1, 3, 3)], group=2, **how)
        compare(w.model(w.quant(x, 0.5), 2, 9, 10), tmp_path, images((2, 9, 10)))


def test_layers_behind_each_other_have_classes_each(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant(padded(w, shifted(w)), 1.0, 0.5, bits=3, signed=False)
    x = w.quant(padded(w, x, 2, 3, strides=[2, 1]), 2.0, 1.5, bits=3, signed=False)
    network, _ = compare(w.model(x, 2, 9, 10), tmp_path, images((2, 9, 10)))
    assert sum(isinstance(n.op, BorderThreshold) for n in network.graph.nodes) == 2


def test_classes_meet_in_a_sum_of_branches(tmp_path: Path) -> None:
    """Of two padded layers, one of which has a stride of its own; and of one with itself."""
    w = Writer()
    x = shifted(w)
    left = padded(w, x)
    right = w.node("Conv", [x, weights(w, 3, 2, 1, 1, seed=4)])
    y = w.quant(w.node("Add", [left, right]), 0.5)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, images())
    assert last(network).base.shape == (3, 3, 3)
    y = w.quant(w.node("Add", [left, w.node("Sigmoid", [left])]), 0.5)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, images())
    assert last(network).base.shape == (3, 3, 3)


def test_classes_survive_a_transpose_and_end_with_a_reshape(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Transpose", [padded(w, shifted(w))], perm=[0, 3, 1, 2])
    x = w.quant(w.node("Relu", [x]), 0.5)
    compare(w.model(x, *SHAPE), tmp_path, images())
    w = Writer()
    x = w.quant(w.node("Flatten", [padded(w, shifted(w))]), 0.5)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert isinstance(network.graph.nodes[-1].op, Threshold | BorderThreshold)


def test_what_varies_along_the_image_itself_is_quantized_as_before(tmp_path: Path) -> None:
    """A constant for every pixel; one for every row has the same staircase in a row."""
    random = np.random.default_rng(5)
    for shape, kinds in (((1, 7, 8), {"threshold"}), ((1, 7, 1), {"border_threshold"})):
        w = Writer()
        x = w.node("Conv", [w.quant("x", 0.5), weights(w, 3, 2, 3, 3)])
        x = w.binary("Add", x, random.normal(size=(3, *(s - 2 if s > 1 else s for s in shape[1:]))))
        network, _ = compare(w.model(w.quant(x, 0.5), *SHAPE), tmp_path, images())
        assert {n.op.name for n in network.graph.nodes} & {"threshold", "border_threshold"} == kinds


def test_constants_that_agree_with_the_classes_are_taken(tmp_path: Path) -> None:
    for place, message in ((0, ""), (3, "varies along the image, whose border differs from its m")):
        w = Writer()
        column = np.zeros((1, SHAPE[1], 1))
        column[0, place] = 1.0
        model = w.model(w.quant(w.binary("Add", padded(w, shifted(w)), column), 0.5), *SHAPE)
        if message:
            with pytest.raises(ModelError, match=message):
                streamline(write(model, tmp_path))
        else:
            compare(model, tmp_path, images())


def test_classes_with_equal_staircases_are_one(tmp_path: Path) -> None:
    """A bias so small that no threshold notices leaves a plain staircase."""
    w = Writer()
    x = w.quant(padded(w, w.binary("Add", w.quant("x", 1.0), 2.0**-20)), 8.0, bits=3, mode="FLOOR")
    x = w.binary("Add", x, 0.0)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert isinstance(network.graph.nodes[-1].op, Threshold | BorderThreshold)
    w = Writer()
    x = w.binary("Add", padded(w, w.binary("Add", w.quant("x", 1.0), 2.0**-20)), 0.0625)
    network, _ = compare(w.model(w.quant(x, 8.0, mode="FLOOR"), *SHAPE), tmp_path, images())
    assert isinstance(network.graph.nodes[-1].op, Threshold)


def scaled(offset: NDArray[Any], classes: Sequence[NDArray[np.int64] | None] = ()) -> Scaled:
    slope = np.full((1,) * offset.ndim, Fraction(1), dtype=object)
    return Scaled("v", (1, 2, 0), (0,) * offset.ndim, slope, offset, classes=tuple(classes))


def fractions(values: NDArray[Any]) -> NDArray[Any]:
    return np.array([Fraction(int(v)) for v in values.ravel()], dtype=object).reshape(values.shape)


def test_equal_rows_and_columns_are_found_by_their_numbers() -> None:
    offset = fractions(np.array([[0, 1, 1, 2], [0, 3, 3, 2], [0, 1, 1, 2]])[..., None])
    steps = np.full((1, 1, 1), sign_steps(), dtype=object)
    border = border_of(scaled(offset), steps, (3, 4, 5), 1)
    assert border is not None
    assert border.sizes == (2, 3, 1)
    assert [classes.tolist() for classes in border.places] == [[0, 1, 0], [0, 1, 1, 2]]
    ramps = [Ramp(Fraction(1), entry, None, None, -9, 9) for entry in border.y.arrays[1].tolist()]
    op = border.operator(staircase(ramps, [sign_steps()] * len(ramps)))
    assert isinstance(op, BorderThreshold)
    x = np.arange(-9, 9).repeat(10)[:180].reshape(3, 3, 4, 5)
    (y,) = op.reference(x)
    assert (y == np.where(x + offset.astype(np.int64) >= 0, 1, -1)).all()


def test_pixels_that_all_differ_have_no_classes() -> None:
    steps = np.full((1, 1, 1), sign_steps(), dtype=object)
    assert border_of(scaled(fractions(np.arange(12).reshape(3, 4, 1))), steps, (3, 4, 5), 1) is None
    flat = np.full((1,), sign_steps(), dtype=object)
    assert border_of(scaled(fractions(np.arange(5))), flat, (5,), 5) is None


def test_classes_are_spread_over_their_places() -> None:
    classes = (np.array([0, 1, 1, 0]), None, None)
    offset = fractions(np.array([[[5], [6]], [[7], [8]]]))
    node = SourceNode("n", "Add", "", (), (), {})
    x = expanded(node, scaled(offset, classes))
    assert x.classes == ()
    assert x.offset[..., 0].astype(int).tolist() == [[5, 6], [7, 8], [7, 8], [5, 6]]
    assert spread(offset[:1], classes).shape == (1, 2, 1)
    huge = (np.zeros(2**12, dtype=np.int64), np.zeros(2**12, dtype=np.int64), None)
    with pytest.raises(ModelError, match=r"^Add node 'n': scales and biases there vary along sev"):
        expanded(node, scaled(offset, huge))


def test_large_images_cost_what_their_classes_cost(tmp_path: Path) -> None:
    """112 x 112 x 64 thresholds of their own would be 12 million."""
    w = Writer()
    x = w.binary("Div", w.binary("Sub", w.binary("Div", "x", 255.0), colours(MEAN)), 0.25)
    x = padded(w, x, 64, 3, strides=[2, 2])
    random = np.random.default_rng(0)
    gamma, beta, mean = random.normal(size=(3, 64))
    x = w.batch_norm(x, gamma, beta, mean, random.uniform(0.5, 2, 64))
    x = w.quant(w.node("Relu", [x]), 0.1, bits=4, signed=False)
    path = write(w.model(x, 3, 224, 224), tmp_path)
    begin = process_time()
    network = streamline(path, RAW)
    assert process_time() - begin < 2
    assert last(network).base.shape == (2, 2, 64)


def colours(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array(values).reshape(-1, 1, 1)


def normalized(w: Writer, kind: str) -> str:
    """Return the colours of bytes ``x`` as networks for ImageNet want them."""
    match kind:
        case "sub and div":
            return w.binary(
                "Div", w.binary("Sub", w.binary("Div", "x", 255), colours(MEAN)), colours(STD)
            )
        case "mul and add":
            factor = 1 / (255 * np.array(STD))
            x = w.binary("Mul", "x", colours(factor.tolist()))
            return w.binary("Add", x, colours([-m / s for m, s in zip(MEAN, STD, strict=True)]))
        case _:
            mean, variance = (255 * np.array(MEAN)).tolist(), (255 * np.array(STD)) ** 2
            return w.batch_norm("x", np.ones(3), np.zeros(3), mean, variance, epsilon=0.0)


KINDS = ("sub and div", "mul and add", "batch norm")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [1, 2, 8])
def test_colours_are_normalized_by_thresholds_of_the_first_quantizer(
    kind: str, bits: int, tmp_path: Path
) -> None:
    w = Writer()
    x = w.quant(normalized(w, kind), 0.0173, bits=bits, mode="ROUND" if bits > 1 else "FLOOR")
    x = w.quant(padded(w, x, 4, 3), 0.3)
    pixels = np.stack([np.arange(256)] * 3, axis=-1).reshape(2, 8, 16, 3).transpose(0, 3, 1, 2)
    network, _ = compare(w.model(x, 3, 8, 16), tmp_path, pixels, RAW)
    first = next(n.op for n in network.graph.nodes if isinstance(n.op, Threshold))
    assert first.thresholds.shape[0] == 3


def test_colours_are_normalized_by_the_first_layer(tmp_path: Path) -> None:
    """Means of their own end up in its thresholds; 0 is no byte, so that the border differs."""
    w = Writer()
    x = w.binary("Div", w.binary("Sub", w.binary("Div", "x", 255.0), colours(MEAN)), 0.25)
    x = w.quant(w.node("Relu", [padded(w, x, 4, 3)]), 0.3, bits=4, signed=False)
    network, _ = compare(w.model(x, 3, 8, 9), tmp_path, some_bytes(3, 8, 9), RAW)
    assert last(network).base.shape == (3, 3, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_colours_are_normalized_by_a_first_layer_of_one_channel_each(
    kind: str, tmp_path: Path
) -> None:
    """A depthwise layer does not mix them: any scales do, and stay outside."""
    w = Writer()
    x = w.node("Conv", [normalized(w, kind), weights(w, 6, 1, 3, 3)], pads=[1] * 4, group=3)
    x = w.quant(x, 0.3, bits=4)
    network, _ = compare(w.model(x, 3, 8, 9), tmp_path, some_bytes(3, 8, 9), RAW)
    assert last(network).base.shape == (3, 3, 6)


def test_colours_with_scales_of_their_own_are_not_mixed_by_a_wide_layer(tmp_path: Path) -> None:
    w = Writer()
    model = w.model(w.quant(padded(w, normalized(w, "sub and div"), 4, 3), 0.3), 3, 8, 9)
    with pytest.raises(ModelError, match=r"the scales of its input channels meet in multipliers"):
        streamline(write(model, tmp_path), RAW)


def test_scales_of_channels_go_through_a_depthwise_layer(tmp_path: Path) -> None:
    """Quantizers with a scale a channel, negative ones among them, and chains of quantizers."""
    w = Writer()
    scale = np.array([0.31, -0.17, 0.05, 0.9]).reshape(1, 4, 1, 1)
    x = w.quant("x", 0.25)
    x = w.node("Conv", [x, weights(w, 4, 2, 1, 1)])
    x = w.quant(w.quant(w.quant(x, scale, 1.0, bits=4), 0.2, bits=3), scale, bits=4)
    x = w.node("Conv", [x, weights(w, 4, 1, 3, 3)], pads=[1] * 4, group=4)
    x = w.quant(x, np.abs(scale) / 2, bits=4)
    compare(w.model(x, *SHAPE), tmp_path, images())
