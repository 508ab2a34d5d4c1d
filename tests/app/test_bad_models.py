"""Damaged and hostile models: one message, status 2, nothing written, soon and in little memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.bad_models import KINDS, good_model
from tests.app.commands import Invoke
from tests.app.test_refusals import refused
from tests.bounds import bounded, needs_proc


@needs_proc
@pytest.mark.parametrize("name", KINDS)
def test_a_bad_model_is_refused_with_the_reason(name: str, invoke: Invoke, tmp_path: Path) -> None:
    made, said = KINDS[name]
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "bad.onnx"
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        model = good_model()
        made(model, folder)
        path.write_bytes(model.SerializeToString())
    before = sorted(tmp_path.rglob("*"))
    for command in (("inspect", path), ("compile", path, "-o", tmp_path / "build")):
        with bounded():
            ended = invoke(*command)
        refused(ended, said)
        assert len(ended.err) < 2500
        assert "can't be read (" not in ended.err  # nobody foresaw it
        assert "not enough memory" not in ended.err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_good_model_is_compiled(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "good.onnx"
    path.write_bytes(good_model().SerializeToString())
    assert invoke("compile", path, "-o", tmp_path / "build").status == 0
