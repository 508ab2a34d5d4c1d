"""The comparison with qonnx's executor finds every difference, and explains no wrong one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto

from lutloom.core.graph import Graph
from lutloom.core.ops import Threshold
from lutloom.core.rational import rationals
from lutloom.core.types import Const
from lutloom.streamline import error_bound, oracle
from lutloom.streamline.bounded import Bounded
from lutloom.streamline.comparison import compare, compare_batch
from lutloom.streamline.comparison_parts import Comparison, Part, merge
from lutloom.streamline.error_bound import follow
from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import read_source
from tests.models import Writer, write
from tests.random_networks import Sample, random_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.network import Network


def compared(path: Path, network: Network, x: NDArray[Any]) -> Comparison:
    return compare(network, read_source(path), execute(path, x), network.encode(x))


def two_layers(directory: Path, *, scale: float, gamma: float = 0.7) -> Path:
    random = np.random.default_rng(0)
    model = Writer()
    x = model.quant("x", 0.25, bits=4)
    for _ in range(2):
        x = model.matmul(x, random.integers(-7, 8, (16, 16)) * scale, bits=4, scale=scale)
        x = model.batch_norm(x, [gamma] * 16, [0.1] * 16, [0.3] * 16, [1.7] * 16)
        x = model.quant(x, 0.3, bits=3)
    x = model.matmul(x, random.integers(-7, 8, (16, 4)) * scale, bits=4, scale=scale)
    return write(model.model(model.binary("Mul", x, 0.3), 16), directory)


def test_equal_networks_compare_equal(tmp_path: Path) -> None:
    path = two_layers(tmp_path, scale=0.1)
    x = np.random.default_rng(1).normal(size=(500, 16)).astype(np.float32)
    result = compared(path, streamline(path), x)
    assert [layer.elements for layer in result.layers] == [8000, 8000, 8000]
    assert all(layer.is_equal for layer in result.layers)
    assert result.outside == 0


@pytest.mark.parametrize("shift", [-1, 1])
@pytest.mark.parametrize("which", [0, 1])
def test_a_threshold_that_is_off_by_one_is_found_where_it_is(
    tmp_path: Path, shift: int, which: int
) -> None:
    path = two_layers(tmp_path, scale=0.1)
    network = streamline(path)
    places = [i for i, n in enumerate(network.graph.nodes) if isinstance(n.op, Threshold)]
    nodes = list(network.graph.nodes)
    wrong = nodes[places[which]]
    assert isinstance(wrong.op, Threshold)
    moved = Const(wrong.op.thresholds.int64 + shift)
    nodes[places[which]] = replace(wrong, op=replace(wrong.op, thresholds=moved))
    mutant = replace(
        network, graph=Graph(network.graph.inputs, tuple(nodes), network.graph.outputs)
    )
    x = np.random.default_rng(1).normal(size=(500, 16)).astype(np.float32)
    layers = compared(path, mutant, x).layers
    assert [layer.is_equal for layer in layers] == [index != which + 1 for index in range(3)]


def test_a_wrong_scale_of_the_output_lies_outside_the_bound(tmp_path: Path) -> None:
    path = two_layers(tmp_path, scale=0.1)
    network = streamline(path)
    entry = network.output.meaning
    off = tuple(scale * Fraction(10_001, 10_000) for scale in entry.scale)
    mutant = replace(network, outputs=(replace(network.output, meaning=replace(entry, scale=off)),))
    x = np.random.default_rng(1).normal(size=(500, 16)).astype(np.float32)
    assert compared(path, mutant, x).outside not in (0, None)


def test_what_comes_of_an_integer_that_can_not_occur_is_not_compared(tmp_path: Path) -> None:
    """0.1 + 0.2 - 0.3 is below zero in exact float32 constants, and zero in float32, for any input:
    the sign is another one there, for which the second quantizer was never proved.
    """
    model = Writer()
    x = model.quant("x", 1.0, bits=4)
    x = model.binary("Mul", x, 0.0)
    for kind, constant in (("Add", 0.1), ("Add", 0.2), ("Sub", 0.3)):
        x = model.binary(kind, x, constant)
    signs = model.bipolar(x, 1.0)
    x = model.quant(signs, 0.4, bits=3)
    path = write(model.model(model.matmul(x, np.eye(4), bits=2), 4), tmp_path)
    data = np.arange(-8, 8, dtype=np.float32).reshape(4, 4)
    network = streamline(path)
    result = compared(path, network, data)
    sign, behind = result.layers[-2:]
    assert (sign.elements, sign.skipped, sign.differing, sign.is_equal) == (16, 0, 16, True)
    assert (behind.elements, behind.skipped, behind.differing) == (0, 16, 0)
    assert result.outside == 0
    assert result.excused.all()
    # Where the executor's integer can occur, everything behind it is compared.
    possible = execute(path, data) | {signs: -np.ones((4, 4), dtype=np.float32)}
    *_, behind = compare(network, read_source(path), possible, network.encode(data)).layers
    assert (behind.elements, behind.skipped, behind.differing) == (16, 0, 16)


def test_a_float32_rounding_across_a_threshold_is_explained_by_the_bound(tmp_path: Path) -> None:
    """0.1 * 3 / 0.3 lies below 1 in exact float32 constants, and is 1 in float32: a false tie."""
    model = Writer()
    x = model.quant("x", 1.0, bits=4)
    x = model.matmul(x, np.eye(4), bits=2)
    x = model.binary("Mul", x, 0.1)
    x = model.quant(x, 0.3, bits=4, mode="FLOOR")
    x = model.matmul(x, np.eye(4), bits=2)
    path = write(model.model(x, 4), tmp_path)
    data = np.tile(np.arange(-8, 8, dtype=np.float32)[:, np.newaxis], (1, 4))
    tenth, third = Fraction(float(np.float32(0.1))), Fraction(float(np.float32(0.3)))
    false_ties = [
        k
        for k in range(-8, 8)
        if (tenth * k / third) // 1 != np.floor(np.float32(0.1) * np.float32(k) / np.float32(0.3))
    ]
    assert false_ties, "the example has lost its point"
    layer = compared(path, streamline(path), data).layers[1]
    assert layer.differing == layer.explained == 4 * len(false_ties)
    assert 0 < layer.largest_ratio <= 1


def test_where_float32_is_exact_nothing_is_explained(tmp_path: Path) -> None:
    """Powers of two: the bound is zero, and a wrong tie has no excuse."""
    model = Writer()
    x = model.quant("x", 0.5, bits=4)
    x = model.matmul(x, np.eye(4) * 0.5, bits=2, scale=0.5)
    x = model.quant(x, 0.5, bits=4)
    x = model.matmul(x, np.eye(4), bits=2)
    path = write(model.model(x, 4), tmp_path)
    network = streamline(path)
    data = np.tile(np.arange(-4, 4, 0.5, dtype=np.float32)[:, np.newaxis], (1, 4))
    assert all(layer.differing == 0 for layer in compared(path, network, data).layers)
    ties_up = replace(
        network,
        graph=Graph(
            network.graph.inputs,
            tuple(
                replace(n, op=replace(n.op, thresholds=Const(n.op.thresholds.int64 // 2 * 2 + 1)))
                if isinstance(n.op, Threshold)
                else n
                for n in network.graph.nodes
            ),
            network.graph.outputs,
        ),
    )
    layer = compared(path, ties_up, data).layers[1]
    assert layer.differing > 0
    assert layer.explained == 0


@pytest.mark.parametrize("block", range(3))
def test_the_executor_is_never_further_from_the_oracle_than_the_bound(
    tmp_path: Path, block: int
) -> None:
    """Every float that ONNX Runtime computes between quantizers, against exact rationals."""
    checked = [
        _floats_within_bounds(random_network(seed, powers_of_two=seed % 3 == 0), tmp_path)
        for seed in range(16 * block, 16 * block + 16)
    ]
    assert sum(count > 0 for count in checked) >= 6


def _floats_within_bounds(sample: Sample, directory: Path) -> int:
    """Return how many floats were compared: none of a model that the executor can't run."""
    if any(node.op_type in ("TopK", "ArgMax") for node in sample.model.graph.node):
        return 0  # indices, which the sample does not declare as integers
    path = write(sample.model, directory)
    try:
        network = streamline(path, sample.raw)
    except ModelError:
        return 0  # refused for its multipliers
    source = read_source(path)
    floats = sample.data[:16].astype(np.float32)
    if network.input.is_raw:
        meaning = network.meaning[network.input_value]
        floats = meaning.in_model_order(meaning.to_real(network.encode(sample.data[:16])))
    tensors = execute(path, floats)
    inputs = {source.inputs[0].name: Bounded(floats.astype(np.float64), np.zeros(floats.shape))}
    followed = follow(source, tensors, inputs, fold_constants(source))
    seen, known = followed.before, followed.known
    assert not followed.beyond
    quantized = {name: rationals(known[name].value) for name in seen}
    exact = oracle.evaluate(path, floats, given=quantized)
    checked = 0
    for node in source.nodes:
        name = node.outputs[0]
        if name not in known or name not in exact or name in quantized:
            continue
        distances = np.abs(rationals(tensors[name].astype(np.float64)) - exact[name])
        assert (distances <= rationals(known[name].error)).all(), f"{name} is off by more"
        checked += distances.size
    return checked


