"""Orders of values: images go in as they are read, and nothing waits for a permutation."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from lutloom.core.graph import Graph, Node
from lutloom.core.meaning import ValueMeaning
from lutloom.core.network import Network, load_network, save_network
from lutloom.core.ops import Add, Linear, Permute, Reshape
from lutloom.core.ports import InputPort, OutputPort
from lutloom.core.types import Const, IntType, TensorType
from lutloom.streamline.comparison import compare as compare_floats
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import read_source
from lutloom.streamline.value_order import without_permuted_inputs
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

NIBBLE = IntType(-8, 7)
SHAPE = (3, 4, 5)


def integers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).integers(-8, 8, shape)


def weights(w: Writer, seed: int, *shape: int) -> str:
    return w.constant(np.random.default_rng(seed).integers(-3, 4, shape))


def conv(w: Writer, x: str, channels: int, filters: int, *, seed: int = 0, pad: int = 1) -> str:
    k = weights(w, seed, filters, channels, 3, 3)
    return w.node("Conv", [x, k], pads=[pad] * 4)


def normalized(w: Writer, x: str, seed: int, channels: int) -> str:
    gamma, beta, mean = np.random.default_rng(seed).normal(0, 1, (3, channels))
    return w.batch_norm(x, gamma, beta, mean, np.ones(channels))


def dense(w: Writer, x: str, fan_in: int, outputs: int = 3) -> str:
    return w.node("MatMul", [x, weights(w, 7, fan_in, outputs)])


def moves(network: Network) -> list[str]:
    return [n.op.name for n in network.graph.nodes if isinstance(n.op, Permute | Reshape)]


def flat(w: Writer) -> str:
    return w.node("Flatten", [conv(w, "x", 3, 2)], axis=1)


def quantized_behind_flatten(w: Writer) -> str:
    return dense(w, w.quant(flat(w), 3.7, bits=3), 40)


def normalized_by_element(w: Writer) -> str:
    return dense(w, w.quant(normalized(w, flat(w), 1, 40), 0.7, bits=3), 40)


def scales_by_element(w: Writer) -> str:
    scale = np.random.default_rng(0).uniform(1, 9, 40)
    return dense(w, w.quant(flat(w), np.round(scale) / 4, bits=3), 40)


def many_levels(w: Writer) -> str:
    return dense(w, w.quant(flat(w), 2.0**-6, bits=16, mode="FLOOR"), 40)


def two_readers(w: Writer) -> str:
    x = w.quant(flat(w), 3.7, bits=3)
    return w.node("Add", [dense(w, x, 40), dense(w, w.quant(x, 8.0, bits=2), 40)])


def two_branches(w: Writer) -> str:
    x = w.node("Flatten", [w.quant(conv(w, "x", 3, 2), 3.0, bits=4)], axis=1)
    y = w.node("Flatten", [w.quant(conv(w, "x", 3, 2, seed=1), 3.0, bits=4)], axis=1)
    return dense(w, w.quant(w.node("Add", [x, y]), 3.0, bits=3), 40)


def pooled(w: Writer) -> str:
    x = w.node("MaxPool", [conv(w, "x", 3, 2)], kernel_shape=[2, 2], strides=[2, 2])
    x = w.node("Flatten", [w.quant(x, 3.7, bits=3)], axis=1)
    return dense(w, x, 8)


@pytest.mark.parametrize(
    "layers",
    [
        quantized_behind_flatten,
        normalized_by_element,
        scales_by_element,
        many_levels,
        two_readers,
        two_branches,
        pooled,
    ],
)
def test_nothing_is_permuted_between_a_convolution_and_a_product(
    layers: Callable[[Writer], str], tmp_path: Path
) -> None:
    w = Writer()
    model = w.model(w.quant(layers(w), 20.0, bits=4), *SHAPE)
    network, tally = compare(model, tmp_path, integers(0, 20, *SHAPE), RawInput(NIBBLE))
    assert set(moves(network)) <= {"reshape"}
    quantizers = sum(node.op_type == "Quant" for node in model.graph.node)
    assert sum(entry.is_quantized for entry in network.meaning.values()) == quantizers + 1
    assert tally.quantized


def test_a_flat_tensor_in_another_order_means_what_it_meant(tmp_path: Path) -> None:
    w = Writer()
    y = w.quant(flat(w), np.arange(1, 41) / 4, bits=3)
    data = integers(0, 20, *SHAPE)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, data, RawInput(NIBBLE))
    entry = network.output.meaning
    assert entry.split == (2, 4, 5)
    assert entry.axes == (1, 2, 0)
    assert moves(network) == ["reshape"]
    save_network(network, tmp_path)
    assert load_network(tmp_path).meaning == network.meaning
    array = np.arange(80).reshape(2, 40)
    assert (entry.in_model_order(entry.in_value_order(array)) == array).all()


def test_a_float_executor_is_compared_element_by_element_in_the_order_of_the_model(
    tmp_path: Path,
) -> None:
    w = Writer()
    y = w.quant(dense(w, w.quant(normalized(w, flat(w), 1, 40), 0.7, bits=3), 40), 20.0, bits=4)
    path = write(w.model(y, *SHAPE), tmp_path)
    network = streamline(path, RawInput(NIBBLE))
    assert any(entry.split for entry in network.meaning.values())
    data = integers(0, 200, *SHAPE)
    tensors = execute(path, data.astype(np.float32))
    comparison = compare_floats(network, read_source(path), tensors, network.encode(data))
    assert len(comparison.layers) == 3
    for layer in comparison.layers:
        assert layer.differing == layer.explained < layer.elements // 100
    assert not comparison.beyond


def first_quantizer(w: Writer) -> str:
    return conv(w, w.quant("x", 2.0, bits=3), 3, 2)


def two_quantizers(w: Writer) -> str:
    x = w.node("Add", [w.quant("x", 2.0, bits=3), w.quant("x", 4.0, bits=3, mode="FLOOR")])
    return w.node("Add", [conv(w, w.quant(x, 2.0, bits=4), 3, 2), conv(w, "x", 3, 2, seed=1)])


def residual(w: Writer) -> str:
    return w.node("Add", ["x", conv(w, "x", 3, 3)])


def normalized_pixels(w: Writer) -> str:
    x = w.binary(
        "Div", w.binary("Sub", "x", [[[0.5]], [[0.3]], [[0.2]]]), [[[2.0]], [[3.0]], [[1.5]]]
    )
    return conv(w, x, 3, 2)


def wide_quantizer(w: Writer) -> str:
    return conv(w, w.quant("x", 2.0**-12, bits=16), 3, 2)


def transposed_and_back(w: Writer) -> str:
    x = w.node("Transpose", ["x"], perm=[0, 2, 3, 1])
    return conv(w, w.node("Transpose", [w.quant(x, 2.0, bits=3)], perm=[0, 3, 1, 2]), 3, 2)


@pytest.mark.parametrize(
    "layers",
    [
        first_quantizer,
        two_quantizers,
        residual,
        normalized_pixels,
        wide_quantizer,
        transposed_and_back,
    ],
)
def test_the_host_permutes_the_image(layers: Callable[[Writer], str], tmp_path: Path) -> None:
    w = Writer()
    y = w.quant(layers(w), 5.3, bits=4)
    data = integers(0, 20, *SHAPE)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, data, RawInput(NIBBLE))
    assert network.graph.inputs[network.input_value].shape == (4, 5, 3)
    assert network.input.shape == SHAPE
    assert network.meaning[network.input_value].axes == (1, 2, 0)
    assert not moves(network)


def test_the_host_permutes_what_it_has_quantized(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", [[[0.5]], [[0.25]], [[0.5]]], bits=3)
    y = w.quant(conv(w, x, 3, 2), 5.3, bits=4)
    data = np.random.default_rng(0).normal(0, 1, (20, *SHAPE)).astype(np.float32)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, data)
    assert network.input.head
    assert network.graph.inputs[network.input_value].shape == (4, 5, 3)
    assert not moves(network)


def test_an_image_that_is_read_in_two_orders_is_permuted_on_the_fpga(tmp_path: Path) -> None:
    w = Writer()
    rows = dense(w, "x", 5, 5)
    y = w.node("Add", [conv(w, "x", 3, 3), rows])
    data = integers(0, 20, *SHAPE)
    network, _ = compare(w.model(w.quant(y, 5.3), *SHAPE), tmp_path, data, RawInput(NIBBLE))
    assert network.graph.inputs[network.input_value].shape == SHAPE
    assert "permute" in moves(network)


PERMUTED = Graph(
    {"x": TensorType(NIBBLE, (2, 3))},
    (
        Node(("p",), Permute((1, 0)), ("x",)),
        Node(("y",), Linear(Const([[1, 2], [3, 4]])), ("p",)),
    ),
    ("y",),
)


@pytest.mark.parametrize(
    ("scales", "outputs", "is_absorbed"),
    [(1, ("y",), True), (3, ("y",), False), (1, ("p",), False)],
)
def test_an_input_stays_where_its_channels_or_the_output_would_move(
    scales: int, outputs: tuple[str, ...], is_absorbed: bool
) -> None:
    entry = ValueMeaning((Fraction(1),) * scales, (Fraction(0),), "t", "n", (0, 1), True)
    whole = replace(entry, scale=(Fraction(1),))
    graph = Graph(PERMUTED.inputs, PERMUTED.nodes, outputs)
    meaning = {"x": entry, outputs[0]: whole}
    network = Network(
        graph,
        meaning,
        (InputPort("x", "x", (2, 3), (), is_raw=True),),
        (OutputPort("y", outputs[0], whole, (3, 2), (), is_integer=False),),
    )
    after = without_permuted_inputs(network)
    assert (after is not network) == is_absorbed
    if is_absorbed:
        assert after.meaning["x"].axes == (1, 0)
        assert after.graph.inputs["x"].shape == (3, 2)


@pytest.mark.parametrize(
    "shape", [(0, 2, 4, 5), (0, 2, -1), (0, 2, 1, 4, 5), (0, -1), (0, 2, 4, 5, 1)]
)
def test_offsets_along_the_border_move_with_their_elements(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    w = Writer()
    x = conv(w, w.binary("Add", "x", [[[0.5]], [[0.3]], [[0.2]]]), 3, 2)
    y = w.quant(w.reshape(x, shape), 5.3, bits=4)
    compare(w.model(y, *SHAPE), tmp_path, integers(0, 20, *SHAPE), RawInput(NIBBLE))


@pytest.mark.parametrize("axis", [2, 3])
def test_a_convolution_over_one_axis_may_be_written_as_one_over_two(
    axis: int, tmp_path: Path
) -> None:
    w = Writer()
    x: str = w.quant("x", 2.0, bits=3)
    for seed in range(2):
        x = w.with_axes("Unsqueeze", x, [axis])
        kernel = (1, 3) if axis == 2 else (3, 1)
        pads = [0, 1, 0, 1] if axis == 2 else [1, 0, 1, 0]
        x = w.node("Conv", [x, weights(w, seed, 3, 3, *kernel)], pads=pads)
        x = w.quant(normalized(w, w.with_axes("Squeeze", x, [axis]), seed, 3), 0.8, bits=3)
    y = w.quant(dense(w, w.node("Flatten", [x], axis=1), 15), 2.0)
    data = integers(0, 20, 3, 5)
    network, _ = compare(w.model(y, 3, 5), tmp_path, data, RawInput(NIBBLE))
    assert "permute" not in moves(network)
    assert network.graph.inputs[network.input_value].shape == (5, 3)


def test_places_are_joined_and_split_without_moving(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant(conv(w, "x", 3, 2), 3.0, bits=3)
    x = w.node("Conv", [w.reshape(x, [0, 2, -1]), weights(w, 3, 4, 2, 3)], pads=[1, 1])
    x = w.reshape(w.quant(normalized(w, x, 0, 4), 0.8, bits=3), [0, 4, 4, 5])
    y = w.quant(conv(w, x, 4, 2), 3.0)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, integers(0, 20, *SHAPE), RawInput(NIBBLE))
    assert "permute" not in moves(network)


def test_channels_are_shuffled_by_one_permutation(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant(normalized(w, conv(w, "x", 3, 6), 0, 6), 0.8, bits=3)
    x = w.reshape(x, [0, 2, 3, 4, 5])
    x = w.reshape(w.node("Transpose", [x], perm=[0, 2, 1, 3, 4]), [0, 6, 4, 5])
    y = w.node("Conv", [x, weights(w, 5, 6, 2, 3, 3)], group=3, pads=[1] * 4)
    y = w.quant(normalized(w, y, 1, 6), 0.8, bits=3)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, integers(0, 20, *SHAPE), RawInput(NIBBLE))
    assert moves(network) == ["reshape", "permute", "reshape"]


def test_residual_blocks_stay_channels_last(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant(conv(w, "x", 3, 4), 3.0, bits=3)
    for seed in range(2):
        y = w.quant(normalized(w, conv(w, x, 4, 4, seed=seed), seed, 4), 0.5, bits=3)
        y = normalized(w, conv(w, y, 4, 4, seed=seed + 5), seed + 5, 4)
        x = w.quant(w.node("Add", [w.quant(y, 0.5, bits=3), w.quant(x, 0.5, bits=3)]), 0.5, bits=3)
    y = w.quant(dense(w, w.node("Flatten", [x], axis=1), 80), 2.0)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, integers(0, 20, *SHAPE), RawInput(NIBBLE))
    assert moves(network) == ["reshape"]
    assert any(isinstance(node.op, Add) for node in network.graph.nodes)
