"""Concat: branches of any scales and forms, constants among them, along any axis."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from lutloom.core.ops import Concat, Conv, Requantize, Threshold
from lutloom.streamline.errors import ModelError
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write
from tests.moves import FORMS, NIBBLE, made

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]


def joined(w: Writer, *branches: str, axis: int = 1, name: str = "cat") -> str:
    return w.node("Concat", branches, name=name, axis=axis)


def check(w: Writer, x: str, directory: Path, *shape: int, count: int = 12) -> Network:
    """Check a model that quantizes ``x`` behind a factor."""
    model = w.model(w.quant(w.binary("Mul", x, 0.7), 0.4, bits=3), *shape)
    data = np.random.default_rng(0).integers(-8, 8, (count, *shape))
    network, _ = compare(model, directory, data, NIBBLE)
    return network


@pytest.mark.parametrize("right", FORMS)
@pytest.mark.parametrize("left", FORMS)
@pytest.mark.parametrize("axis", [1, 3])
def test_any_two_forms_are_joined_exactly(left: str, right: str, axis: int, tmp_path: Path) -> None:
    w = Writer()
    branches = [made(w, form, (2, 3, 3)) for form in (left, right)]
    check(w, joined(w, *branches, axis=axis), tmp_path, 2, 3, 3, count=5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["transpose", "reshape", "slice", "resize", "split", "again"])
def test_what_moves_behind_a_join_is_exact(form: str, kind: str, tmp_path: Path) -> None:
    w = Writer()
    x = joined(w, made(w, form, (2, 3, 3)), made(w, "curve", (2, 3, 3)))
    match kind:
        case "transpose":
            x = w.node("Transpose", [x], perm=[0, 2, 3, 1])
        case "reshape":
            x = w.reshape(x, [0, 2, 2, 9])
        case "slice":
            numbers = [w.constant(n, np.int64) for n in ([1, 1], [3, 3], [1, 2])]
            x = w.node("Slice", [x, *numbers])
        case "resize":
            x = w.node("Resize", [x, "", w.constant([1, 1, 2, 2])], mode="nearest")
        case "split":
            x = w.node("Split", [x, w.constant([1, 3], np.int64)], axis=1, outputs=("a", "b"))
        case "again":
            x = w.node("Concat", [x, made(w, "sum", (2, 3, 3))], axis=1)
    check(w, x, tmp_path, 2, 3, 3, count=5)


@pytest.mark.parametrize("kind", ["Conv", "MatMul", "AveragePool", "MaxPool", "Add"])
def test_layers_take_channels_with_scales_of_their_own(kind: str, tmp_path: Path) -> None:
    w = Writer()
    x = joined(
        w, w.quant("x", 0.75, bits=3), w.quant("x", 0.5, bits=2), made(w, "channels", (2, 3, 3))
    )
    match kind:
        case "Conv":
            weights = np.random.default_rng(0).integers(-3, 4, (2, 6, 3, 3))
            x = w.node("Conv", [x, w.quant(w.constant(weights), 0.25)], pads=[1, 1, 1, 1])
        case "MatMul":
            weights = np.random.default_rng(0).integers(-3, 4, (54, 4))
            x = w.matmul(w.reshape(x, [0, -1]), weights)
        case "AveragePool" | "MaxPool":
            x = w.node(kind, [x], kernel_shape=[2, 2])
        case "Add":
            x = w.node("Add", [x, joined(w, *["x"] * 3, name="x3")])
    check(w, x, tmp_path, 2, 3, 3, count=6)


def test_equal_scales_stay_one_and_nothing_is_added(tmp_path: Path) -> None:
    """As in a U-Net whose branches share a quantizer: the join is a join and no more."""
    w = Writer()
    x = w.quant("x", 0.75, bits=3)
    y = w.quant(w.node("MaxPool", [x], kernel_shape=[3, 3], pads=[1] * 4), 0.75, bits=3)
    weights = np.random.default_rng(0).integers(-3, 4, (2, 4, 1, 1))
    z = w.node("Conv", [joined(w, x, y), w.quant(w.constant(weights), 0.25)])
    network = check(w, z, tmp_path, 2, 3, 3)
    (conv,) = [node.op for node in network.graph.nodes if isinstance(node.op, Conv)]
    assert conv.weights.hi <= 7
    assert [type(node.op) for node in network.graph.nodes].count(Concat) == 1


@pytest.mark.parametrize("axis", [2, 3])
def test_places_of_other_scales_get_one_where_that_is_narrow(axis: int, tmp_path: Path) -> None:
    w = Writer()
    weights = w.quant(w.constant(np.random.default_rng(0).integers(-3, 4, (2, 2, 3, 3))), 0.25)
    x = w.node("Conv", ["x", weights], pads=[1] * 4)
    x = joined(w, w.quant(x, 0.75, bits=3), w.quant(x, 0.5, 1.0, bits=3), axis=axis)
    x = w.node("Conv", [x, weights])
    network = check(w, x, tmp_path, 2, 3, 3)
    assert any(isinstance(node.op, Requantize) for node in network.graph.nodes)


def test_places_of_scales_that_meet_in_wide_multipliers_are_for_quantizers(tmp_path: Path) -> None:
    w = Writer()
    x = joined(w, w.quant("x", 0.7, bits=3), w.quant("x", 0.3, bits=3), axis=2)
    network = check(w, x, tmp_path, 2, 3, 3)
    assert not any(isinstance(node.op, Requantize) for node in network.graph.nodes)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["zeros", "grid", "channels", "places", "floats"])
@pytest.mark.parametrize("axis", [1, 2])
def test_constants_are_joined_exactly(form: str, kind: str, axis: int, tmp_path: Path) -> None:
    w = Writer()
    rng = np.random.default_rng(0)
    shape = (1, 2, 2, 3)
    values: dict[str, Array] = {
        "zeros": np.zeros(shape),
        "grid": 0.75 * np.ones(shape),
        "channels": np.broadcast_to(rng.normal(0, 1, (1, 2, 1, 1)), shape),
        "places": rng.integers(-3, 4, shape) * 0.75,
        "floats": rng.normal(0, 1, shape),
    }
    constant = values[kind] if axis == 2 else values[kind][:, :, :1].repeat(3, axis=2)
    x = joined(w, w.constant(constant), made(w, form, (2, 3, 3)), axis=axis)
    if form == "pool":
        with pytest.raises(ModelError, match="joins a constant and what is no integer yet"):
            check(w, x, tmp_path, 2, 3, 3)
        return
    check(w, x, tmp_path, 2, 3, 3, count=4)


def test_a_constant_on_the_grid_of_the_data_keeps_one_scale_and_bias(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.75, bits=3)
    x = joined(w, x, w.constant(np.zeros((1, 1, 3, 3))))
    weights = np.random.default_rng(0).integers(-3, 4, (2, 3, 3, 3))
    x = w.node("Conv", [x, w.quant(w.constant(weights), 0.25)], pads=[1, 1, 1, 1])
    network = check(w, x, tmp_path, 2, 3, 3)
    (conv,) = [node.op for node in network.graph.nodes if isinstance(node.op, Conv)]
    assert conv.weights.hi <= 7


def test_a_token_that_is_expanded_to_the_batch_is_joined(tmp_path: Path) -> None:
    w = Writer()
    first = w.node("Gather", [w.node("Shape", ["x"]), w.constant([0], np.int64)])
    sizes = w.node("Concat", [first, w.constant([1, 4], np.int64)], axis=0)
    token = w.node("Expand", [w.constant(np.arange(4.0).reshape(1, 1, 4)), sizes])
    x = joined(w, token, w.quant("x", 0.75, bits=3))
    check(w, x, tmp_path, 3, 4)


def test_flat_branches_feed_a_layer(tmp_path: Path) -> None:
    w = Writer()
    image = w.quant("x", 0.75, bits=3)
    weights = np.random.default_rng(0).integers(-3, 4, (4, 2, 3, 3))
    y = w.node("Conv", [image, w.quant(w.constant(weights), 0.25)])
    y = w.quant(y, 0.5, bits=3)
    x = joined(w, w.reshape(image, [0, -1]), w.reshape(y, [0, -1]))
    check(w, w.matmul(x, np.random.default_rng(1).integers(-3, 4, (50 + 36, 4))), tmp_path, 2, 5, 5)


def test_all_inputs_of_a_tiny_join_are_exact(tmp_path: Path) -> None:
    w = Writer()
    x = joined(w, w.quant("x", 0.3, bits=2), w.node("Relu", [w.binary("Mul", "x", 0.21)]), "x")
    model = w.model(w.quant(w.binary("Mul", x, [0.5, -1, 1, -0.5, 2, 1]), 0.4, bits=3), 2)
    data = np.indices((16, 16)).reshape(2, -1).T - 8
    compare(model, tmp_path, data, NIBBLE)


def test_one_branch_is_itself(tmp_path: Path) -> None:
    w = Writer()
    check(w, joined(w, w.quant("x", 0.75, bits=3)), tmp_path, 2, 3)


def test_a_dense_block_is_as_narrow_as_its_levels(tmp_path: Path) -> None:
    """Growing joins of sums, each quantized behind a normalization of all channels."""
    w, rng = Writer(), np.random.default_rng(0)
    features, channels = w.quant("x", 0.75, bits=3), 2
    for _ in range(3):
        x = w.batch_norm(features, *rng.uniform(0.2, 1, (4, channels)))
        x = w.quant(w.node("Relu", [x]), 0.3, bits=3, signed=False)
        weights = w.quant(w.constant(rng.normal(0, 2, (2, channels, 3, 3))), 0.5)
        new = w.node("Conv", [x, weights], pads=[1] * 4)
        features = joined(w, features, new, name=f"cat{channels}")
        channels += 2
    check(w, features, tmp_path, 2, 4, 4, count=3)


@pytest.mark.parametrize(
    ("shapes", "axis", "message"),
    [
        (((2, 3), (3, 3)), 0, "cuts or joins along the batch"),
        (((2, 3), (2, 3)), 3, "its axis 3 is not one of 3 dimensions"),
        (((2, 3), (3, 3)), 2, r"joins tensors of the shapes \['N', 2, 3\] and \['N', 3, 3\]"),
        (((2, 3), (2, 3, 1)), 1, "which should differ along axis 1 only"),
    ],
)
def test_hostile_joins_are_refused(
    shapes: Sequence[tuple[int, ...]], axis: int, message: str, tmp_path: Path
) -> None:
    w = Writer()
    whole = w.quant("x")
    ends = [0, *np.cumsum([np.prod(shape) for shape in shapes]).tolist()]
    parts = []
    for shape, (start, end) in zip(shapes, pairwise(ends), strict=True):
        part = [w.constant([n], np.int64) for n in (start, end, 1)]
        parts.append(w.reshape(w.node("Slice", [whole, *part]), [0, *shape]))
    model = w.model(w.quant(joined(w, *parts, axis=axis), 0.5), ends[-1])
    with pytest.raises(ModelError, match=f"^Concat node 'cat'.*{message}"):
        streamline(write(model, tmp_path), NIBBLE)


@pytest.mark.parametrize(
    ("constant", "message"),
    [
        (np.zeros((2, 1, 3)), "which should be the same for every image: 1 in front"),
        (np.zeros((1, 3)), "which should be the same for every image: 1 in front"),
        (np.zeros((1, 1, 4)), "which should differ along axis 1 only"),
        (np.full((1, 1, 3), np.nan), "its constant is no number"),
    ],
)
def test_hostile_constants_are_refused(constant: Array, message: str, tmp_path: Path) -> None:
    w = Writer()
    x = joined(w, w.quant("x"), w.constant(constant))
    with pytest.raises(ModelError, match=f"^Concat node 'cat'.*{message}"):
        streamline(write(w.model(w.quant(x, 0.5), 2, 3), tmp_path), NIBBLE)


@pytest.mark.parametrize("reader", ["layer", "output"])
def test_functions_that_no_quantizer_reads_are_refused(reader: str, tmp_path: Path) -> None:
    w = Writer()
    x = joined(w, made(w, "curve", (2, 3, 3)), made(w, "levels", (2, 3, 3)))
    if reader == "layer":
        x = w.node("Conv", [x, w.quant(w.constant(np.ones((1, 4, 1, 1))))])
    message = "can't run on the host" if reader == "output" else "joins what is no integer yet"
    with pytest.raises(ModelError, match=f"^Concat node 'cat' {message}"):
        streamline(write(w.model(x, 2, 3, 3), tmp_path), NIBBLE)


def test_each_branch_of_functions_is_quantized_by_itself(tmp_path: Path) -> None:
    w = Writer()
    x = joined(w, made(w, "curve", (2, 3, 3)), made(w, "sum", (2, 3, 3)))
    network = check(w, x, tmp_path, 2, 3, 3)
    (join,) = [node for node in network.graph.nodes if isinstance(node.op, Concat)]
    producers = [network.graph.producers[name].op for name in join.inputs]
    assert all(isinstance(op, Threshold) for op in producers)
