"""Data, labels, plans, boards, builds and options that are no such thing: named, and soon."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.app.commands import Invoke
from tests.app.test_refusals import refused
from tests.bounds import bounded, needs_proc

Make = Callable[[Path], object]


def npy(header: str, data: bytes = b"", version: int = 1) -> Make:
    """Return what writes a .npy file with any header."""
    text = header.encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return lambda path: path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + size + text + data)


def shaped(shape: str) -> Make:
    return npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n", bytes(96))


def array(values: object, dtype: object = np.float32) -> Make:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, np.asarray(values, dtype=dtype))  # type: ignore[call-overload]

    return make


def archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, np.zeros((2, 12)))


def text(content: str) -> Make:
    return lambda path: path.write_text(content, encoding="utf-8")


def link_to(target: str) -> Make:
    return lambda path: path.symlink_to(target)


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


ANYWHERE: dict[str, Make] = {
    "pipe": os.mkfifo,
    "device": link_to("/dev/zero"),
    "ring": link_to("bad"),
    "directory": Path.mkdir,
    "huge": large,
    "empty": text(""),
    "long_name": lambda _: None,
}

ZEROS = np.zeros((2, 12))
DATA: dict[str, tuple[Make, str]] = {
    "terabytes": (shaped("(1099511627776, 12)"), "is no .npy file of numbers"),
    "gigabytes": (shaped("(4000000000, 12)"), "is no .npy file of numbers"),
    "negative": (shaped("(-1, 12)"), "is no .npy file of numbers"),
    "digits": (shaped(f"({'9' * 9999},)"), "is no .npy file of numbers"),
    "axes": (shaped(f"({'1,' * 200})"), "is no .npy file of numbers"),
    "code": (npy("__import__('os').system('touch pwned')\n"), "is no .npy file of numbers"),
    "brackets": (npy("(" * 5000 + "\n"), "is no .npy file of numbers"),
    "version": (npy("{}\n", version=9), "is no .npy file of numbers"),
    "pickle": (
        npy(
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
            b"cos\nsystem\n(S'touch pwned'\ntR.",
        ),
        "is no .npy file of numbers",
    ),
    "records": (array(ZEROS, [("a", "<f4"), ("b", "<i4")]), "not numbers"),
    "archive": (archive, "is no .npy file of numbers"),
    "complex": (array(ZEROS, complex), "holds complex128, not numbers"),
    "dates": (array(ZEROS, "M8[s]"), "holds datetime64[s], not numbers"),
    "strings": (array(ZEROS, "S4"), "holds |S4, not numbers"),
    "beyond": (array(ZEROS + 1e300, float), "beyond float32"),
    "batches": (array(ZEROS[np.newaxis]), "['N', 12]"),
    "nothing": (array(np.zeros((0, 0))), "['N', 12]"),
}


def bad_path(name: str, kinds: Mapping[str, tuple[Make, str]], directory: Path) -> tuple[Path, str]:
    """Make the bad file ``name``; return its path and what is said of it."""
    make, said = kinds.get(name) or (ANYWHERE[name], "bad")
    path = directory / ("bad" * (2000 if name == "long_name" else 1))
    make(path)
    return path, said


@needs_proc
@pytest.mark.parametrize("name", [*ANYWHERE, *DATA])
def test_data_that_are_none_are_refused(
    name: str, invoke: Invoke, float_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, said = bad_path(name, DATA, tmp_path)
    with bounded():
        # The engine that is compiled first would take its time, whatever the data are.
        ended = invoke("simulate", float_build, "--data", path, "--engine", "reference")
    refused(ended, said)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "labels",
    [
        np.full(7, -1),
        np.full(7, 2**40),
        np.full(7, 2**64 - 1, np.uint64),
        np.full(7, np.inf),
        np.full(7, 1e300),
    ],
    ids=str,
)
def test_labels_that_are_no_classes_are_refused(
    labels: object, invoke: Invoke, float_build: Path, models: Path, tmp_path: Path
) -> None:
    array(labels, None)(tmp_path / "y.npy")
    data = models / "float.npy"
    ended = invoke("simulate", float_build, "--data", data, "--labels", tmp_path / "y.npy")
    refused(ended, "the labels should be whole numbers: the classes from 0 on")


PLANS: dict[str, tuple[Make, str]] = {
    "null": (text("null"), "the plan should be a JSON object, not null"),
    "brackets": (text("[" * 100_000), "the plan is no JSON"),
    "digits": (text('{"format": ' + "9" * 5000 + "}"), "the plan is no JSON"),
    "twice": (text('{"format": 1, "format": 1}'), "the entry 'format' stands there twice: leave"),
    "nan": (text('{"format": NaN}'), "the plan is no JSON: it holds NaN, which"),
    "infinite": (text('{"format": 1e999}'), "the plan is no JSON: it holds 1e999, which"),
    "names": (text('{"\\u001b[31m' + "x" * 10**6 + '": 1}'), "the plan has an unknown entry"),
    "other": (text('{"format": 2}'), "the plan's format is 2: this version reads 1"),
    "mark": (text("\ufeff{}"), "the plan is no JSON: Unexpected UTF-8 BOM"),
    "latin": (lambda path: path.write_bytes(b'{"\xe9": 1}'), "can't be read"),
}


@needs_proc
@pytest.mark.parametrize("name", [*ANYWHERE, *PLANS])
def test_plans_that_are_none_are_refused(
    name: str, invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    path, said = bad_path(name, PLANS, tmp_path)
    with bounded():
        ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", "--plan", path)
    refused(ended, said)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "pe", [0, -1, 1.0, "1", True, None, [1], 10**3000], ids=lambda pe: str(pe)[:9]
)
def test_a_folding_that_is_no_number_is_refused(
    pe: object, invoke: Invoke, models: Path, build: Path, tmp_path: Path
) -> None:
    plan = json.loads((build / "plan.json").read_text())
    next(iter(plan["processes"].values()))["pe"] = pe
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(plan))
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", "--plan", path)
    refused(ended, "mine.json", "pe")
    assert not (tmp_path / "b").exists()


BOARDS: dict[str, tuple[Make, str]] = {
    "brackets": (text("a = " + "[" * 100_000), "is not TOML"),
    "digits": (text("a = " + "9" * 5000), "is not TOML"),
    "twice": (text("a = 1\na = 2\n"), "is not TOML"),
    "latin": (lambda path: path.write_bytes(b"a = '\xe9'"), "is not text in UTF-8"),
}


@needs_proc
@pytest.mark.parametrize("name", [*ANYWHERE, *BOARDS])
def test_boards_that_are_none_are_refused(
    name: str, invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    path, said = bad_path(name, BOARDS, tmp_path)
    with bounded():
        ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", "--board", path)
    refused(ended, said)
    assert not (tmp_path / "b").exists()


@needs_proc
@pytest.mark.parametrize("name", [*ANYWHERE, "terminal"])
def test_models_that_are_no_files_are_refused(
    name: str, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"long_name": "bad" * 2000, "terminal": "bad\x1b[31m\r\n.onnx"}
    path = tmp_path / names.get(name, "bad")
    ANYWHERE.get(name, ANYWHERE["long_name"])(path)
    with bounded():
        refused(invoke("inspect", path), "bad")
        refused(invoke("compile", path, "-o", "b"), "bad")
    assert not (tmp_path / "b").exists()


@needs_proc
@pytest.mark.parametrize(
    "number", ["1e400000000", "1e-999999999", "9" * 5000, "1/" + "9" * 5000, "1e39", "-2e38,1e99"]
)
def test_numbers_without_end_are_refused(
    number: str, invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    model = models / "float.onnx"
    for option in ("--input-scale", "--input-bias"):
        with bounded():
            ended = invoke(
                "compile", model, "-o", tmp_path / "b", "--input-type", "uint8", option, number
            )
        refused(ended, f"{option} is '")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "option",
    [("--samples", "9" * 20), ("--samples", "-1"), ("--seed", "-1"), ("--exact", "9" * 20)],
    ids=str,
)
def test_counts_beyond_reason_are_wrong_usage(
    option: tuple[str, str], invoke: Invoke, float_build: Path
) -> None:
    ended = invoke("verify", float_build, "--no-csim", *option)
    assert (ended.status, ended.out) == (2, "")
    assert option[0] in ended.err
    assert "Traceback" not in ended.err


def test_nothing_is_written_over_what_is_no_file(
    invoke: Invoke, float_build: Path, models: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "null"):
        place = tmp_path / name
        ended = invoke("simulate", float_build, "--data", models / "float.npy", "--output", place)
        refused(ended, f"{place} can't be written: it is no regular file")
    assert (tmp_path / "pipe").is_fifo()
    assert Path("/dev/null").is_char_device()


DAMAGED = ("build.json", "model.onnx", "network.json", "plan.json")


@needs_proc
@pytest.mark.parametrize("kind", ["pipe", "device", "ring", "directory", "huge", "empty"])
def test_builds_with_something_else_in_place_of_a_file_are_refused(
    kind: str, invoke: Invoke, build: Path, models: Path
) -> None:
    for name in DAMAGED:
        before = (build / name).read_bytes()
        (build / name).unlink()
        ANYWHERE[kind](build / name)
        with bounded():
            ended = invoke("simulate", build, "--data", models / "float.npy")
            refused(ended, str(build))
            ended = invoke("verify", build, "--no-csim", "--samples", "2")
        assert ended.status in (1, 2)
        assert "Traceback" not in ended.err
        shutil.rmtree(build / name) if kind == "directory" else (build / name).unlink()
        (build / name).write_bytes(before)


def test_files_of_another_build_are_noticed(
    invoke: Invoke, build: Path, models: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    assert invoke("compile", models / "index.onnx", "-o", other).status == 0
    for name in (*DAMAGED, "golden.npz", "hls/design.json", "processes.npz"):
        before = (build / name).read_bytes()
        (build / name).write_bytes((other / name).read_bytes())
        for command in (
            ("simulate", build, "--data", models / "float.npy"),
            ("verify", build, "--no-csim", "--samples", "2"),
        ):
            ended = invoke(*command)
            assert "Traceback" not in ended.err
            # Of the plan nothing depends, other than the C++ that was written for it.
            assert ended.status in ((0, 2) if name == "plan.json" else (1, 2)), (name, ended)
        (build / name).write_bytes(before)


@pytest.mark.parametrize("version", [0, 1, 99, "2", None])
def test_a_build_of_another_format_says_so(
    version: object, invoke: Invoke, build: Path, models: Path
) -> None:
    document = json.loads((build / "build.json").read_text())
    document["format"] = version
    (build / "build.json").write_text(json.dumps(document))
    for command in (("simulate", build, "--data", models / "float.npy"), ("verify", build)):
        refused(invoke(*command), "build.json is of another format: compile the model again")