def often_tied(directory: Path, *, kind: str = "BipolarQuant") -> Path:
    """Sums of few small numbers: many are zero exactly, and in float32 only nearly."""
    random = np.random.default_rng(3)
    model = Writer(opset=20)
    x = model.quant("x", 0.3, bits=3)
    x = model.matmul(x, random.integers(-7, 8, (24, 8)) * 0.1, bits=4, scale=0.1)
    if kind == "BipolarQuant":
        x = model.bipolar(x)
    elif kind == "MultiThreshold":
        x = model.multi_threshold(x, [[-1.0, 0.0, 1.0]])
    else:  # 1/2 at zero: midway between the levels 0 and 1
        x = model.quant(model.node(kind, [x]), 1.0, bits=2, signed=False)
    x = model.matmul(x, np.ones((8, 2)), bits=2)
    return write(model.model(x, 24), directory)


def with_thresholds(network: Network, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Network:
    """Return ``network`` with other thresholds in all of its layers."""
    nodes = tuple(
        replace(n, op=replace(n.op, thresholds=Const(change(n.op.thresholds.int64))))
        if isinstance(n.op, Threshold)
        else n
        for n in network.graph.nodes
    )
    return replace(network, graph=Graph(network.graph.inputs, nodes, network.graph.outputs))


TIED_DATA = np.random.default_rng(5).normal(0, 0.5, size=(1500, 24)).astype(np.float32)


@pytest.mark.parametrize("kind", ["BipolarQuant", "MultiThreshold"])
def test_structural_ties_are_listed_apart(tmp_path: Path, kind: str) -> None:
    path = often_tied(tmp_path, kind=kind)
    layer = compared(path, streamline(path), TIED_DATA).layers[1]
    assert layer.structural > 0
    assert layer.is_equal
    assert layer.differing == layer.explained + layer.structural
    assert layer.structural == sum(tie.differing for tie in layer.ties)
    for tie in layer.ties:
        assert 15 <= tie.tied <= 1500  # one image in a hundred
        assert 0 < tie.differing <= tie.tied
        assert len(tie.element) == 1
    # The executor's zero is not far from zero.
    assert layer.median_bound is not None
    assert 0 < layer.median_bound < 1e-4


@pytest.mark.parametrize("kind", ["BipolarQuant", "MultiThreshold", "Sigmoid"])
@pytest.mark.parametrize("shift", [-1, 1])
def test_a_tie_on_the_wrong_side_is_never_explained(tmp_path: Path, kind: str, shift: int) -> None:
    """The exact value lies on the edge itself: any bound would do, and rational numbers decide."""
    path = often_tied(tmp_path, kind=kind)
    wrong = with_thresholds(streamline(path), lambda thresholds: thresholds + shift)
    layer = compared(path, wrong, TIED_DATA).layers[1]
    assert not layer.is_equal
    assert layer.unexplained
    right = compared(path, streamline(path), TIED_DATA).layers[1]
    assert right.is_equal
    # What was excused before is so still, or has become equal by accident; nothing new is.
    assert layer.explained + layer.structural <= right.explained + right.structural


@pytest.mark.parametrize("seed", range(12))
def test_a_threshold_of_a_random_network_that_is_off_by_one_is_never_excused(
    tmp_path: Path, seed: int
) -> None:
    sample = random_network(seed, powers_of_two=seed % 3 == 0)
    path = write(sample.model, tmp_path)
    try:
        network = streamline(path, sample.raw)
    except ModelError:
        pytest.skip("the lowering refuses this network")
    encoded, floats = network.encode(sample.data), sample.data.astype(np.float32)
    if network.input.is_raw:
        meaning = network.meaning[network.input_value]
        floats = meaning.in_model_order(meaning.to_real(encoded))
    source, tensors = read_source(path), execute(path, floats)
    right = compare(network, source, tensors, encoded)
    assert all(layer.is_equal for layer in right.layers)
    for shift in (-1, 1):
        mutant = with_thresholds(network, partial(np.add, shift))
        wrong = compare(mutant, source, tensors, encoded)
        for ours, theirs in zip(wrong.layers, right.layers, strict=True):
            excused = ours.explained + ours.structural
            assert excused <= theirs.explained + theirs.structural


def test_structural_ties_hide_no_other_difference(tmp_path: Path) -> None:
    path = often_tied(tmp_path, kind="MultiThreshold")
    network = streamline(path)
    right = compared(path, network, TIED_DATA).layers[1]

    def last_one_later(thresholds: NDArray[Any]) -> NDArray[Any]:
        moved = thresholds.copy()
        moved[..., -1] += 1
        return moved

    layer = compared(path, with_thresholds(network, last_one_later), TIED_DATA).layers[1]
    assert layer.structural == right.structural
    assert not layer.is_equal
    assert layer.unexplained > 0
    assert {(entry.ours, entry.theirs) for entry in layer.first_unexplained} == {(2, 3)}


@pytest.mark.parametrize("scale", [0.003, 0.1, 0.37])
def test_a_quantizer_that_is_no_layer_is_followed_like_a_function(
    tmp_path: Path, scale: float
) -> None:
    """Quantizing once more on the same grid changes nothing, but in float32: floor of 4.999998."""
    model = Writer()
    x = model.quant("x", 1.0, bits=6)
    x = model.quant(model.matmul(x, np.eye(4) * scale, bits=2, scale=scale), scale, 0.0, 5)
    x = model.quant(x, scale, 0.0, 5, mode="FLOOR", name="again")
    x = model.quant(model.binary("Mul", x, 0.7), 0.3, bits=6)
    path = write(model.model(x, 4), tmp_path)
    network, source = streamline(path), read_source(path)
    data = np.tile(np.arange(-32, 32, dtype=np.float32)[:, np.newaxis], (1, 4))
    assert "again" not in network.meaning
    tensors = dict(execute(path, data))
    once = next(node.inputs[0] for node in source.nodes if node.name == "again")
    assert (tensors["again_out"] != tensors[once]).any(), "the example has lost its point"
    result = compare(network, source, tensors, network.encode(data))
    assert all(layer.is_equal for layer in result.layers)
    assert not result.beyond
    # A level more than the executor's rounding can explain is found.
    tensors["again_out"] = tensors["again_out"] + np.float32(scale)
    wrong = compare(network, source, tensors, network.encode(data))
    assert wrong.beyond[0].tensor == "again_out"


def test_what_overflows_float32_is_compared_without_a_warning(tmp_path: Path) -> None:
    """An executor's infinities have no bound, and what is no number explains nothing."""
    model = Writer()
    x = model.matmul(model.quant("x", 0.3, bits=4), np.eye(4) * 7, bits=4)
    x = model.binary("Mul", x, 2e38)
    x = model.binary("Sub", model.node("Add", [x, x]), [0.0, 1e38, -1e38, 1e38])
    path = write(model.model(model.quant(x, 3e37, bits=4), 4), tmp_path)
    data = np.random.default_rng(1).normal(size=(200, 4)).astype(np.float32)
    layer = compared(path, streamline(path), data).layers[1]
    assert layer.is_equal
    model.nodes.pop()
    x = model.node("Sub", [x, x])  # infinity less infinity
    path = write(model.model(model.quant(x, 3e37, bits=4), 4), tmp_path)
    layer = compared(path, streamline(path), data).layers[1]
    assert layer.off_grid > 0
    assert not layer.is_equal


def test_an_executor_with_another_constant_is_found_out(tmp_path: Path) -> None:
    path = two_layers(tmp_path, scale=0.1)
    network, source, x = streamline(path), read_source(path), TIED_DATA[:50, :16]
    tensors = execute(path, x)
    weights = next(node for node in source.nodes if node.op_type == "MatMul").inputs[1]
    tensors[weights] = tensors[weights].copy()
    tensors[weights][0, 0] += np.float32(0.1)
    found = compare(network, source, tensors, network.encode(x))
    assert [(entry.tensor, entry.is_constant) for entry in found.beyond] == [(weights, True)]
    assert found.layers[1].median_bound is None


def test_batches_together_are_the_whole(tmp_path: Path) -> None:
    path = often_tied(tmp_path)
    network, source, x = streamline(path), read_source(path), TIED_DATA[:600]
    tensors, encoded = execute(path, x), network.encode(x)
    constants = fold_constants(source)

    def images(start: int, stop: int) -> Part:
        batch = {k: v[start:stop] if v.shape[:1] == (600,) else v for k, v in tensors.items()}
        return compare_batch(network, source, batch, encoded[start:stop], constants)

    whole = compare(network, source, tensors, encoded)
    parts = merge([images(0, 200), images(200, 210), images(210, 600)])
    assert parts.layers == whole.layers
    assert parts.outside == whole.outside
    assert parts.outputs[0].elements == whole.outputs[0].elements
    assert (parts.excused == whole.excused).all()


def test_what_is_listed_is_what_differs(tmp_path: Path) -> None:
    path = often_tied(tmp_path)
    network = streamline(path)
    wrong = with_thresholds(network, lambda thresholds: thresholds + 5)
    tensors = execute(path, TIED_DATA)
    name = read_source(path).nodes[3].outputs[0]
    layer = compare(wrong, read_source(path), tensors, wrong.encode(TIED_DATA)).layers[1]
    for entry in (*layer.first_unexplained, *layer.nearest):
        theirs = tensors[name][(entry.image, *entry.element)]
        assert int(theirs > 0) == entry.theirs != entry.ours
    assert all(entry.ratio > 1 or entry.distance == 0 for entry in layer.first_unexplained)


def test_another_class_is_excused_only_in_images_that_give_a_reason(tmp_path: Path) -> None:
    path = often_tied(tmp_path)
    network, source = streamline(path), read_source(path)
    tensors, encoded = execute(path, TIED_DATA), network.encode(TIED_DATA)
    result = compare(network, source, tensors, encoded)
    assert result.outside == 0
    assert result.excused.all()
    layer = result.layers[1]
    led_elsewhere = {entry.image for entry in layer.nearest}
    assert led_elsewhere or layer.ties
    # A wrong output: of an image whose layers agree, and of one that has gone elsewhere.
    name = source.outputs[0].name
    differs = (_run(network, encoded) != np.round(tensors[name])).any(axis=1)
    assert 0 < differs.sum() < len(differs)
    for image, is_excused in (
        (int(np.flatnonzero(differs)[0]), True),
        (int(np.flatnonzero(~differs)[0]), False),
    ):
        changed = {**tensors, name: tensors[name].copy()}
        changed[name][image] += 1
        again = compare(network, source, changed, encoded)
        assert again.outside == 2
        assert bool(again.excused[image]) is is_excused


def test_an_image_with_an_unexplained_difference_excuses_nothing(tmp_path: Path) -> None:
    path = often_tied(tmp_path)
    wrong = with_thresholds(streamline(path), lambda thresholds: thresholds + 5)
    result = compared(path, wrong, TIED_DATA)
    assert not result.excused[[entry.image for entry in result.layers[1].first_unexplained]].any()


def test_behind_an_operator_without_a_bound_nothing_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = often_tied(tmp_path)
    known = {name: bound for name, bound in error_bound.BOUNDS.items() if name != "MatMul"}
    monkeypatch.setattr(error_bound, "BOUNDS", known)
    layer = compared(path, streamline(path), TIED_DATA).layers[1]
    assert layer.differing > 0
    assert layer.explained == layer.structural == 0
    assert layer.median_bound is None


def tied_columns(directory: Path, *, kind: str, bias: float = 0.0) -> Path:
    """Columns of equal sums, whose terms come in other orders: float32 tells them apart."""
    random = np.random.default_rng(0)
    column = random.integers(-7, 8, 64)
    weights = np.stack([random.permutation(column) for _ in range(8)], axis=1) * 0.1
    model = Writer()
    x = model.matmul(model.quant("x", 0.3, bits=3), weights, bits=4, scale=0.1)
    if bias:
        x = model.binary("Add", x, [0.0] * 7 + [bias])
    if kind != "TopK":
        last = int(kind == "ArgMin")
        x = model.node(kind, [x], axis=1, keepdims=0, select_last_index=last)
    else:
        k = model.constant([3], np.int64)
        outputs = ("values", "indices")
        model.node(kind, [x, k], outputs=outputs, axis=1)
        x = "indices"
    output = model.model(x, 64, output_type=TensorProto.INT64)
    return write(output, directory)


@pytest.mark.parametrize("kind", ["ArgMax", "ArgMin", "TopK"])
def test_a_tie_that_float32_breaks_is_explained(tmp_path: Path, kind: str) -> None:
    path = tied_columns(tmp_path, kind=kind)
    network, data = streamline(path), np.full((4, 64), 0.9, dtype=np.float32)
    encoded = network.encode(data)
    tensors = execute(path, data)
    (node,) = (node for node in network.graph.nodes if node.op.name == "top_k")
    ours = network.decode(_run(network, encoded))
    assert (ours != tensors[read_source(path).outputs[0].name].reshape(ours.shape)).any()
    assert node.name == network.output_value
    assert compare(network, read_source(path), tensors, encoded).outside == 0


@pytest.mark.parametrize("kind", ["ArgMax", "ArgMin", "TopK"])
def test_a_wrong_index_is_not_explained(tmp_path: Path, kind: str) -> None:
    path = tied_columns(tmp_path, kind=kind, bias=-0.01 if kind == "ArgMin" else 0.01)
    network, data = streamline(path), np.full((4, 64), 0.9, dtype=np.float32)
    tensors = dict(execute(path, data))
    name = read_source(path).outputs[0].name
    tensors[name] = (tensors[name] + 1) % 8
    assert compare(network, read_source(path), tensors, network.encode(data)).outside


def _run(network: Network, encoded: NDArray[np.int64]) -> NDArray[np.int64]:
    values = {network.input_value: encoded}
    for node in network.graph.nodes:
        (values[node.name],) = node.op.reference(*(values[name] for name in node.inputs))
    return values[network.output_value]
