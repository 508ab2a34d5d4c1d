"""The command ``train``: what it says of data, and that its options arrive."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

from lutloom.qat.checkpoint import read_settings
from tests.app.commands import Invoke


def test_data_that_are_not_there_are_refused_and_not_fetched_unasked(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ended = invoke("train", "TFC_1W1A", "--data", "cifar100", "-o", tmp_path / "out")
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err == (
        f"lutloom: cifar100 is not in {tmp_path}/cache/lutloom/data/cifar100: pass --download "
        "(download=True) to fetch 168.5 MB, or put there "
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_images_are_varied_where_that_is_asked_for(invoke: Invoke, tmp_path: Path) -> None:
    ended = invoke(
        *("train", "TFC_1W1A", "--data", "digits", "-o", tmp_path / "out"),
        *("--epochs", "1", "--augmentation", "shift=1,crop=2"),
    )
    assert ended.status == 0, ended
    checkpoint = tmp_path / "out" / "checkpoints" / "best.ckpt"
    assert read_settings(checkpoint).augmentation == "crop=2,shift=1"
