from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from lutloom.core.errors import GraphFileError
from lutloom.core.graph import Graph
from lutloom.core.host import Binary, BinaryKind, Largest, Quantize, Softmax
from lutloom.core.meaning import ValueMeaning
from lutloom.core.network import Network, load_network, save_network
from lutloom.core.ports import InputPort, OutputPort
from lutloom.core.rounding import Rounding
from lutloom.core.store import load_graph, save_graph
from lutloom.sim.reference import run
from tests.core.test_text import SMALL
from tests.graphs import graphs

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray


def f32(values: ArrayLike) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


ONE = (Fraction(1, 3),)
GRAPH = replace(SMALL, outputs=("q",))
OUT = ValueMeaning(ONE, (Fraction(0),), "y", 'n"\n', (0,), is_quantized=False)
NETWORK = Network(
    graph=GRAPH,
    meaning={
        "x": ValueMeaning(ONE, (Fraction(-7, 2**40), Fraction(0)), "x", "x", (0,), True),
        "q": OUT,
    },
    inputs=(
        InputPort(
            "x",
            "x",
            (2,),
            (Quantize(f32([0.1]), f32([0]), -1, 1, Rounding.HALF_UP), Softmax(0, logarithm=True)),
            is_raw=False,
        ),
    ),
    outputs=(
        OutputPort(
            "y",
            "q",
            OUT,
            (1,),
            (Binary(BinaryKind.DIV, f32([[0.3], [7.0]]), operand_first=True), Largest(1, 0)),
            is_integer=False,
        ),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(graph=graphs())
def test_a_graph_survives_its_files_and_equal_graphs_give_equal_bytes(
    graph: Graph, tmp_path: Path
) -> None:
    save_graph(graph, tmp_path / "one")
    save_graph(load_graph(tmp_path / "one"), tmp_path / "two")
    assert load_graph(tmp_path / "two") == graph
    for suffix in (".graph", ".npz"):
        one, two = ((tmp_path / name).with_suffix(suffix) for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_network_survives_its_files(tmp_path: Path) -> None:
    save_network(NETWORK, tmp_path)
    loaded = load_network(tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    save_network(loaded, again)
    for name in ("network.json", "model.graph", "model.npz"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()
    assert loaded.meaning == NETWORK.meaning
    assert loaded.graph == NETWORK.graph
    data = f32([[0.3], [7.0]])
    assert list(map(type, loaded.input.head)) == list(map(type, NETWORK.input.head))
    tail = loaded.output.tail
    assert list(map(type, tail)) == list(map(type, NETWORK.output.tail))
    assert tail[0].operand.tobytes() == data.tobytes()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["network.json", "model.graph", "model.npz"])
def test_a_flipped_bit_is_found_or_harmless(name: str, tmp_path: Path) -> None:
    save_network(NETWORK, tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    data = {"x": np.array([[1, 1], [-1, 1], [-1, -1]])}
    expected = run(GRAPH, data)["q"].tolist()
    rng = np.random.default_rng(0)
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            loaded = load_network(tmp_path)
        except GraphFileError as error:
            assert str(tmp_path) in str(error)  # noqa: PT017 - most flips, not all
            refused += 1
        else:
            # The name of a value that nobody reads may change: nothing else.
            assert run(loaded.graph, data)["q"].tolist() == expected
            assert loaded.meaning == NETWORK.meaning
    assert refused > len(whole) // 3


@pytest.mark.parametrize("name", ["network.json", "model.graph", "model.npz"])
def test_files_that_are_cut_off_or_missing_are_refused(name: str, tmp_path: Path) -> None:
    save_network(NETWORK, tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 2):
        path.write_bytes(whole[:length])
        with pytest.raises(GraphFileError, match=str(tmp_path)):
            load_network(tmp_path)
    path.unlink()
    with pytest.raises(GraphFileError, match=f"{name} is missing"):
        load_network(tmp_path)
    path.mkdir()
    with pytest.raises(GraphFileError, match="can't be read"):
        load_network(tmp_path)


def test_a_constant_that_was_exchanged_is_found(tmp_path: Path) -> None:
    def save(named: dict[str, NDArray[Any]]) -> None:
        np.savez(tmp_path / "g.npz", allow_pickle=True, **named)

    save_graph(GRAPH, tmp_path / "g")
    with np.load(tmp_path / "g.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    first = next(iter(arrays))
    save(arrays | {first: arrays[first] + 1})
    with pytest.raises(GraphFileError, match=rf"g\.npz: the constant {first} is damaged$"):
        load_graph(tmp_path / "g")
    save(arrays | {first: arrays[first] / 2})
    with pytest.raises(GraphFileError, match="constants are integers, not float"):
        load_graph(tmp_path / "g")
    save({first: np.array([object()])})
    with pytest.raises(GraphFileError, match="can't be read"):
        load_graph(tmp_path / "g")
    del arrays[first]
    save(arrays)
    with pytest.raises(GraphFileError, match=r"g\.graph: line .*is missing$"):
        load_graph(tmp_path / "g")
