"""The small models, their builds, and the command line in this process."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import lutloom
from lutloom.cli import main
from lutloom.verification_report import REPORT
from tests.app.commands import Ended, Invoke, float_model, index_model, raw_model

_PAGES = ("report.html", "report.json")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of the models above; not to be written."""
    directory = tmp_path_factory.mktemp("models")
    for make in (float_model, raw_model, index_model):
        make(directory)
    rng = np.random.default_rng(4)
    np.save(directory / "float.npy", rng.normal(size=(7, 12)).astype(np.float32))
    np.save(directory / "raw.npy", rng.integers(256, size=(7, 2, 3)).astype(np.uint8))
    np.save(directory / "index.npy", rng.normal(size=(7, 6)).astype(np.float32))
    return directory


@pytest.fixture(scope="session")
def float_build(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a build of the first model; verifying and C simulation may write there, none else."""
    directory = tmp_path_factory.mktemp("float") / "build"
    lutloom.compile(models / "float.onnx", directory)
    for page in _PAGES:
        shutil.copy(directory / page, directory.parent)
    return directory


@pytest.fixture
def build(float_build: Path, tmp_path: Path) -> Path:
    """Return a copy of that build, to be damaged; with the C++ that was compiled so far.

    It is not verified, as the original may be by other tests.
    """
    directory = tmp_path / "build"
    shutil.copytree(float_build, directory, ignore=shutil.ignore_patterns(REPORT))
    for page in _PAGES:
        shutil.copy(float_build.parent / page, directory)
    return directory


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Return the command line as a function, in this process."""

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["lutloom", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr()
        code = end.value.code
        assert isinstance(code, int)
        return Ended(code, shown.out, shown.err)

    return run
