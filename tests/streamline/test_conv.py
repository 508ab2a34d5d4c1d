"""Convolutions beside the oracle: every face of them, on all inputs or on random ones."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from lutloom.core.ops import BorderThreshold, Conv, Permute, Threshold
from lutloom.core.types import BIPOLAR, IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]

NIBBLE = IntType(-8, 7)
CHANNELS_LAST = "qonnx.custom_op.channels_last"
EXAMPLES = 12


def all_inputs(type_: IntType, *shape: int) -> Array:
    """Return every tensor of the type, ``[N, *shape]``."""
    values = range(type_.lo, type_.hi + 1, type_.step)
    return np.array(list(product(values, repeat=int(np.prod(shape))))).reshape(-1, *shape)


def some_inputs(rng: np.random.Generator, type_: IntType, *shape: int) -> Array:
    """Return random tensors of the type, and the two that are at its ends everywhere."""
    count = rng.integers(0, type_.count, (EXAMPLES, *shape))
    count[0], count[1] = 0, type_.count - 1
    return np.asarray(type_.lo + type_.step * count)


def ops(network: Network, kind: type) -> list[Any]:
    return [node.op for node in network.graph.nodes if isinstance(node.op, kind)]


def normalized(w: Writer, x: str, rng: np.random.Generator, channels: int) -> str:
    """Return a batch normalization, with factors of either sign."""
    gamma, beta, mean = rng.normal(0, 1, (3, channels))
    return w.batch_norm(x, gamma, beta, mean, rng.uniform(0.1, 2, channels))


class Layer:
    """A random convolution: its geometry, and an input that it fits."""

    def __init__(
        self, rng: np.random.Generator, *, rank: int, groups: int, fan_in: int = 2
    ) -> None:
        self.rng = rng
        self.groups, self.channels = groups, groups * fan_in
        self.filters = groups * int(rng.integers(1, 4))

        def numbers(low: int, high: int, count: int = rank) -> list[int]:
            return [int(n) for n in rng.integers(low, high + 1, count)]

        self.kernel, self.strides, self.dilations = numbers(1, 3), numbers(1, 3), numbers(1, 2)
        self.attributes: dict[str, Any] = {
            "strides": self.strides,
            "dilations": self.dilations,
            "group": groups,
        }
        self.auto_pad = str(rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
        pads = numbers(0, 2, 2 * rank)
        if self.auto_pad == "NOTSET":
            self.attributes["pads"] = pads
        else:
            self.attributes["auto_pad"] = self.auto_pad
        extents = [d * (k - 1) + 1 for d, k in zip(self.dilations, self.kernel, strict=True)]
        self.image = [int(rng.integers(e, e + 4)) for e in extents]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.channels, *self.image

    def weights(self, largest: int = 3) -> Array:
        shape = (self.filters, self.channels // self.groups, *self.kernel)
        return self.rng.integers(-largest, largest + 1, shape).astype(np.float32)

    def numbers(self, *shape: int) -> Array:
        """Return scales of either sign."""
        sign = self.rng.choice([-1, 1], shape)
        return np.asarray(self.rng.uniform(0.1, 2, shape) * sign, np.float32)

    def per_channel(self, values: Array) -> Array:
        return values.reshape(-1, *[1] * len(self.kernel))


def sizes(seed: int) -> tuple[np.random.Generator, int]:
    rng = np.random.default_rng(seed)
    return rng, int(rng.integers(1, 3))


@pytest.mark.parametrize("seed", range(30))
def test_a_convolution_is_the_exact_one(seed: int, tmp_path: Path) -> None:
    rng, rank = sizes(seed)
    layer = Layer(rng, rank=rank, groups=int(rng.integers(1, 4)), fan_in=int(rng.integers(1, 3)))
    w = Writer()
    scale = np.abs(layer.numbers(layer.filters, *[1] * (rank + 1)))
    weights = w.quant(w.constant(layer.weights()), scale if seed % 2 else 0.25, bits=3)
    inputs = ["x", weights]
    if seed % 3:
        inputs.append(w.constant(layer.numbers(layer.filters)))
    y = w.node("Conv", inputs, **layer.attributes)
    if seed % 5:
        y = normalized(w, y, rng, layer.filters)
    y = w.quant(y, 0.7, bits=3)
    raw = RawInput(IntType(0, 15) if seed % 4 else BIPOLAR)
    network, tally = compare(
        w.model(y, *layer.shape), tmp_path, some_inputs(rng, raw.type, *layer.shape), raw
    )
    assert tally.quantized
    assert len(ops(network, Conv)) == 1
    assert not ops(network, BorderThreshold)


@pytest.mark.parametrize("seed", range(20))
def test_a_transposed_convolution_is_the_exact_one(seed: int, tmp_path: Path) -> None:
    rng, rank = sizes(seed)
    layer = Layer(rng, rank=rank, groups=int(rng.integers(1, 4)), fan_in=int(rng.integers(1, 3)))
    attributes = dict(layer.attributes)
    attributes["output_padding"] = [int(rng.integers(0, s)) for s in layer.strides]
    reach = [d * (k - 1) for d, k in zip(layer.dilations, layer.kernel, strict=True)]
    full = [
        s * (n - 1) + m + r + 1
        for s, n, m, r in zip(
            layer.strides, layer.image, attributes["output_padding"], reach, strict=True
        )
    ]
    if seed % 4 == 0:
        attributes.pop("pads", None)
        attributes["output_shape"] = [int(rng.integers(max(1, n - 3), n + 1)) for n in full]
    elif "pads" in attributes:
        attributes["pads"] = [
            min(pad, r) for pad, r in zip(attributes["pads"], reach * 2, strict=True)
        ]
    elif "auto_pad" in attributes and any(
        f < n * s for f, n, s in zip(full, layer.image, layer.strides, strict=True)
    ):
        attributes["auto_pad"] = "VALID"
    w = Writer(opset=11)
    filters = layer.filters // layer.groups
    values = rng.integers(-3, 4, (layer.channels, filters, *layer.kernel)).astype(np.float32)
    scale = np.abs(layer.numbers(1, filters, *[1] * rank))
    inputs = ["x", w.quant(w.constant(values), scale if seed % 2 else 0.25, bits=3)]
    if seed % 3:
        inputs.append(w.constant(layer.numbers(layer.filters)))
    y = w.quant(w.node("ConvTranspose", inputs, **attributes), 0.7, bits=3)
    raw = RawInput(IntType(0, 15) if seed % 4 else BIPOLAR)
    network, _ = compare(
        w.model(y, *layer.shape), tmp_path, some_inputs(rng, raw.type, *layer.shape), raw
    )
    (op,) = ops(network, Conv)
    assert op.spacing == tuple(layer.strides)


@pytest.mark.parametrize("seed", range(20))
def test_offsets_of_a_padded_input_are_exact_along_the_border(seed: int, tmp_path: Path) -> None:
    # As pixels that were normalized by channel, or by one number whose zero is no integer.
    rng, rank = sizes(seed)
    fan_in = int(rng.integers(1, 4))
    layer = Layer(rng, rank=rank, groups=int(rng.integers(1, 3)), fan_in=fan_in)
    w = Writer()
    count = layer.channels if seed % 2 else 1
    x = w.binary("Sub", "x", layer.per_channel(layer.numbers(count)))
    if seed % 3:
        x = w.binary("Mul", x, 0.25)
    y = w.node("Conv", [x, w.constant(layer.weights())], **layer.attributes)
    if seed % 2:
        y = normalized(w, y, rng, layer.filters)
    y = w.quant(y, 0.37, bits=3)
    compare(
        w.model(y, *layer.shape),
        tmp_path,
        some_inputs(rng, NIBBLE, *layer.shape),
        RawInput(NIBBLE),
    )


def test_the_integer_that_stands_for_zero_is_padding(tmp_path: Path) -> None:
    w = Writer()
    x = w.binary("Add", "x", 1.0)
    weights = w.constant([[[[1, 2, -1], [3, 0, 1], [-2, 1, 1]]]])
    y = w.quant(w.node("Conv", [x, weights], pads=[1] * 4), 2.0, bits=4)
    raw = RawInput(IntType(-1, 1))
    network, _ = compare(w.model(y, 1, 2, 2), tmp_path, all_inputs(raw.type, 1, 2, 2), raw)
    (op,) = ops(network, Conv)
    assert op.fill == -1
    (threshold,) = ops(network, Threshold)
    assert threshold.thresholds.shape[0] == 1


def test_a_zero_far_from_the_data_makes_no_sum_wide(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w = Writer()
    weights = w.constant(rng.integers(-3, 4, (2, 1, 3, 3)))
    y = w.quant(w.node("Conv", [w.binary("Sub", "x", 1000.0), weights], pads=[1] * 4), 999.0)
    data = some_inputs(rng, NIBBLE, 1, 4, 5)
    network, _ = compare(w.model(y, 1, 4, 5), tmp_path, data, RawInput(NIBBLE))
    (op,) = ops(network, Conv)
    assert op.fill == 0
    assert ops(network, BorderThreshold)


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_channels_that_say_nothing_are_padded_too(offset: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w = Writer()
    x = w.binary("Add", w.binary("Mul", "x", [[[0.0]], [[1.0]]]), offset)
    weights = w.constant(rng.integers(-3, 4, (2, 2, 3, 3)))
    y = w.quant(w.node("Conv", [x, weights], pads=[1] * 4), 2.0)
    data = some_inputs(rng, NIBBLE, 2, 4, 5)
    network, _ = compare(w.model(y, 2, 4, 5), tmp_path, data, RawInput(NIBBLE))
    assert bool(ops(network, BorderThreshold)) == bool(offset)


@pytest.mark.parametrize("filters", [1, 2, 3])
def test_a_padded_depthwise_convolution_of_signs_leaves_padding_out(
    filters: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(filters)
    w = Writer()
    weights = w.bipolar(w.constant(rng.normal(0, 1, (2 * filters, 1, 2, 3))), 0.5)
    y = w.node("Conv", ["x", weights], group=2, pads=[1, 1, 0, 1])
    y = w.bipolar(normalized(w, y, rng, 2 * filters))
    raw = RawInput(BIPOLAR)
    network, _ = compare(w.model(y, 2, 2, 2), tmp_path, all_inputs(BIPOLAR, 2, 2, 2), raw)
    (op,) = ops(network, Conv)
    assert op.groups == 2
    assert op.fill == 0


def test_scales_of_channels_pass_a_depthwise_convolution(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w = Writer()
    scale = np.array([[0.5], [0.3], [1.7]])
    x = w.quant("x", scale, bits=3)
    y = w.node("Conv", [x, w.constant(rng.integers(-3, 4, (6, 1, 3)))], group=3, pads=[1, 1])
    y = w.quant(y, 0.37, bits=4)
    data = rng.integers(-8, 8, (20, 3, 5))
    network, _ = compare(w.model(y, 3, 5), tmp_path, data, RawInput(NIBBLE))
    (op,) = ops(network, Conv)
    assert int(np.abs(op.weights.int64).max()) <= 3


def test_scales_of_channels_are_multiplied_into_dense_and_grouped_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w = Writer()
    x = w.quant("x", [[0.5], [0.75], [2.0], [3.0]], bits=3)
    y = w.node("Conv", [x, w.constant(rng.integers(-3, 4, (4, 2, 3)))], group=2, pads=[1, 1])
    y = w.node(
        "Conv",
        [
            w.quant(y, [[0.25], [0.5], [0.25], [1.0]], bits=3),
            w.constant(rng.integers(-3, 4, (2, 4, 1))),
        ],
    )
    y = w.quant(y, 0.37, bits=4)
    data = rng.integers(-8, 8, (20, 4, 5))
    network, _ = compare(w.model(y, 4, 5), tmp_path, data, RawInput(NIBBLE))
    grouped, dense = ops(network, Conv)
    largest = [int(np.abs(op.weights.int64).max()) for op in (grouped, dense)]
    assert largest[0] <= 9
    assert largest[1] <= 12


@pytest.mark.parametrize("seed", range(12))
def test_channels_last_models_are_read_as_they_are_written(seed: int, tmp_path: Path) -> None:
    rng, rank = sizes(seed)
    layer = Layer(rng, rank=rank, groups=1 + seed % 2)
    w = Writer()
    weights = np.moveaxis(layer.weights(), 1, -1)
    inputs = ["x", w.constant(weights), w.constant(layer.numbers(layer.filters))]
    y = w.node("Conv", inputs, domain=CHANNELS_LAST, **layer.attributes)
    parameters = [w.constant(rng.normal(0, 1, layer.filters)) for _ in range(3)]
    inputs = [y, *parameters, w.constant(np.ones(layer.filters))]
    y = w.node("BatchNormalization", inputs, domain=CHANNELS_LAST, epsilon=1e-5)
    y = w.quant(y, 0.37, bits=3)
    shape = (*layer.image, layer.channels)
    network, _ = compare(
        w.model(y, *shape), tmp_path, some_inputs(rng, NIBBLE, *shape), RawInput(NIBBLE)
    )
    assert not ops(network, Permute)


def refused(
    kind: str = "Conv",
    weights: tuple[int, ...] = (2, 2, 3, 3),
    *,
    image: tuple[int, ...] = (2, 4, 5),
    bias: int = 0,
    **attributes: Any,  # noqa: ANN401 - as in ONNX
) -> ModelProto:
    w = Writer()
    inputs = [w.quant("x"), w.constant(np.ones(weights))]
    if bias:
        inputs.append(w.constant(np.ones(bias)))
    return w.model(w.quant(w.node(kind, inputs, name="it", **attributes)), *image)


def of_floats(w: Writer) -> str:
    return w.node("Conv", ["x", w.constant(np.ones((1, 2, 1, 1)))], name="it")


def of_float_weights(w: Writer) -> str:
    weights = np.random.default_rng(0).normal(0, 1, (1, 2, 1, 1))
    return w.node("Conv", [w.quant("x"), w.constant(weights)], name="it")


def of_activations(w: Writer) -> str:
    x = w.node("Sigmoid", [w.quant("x")], name="act")
    return w.node("Conv", [x, w.constant(np.ones((1, 2, 1, 1)))], name="it")


def of_weights_that_depend_on_data(w: Writer) -> str:
    x = w.quant("x")
    return w.node("Conv", [x, x], name="it")


def of_scales_for_every_weight(w: Writer) -> str:
    scale = np.random.default_rng(0).uniform(1, 2, (1, 2, 1, 2))
    return w.node("Conv", [w.quant("x"), w.quant(w.constant(scale), scale)], name="it")


def of_scales_along_the_image(w: Writer) -> str:
    x = w.quant("x", [[0.5, 0.25, 0.75, 0.3, 0.2]])
    return w.node("Conv", [x, w.constant(np.ones((1, 2, 1, 1)))], name="it")


def of_scales_that_meet_in_wide_multipliers(w: Writer) -> str:
    x = w.quant("x", [[[1.1e-9]], [[0.7]]])
    return w.node("Conv", [x, w.constant(np.ones((1, 2, 1, 1)))], name="it")


def built(layer: Callable[[Writer], str]) -> ModelProto:
    w = Writer()
    return w.model(w.quant(layer(w)), 2, 4, 5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (refused(weights=(2, 2, 3)), r"do not fit data of the shape \['N', 2, 4, 5\]; both should"),
        (refused(weights=(2, 3, 3, 3)), "2 channels in 1 groups do not fit 2 filters of 3"),
        (refused(weights=(3, 1, 3, 3), group=2), "2 channels in 2 groups do not fit 3 filters"),
        (refused(weights=(0, 2, 3, 3)), "should have 3 or 4 dimensions, none of them 0"),
        (refused(group=0), "in 0 groups do not fit"),
        (refused(pads=[1] * 4, auto_pad="VALID"), r"pads \[1, 1, 1, 1\] and .* VALID say two"),
        (refused("ConvTranspose", pads=[0, 1, 0, 0], auto_pad="SAME_LOWER"), "say two things"),
        (refused(kernel_shape=[3, 2]), r"kernel_shape \[3, 2\] is not that of its weights, \[3, 3"),
        (
            refused(bias=3),
            r"its bias of the shape \[3\] should be one number for each of 2 filters",
        ),
        (refused(weights=(2, 2, 5, 5)), "do not fit into .* use a smaller kernel, or pad more"),
        (refused(weights=(2, 2, 1, 1, 1), image=(2, 3, 3, 3)), "over 3 dimensions, and this"),
        (refused("ConvTranspose", group=3), "2 channels can't be in 3 groups"),
        (refused("ConvTranspose", output_padding=[-1, 0]), "output_padding .* not be negative"),
        (refused("ConvTranspose", output_shape=[3]), "should be 2 numbers, for the dimensions of"),
        (refused("ConvTranspose", output_shape=[0, 3]), "output_shape .* should be positive"),
        (refused("ConvTranspose", output_shape=[9, 3]), "should have 9 results .* it has 6: the"),
        (refused("ConvTranspose", pads=[3] * 4, weights=(2, 2, 1, 1)), "do not fit into"),
        (built(of_floats), "a convolution needs quantized data, but the model's input reaches it"),
        (built(of_float_weights), r"weights are not quantized; .* \(brevitas.nn.QuantConv2d\)"),
        (built(of_activations), "Sigmoid node 'act' before it makes floats .* not followed by a"),
        (
            built(of_weights_that_depend_on_data),
            "its weight tensor depends on the data, which no fixed",
        ),
        (built(of_scales_for_every_weight), "every weight has a scale of its own; use one"),
        (built(of_scales_along_the_image), "varies along another dimension than that of the sum"),
        (built(of_scales_that_meet_in_wide_multipliers), "meet in multipliers of .* bits; use one"),
    ],
)
def test_what_is_no_convolution_of_integers_is_refused(
    model: ModelProto, message: str, tmp_path: Path
) -> None:
    raw = None if "needs quantized data" in message else RawInput(NIBBLE)
    with pytest.raises(ModelError, match=f"'it': .*{message}|'it' .*{message}"):
        streamline(write(model, tmp_path), raw)


def test_a_chain_of_convolutions_without_quantizers_is_exact(tmp_path: Path) -> None:
    # The offset of the second layer's input differs along the border already.
    rng = np.random.default_rng(0)
    w = Writer()
    x = w.binary("Add", "x", [[[0.3]], [[0.7]]])
    for _ in range(2):
        weights = w.constant(rng.integers(-2, 3, (2, 2, 3, 2)))
        inputs = [x, weights, w.constant(rng.normal(0, 1, 2))]
        x = w.node("Conv", inputs, pads=[1, 1, 1, 0], strides=[1, 2])
    x = w.node("ConvTranspose", [x, w.constant(rng.integers(-2, 3, (2, 2, 2, 2)))], strides=[2, 2])
    x = w.node("Conv", [x, w.constant(rng.integers(-2, 3, (2, 2, 1, 1)))])
    y = w.quant(normalized(w, x, rng, 2), 2.7, bits=4)
    data = some_inputs(rng, NIBBLE, 2, 7, 9)
    network, _ = compare(w.model(y, 2, 7, 9), tmp_path, data, RawInput(NIBBLE))
    assert len(ops(network, Conv)) == 4
