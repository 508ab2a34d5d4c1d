"""A plan that adds channels, from its file to the report: nothing but the hardware changes."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import lutloom
from lutloom.codegen.channel_groups import channel_groups
from lutloom.sim.toolchain import find_ap_headers
from tests.app.commands import Invoke

if TYPE_CHECKING:
    from pathlib import Path


def test_a_build_with_added_channels_is_the_same_to_its_host(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    if shutil.which("make") is None or shutil.which("g++") is None:
        pytest.skip("needs make and g++")
    before = lutloom.compile(models / "float.onnx", tmp_path / "a")
    plan = json.loads((before.directory / "plan.json").read_text())
    free = [g for g in channel_groups(before.processes).values() if g.obstacle is None]
    plan["channels"] = {group.name: group.channels + 1 for group in free}
    plan["processes"] = {name: {} for name in plan["processes"]}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    given = ("--plan", tmp_path / "plan.json", "--name", "float")
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", *given)
    assert (ended.status, ended.err) == (0, "")
    first = free[0]
    assert f"channels added: {first.name} {first.channels + 1} for {first.channels}" in ended.out
    build = lutloom.load_build(tmp_path / "b")
    assert dict(build.plan.channels) == plan["channels"]
    ports = [
        json.loads((made.directory / "hls" / "design.json").read_text()) for made in (before, build)
    ]
    for side in ("inputs", "outputs"):
        assert ports[0][side] == ports[1][side]
    assert any(set(build.processes.outputs) & set(group.values) for group in free)
    # It compares whole transfers: what is added to the output has to be zeros.
    command = ["make", "testbench", f"AP_TYPES={find_ap_headers()}"]
    done = subprocess.run(command, cwd=build.directory, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    result = lutloom.verify(build, samples=5)
    assert result.passed
    assert len({check.subject for check in result.checks}) > len(build.plan.foldings)
    report = json.loads((build.directory / "report.json").read_text())
    assert report["channels"] == [
        {"value": g.name, "model": g.channels, "built": g.channels + 1} for g in free
    ]
    page = (build.directory / "report.html").read_text()
    assert f"{first.name} has {first.channels + 1} in place of {first.channels}" in page
    again = json.loads((before.directory / "report.json").read_text())
    assert (report["macs"], again["channels"]) == (again["macs"], [])
