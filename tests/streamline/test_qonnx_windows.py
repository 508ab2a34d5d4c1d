"""Every operator with windows, written as QONNX, computes the same integers in qonnx's executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Conv, MaxPool
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import run
from lutloom.streamline.executor import execute
from lutloom.streamline.qonnx_file import qonnx_model
from lutloom.streamline.qonnx_site import NotQonnxError
from tests.graphs import random_inputs
from tests.models import write
from tests.windows import ELEMENTS, random_image, random_image_op

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.op import Op


def one(op: Op, x: TensorType) -> Graph:
    return Graph({"x": x}, (Node(("y",), op, ("x",)),), ("y",))


def agree(graph: Graph, directory: Path, seed: int = 0) -> None:
    inputs = random_inputs(graph, seed)
    executed = execute(write(qonnx_model(graph, {}), directory), inputs["x"])
    wanted = run(graph, inputs)["y"]
    assert executed["y"].shape == wanted.shape
    assert (executed["y"] == wanted).all()


@pytest.mark.parametrize("seed", range(120))
def test_qonnx_computes_the_integers_of_any_window(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    shape = (*random_image(rng, 6), int(rng.integers(1, 7)))
    x = TensorType(ELEMENTS[rng.integers(len(ELEMENTS))], shape)
    agree(one(random_image_op(rng, x), x), tmp_path, seed)


def test_a_convolution_that_needs_no_help_is_one_node_between_transpositions() -> None:
    op = Conv(Const(np.ones((3, 3, 2, 4), np.int64)), (1, 1), (1, 1), (1,) * 4, (1, 1), 1, 0)
    model = qonnx_model(one(op, TensorType(BIPOLAR, (5, 5, 2))), {})
    assert [node.op_type for node in model.graph.node] == ["Transpose", "Conv", "Transpose"]
    pool = MaxPool((2, 2), (2, 2), (1, 1), (0, 0, 1, 1))
    model = qonnx_model(one(pool, TensorType(BIPOLAR, (5, 5, 2))), {})
    assert [node.op_type for node in model.graph.node] == ["Transpose", "MaxPool", "Transpose"]


def test_sums_that_float32_does_not_hold_are_refused() -> None:
    op = Conv(Const(np.full((3, 3, 2, 1), 2**16)), (1, 1), (1, 1), (0,) * 4, (1, 1), 1, 0)
    # Both ends of the sums are near, the way there is not.
    graph = one(op, TensorType(IntType(-20, 20), (3, 3, 2)))
    with pytest.raises(NotQonnxError, match=r"y.* exactly: its .* may reach|its integers reach"):
        qonnx_model(graph, {})
