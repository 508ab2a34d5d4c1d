"""``simulate`` takes what the QONNX model takes, and gives what it gives."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto

import lutloom
from lutloom.core.errors import LutloomError
from lutloom.streamline.executor import execute
from lutloom.streamline.source import read_source
from tests.app.commands import Invoke, contents
from tests.models import Writer, write

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNTS = (1, 2, 1001)


def executed(model: Path, data: NDArray[Any]) -> NDArray[Any]:
    """Return the output that qonnx's executor gives."""
    return execute(model, data)[read_source(model).outputs[0].name]


def same(ours: NDArray[Any], theirs: NDArray[Any]) -> bool:
    return (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype) and np.array_equal(ours, theirs)


@pytest.fixture(scope="session")
def raw_build(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Over 256 instead of 255, float32 is exact.
    directory = tmp_path_factory.mktemp("raw") / "build"
    lutloom.compile(models / "raw.onnx", directory, input_type="uint8", input_scale="1/256")
    return directory


@pytest.fixture(scope="session")
def index_build(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("index") / "build"
    lutloom.compile(models / "index.onnx", directory)
    return directory


@pytest.mark.parametrize("count", COUNTS)
def test_floats_go_in_and_come_out_as_the_executor_gives_them(
    count: int, float_build: Path, models: Path
) -> None:
    data = np.random.default_rng(count).normal(size=(count, 12)).astype(np.float32)
    wanted = executed(models / "float.onnx", data)
    for given in (data, data.astype(np.float64)):
        assert same(lutloom.simulate(float_build, given).outputs, wanted)


def test_data_of_a_wrong_shape_are_named_with_their_own(float_build: Path) -> None:
    data = np.zeros((3, 13), dtype=np.float32)
    with pytest.raises(lutloom.LutloomError, match=r"shape \['N', 12\], .* not \[3, 13\]$"):
        lutloom.simulate(float_build, data)


@pytest.mark.parametrize("count", COUNTS)
def test_raw_bytes_and_the_floats_they_stand_for_give_the_same(
    count: int, raw_build: Path, models: Path
) -> None:
    data = np.random.default_rng(count).integers(256, size=(count, 2, 3)).astype(np.uint8)
    floats = data.astype(np.float32) / np.float32(256)
    wanted = executed(models / "raw.onnx", floats)
    for given in (data, floats, data.astype(np.int64)):
        assert same(lutloom.simulate(raw_build, given).outputs, wanted)


@pytest.mark.parametrize("count", COUNTS)
def test_a_class_comes_out_where_the_model_ends_in_one(
    count: int, index_build: Path, models: Path
) -> None:
    data = np.random.default_rng(count).normal(size=(count, 6)).astype(np.float32)
    assert same(lutloom.simulate(index_build, data).outputs, executed(models / "index.onnx", data))


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("kind", ["ArgMax", "TopK"])
def test_heads_keep_their_shapes(kind: str, keep: int, tmp_path: Path) -> None:
    rng, w = np.random.default_rng(6), Writer()
    x = w.matmul(w.bipolar("x"), rng.integers(-1, 2, size=(9, 7)), bits=2)
    if kind == "TopK":
        k = w.constant([1 + 2 * keep], np.int64)
        w.node("TopK", [x, k], outputs=["values", "indices"], axis=1)
        output = "indices"
    else:
        output = w.node("ArgMax", [x], axis=1, keepdims=keep)
    model = write(w.model(output, 9, output_type=TensorProto.INT64), tmp_path)
    lutloom.compile(model, tmp_path / "b")
    data = rng.normal(size=(50, 9)).astype(np.float32)
    assert same(lutloom.simulate(tmp_path / "b", data).outputs, executed(model, data))


def test_no_images_give_no_outputs_of_the_right_shape(
    float_build: Path, raw_build: Path, index_build: Path, models: Path
) -> None:
    for build, name in ((float_build, "float"), (raw_build, "raw"), (index_build, "index")):
        data = np.load(models / f"{name}.npy")
        some = lutloom.simulate(build, data)
        none = lutloom.simulate(build, data[:0], labels=np.zeros(0, np.int64))
        assert same(none.outputs, some.outputs[:0])
        assert none.correct == 0
        assert none.accuracy is None


@pytest.mark.parametrize("name", ["float", "raw", "index"])
def test_the_compiled_cplusplus_gives_the_same(
    name: str, models: Path, request: pytest.FixtureRequest
) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    build: Path = request.getfixturevalue(f"{name}_build")
    data = np.load(models / f"{name}.npy")
    many = data[np.arange(207) % len(data)]
    for given in (many, data[:1], data[:0]):
        reference = lutloom.simulate(build, given).outputs
        compiled = lutloom.simulate(build, given, engine=lutloom.Engine.CSIM).outputs
        assert same(compiled, reference)


def test_what_was_compiled_is_kept_unless_it_is_damaged(
    build: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    data, engine = np.load(models / "float.npy"), lutloom.Engine.CSIM
    wanted, before = lutloom.simulate(build, data, engine=engine).outputs, contents(build)
    (library,) = (build / ".cache").glob("csim-*.so")
    kept = sorted(path.name for path in library.parent.iterdir())

    def fail(*_: object) -> None:
        raise AssertionError("compiled again")

    with monkeypatch.context() as patch:
        patch.setattr("lutloom.sim.shared_library.compile_sources", fail)
        assert same(lutloom.simulate(build, data, engine=engine).outputs, wanted)
        library.write_bytes(library.read_bytes()[:-100])
        with pytest.raises(AssertionError, match="compiled again"):
            lutloom.simulate(build, data, engine=engine)
    assert contents(build) == before
    assert sorted(path.name for path in library.parent.iterdir()) == kept


def test_labels_count_the_largest_outputs_that_meet_them(
    invoke: Invoke, float_build: Path, models: Path, tmp_path: Path
) -> None:
    outputs = lutloom.simulate(float_build, models / "float.npy").outputs
    labels = outputs.argmax(axis=1)
    labels[2:4] = (labels[2:4] + 1) % 4
    np.save(tmp_path / "y.npy", labels)
    ended = invoke(
        "simulate", float_build, "--data", models / "float.npy",
        "--labels", tmp_path / "y.npy", "--output", tmp_path / "out.npy",
    )  # fmt: skip
    assert ended.status == 0
    assert "5 of 7 labels met (71.43%)" in ended.out
    assert same(np.load(tmp_path / "out.npy"), outputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npy", "y.npy"]


def test_progress_counts_to_the_end(float_build: Path) -> None:
    seen: list[tuple[int, int]] = []
    data = np.ones((2500, 12), np.float32)
    lutloom.simulate(
        float_build,
        data,
        engine=lutloom.Engine.REFERENCE,
        on_progress=lambda done, all_: seen.append((done, all_)),
    )
    assert seen == [(1000, 2500), (2000, 2500), (2500, 2500)]


def test_the_outputs_do_not_replace_files_of_the_build(float_build: Path, models: Path) -> None:
    before = contents(float_build)
    with pytest.raises(LutloomError, match=r"golden\.npz belongs to the build: write to another"):
        lutloom.simulate(float_build, models / "float.npy", output=float_build / "golden.npz")
    assert contents(float_build) == before


@pytest.mark.parametrize("overwritten", ["data", "labels"])
def test_the_outputs_do_not_replace_what_they_were_made_of(
    overwritten: str, float_build: Path, models: Path, tmp_path: Path
) -> None:
    data, labels, link = (tmp_path / name for name in ("data.npy", "labels.npy", "link"))
    shutil.copy(models / "float.npy", data)
    np.save(labels, np.zeros(7, dtype=np.int64))
    before = contents(tmp_path)
    link.symlink_to(tmp_path / f"{overwritten}.npy")
    with pytest.raises(LutloomError, match="link is the input itself: write the outputs to anoth"):
        lutloom.simulate(float_build, data, labels=labels, output=link)
    link.unlink()
    assert contents(tmp_path) == before
