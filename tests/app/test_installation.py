"""What is not installed is named, with the command that installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.commands import MAIN, Invoke

HIDE = """
import sys
class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            return None
        return self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
"""


def run_without(names: tuple[str, ...], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HIDE.format(names=names) + MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("missing", ["torch", "brevitas", "lightning", "sklearn"])
def test_training_without_its_extra_says_which_one(missing: str, tmp_path: Path) -> None:
    train = ("train", "TFC_1W1A", "--data", "digits", "-o", tmp_path / "out")
    for command in (train, ("demo", "-o", tmp_path / "out")):
        done = run_without((missing,), *command)
        assert (done.returncode, done.stdout) == (2, "")
        assert missing in done.stderr
        assert "pip install 'lutloom[qat]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_compiling_and_simulating_need_no_extra(models: Path, tmp_path: Path) -> None:
    missing = ("torch", "brevitas", "lightning", "sklearn", "hls4ml")
    output = tmp_path / "b"
    done = run_without(missing, "compile", models / "float.onnx", "-o", output)
    assert done.returncode == 0, done.stderr
    done = run_without(missing, "simulate", output, "--data", models / "float.npy")
    assert done.returncode == 0, done.stderr


def test_c_simulation_without_its_extra_says_which_one(build: Path, models: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    csim = ("simulate", build, "--data", models / "float.npy", "--engine", "csim")
    for command in (csim, ("verify", build)):
        done = run_without(("hls4ml",), *command)
        assert (done.returncode, done.stdout) == (2, "")
        assert "pip install 'lutloom[csim]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("no path", "apt-get install g++"),
        ("not there", "no-such-compiler is what CXX says, but not on the path"),
        ("fails", "can't be run"),
        ("refuses", "the C++ compiler refuses the generated sources"),
        ("makes nothing", "it says that all is well, and makes nothing"),
        ("not executable", "is what CXX says, but not on the path"),
    ],
)
def test_a_compiler_that_is_missing_or_broken_is_named(
    kind: str,
    said: str,
    invoke: Invoke,
    build: Path,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    shutil.rmtree(build / ".cache", ignore_errors=True)
    version = '[ "$1" = --version ] && { echo cc 1; exit 0; }'
    bogus = tmp_path / "c++"
    match kind:
        case "no path":
            monkeypatch.setenv("PATH", str(tmp_path))
        case "not there":
            monkeypatch.setenv("CXX", "no-such-compiler")
        case "fails":
            monkeypatch.setenv("CXX", str(script(bogus, "exit 1")))
        case "refuses":
            monkeypatch.setenv("CXX", str(script(bogus, f"{version}\necho no >&2\nexit 1")))
        case "makes nothing":
            monkeypatch.setenv("CXX", str(script(bogus, f"{version}\nexit 0")))
        case _:
            bogus.write_text("")
            monkeypatch.setenv("CXX", str(bogus))
    data = models / "float.npy"
    ended = invoke("simulate", build, "--data", data, "--engine", "csim")
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
    ended = invoke("simulate", build, "--data", data)
    assert ended.status == 0
    assert ended.err.count("\n") == 1
    assert "; until then NumPy computes the same, more slowly" in ended.err
    assert not list(build.glob(".cache/*"))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
def test_a_compiler_named_by_cxx_is_used(
    invoke: Invoke, build: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++")
    log = tmp_path / "log"
    wrapper = script(tmp_path / "wrapped", f'echo "$@" >> "{log}"\nexec {compiler} "$@"')
    monkeypatch.setenv("CXX", str(wrapper))
    ended = invoke("simulate", build, "--data", models / "float.npy", "--engine", "csim")
    assert ended.status == 0, ended
    assert "--version" in log.read_text()
