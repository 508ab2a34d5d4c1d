"""The comparison with the exact interpreter tells equal from different, value by value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.graph import Graph
from lutloom.core.ops import Threshold
from lutloom.core.types import Const
from lutloom.sim.reference import run
from lutloom.streamline.errors import ModelError
from lutloom.streamline.exact_comparison import compare_exactly
from lutloom.streamline.pipeline import streamline
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import DTypeLike

    from lutloom.core.network import Network


def tied(directory: Path) -> Path:
    """Halves of odd numbers before a quantizer: every other input is an exact tie."""
    model = Writer()
    x = model.matmul(model.quant("x", bits=5), np.eye(4), bits=2)
    x = model.quant(model.binary("Mul", x, 0.5), bits=4)
    return write(model.model(model.matmul(x, np.eye(4), bits=2), 4), directory)


def differing(network: Network, path: Path) -> dict[str, int]:
    data = np.tile(np.arange(-16, 16, dtype=np.float32)[:, np.newaxis], (1, 4))
    values = run(network.graph, {network.input_value: network.encode(data)})
    return {entry.value: entry.differing for entry in compare_exactly(network, path, data, values)}


def test_ties_to_even_are_equal(tmp_path: Path) -> None:
    path = tied(tmp_path)
    assert set(differing(streamline(path), path).values()) == {0}


def test_a_tie_that_goes_up_is_found_and_what_follows_from_it(tmp_path: Path) -> None:
    path = tied(tmp_path)
    network = streamline(path)
    nodes = tuple(
        replace(node, op=replace(node.op, thresholds=Const(node.op.thresholds.int64 | 1)))
        if isinstance(node.op, Threshold)
        else node
        for node in network.graph.nodes
    )
    mutant = replace(network, graph=Graph(network.graph.inputs, nodes, network.graph.outputs))
    found = differing(mutant, path)
    assert [count > 0 for count in found.values()] == [False, False, True, True]


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.longdouble, np.int8, np.bool_])
def test_data_of_any_type_of_numbers_are_interpreted(dtype: DTypeLike, tmp_path: Path) -> None:
    path = tied(tmp_path)
    network = streamline(path)
    data = np.array([[0, 1, 1, 0], [1, 1, 0, 1]]).astype(dtype)
    values = run(network.graph, {network.input_value: network.encode(data)})
    found = compare_exactly(network, path, data, values)
    assert {entry.differing for entry in found} == {0}


def test_a_model_without_an_exact_reading_is_refused(tmp_path: Path) -> None:
    path = tied(tmp_path)
    network = streamline(path)
    other = Writer()
    strange = write(other.model(other.node("Det", ["x"]), 4), tmp_path, "strange.onnx")
    data = np.zeros((1, 4))
    values = run(network.graph, {network.input_value: network.encode(data)})
    with pytest.raises(ModelError, match=r"strange\.onnx can't be interpreted exactly: "):
        compare_exactly(network, strange, data, values)
