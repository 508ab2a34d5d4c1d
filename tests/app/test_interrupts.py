"""Ctrl-C: one line, status 130, no files half-written and no processes left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.app.commands import MAIN, Invoke, contents, start

SAID = "lutloom: interrupted: nothing half-written was left behind\n"
needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
needs_torch = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "brevitas", "lightning", "sklearn")),
    reason="needs lutloom[qat]",
)


def interrupt(process: subprocess.Popen[str], is_ready: Callable[[], bool]) -> str:
    """Send SIGINT to ``process`` once it is ready, check how it ends, return its errors."""
    deadline = time.monotonic() + 120
    while not is_ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.endswith(SAID)
    assert "Traceback" not in errors
    return errors


def running(word: str, *, beside: Path) -> bool:
    """Return whether a process runs whose command holds ``word`` and a path below ``beside``."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if word in command and str(beside) in command:
            return True
    return False


def left_in(temporary: Path) -> list[str]:
    """Return what lies in a temporary directory, what torch and ONNX Runtime keep there apart."""
    kept = ("torchinductor_", ".ses")
    return [path.name for path in temporary.iterdir() if not path.name.startswith(kept)]


def send(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)


@needs_proc
def test_verify_leaves_no_compiler_and_no_files(build: Path, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    shutil.rmtree(build / ".cache", ignore_errors=True)
    before, temporary = contents(build), tmp_path / "tmp"
    temporary.mkdir()
    process = start("verify", build, cwd=tmp_path, TMPDIR=str(temporary))
    interrupt(process, lambda: running("cc1plus", beside=build))
    assert not running("", beside=build)
    assert contents(build) == before
    assert not list(build.glob(".cache/*"))
    assert left_in(temporary) == []


@needs_torch
def test_train_keeps_whole_checkpoints_and_nothing_else(tmp_path: Path) -> None:
    temporary, output = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    process = start(
        "train", "TFC_1W1A", "--data", "digits", "--epochs", "9999", "-o", output,
        TMPDIR=str(temporary),
    )  # fmt: skip
    interrupt(process, (output / "checkpoints" / "last.ckpt").exists)
    names = {path.name for path in (output / "checkpoints").iterdir()}
    assert {"best.ckpt", "last.ckpt"} == {name for name in names if name != ".partial.ckpt"}
    assert {path.name for path in output.iterdir()} == {"checkpoints", "recipe.toml"}
    assert left_in(temporary) == []


@needs_torch
def test_demo_leaves_nothing(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    temporary, place = tmp_path / "tmp", tmp_path / "place"
    temporary.mkdir()
    place.mkdir()
    process = start("demo", cwd=place, TMPDIR=str(temporary))
    checkpoint = "*/training/checkpoints/last.ckpt"
    interrupt(process, lambda: any(place.glob(f".lutloom-demo.{checkpoint}")))
    assert list(place.iterdir()) == []
    assert left_in(temporary) == []


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("lutloom.streamline.pipeline.streamline", ("inspect",)),
        ("lutloom.core.store.save_graph", ("compile", "-o", "b")),
        ("lutloom.codegen.toolflow.write_toolflow", ("compile", "-o", "b")),
    ],
)
def test_compile_and_inspect_leave_nothing(
    target: str,
    command: tuple[str, ...],
    invoke: Invoke,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target, send)
    monkeypatch.chdir(tmp_path)
    name, *options = command
    ended = invoke(name, models / "float.onnx", *options)
    assert (ended.status, ended.out, ended.err) == (130, "", SAID)
    assert list(tmp_path.iterdir()) == []


def test_simulate_leaves_no_output(
    invoke: Invoke,
    float_build: Path,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lutloom.sim.reference.run", send)
    output = tmp_path / "out.npy"
    data, engine = models / "float.npy", ("--engine", "reference")
    ended = invoke("simulate", float_build, "--data", data, "--output", output, *engine)
    assert (ended.status, ended.out, ended.err) == (130, "", SAID)
    assert list(tmp_path.iterdir()) == []


def test_a_simulation_in_the_midst_of_a_data_set_leaves_no_output(
    float_build: Path, tmp_path: Path
) -> None:
    temporary, place = tmp_path / "tmp", tmp_path / "place"
    temporary.mkdir()
    place.mkdir()
    np.save(tmp_path / "x.npy", np.zeros((100_000, 12), np.float32))
    for output in ("y.npy", "y.npz"):
        process = start(
            "simulate", float_build, "--data", tmp_path / "x.npy", "--batch", "1",
            "--engine", "reference", "--output", place / output,
            TMPDIR=str(temporary),
        )  # fmt: skip
        interrupt(process, lambda: any(place.iterdir()))
        assert list(place.iterdir()) == []
        assert left_in(temporary) == []


def test_a_library_that_hides_the_interrupt_does_not_hide_the_status(
    invoke: Invoke, float_build: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hide(*_: object, **__: object) -> None:
        try:
            send()
        except KeyboardInterrupt as interrupt_:
            raise ImportError("something else") from interrupt_

    monkeypatch.setattr("lutloom.sim.reference.run", hide)
    data, engine = models / "float.npy", ("--engine", "reference")
    ended = invoke("simulate", float_build, "--data", data, *engine)
    assert ended.status == 130
    assert ended.err.endswith(SAID)


def test_a_second_signal_at_once_does_not_end_the_tidying_up(
    invoke: Invoke, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree

    def interrupted(directory: Path, *, ignore_errors: bool) -> None:
        send()
        remove(directory, ignore_errors=ignore_errors)

    monkeypatch.setattr("lutloom.core.store.save_graph", send)
    monkeypatch.setattr("lutloom.core.files.shutil.rmtree", interrupted)
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "of" / "new" / "b")
    assert (ended.status, ended.out, ended.err) == (130, "", SAID)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["lutloom.cli", "typer", "lutloom.core.errors"])
def test_the_first_moments_are_as_clean(module: str) -> None:
    """The signal comes when ``module`` is about to be imported."""
    early = f"""
import os, signal, sys
class Early:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Early())
"""
    done = subprocess.run(
        [sys.executable, "-c", early + MAIN, "boards"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", SAID)


def test_a_signal_while_the_interpreter_ends_changes_nothing() -> None:
    late = "import atexit, os, signal\natexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
    done = subprocess.run(
        [sys.executable, "-c", late + MAIN, "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("lutloom ")


def test_the_handler_of_the_caller_is_put_back(invoke: Invoke) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert invoke("--version").status == 0
    assert signal.getsignal(signal.SIGINT) is before


@needs_proc
def test_other_signals_that_end_a_process_are_as_clean(build: Path, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    shutil.rmtree(build / ".cache", ignore_errors=True)
    process = start("verify", build, cwd=tmp_path)
    while not running("cc1plus", beside=build):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, SAID)
    assert not running("", beside=build)
    assert not list(build.glob(".cache/*"))
