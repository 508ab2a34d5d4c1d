"""Designs with several inputs and outputs: the C++ equals the reference, each with its TLAST."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import default_plan, lower, unfolded_plan
from lutloom.codegen.assembly import make_design
from lutloom.codegen.ports import leads
from lutloom.codegen.project import Golden, write_project
from lutloom.codegen.timing import PESSIMISTIC
from lutloom.codegen.units import cut
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Conv, Linear, Reshape, Threshold
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim import csim
from lutloom.sim.csim import CSimError
from lutloom.sim.cycles import CycleModel
from lutloom.sim.reference import run
from tests.codegen.test_project import compile_testbench
from tests.graphs import random_inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.codegen.conftest import Agree

NIBBLE = IntType(-8, 7)
ONES = Add(Const([[1], [1]]))
STEPS = Threshold(Const([[-9, 0, 9]]), Const([-2]), Const([[1, 1, 1]]))


def linear(seed: int, inputs: int, outputs: int) -> Linear:
    return Linear(Const(np.random.default_rng(seed).integers(-3, 4, (inputs, outputs))))


def conv(seed: int, channels: int) -> Conv:
    weights = np.random.default_rng(seed).integers(-3, 4, (3, 3, channels, channels))
    return Conv(Const(weights), (1, 1), (1, 1), (1, 1, 1, 1), (1, 1), 1, 0)


def two_inputs() -> Graph:
    """Return a sum of products of two vectors of other sizes and types."""
    return Graph(
        {"a": TensorType(NIBBLE, (6,)), "b": TensorType(IntType(0, 1), (4,))},
        (
            Node(("fa",), linear(0, 6, 5), ("a",)),
            Node(("fb",), linear(1, 4, 5), ("b",)),
            Node(("s",), ONES, ("fa", "fb")),
            Node(("y",), STEPS, ("s",)),
        ),
        ("y",),
    )


def image_and_vector() -> Graph:
    """Return an image behind convolutions, to which a vector is added at the end."""
    return Graph(
        {"image": TensorType(NIBBLE, (4, 5, 2)), "vector": TensorType(NIBBLE, (3,))},
        (
            Node(("c0",), conv(0, 2), ("image",)),
            Node(("t0",), STEPS, ("c0",)),
            Node(("c1",), conv(1, 2), ("t0",)),
            Node(("t1",), STEPS, ("c1",)),
            Node(("row",), Reshape((40,)), ("t1",)),
            Node(("fi",), linear(2, 40, 3), ("row",)),
            Node(("s",), ONES, ("fi", "vector")),
            Node(("y",), STEPS, ("s",)),
        ),
        ("y",),
    )


def siamese() -> Graph:
    """Return the difference of two images behind the same weights."""
    image = TensorType(NIBBLE, (4, 5, 2))
    nodes = [
        Node((f"{kind}{x}",), op, (before,))
        for x in ("0", "1")
        for kind, op, before in (
            ("c", conv(0, 2), f"x{x}"),
            ("t", STEPS, f"c{x}"),
            ("d", conv(1, 2), f"t{x}"),
        )
    ]
    difference = Node(("y",), Add(Const([[1], [-1]])), ("d0", "d1"))
    return Graph({"x0": image, "x1": image}, (*nodes, difference), ("y",))


def two_outputs() -> Graph:
    """Return a chain whose inner values leave, too: one that is read inside, one that is not."""
    return Graph(
        {"x": TensorType(NIBBLE, (4, 5, 2))},
        (
            Node(("c0",), conv(0, 2), ("x",)),
            Node(("t0",), STEPS, ("c0",)),
            Node(("c1",), conv(1, 2), ("t0",)),
            Node(("t1",), STEPS, ("c1",)),
            Node(("row",), Reshape((40,)), ("t1",)),
            Node(("y",), linear(2, 40, 3), ("row",)),
        ),
        ("t0", "y"),
    )


def crossed() -> Graph:
    """Return two outputs of two inputs: one of both, one of the second alone, one more twice."""
    return Graph(
        {"a": TensorType(NIBBLE, (6,)), "b": TensorType(NIBBLE, (6,))},
        (
            Node(("fa",), linear(0, 6, 5), ("a",)),
            Node(("fb",), linear(1, 6, 5), ("b",)),
            Node(("both",), ONES, ("fa", "fb")),
            Node(("tb",), STEPS, ("b",)),
            Node(("alone",), linear(2, 6, 2), ("tb",)),
        ),
        ("alone", "both", "both"),
    )


def apart() -> Graph:
    """Return two networks that have nothing to do with each other."""
    vector = TensorType(NIBBLE, (6,))
    nodes = [
        Node((name,), op, (before,))
        for x in ("a", "b")
        for name, op, before in ((f"f{x}", linear(0, 6, 5), x), (f"t{x}", STEPS, f"f{x}"))
    ]
    return Graph({"a": vector, "b": vector}, tuple(nodes), ("tb", "ta"))


def read_twice() -> Graph:
    """Return two inputs that go to two readers each."""
    vector = TensorType(NIBBLE, (6,))
    return Graph(
        {"a": vector, "b": vector},
        (
            Node(("s",), ONES, ("a", "b")),
            Node(("ta",), STEPS, ("a",)),
            Node(("tb",), STEPS, ("b",)),
            Node(("y",), ONES, ("ta", "tb")),
            Node(("z",), linear(0, 6, 3), ("s",)),
        ),
        ("y", "z"),
    )


GRAPHS: dict[str, Callable[[], Graph]] = {
    make.__name__: make
    for make in (
        two_inputs,
        image_and_vector,
        siamese,
        two_outputs,
        crossed,
        apart,
        read_twice,
    )
}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_value_is_the_reference_s_and_no_fifo_too_shallow(name: str, agree: Agree) -> None:
    graph = GRAPHS[name]()
    lowered = lower(graph)
    assert len(lowered.outputs) == len(graph.outputs)
    simulation = agree(graph, default_plan(lowered, cycles=20), bounded=True, unit_limit=1)
    assert [port.value for port in simulation.inputs] == list(graph.inputs)


@pytest.mark.parametrize("name", ["image_and_vector", "crossed", "two_outputs"])
def test_ports_belong_to_the_units_that_read_and_write_them(name: str) -> None:
    lowered = lower(GRAPHS[name]())
    design = make_design(lowered, unfolded_plan(lowered), name="net", unit_limit=1)
    assert len(design.units) == len(cut(lowered, 1)) > 1
    outer = {port.stream for port in (*design.inputs, *design.outputs)}
    assert outer <= set(design.borders)
    for unit in design.units:
        assert len([b for b in unit.borders if b.stream not in outer]) <= 2


def test_an_input_that_is_read_late_enters_a_late_unit() -> None:
    lowered = lower(image_and_vector())
    design = make_design(lowered, unfolded_plan(lowered), name="net", unit_limit=1)
    *_, before, last = design.units
    owner = {border.stream: unit.top for unit in design.units for border in unit.entries}
    assert owner["in_vector"] in {before.top, last.top}
    assert owner["in_image"] == design.units[0].top


def test_streams_are_named_after_the_ports_of_the_model() -> None:
    lowered = lower(crossed())
    names = {"a": "image:0", "b": "Mask", lowered.outputs[0]: "1*/2", lowered.outputs[1]: "int"}
    design = make_design(lowered, unfolded_plan(lowered), name="net", port_names=names)
    (unit,) = design.units
    assert [border.argument for border in unit.borders] == [
        "s_axis_image_0",
        "s_axis_mask",
        "m_axis_n_1_2",
        "m_axis_n_int",
        f"m_axis_{lowered.outputs[2].replace('/', '_')}",
    ]
    assert [port.name for port in design.inputs] == ["image:0", "Mask"]


def test_a_design_with_one_of_each_has_the_plain_names() -> None:
    graph = Graph({"x": TensorType(NIBBLE, (6,))}, (Node(("y",), linear(0, 6, 5), ("x",)),), ("y",))
    design = make_design(graph_of(graph), unfolded_plan(graph_of(graph)), name="net")
    (unit,) = design.units
    assert [border.argument for border in unit.borders] == ["s_axis", "m_axis"]
    assert unit.tokens == ("last",)


def graph_of(graph: Graph) -> Graph:
    return lower(graph)


def test_each_value_is_led_by_the_first_input_that_it_depends_on() -> None:
    lowered = lower(crossed())
    lead = leads(lowered)
    assert [lead[name] for name in lowered.outputs] == ["b", "a", "a"]


def built(graph: Graph, directory: Path, **options: Any) -> csim.CSim:  # noqa: ANN401 - as build has them
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    lowered = lower(graph)
    inputs = random_inputs(lowered, 0)
    values = run(lowered, inputs)
    golden = Golden(inputs, {name: values[name] for name in lowered.outputs})
    plan = default_plan(lowered)
    write_project(lowered, plan, name="net", golden=golden, directory=directory)
    return csim.build(directory, compiler="g++", **options)


@pytest.mark.parametrize("bounded", [False, True])
def test_an_output_carries_the_tlast_of_its_first_input(bounded: bool, tmp_path: Path) -> None:
    graph = crossed()
    simulation = built(graph, tmp_path, bounded=bounded)
    assert [port.lead for port in simulation.outputs] == ["b", "a", "a"]
    inputs = random_inputs(graph, 0)
    # Wrong ones are an error of the simulation.
    outputs = simulation.run_all(inputs, batch={"a": 2, "b": 3})
    values = run(lower(graph), inputs)
    assert all((outputs[name] == values[name]).all() for name in outputs)


def test_the_testbench_passes_and_finds_a_wrong_number(tmp_path: Path) -> None:
    built(crossed(), tmp_path)
    hls = tmp_path / "hls"
    done = compile_testbench(hls, "g++", "-Wall", "-Wextra", "-Wno-unknown-pragmas")
    assert (done.returncode, done.stderr) == (0, "")
    assert subprocess.run([hls / "testbench"], check=False).returncode == 0
    golden = hls / "tb" / "golden.hpp"
    text = golden.read_text()
    place = text.index("0x", text.index("kOutput_alone")) + 2
    digit = "1" if text[place + 15] != "1" else "2"
    golden.write_text(text[: place + 15] + digit + text[place + 16 :])
    assert compile_testbench(hls, "g++").returncode == 0
    ran = subprocess.run([hls / "testbench"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "out_alone, batch 1: image 0, transfer 0 differs from the golden one" in ran.stdout


def test_data_for_other_inputs_are_refused(tmp_path: Path) -> None:
    simulation = built(two_inputs(), tmp_path)
    inputs = random_inputs(two_inputs(), 0)
    with pytest.raises(CSimError, match=r"inputs are \['a', 'b'\], and there is data for \['a'\]$"):
        simulation.run({"a": inputs["a"]})
    with pytest.raises(CSimError, match="there should be as many images for each input"):
        simulation.run({"a": inputs["a"], "b": inputs["b"][:2]})


def test_golden_vectors_are_those_of_all_ports(tmp_path: Path) -> None:
    lowered = lower(two_inputs())
    golden = Golden({"a": np.zeros((1, 6), np.int64)}, np.zeros((1, 5), np.int64))
    with pytest.raises(ValueError, match=r"^the golden vectors should be those of \['a', 'b'\]$"):
        write_project(lowered, default_plan(lowered), name="n", golden=golden, directory=tmp_path)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("unit_limit", [1, 12])
def test_designs_are_as_fast_as_their_slowest_process(name: str, unit_limit: int) -> None:
    lowered = lower(GRAPHS[name]())
    plan = default_plan(lowered, cycles=40)
    design = make_design(lowered, plan, name="net", unit_limit=unit_limit)
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    cycles = CycleModel.of(design).run(PESSIMISTIC)
    slowest = max(process.cycles for unit in design.units for process in unit.processes)
    beats = max(border.beats for border in design.borders.values())
    assert cycles.interval <= max(slowest, beats) + 60
