"""``load_simulator`` gives a function: the model's outputs for its inputs, bit for bit."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lutloom
from lutloom.core.errors import LutloomWarning
from lutloom.sim.engine import make_engine
from lutloom.sim.engine.engine import Pace
from tests.app.commands import start
from tests.engines import SETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
COUNTS = (0, 1, 2, 33)


@pytest.fixture(scope="session")
def raw_build(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("raw") / "build"
    lutloom.compile(models / "raw.onnx", directory, input_type="uint8", input_scale="1/256")
    return directory


def reference(build: Path, data: NDArray[Any]) -> NDArray[Any]:
    return lutloom.simulate(build, data, engine=lutloom.Engine.REFERENCE).outputs


def same(ours: NDArray[Any], theirs: NDArray[Any]) -> bool:
    return (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype) and np.array_equal(ours, theirs)


@needs_compiler
@pytest.mark.parametrize("count", COUNTS)
def test_bytes_and_what_they_stand_for_give_what_the_reference_does(
    count: int, raw_build: Path
) -> None:
    simulator = lutloom.load_simulator(raw_build)
    data = np.random.default_rng(count).integers(256, size=(count, 2, 3)).astype(np.uint8)
    wanted = reference(raw_build, data)
    strided = np.asfortranarray(data)
    for given in (data, strided, data.astype(np.int64), data / np.float32(256)):
        assert same(simulator(given), wanted)


@needs_compiler
@pytest.mark.parametrize("count", COUNTS)
def test_a_head_takes_bytes_as_the_numbers_that_they_are(count: int, float_build: Path) -> None:
    simulator = lutloom.load_simulator(float_build)
    rng = np.random.default_rng(count)
    for data in (
        rng.normal(size=(count, 12)).astype(np.float32),
        rng.integers(256, size=(count, 12)).astype(np.uint8),
        rng.integers(-9, 9, size=(count, 12)),
    ):
        assert same(simulator(data), reference(float_build, data))


@needs_compiler
@pytest.mark.parametrize("instructions", [isa.value for isa in SETS])
def test_every_instruction_set_and_number_of_threads_gives_the_same(
    instructions: str, raw_build: Path
) -> None:
    data = np.random.default_rng(1).integers(256, size=(100, 2, 3)).astype(np.uint8)
    wanted = reference(raw_build, data)
    for threads in (1, 3):
        simulator = lutloom.load_simulator(raw_build, instructions=instructions, threads=threads)
        assert same(simulator(data), wanted)


@needs_compiler
def test_data_of_a_wrong_shape_or_range_are_refused(raw_build: Path) -> None:
    simulator = lutloom.load_simulator(raw_build)
    with pytest.raises(lutloom.LutloomError, match=r"shape \['N', 2, 3\], .* not \[1, 3, 2\]$"):
        simulator(np.zeros((1, 3, 2), np.uint8))
    with pytest.raises(lutloom.LutloomError, match=r"hold 0 to 256, but the input takes 0 to 255$"):
        simulator(np.array([[[0, 256, 1], [2, 3, 4]]]))


@needs_compiler
def test_threads_and_forked_processes_share_a_simulator(raw_build: Path) -> None:
    simulator = lutloom.load_simulator(raw_build, threads=2)
    data = np.random.default_rng(2).integers(256, size=(5000, 2, 3)).astype(np.uint8)
    wanted = reference(raw_build, data)
    found: list[NDArray[Any]] = []
    callers = [
        threading.Thread(target=lambda: found.extend(simulator(data) for _ in range(5)))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    children = []
    for _ in range(5):
        child = os.fork()
        if child == 0:
            os._exit(0 if same(simulator(data), wanted) else 1)
        children.append(child)
    for caller in callers:
        caller.join()
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 5
    assert len(found) == 20
    assert all(same(array, wanted) for array in found)


def test_without_a_compiler_the_reference_computes_and_a_warning_says_so(
    float_build: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    said = r"^there is no C\+\+ compiler, .*; until then NumPy computes the same, more slowly$"
    with pytest.warns(LutloomWarning, match=said):
        simulator = lutloom.load_simulator(float_build)
    data = np.load(models / "float.npy")
    assert simulator.instructions is None
    assert same(simulator(data), reference(float_build, data))


def test_the_command_line_says_in_one_line_that_there_is_no_compiler(
    float_build: Path, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    process = start("simulate", float_build, "--data", models / "float.npy", PATH=str(tmp_path))
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "7 images" in out
    assert errors.startswith("lutloom: there is no C++ compiler")
    assert errors.endswith("; until then NumPy computes the same, more slowly\n")
    assert errors.count("\n") == 1


@needs_compiler
def test_ctrl_c_is_seen_between_slices_of_many_images(
    raw_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = lutloom.load_build(raw_build).network
    engine = make_engine(network.graph, threads=1)
    kind, asked = type(engine.image_by_image), list[int]()
    run_into = kind.run_into

    def interrupted(program: Any, inputs: Any, results: Any, images: int, threads: int) -> None:  # noqa: ANN401
        asked.append(images)
        if len(asked) == 4:
            raise KeyboardInterrupt
        run_into(program, inputs, results, images, threads)

    monkeypatch.setattr(kind, "run_into", interrupted)
    monkeypatch.setattr("lutloom.sim.engine.engine.perf_counter", lambda: 0.0)
    data = np.random.default_rng(3).integers(256, size=(5000, 2, 3)).astype(np.uint8)
    integers = network.encode_all(data)
    with pytest.raises(KeyboardInterrupt):
        engine.run(integers)
    assert asked == [1, 16, 256, 4096]
    found = engine.run(integers)
    assert np.array_equal(network.decode(found[network.output_value]), reference(raw_build, data))


def test_a_slice_is_as_long_as_half_a_second_and_grows_step_by_step() -> None:
    pace = Pace(100)
    pace.learn(99, 0.001)  # the rest of some images says little
    assert pace.images == 100
    pace.learn(100, 5.0)
    assert pace.images == 10
    pace.learn(10, 0.0)
    assert pace.images == 160
    pace.learn(160, 1000.0)
    assert pace.images == 1
