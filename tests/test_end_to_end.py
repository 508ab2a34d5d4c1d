"""The whole pipeline from the command line: from data or a model to a verified project."""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.app.commands import raw_model, start

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def run(place: Path, *arguments: str | Path) -> str:
    """Run ``lutloom`` in ``place`` and return what it printed; it must succeed."""
    process = start(*arguments, cwd=place, HOME=str(place))
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    return out


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "brevitas", "lightning", "sklearn")),
    reason="needs lutloom[qat]",
)
def test_demo_trains_compiles_and_proves_all_stages_equal(tmp_path: Path) -> None:
    shown = run(tmp_path, "demo")
    right = re.search(r"(\d+) of 364 test images right", shown)
    assert right is not None
    assert int(right[1]) > 300
    assert f"{right[1]} of 364 labels met" in shown
    assert "All stages agree on 364 images." in shown
    for stage in ("export", "integers", "processes", "C++", "FIFOs"):
        assert f"\n{stage}: " in shown
    for name in ("training/SFC_1W1A.onnx", "data/images.npy", "build/NEXT_STEPS.md"):
        assert (tmp_path / "lutloom-demo" / name).is_file()

    again = start("demo", cwd=tmp_path)
    _, errors = again.communicate()
    assert again.returncode == 2
    assert "lutloom-demo exists" in errors


def test_bytes_go_through_every_command(tmp_path: Path) -> None:
    raw_model(tmp_path)
    data = np.random.default_rng(0).integers(256, size=(30, 2, 3)).astype(np.uint8)
    np.save(tmp_path / "x.npy", data)
    raw = ("--input-type", "uint8", "--input-scale", "1/255")
    assert "nothing: raw integers go in" in run(tmp_path, "inspect", "raw.onnx", *raw)
    run(tmp_path, "compile", "raw.onnx", "-o", "b", "--board", "pynq-z1", *raw)
    assert "All stages agree on 30 images." in run(tmp_path, "verify", "b", "--data", "x.npy")
    outputs = []
    for engine in ("reference", "csim"):
        run(tmp_path, "simulate", "b", "--data", "x.npy", "--engine", engine, "--output", "y.npy")
        outputs.append(np.load(tmp_path / "y.npy"))
    assert outputs[0].shape == (30, 3)
    assert np.array_equal(*outputs)
