"""Networks on images beside qonnx's executor: equal, or explained; and what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.graph import Graph
from lutloom.core.ops import Conv, SumPool, Threshold
from lutloom.core.types import Const
from lutloom.sim.reference import run
from lutloom.streamline.comparison import compare, compare_batch
from lutloom.streamline.comparison_parts import Comparison, merge
from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import read_source
from tests.exact import reason_of
from tests.models import Writer, write
from tests.random_images import random_image_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.core.network import Network


def compared(path: Path, network: Network, data: NDArray[Any]) -> Comparison:
    encoded = network.encode(data)
    floats = data.astype(np.float32)
    if network.input.is_raw:
        meaning = network.meaning[network.input_value]
        floats = meaning.in_model_order(meaning.to_real(encoded))
    return compare(network, read_source(path), execute(path, floats), encoded)


@pytest.mark.parametrize("seed", range(32))
def test_a_random_network_on_images_is_equal_or_explained(seed: int, tmp_path: Path) -> None:
    sample = random_image_network(seed, powers_of_two=seed % 2 == 0, functions=seed % 4 > 1)
    path = write(sample.model, tmp_path)
    try:
        network = streamline(path, sample.raw)
        result = compared(path, network, sample.data)
    except ModelError as error:
        if "qonnx's executor" not in str(error):  # it runs less than we read
            reason_of(error)
        return
    assert result.beyond == ()
    for layer in result.layers:
        assert layer.is_equal, layer
        # Where float32 is error-free nothing is excused; raw integers have no bound at all.
        assert layer.largest_bound is not None or layer.value == network.input_value
        assert layer.largest_bound or layer.differing == 0
    assert result.outside in (0, None)


def small_cnn(directory: Path, *, scale: float) -> Path:
    """Return a network with each kind of layer: padded, depthwise, grouped, pooled, averaged."""
    random = np.random.default_rng(0)
    model = Writer()

    def layer(x: str, shape: tuple[int, ...], **attributes: Any) -> str:  # noqa: ANN401
        weights = model.quant(model.constant(random.integers(-7, 8, shape) * scale), scale, bits=4)
        x = model.node("Conv", [x, weights], **attributes)
        gamma = np.where(np.arange(shape[0]) % 3, 0.5, -0.25)
        x = model.batch_norm(x, gamma, [0.125] * shape[0], [0.25] * shape[0], [4.0] * shape[0], 0.0)
        return model.quant(x, 0.5 if scale == 0.25 else 0.3, bits=3)

    x = layer(model.quant("x", 0.25, bits=4), (6, 3, 3, 3), pads=[1, 1, 1, 1])
    x = layer(x, (6, 1, 3, 3), pads=[0, 1, 2, 1], group=6, strides=[2, 1])
    x = model.node("MaxPool", [x], kernel_shape=[2, 2], strides=[1, 2])
    x = layer(x, (8, 3, 1, 2), group=2)
    x = model.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = model.quant(x, 0.25 if scale == 0.25 else 0.3, bits=4)
    x = model.node("Flatten", [x])
    x = model.matmul(x, random.integers(-7, 8, (16, 4)) * scale, bits=4, scale=scale)
    return write(model.model(x, 3, 9, 8), directory)


def images(count: int = 40) -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return random.normal(0, 1, (count, 3, 9, 8)).astype(np.float32)


@pytest.mark.parametrize("scale", [0.25, 0.1])
def test_a_network_with_each_kind_of_layer_is_equal(scale: float, tmp_path: Path) -> None:
    path = small_cnn(tmp_path, scale=scale)
    result = compared(path, streamline(path), images())
    assert len(result.layers) == 5
    assert all(layer.is_equal for layer in result.layers)
    assert result.beyond == ()
    assert result.outside == 0
    if scale == 0.25:
        # Powers of two throughout: float32 makes no error, and so there is no excuse.
        assert all(layer.largest_bound == 0 for layer in result.layers)
        assert all(layer.differing == 0 for layer in result.layers)


def mutated(network: Network, kind: type, which: int, change: Callable[[Any], Any]) -> Network:
    """Return ``network`` with another operator in place of the one of that ``kind``."""
    nodes: list[Node] = list(network.graph.nodes)
    places = [i for i, node in enumerate(nodes) if isinstance(node.op, kind)]
    nodes[places[which]] = replace(nodes[places[which]], op=change(nodes[places[which]].op))
    graph = Graph(network.graph.inputs, tuple(nodes), network.graph.outputs)
    return replace(network, graph=graph)


def other_weight(op: Conv) -> Conv:
    weights = op.weights.int64.copy()
    weights.flat[0] += 1
    return replace(op, weights=Const(weights))


def other_threshold(op: Threshold) -> Threshold:
    return replace(op, thresholds=Const(op.thresholds.int64 + 1))


@pytest.mark.parametrize(
    ("kind", "which", "change", "where"),
    [
        (Conv, 0, other_weight, 1),
        (Conv, 1, other_weight, 2),
        (Conv, 2, other_weight, 3),
        (Conv, 0, lambda op: replace(op, fill=1), 1),
        (Conv, 1, lambda op: replace(op, pads=(1, 1, 1, 1)), 2),
        (SumPool, 0, lambda op: replace(op, pads=(1, 1, -1, -1)), 4),
        (Threshold, 0, other_threshold, 1),
        (Threshold, 3, other_threshold, 4),
    ],
)
def test_a_seeded_difference_is_found_where_it_is(
    kind: type, which: int, change: Callable[[Any], Any], where: int, tmp_path: Path
) -> None:
    path = small_cnn(tmp_path, scale=0.1)
    network = streamline(path)
    layers = compared(path, mutated(network, kind, which, change), images()).layers
    assert [layer.is_equal for layer in layers] == [index != where for index in range(5)]


def test_batches_are_added_up(tmp_path: Path) -> None:
    path = small_cnn(tmp_path, scale=0.1)
    network, source, x = streamline(path), read_source(path), images(7)
    whole = compared(path, network, x)
    constants = fold_constants(source)
    parts = [
        compare_batch(network, source, execute(path, part), network.encode(part), constants)
        for part in (x[:3], x[3:6], x[6:])
    ]
    together = merge(parts)
    for one, other in zip(whole.layers, together.layers, strict=True):
        assert (one.elements, one.differing, one.ties) == (
            other.elements,
            other.differing,
            other.ties,
        )
        assert one.largest_bound == other.largest_bound
        assert one.median_bound == other.median_bound


def test_an_executor_that_lays_windows_elsewhere_is_named(tmp_path: Path) -> None:
    """ONNX Runtime leaves dilations out where it finds the padding of a pool by itself."""
    model = Writer()
    x = model.quant("x", 0.5, bits=4)
    attributes: dict[str, Any] = {"kernel_shape": [3, 2], "dilations": [2, 1], "strides": [1, 1]}
    x = model.node("MaxPool", [x], auto_pad="SAME_UPPER", **attributes)
    path = write(model.model(model.quant(x, 1.0, bits=3), 3, 2, 2), tmp_path)
    data = np.ones((4, 3, 2, 2), np.float32)
    network = streamline(path)
    tensors = execute(path, data)
    with pytest.raises(ModelError, match=r"executor can't run the model: it gives .* the shape "):
        compare(network, read_source(path), tensors, network.encode(data))


def test_a_bias_that_takes_everything_away_is_no_difference(tmp_path: Path) -> None:
    """Zero in float32, without an error, and what float64 leaves of ``scale * integer + bias``."""
    data, left = np.zeros((1, 7), np.float32), []
    for scale in np.arange(0.1, 1.0, 0.05).tolist():
        model = Writer()
        x = model.quant("x", scale, 3.0, bits=4, signed=False)
        weights = model.quant(model.constant(np.full((7, 2), 0.37)), 0.37, bits=4)
        x = model.node("Gemm", [x, weights], alpha=-1.3637)
        path = write(model.model(x, 7), tmp_path)
        network = streamline(path)
        assert not network.output.tail
        assert compared(path, network, data).outside == 0
        left.append(network.decode(run_graph(network, data)).any())
    assert any(left), "the example has lost its point"


def run_graph(network: Network, data: NDArray[Any]) -> NDArray[Any]:
    values = run(network.graph, {network.input_value: network.encode(data)})
    return values[network.output_value]
