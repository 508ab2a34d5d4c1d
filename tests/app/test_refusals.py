"""Bad input: one message that says what is wrong and what to do, status 2, and nothing written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import lutloom
from lutloom.core import files
from lutloom.core.errors import LutloomError
from lutloom.core.files import OutputError
from tests.app.commands import Ended, Invoke, contents, float_model
from tests.models import Writer, write

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def refused(ended: Ended, *parts: str) -> None:
    """Check that ``ended`` is one message on standard error that holds all of ``parts``."""
    assert ended.status == 2, ended
    assert ended.out == ""
    assert re.fullmatch(r"lutloom: [^\n]+\n", ended.err), ended.err
    assert "Traceback" not in ended.err
    for part in parts:
        assert part in ended.err, ended.err


def truncated(directory: Path) -> None:
    path = float_model(directory).rename(directory / "bad.onnx")
    path.write_bytes(path.read_bytes()[:-40])


def text(directory: Path) -> None:
    (directory / "bad.onnx").write_text("# Not a model\n" * 9)


def empty(directory: Path) -> None:
    (directory / "bad.onnx").write_bytes(b"")


def folder(directory: Path) -> None:
    (directory / "bad.onnx").mkdir()


def missing(directory: Path) -> None:
    del directory


def float_weights(directory: Path) -> None:
    w = Writer()
    weights = w.constant(np.random.default_rng(0).normal(size=(3, 3)))
    x = w.node("MatMul", [w.bipolar("x"), weights], name="dense \n$(x)")
    write(w.model(w.bipolar(x), 3), directory, "bad.onnx")


def float_between(directory: Path) -> None:
    w = Writer()
    x = w.matmul(w.bipolar("x"), np.eye(3))
    x = w.node("Sigmoid", [x], name="activation")
    write(w.model(w.matmul(x, np.eye(3)), 3), directory, "bad.onnx")


def lost_weights(directory: Path) -> None:
    path = float_model(directory).rename(directory / "bad.onnx")
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (directory / "weights.bin").unlink()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (truncated, "damaged or cut off"),
        (text, "can't be read as an ONNX model"),
        (empty, "holds no nodes"),
        (folder, "is a directory"),
        (missing, "does not exist"),
        (float_weights, r"MatMul node 'dense \n$(x)'"),
        (float_between, "activation"),
        (lost_weights, "weights.bin"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_models_are_refused_with_the_reason(
    make: Callable[[Path], None], said: str, invoke: Invoke, tmp_path: Path
) -> None:
    make(tmp_path)
    before = contents(tmp_path)
    for command in (("inspect",), ("compile", "-o", tmp_path / "build")):
        name, *options = command
        refused(invoke(name, tmp_path / "bad.onnx", *options), said)
    assert contents(tmp_path) == before
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--board", "pynq-z3"), "pynq-z2"),
        (("--board", "broken.toml"), "broken.toml"),
        (("--board", "none.toml"), "none.toml"),
        (("--plan", "none.json"), "none.json"),
        (("--plan", "text.json"), "text.json: the plan is no JSON"),
        (("--plan", "list.json"), "list.json: the plan should be a JSON object"),
        (("--plan", "long.json"), "long.json"),
        (("--plan", "binary.json"), "binary.json"),
        (("--input-scale", "1/255"), "--input-type"),
        (("--input-type", "float32"), "--input-type is 'float32'"),
        (("--input-type", "uint0"), "--input-type is 'uint0'"),
        (("--input-type", "9..0"), "--input-type is '9..0'"),
        (("--input-type", "0..4294967296"), "--input-type is '0..4294967296'"),
        (("--input-type", "uint8", "--input-scale", "1/0"), "--input-scale is '1/0'"),
        (("--input-type", "uint8", "--input-scale", "a lot"), "--input-scale is 'a lot'"),
        (("--input-type", "uint8", "--input-scale", "nan"), "--input-scale is 'nan'"),
        (("--input-type", "uint8", "--input-scale", "0"), "scale"),
        (("--input-type", "uint8", "--input-scale", "1,"), "--input-scale is '1,'"),
        (("--input-type", "uint8", "--input-bias", ""), "--input-bias is ''"),
        (("--data", "none.npy"), "none.npy does not exist"),
        (("--data", "text.npy"), "text.npy is no .npy file"),
        (("--data", "cut.npy"), "cut.npy is no .npy file"),
        (("--data", "pickled.npy"), "pickled.npy is no .npy file"),
        (("--data", "archive.npz"), "the data are for 'arr_0', but the model's inputs are 'x'"),
        (("--data", "strings.npy"), "strings.npy holds <U1"),
        (("--data", "wide.npy"), "['N', 12]"),
        (("--data", "scalar.npy"), "at least one input"),
        (("--data", "nothing.npy"), "at least one input"),
        (("--data", "nan.npy"), "NaN"),
        (("--data", "."), ". holds no image"),
    ],
)
def test_bad_options_are_refused_with_the_reason(
    options: tuple[str, ...],
    said: str,
    invoke: Invoke,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_bad_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    refused(invoke("compile", models / "float.onnx", "-o", "build", *options), said)
    assert contents(tmp_path) == before
    assert not (tmp_path / "build").exists()


def make_bad_files(directory: Path) -> None:
    (directory / "broken.toml").write_text('name = "x\n')
    (directory / "text.json").write_text("not json")
    (directory / "list.json").write_text("[]")
    (directory / "long.json").write_text("9" * 5000)
    (directory / "binary.json").write_bytes(b"\xff\xfe\x00")
    (directory / "text.npy").write_text("1 2 3\n")
    data = np.zeros((2, 12), np.float32)
    np.save(directory / "good.npy", data)
    (directory / "cut.npy").write_bytes((directory / "good.npy").read_bytes()[:-8])
    np.save(directory / "pickled.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.savez(directory / "archive.npz", data)
    np.save(directory / "strings.npy", np.array(["a", "b"]))
    np.save(directory / "wide.npy", np.zeros((2, 13), np.float32))
    np.save(directory / "scalar.npy", np.float32(1))
    np.save(directory / "nothing.npy", data[:0])
    np.save(directory / "nan.npy", data + np.float32(np.nan))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"graph": "0" * 20}, "graph"),
        ({"processes": {"nobody": {"pe": 1}}}, "nobody"),
        ({"processes": {}}, "MatMul"),
        ({"pe": 3}, "[1, 2, 4, 8]"),
        ({"simd": 5}, "[1, 2, 3, 4, 6, 12]"),
        ({"memory": "tape"}, "lutram"),
        ({"word_bits": -1}, "word_bits"),
        ({"fifos": {"nobody": 4}}, "nobody"),
    ],
    ids=str,
)
def test_plans_that_do_not_fit_are_refused_with_what_would(
    edit: dict[str, object], said: str, invoke: Invoke, models: Path, build: Path, tmp_path: Path
) -> None:
    plan = json.loads((build / "plan.json").read_text())
    if set(edit) <= set(plan):
        plan |= edit
    else:
        next(iter(plan["processes"].values())).update(edit)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(plan))
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "new", "--plan", path)
    refused(ended, "mine.json", said)
    assert not (tmp_path / "new").exists()


def test_what_exists_is_kept_unless_force_says_so(
    invoke: Invoke, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "thesis.tex").write_text("years of work")
    for options in ((), ("--force",)):
        refused(invoke("compile", models / "float.onnx", "-o", output, *options), "out ")
    refused(invoke("compile", models / "float.onnx", "-o", output / "thesis.tex"), "exists")
    ended = invoke("compile", models / "float.onnx", "-o", output / "thesis.tex", "--force")
    refused(ended, "no directory")
    refused(invoke("compile", models / "float.onnx", "-o", output / "thesis.tex" / "x"), "x can't")
    (output / "link").symlink_to(tmp_path / "nowhere")
    refused(invoke("compile", models / "float.onnx", "-o", output / "link"), "exists")
    monkeypatch.chdir(output)
    for place in (".", "..", ""):
        ended = invoke("compile", models / "float.onnx", "-o", place, "--force")
        refused(ended, "current directory")
    assert contents(tmp_path) == {"out/thesis.tex": b"years of work"}


def test_a_disk_that_fills_up_leaves_no_part_of_a_build(
    invoke: Invoke, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = files.write_file
    left = 6

    def until_full(path: Path, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, "No space left on device", str(path))
        whole(path, data)

    for module in ("lutloom.compilation", "lutloom.core.store", "lutloom.codegen.project"):
        monkeypatch.setattr(f"{module}.write_file", until_full)
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "build")
    refused(ended, "build can't be written: No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros((2, 13), np.float32), "['N', 12]"),
        (np.zeros(12, np.float32), "['N', 12]"),
        (np.float32(1), "['N', 12]"),
        (np.full((1, 12), np.nan, np.float32), "NaN"),
        (np.full((1, 12), np.inf), "infinity"),
        (np.zeros((1, 12), np.complex64), "complex64"),
    ],
    ids=lambda value: str(getattr(value, "shape", "")),
)
def test_data_that_do_not_fit_are_refused(
    data: ArrayLike, said: str, invoke: Invoke, float_build: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", data)
    for command in ("simulate", "verify"):
        ended = invoke(command, float_build, "--data", tmp_path / "x.npy")
        assert ended.status == 2
        assert said in ended.err or "at least one input" in ended.err
        assert "Traceback" not in ended.err
    assert contents(tmp_path).keys() == {"x.npy"}


@pytest.mark.parametrize(
    "labels",
    [np.zeros(6, np.int64), np.zeros((7, 1), np.int64), np.full(7, 0.5), np.full(7, np.nan)],
    ids=str,
)
def test_labels_that_do_not_fit_are_refused(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    invoke: Invoke,
    float_build: Path,
    models: Path,
    tmp_path: Path,
) -> None:
    np.save(tmp_path / "y.npy", labels)
    data = models / "float.npy"
    refused(
        invoke("simulate", float_build, "--data", data, "--labels", tmp_path / "y.npy"), "labels"
    )


def test_outputs_that_cannot_be_written_are_refused(
    invoke: Invoke, float_build: Path, models: Path, tmp_path: Path
) -> None:
    for place in (tmp_path / "nowhere" / "y.npy", tmp_path):
        ended = invoke("simulate", float_build, "--data", models / "float.npy", "--output", place)
        refused(ended, str(place), "can't be written")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Usage"),
        (("compile",), "Missing argument"),
        (("compile", "m.onnx"), "--output"),
        (("compile", "m.onnx", "-o", "b", "--bogus"), "--bogus"),
        (("inspect", "a", "b"), "unexpected extra argument"),
        (("weave",), "No such command"),
        (("verify", "b", "--samples", "0"), "--samples"),
        (("verify", "b", "--samples", "few"), "--samples"),
        (("simulate", "b", "--data", "x", "--engine", "gpu"), "'csim'"),
        (("simulate", "b"), "--data"),
    ],
    ids=str,
)
def test_wrong_usage_is_explained(arguments: tuple[str, ...], said: str, invoke: Invoke) -> None:
    ended = invoke(*arguments)
    assert ended.status == 2
    assert said in ended.out + ended.err
    assert "Traceback" not in ended.err
    assert not arguments or ended.out == ""


def test_a_directory_that_is_no_build_is_refused(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    for place in (tmp_path, tmp_path / "nowhere", models / "float.onnx"):
        refused(invoke("simulate", place, "--data", models / "float.npy"), "is no build")
        refused(invoke("verify", place), "is no build")


def test_errors_of_the_python_interface_are_one_class(models: Path, tmp_path: Path) -> None:
    with pytest.raises(LutloomError):
        lutloom.inspect(tmp_path / "none.onnx")
    with pytest.raises(OutputError):
        lutloom.compile(models / "float.onnx", tmp_path)


def test_a_broken_board_file_is_named_with_its_key(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    source = resources.files("lutloom.boards").joinpath("pynq_z2.toml").read_text()
    board = tmp_path / "mine.toml"
    board.write_text(re.sub(r"(?m)^clock_mhz = .*$", 'clock_mhz = "fast"', source))
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", "--board", board)
    refused(ended, "mine.toml", "clock_mhz", "fast")
