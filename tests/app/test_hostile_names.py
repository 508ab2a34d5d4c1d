"""Names that a shell, make, Tcl, C++ or a terminal would take for something else."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path

import onnx
import pytest

from lutloom.sim.toolchain import find_ap_headers
from tests.app.commands import Invoke, contents, float_model

NAMES = (
    "q\"uo'te",
    "new\nline",
    "$(touch pwned)",
    "`touch pwned`",
    "[exec touch pwned]",
    "*/\n#error injected\n/*",
    "größe→模型",
    "back\\\n",
    "\x1b[31mred",
    "??/\n#error injected",
    "{{ 7 * 7 }} {% raw %}",
    "%s%n",
    "long" * 80,
    'x"; touch pwned; "',
    "<b>|</b>",
    "-rf",
    "[bold]",
    "../../pwned",
    "${HOME}$@",
    "two\r\nlines",
    "\n\t$(shell touch pwned)",
)
DESIGN = '$(touch pwned) "*/ [exec touch pwned] `touch pwned` größe\n#error injected'


def renamed(path: Path) -> Path:
    """Give every node and tensor of the model at ``path`` one of the names."""
    model = onnx.load(path)
    fresh = itertools.chain(NAMES, (f"{NAMES[i % len(NAMES)]}{i}" for i in itertools.count()))
    names: dict[str, str] = {}

    def rename(name: str) -> str:
        if name not in names:
            names[name] = next(fresh)
        return names[name]

    for node in model.graph.node:
        for tensors in (node.output, node.input):
            for index, name in enumerate(tensors):
                tensors[index] = rename(name)
        node.name = rename(f"node {node.name}")
    for entry in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        entry.name = rename(entry.name)
    model.graph.name = DESIGN
    hostile = path.with_name("it's $(touch pwned) größe.onnx")
    hostile.write_bytes(model.SerializeToString())
    return hostile


def test_hostile_names_are_harmless_in_every_file_and_compute_the_same(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, build = renamed(float_model(tmp_path)), tmp_path / "build"
    before = {path.name for path in tmp_path.iterdir()}

    shown = invoke("inspect", model)
    assert (shown.status, shown.err) == (0, "")
    assert invoke("compile", model, "-o", build, "--name", DESIGN).status == 0
    assert invoke("verify", build, "--no-csim", "--samples", "5").status == 0
    for text in (shown.out, invoke("verify", build, "--no-csim", "--samples", "5").out):
        assert "\x1b" not in text
        shorter = (line for line in text.splitlines() if not line.startswith("report: "))
        assert max(map(len, shorter)) <= 80

    for name, data in contents(build).items():
        if name.endswith((".npz", ".npy", ".onnx", ".graph", ".json", ".html")):
            continue  # names stand there as strings, or as text
        text = data.decode("ascii")
        for bad in ("touch pwned", "error injected", "{{ 7", "raw %}", "${HOME}$@"):
            lines = [line for line in text.splitlines() if bad in line]
            if name.endswith(("pp", ".h")):
                lines = [line for line in lines if not line.lstrip().startswith("//")]
            assert not lines, name
        assert "$(touch" not in text, name
        assert "`touch" not in text, name
    for name in ("build.json", "network.json", "plan.json", "hls/design.json"):
        json.loads((build / name).read_text())
    for script in (build / "scripts").glob("*.sh"):
        subprocess.run(["sh", "-n", script], check=True)

    if shutil.which("make") is None or shutil.which("g++") is None:
        pytest.skip("needs make and g++")
    done = subprocess.run(
        ["make", "testbench", f"AP_TYPES={find_ap_headers()}"],
        cwd=build,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == before | {"build"}
    assert not list(tmp_path.rglob("pwned"))


def test_the_cplusplus_of_hostile_names_is_verified(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    monkeypatch.chdir(tmp_path)
    model = renamed(float_model(tmp_path))
    assert invoke("compile", model, "-o", "build", "--name", DESIGN).status == 0
    ended = invoke("verify", "build", "--samples", "20")
    assert ended.status == 0, ended
    assert "All stages agree on 20 images." in ended.out
    assert not list(tmp_path.rglob("pwned"))
