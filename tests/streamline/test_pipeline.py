from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.ops import Linear
from lutloom.core.types import IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path


def test_an_output_merged_with_an_earlier_value_keeps_its_own_scale(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant(w.matmul(w.quant("x"), [[1, 2], [-3, 1]]), 0.5)
    model = w.model(w.quant(w.binary("Mul", x, 3.0), 1.5), 2)
    network, _ = compare(model, tmp_path, np.array([[1, 2], [-3, 7]], dtype=np.float32))
    assert len([node for node in network.graph.nodes if node.op.name == "threshold"]) == 1
    assert network.output.meaning.scale == (Fraction(3, 2),)


def test_equal_levels_that_stand_for_different_reals_are_merged_and_told_apart(
    tmp_path: Path,
) -> None:
    w = Writer()
    x = w.matmul(w.quant("x"), [[1, 2], [-3, 1]])
    model = w.model(w.node("Add", [w.bipolar(x, 1.0), w.bipolar(x, 0.75)]), 2)
    network, _ = compare(model, tmp_path, np.array([[1, 2], [-3, 7]], dtype=np.float32))
    assert len([node for node in network.graph.nodes if node.op.name == "threshold"]) == 1


@pytest.mark.parametrize("kind", ["Flatten", "Squeeze", "Unsqueeze"])
def test_quantized_weights_keep_their_grid_through_a_change_of_shape(
    kind: str, tmp_path: Path
) -> None:
    """Each output has a scale of its own, which floats would not tell apart."""
    w = Writer()
    integers = np.random.default_rng(0).integers(-100, 101, (64, 3))
    scales = np.array([[0.1, 0.3, 0.7]], dtype=np.float32)
    floats = (integers * scales).astype(np.float32)
    shape, grid = {
        "Flatten": ((64, 3, 1), scales.reshape(1, 3, 1)),
        "Squeeze": ((1, 64, 3), scales.reshape(1, 1, 3)),
        "Unsqueeze": ((192,), np.tile(scales, 64).ravel()),
    }[kind]
    weights = w.quant(w.constant(floats.reshape(shape)), grid, bits=8)
    if kind == "Flatten":
        weights = w.node("Flatten", [weights], axis=1)
    else:
        axes = w.constant([0], np.int64)
        weights = w.node(kind, [weights, axes])
    if kind == "Unsqueeze":
        weights = w.reshape(weights, (64, 3))
    x = w.quant("x", bits=4)
    model = w.model(w.quant(w.node("MatMul", [x, weights]), 5.0, bits=4), 64)
    data = np.random.default_rng(1).integers(-8, 8, (20, 64)).astype(np.float32)
    network, _ = compare(model, tmp_path, data)
    (linear,) = (node.op for node in network.graph.nodes if node.op.name == "linear")
    assert isinstance(linear, Linear)
    assert (linear.weights.data == integers).all()


def test_a_model_that_only_repeats_its_input_is_refused(tmp_path: Path) -> None:
    w = Writer()
    path = write(w.model(w.quant("x", bits=8, signed=False), 3), tmp_path)
    with pytest.raises(ModelError, match=r"no layer lies between the first quantizer and"):
        streamline(path, RawInput(IntType(0, 255)))
