"""DepthToSpace, SpaceToDepth, and what exporters write for them: blocks of pixels as channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.ops import Permute, Threshold
from lutloom.streamline.errors import ModelError
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write
from tests.moves import FORMS, NIBBLE, check_moved

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.network import Network


def to_space(w: Writer, x: str, mode: str | None, block: int = 2) -> str:
    attributes: dict[str, Any] = {"blocksize": block} | ({"mode": mode} if mode else {})
    return w.node("DepthToSpace", [x], name="move", **attributes)


def to_depth(w: Writer, x: str, block: int = 2) -> str:
    return w.node("SpaceToDepth", [x], name="move", blocksize=block)


def shuffled(w: Writer, x: str, groups: int, channels: int, *image: int) -> str:
    """Return channels shuffled as a ShuffleNet writes it."""
    x = w.reshape(x, [0, groups, channels // groups, *image])
    x = w.node("Transpose", [x], perm=[0, 2, 1, *range(3, 3 + len(image))])
    return w.reshape(x, [0, channels, *image])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", [None, "DCR", "CRD"])
def test_channels_become_pixels_in_every_form(form: str, mode: str | None, tmp_path: Path) -> None:
    check_moved(lambda w, x: to_space(w, x, mode), form, (8, 2, 3), tmp_path, count=8)


@pytest.mark.parametrize("form", FORMS)
def test_pixels_become_channels_in_every_form(form: str, tmp_path: Path) -> None:
    check_moved(to_depth, form, (2, 4, 6), tmp_path, count=8)


@pytest.mark.parametrize("form", FORMS)
def test_channels_are_shuffled_in_every_form(form: str, tmp_path: Path) -> None:
    check_moved(lambda w, x: shuffled(w, x, 2, 6, 3, 2), form, (6, 3, 2), tmp_path, count=8)


def between_layers(w: Writer, x: str, outputs: int, directory: Path, *shape: int) -> Network:
    """Return the network of a model whose tensor ``x`` of so many channels is read by a layer."""
    weights = np.random.default_rng(1).integers(-3, 4, (2, outputs, 3, 3))
    x = w.node("Conv", [x, w.quant(w.constant(weights), 0.25)], pads=[1, 1, 1, 1])
    model = w.model(w.quant(x, 0.5), *shape)
    data = np.random.default_rng(0).integers(-8, 8, (4, *shape))
    network, _ = compare(model, directory, data, NIBBLE)
    return network


def first_layer(w: Writer, inputs: int, outputs: int) -> str:
    weights = np.random.default_rng(2).integers(-3, 4, (outputs, inputs, 3, 3))
    x = w.node("Conv", ["x", w.quant(w.constant(weights), 0.3)], pads=[1, 1, 1, 1])
    return w.quant(x, 0.75, bits=3)


@pytest.mark.parametrize("kind", ["DCR", "CRD", "depth", "shuffle"])
def test_between_two_layers_one_permutation_of_few_elements_is_left(
    kind: str, tmp_path: Path
) -> None:
    """Nothing but what has to wait for others: a row of blocks, or the channels of a pixel."""
    w = Writer()
    match kind:
        case "depth":
            x = to_depth(w, first_layer(w, 3, 4))
            channels = 16
        case "shuffle":
            x = shuffled(w, first_layer(w, 3, 8), 2, 8, 4, 6)
            channels = 8
        case _:
            x = to_space(w, first_layer(w, 3, 8), kind)
            channels = 2
    network = between_layers(w, x, channels, tmp_path, 3, 4, 6)
    (node,) = [node for node in network.graph.nodes if isinstance(node.op, Permute)]
    shape = network.graph.types[node.inputs[0]].shape
    assert isinstance(node.op, Permute)
    stays = next(i for i, axis in enumerate(node.op.axes) if axis != i)
    moving = np.prod(shape[stays:])
    assert moving == {"depth": 2 * 6 * 4, "shuffle": 8}.get(kind, 6 * 8)


def test_all_inputs_of_a_tiny_image_are_exact(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant(to_space(w, w.quant("x", 0.5, bits=2), "DCR"), 0.75)
    data = np.indices((4,) * 4).reshape(4, -1).T.reshape(-1, 4, 1, 1) - 2
    compare(w.model(x, 4, 1, 1), tmp_path, data, NIBBLE)


@pytest.mark.parametrize(
    ("kind", "shape", "attributes", "message"),
    [
        ("DepthToSpace", (6, 2, 2), {"blocksize": 2}, "6 channels are no blocks of 2 by 2"),
        ("DepthToSpace", (4, 2, 2), {"blocksize": 0}, "makes blocks of 0 pixels of data of"),
        ("DepthToSpace", (4, 2), {"blocksize": 2}, "should be .N, C, H, W. and a positive size"),
        ("DepthToSpace", (4, 2, 2), {"blocksize": 2, "mode": "RGB"}, "its mode 'RGB' should be"),
        ("SpaceToDepth", (4, 2, 3), {"blocksize": 2}, "2 by 3 pixels are no blocks of 2 by 2"),
        ("SpaceToDepth", (4, 2, 2), {"blocksize": -1}, "makes blocks of -1 pixels of data of"),
        ("SpaceToDepth", (4, 2, 2), {}, "lacks the attribute 'blocksize'"),
    ],
)
def test_hostile_blocks_are_refused(
    kind: str, shape: tuple[int, ...], attributes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    w = Writer()
    x = w.node(kind, [w.quant("x")], name="move", **attributes)
    with pytest.raises(ModelError, match=f"^{kind} node 'move'.*{message}"):
        streamline(write(w.model(w.quant(x, 0.5), *shape), tmp_path), NIBBLE)


@pytest.mark.parametrize("form", FORMS)
def test_channels_with_numbers_of_their_own_become_places_within_blocks(
    form: str, tmp_path: Path
) -> None:
    def move(w: Writer, x: str) -> str:
        factors, addends = np.random.default_rng(4).normal(0, 1, (2, 8, 1, 1))
        x = w.binary("Add", w.binary("Mul", x, factors), addends)
        return w.node("Relu", [to_space(w, x, "CRD")])

    if form == "pool":
        with pytest.raises(ModelError, match="numbers that differ from one to another"):
            check_moved(move, form, (8, 2, 3), tmp_path)
        return
    check_moved(move, form, (8, 2, 3), tmp_path, count=8)


def test_blocks_of_a_large_image_have_numbers_for_their_places_alone(tmp_path: Path) -> None:
    """Half a million pixels with four kinds of numbers: there is no limit to run into."""
    w, rng = Writer(), np.random.default_rng(0)
    weights = w.quant(
        w.constant(rng.normal(0, 1, (12, 1, 1, 1))), rng.uniform(0.1, 0.5, (12, 1, 1, 1))
    )
    x = w.node("Conv", [w.quant("x", 0.25), weights, w.constant(rng.normal(0, 1, 12))])
    x = w.quant(to_space(w, x, "DCR"), 0.4, bits=3)
    network = streamline(write(w.model(x, 1, 224, 224), tmp_path), NIBBLE)
    (stairs,) = [
        node.op
        for node in network.graph.nodes
        if isinstance(node.op, Threshold) and node.op.thresholds.shape[0] > 1
    ]
    assert stairs.thresholds.shape[0] == 12


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("is_flat", [False, True])
def test_places_within_blocks_become_channels_of_a_product(
    size: int, is_flat: bool, tmp_path: Path
) -> None:
    """An image of one block has no pixels behind its channels: their scales were lost, once."""
    w, rng = Writer(), np.random.default_rng(0)
    x = w.quant("x", [[[0.5]], [[0.75]]], bits=3)
    x = w.node("SpaceToDepth", [x], blocksize=2)
    if is_flat:
        x = w.node("Flatten", [x])
        x = w.node("MatMul", [x, w.quant(w.constant(rng.normal(0, 2, (2 * size**2, 3))))])
    else:
        x = w.node("Conv", [x, w.quant(w.constant(rng.normal(0, 2, (3, 8, 1, 1))))])
    data = rng.normal(0, 2, (40, 2, size, size)).astype(np.float32)
    compare(w.model(w.quant(x, 0.5, bits=4), 2, size, size), tmp_path, data)
