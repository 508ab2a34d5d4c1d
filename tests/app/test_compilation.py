"""What ``compile`` writes: the same bytes, whole, and at home anywhere."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import lutloom
from lutloom.codegen import project
from tests.app.commands import Invoke, contents, float_model, start


def test_two_runs_write_equal_bytes(build: Path, models: Path, tmp_path: Path) -> None:
    process = start(
        "compile", models / "float.onnx", "-o", "b", cwd=tmp_path, PYTHONHASHSEED="7", LC_ALL="C"
    )
    assert process.communicate()[1] == ""
    assert contents(tmp_path / "b") == contents(build)


def test_nothing_in_a_build_tells_where_it_was_made(float_build: Path, models: Path) -> None:
    places = {
        str(place).encode() for place in (float_build.parent, models, Path.home(), Path.cwd())
    }
    for name, data in contents(float_build).items():
        assert not [place for place in places if place in data and len(place) > 5], name


def test_a_build_works_where_it_is_copied_to(
    invoke: Invoke, build: Path, models: Path, tmp_path: Path
) -> None:
    moved = shutil.move(build, tmp_path / "it's größer")
    assert invoke("verify", moved, "--no-csim").status == 0
    ended = invoke("simulate", moved, "--data", models / "float.npy")
    assert ended.status == 0


def test_force_replaces_a_build_when_the_new_one_is_complete(
    invoke: Invoke, models: Path, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = contents(build)

    def interrupt(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(project, "write_project", interrupt)
        ended = invoke("compile", models / "raw.onnx", "-o", build, "--force")
    assert ended.status == 2
    with monkeypatch.context() as patch:
        patch.setattr(project, "write_project", interrupt)
        ended = invoke("compile", models / "index.onnx", "-o", build, "--force")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err == "lutloom: interrupted: nothing half-written was left behind\n"
    assert contents(build) == old
    assert list(build.parent.iterdir()) == [build]

    assert invoke("compile", models / "index.onnx", "-o", build, "--force").status == 0
    assert contents(build) != old
    assert list(build.parent.iterdir()) == [build]


def test_weights_beside_a_model_are_taken_in(
    invoke: Invoke, float_build: Path, tmp_path: Path
) -> None:
    path = float_model(tmp_path)
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (tmp_path / "w.bin").stat().st_size > 0
    assert invoke("compile", path, "-o", tmp_path / "b").status == 0
    (tmp_path / "w.bin").unlink()
    assert invoke("verify", tmp_path / "b", "--no-csim").status == 0
    for name in ("model.graph", "model.npz", "hls/src/params", "hls/tb/golden.hpp"):
        mine, theirs = tmp_path / "b" / name, float_build / name
        if mine.is_dir():
            assert contents(mine) == contents(theirs)
        else:
            assert mine.read_bytes() == theirs.read_bytes()


def test_data_become_golden_vectors_and_samples(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    data = np.random.default_rng(5).normal(size=(40, 12)).astype(np.float32)
    np.save(tmp_path / "x.npy", data)
    output = tmp_path / "b"
    ended = invoke("compile", models / "float.onnx", "-o", output, "--data", tmp_path / "x.npy")
    assert ended.status == 0
    build = lutloom.load_build(output)
    samples = build.samples()
    assert samples is not None
    assert np.array_equal(build.network.named(samples)["x"], data[:16])
    golden = np.load(output / "golden.npz")
    assert np.array_equal(golden["inputs"], build.network.encode(data[:16]))
    decoded = build.network.decode(golden["outputs"])
    assert np.array_equal(decoded, lutloom.simulate(build, data[:16]).outputs)
    assert "on 16 images" in invoke("verify", output, "--no-csim").out


def test_the_python_interface_returns_the_build_it_wrote(models: Path, tmp_path: Path) -> None:
    made = lutloom.compile(models / "raw.onnx", tmp_path / "b", input_type="uint8", name="x/y")
    loaded = lutloom.load_build(tmp_path / "b")
    assert (made.name, made.board, made.clock_mhz) == (loaded.name, loaded.board, loaded.clock_mhz)
    assert (made.plan, made.directory) == (loaded.plan, loaded.directory)
    assert made.name == "x/y"


def test_what_is_no_fault_of_the_user_is_no_message(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("ours")

    monkeypatch.setattr(project, "write_project", fail)
    with pytest.raises(AssertionError, match="ours"):
        lutloom.compile(models / "float.onnx", tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
