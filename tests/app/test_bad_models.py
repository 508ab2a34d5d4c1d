"""Damaged and hostile models: one message, status 2, nothing written, soon and in little memory."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.app.bad_models import KINDS, good_model
from tests.app.commands import Invoke
from tests.app.test_refusals import refused

SECONDS, BYTES = 20, 2**30


@contextmanager
def bounded() -> Iterator[None]:
    """Let what runs inside take neither long nor much more memory than is taken already."""

    def late(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (taken * resource.getpagesize() + BYTES, limits[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
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
