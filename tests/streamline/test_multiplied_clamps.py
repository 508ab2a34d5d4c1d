"""A ReLU or a clip of quantized integers, and a layer that multiplies what comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.types import IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from tests.exact import compare
from tests.models import Writer

if TYPE_CHECKING:
    from pathlib import Path

NIBBLE = RawInput(IntType(-8, 7))
DATA = np.random.default_rng(0).integers(-8, 8, (40, 2, 4, 4))
WEIGHTS = np.random.default_rng(1).integers(-2, 3, (3, 2, 3, 3))


def convolved(w: Writer, x: str) -> str:
    weights = w.quant(w.constant(WEIGHTS), 1.0)
    return w.quant(w.node("Conv", [x, weights], pads=[1, 1, 1, 1]), 1.7)


@pytest.mark.parametrize("scale", [0.7, 2.0])
@pytest.mark.parametrize("zero", [0.0, 3.0])
def test_a_relu_of_a_quantizer_is_integers(scale: float, zero: float, tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Relu", [w.quant("x", scale, zero)])
    network, _ = compare(w.model(convolved(w, x), 2, 4, 4), tmp_path, DATA, NIBBLE)
    assert "conv" in {node.op.name for node in network.graph.nodes}


def test_one_of_what_moved_since_is_too(tmp_path: Path) -> None:
    w = Writer()
    pooled = w.node("MaxPool", [w.quant("x", 0.7)], kernel_shape=[2, 2], pads=[1, 0, 0, 1])
    x = w.node("Relu", [w.node("Transpose", [pooled], perm=[0, 1, 3, 2])])
    compare(w.model(convolved(w, x), 2, 4, 4), tmp_path, DATA, NIBBLE)


def test_a_clip_between_levels_is_refused(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Clip", [w.quant("x", 0.7), w.constant(0.1), w.constant(2.0)], name="act")
    with pytest.raises(ModelError, match=r"multiplies floats: Clip node 'act' before it"):
        compare(w.model(convolved(w, x), 2, 4, 4), tmp_path, DATA, NIBBLE)


def test_a_relu_of_sums_asks_for_the_quantizer_that_was_forgotten(tmp_path: Path) -> None:
    w = Writer()
    weights = w.quant(w.constant(WEIGHTS[:2]), 1.0)
    sums = w.node("Conv", [w.quant("x", 0.7), weights], pads=[1, 1, 1, 1])
    x = w.node("Relu", [sums], name="act")
    with pytest.raises(ModelError, match=r"multiplies floats: Relu node 'act' before it"):
        compare(w.model(convolved(w, x), 2, 4, 4), tmp_path, DATA, NIBBLE)
