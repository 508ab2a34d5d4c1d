"""What a model becomes, as it is printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.app.commands import Invoke
from tests.models import Writer, write


def test_inspect_counts_weights_and_operations(invoke: Invoke, models: Path) -> None:
    shown = invoke("inspect", models / "float.onnx").out
    assert "on the host, before: binarize" in shown
    assert "on the host, behind: mul, add" in shown
    # 12 x 8 weights of one bit, 8 x 4 of three
    assert "on the FPGA: 128 weights, 192 bits, 128 MACs" in shown
    assert "model: [N, 12] to [N, 4]" in shown


def test_inspect_describes_windows(invoke: Invoke, tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.5, name="input")
    weights = np.ones((4, 1, 3, 3))
    weights[0, 0, 0, 0] = -2
    own = w.quant(w.constant(weights), 1.0, bits=2)
    x = w.node("Conv", [x, own], name="own", group=4, strides=[1, 2], pads=[1, 0, 1, 2])
    x = w.node("MaxPool", [w.quant(x, 0.5)], name="pool", kernel_shape=[2, 2], strides=[2, 2])
    x = w.node("GlobalAveragePool", [x], name="mean")
    path = write(w.model(w.quant(x, 0.5), 4, 6, 7), tmp_path)
    shown = invoke("inspect", path).out
    # The table breaks lines where it has to.
    words = " ".join(shown.split())
    for said in ("conv 3x3,", "stride 1x2,", "depthwise", "max_pool", "stride 2 ", "global"):
        assert said in words
    # 4 channels of 9 weights at 6 x 4 places, of 2 bits each
    assert "on the FPGA: 36 weights, 72 bits, 864 MACs" in shown
    # -2 times 7 and 8 times -8, at least
    assert "widest sum: 8 bits, own" in shown


def test_inspect_tells_what_it_costs_that_scales_meet(invoke: Invoke, tmp_path: Path) -> None:
    w = Writer()
    left = w.quant("x", 0.5, name="input")
    branches = [w.matmul(x, np.eye(3)) for x in (left, w.quant(left, 0.75, bits=3))]
    x = w.matmul(w.quant(w.node("Add", branches, name="sum"), 0.5), np.eye(3))
    path = write(w.model(x, 3), tmp_path)
    row = next(line for line in invoke("inspect", path).out.splitlines() if "sum" in line)
    assert "multipliers: 2 bit" in row


def test_inspect_writes_the_integers_as_a_qonnx_file(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    integers = tmp_path / "integers.onnx"
    shown = invoke("inspect", models / "float.onnx", "--qonnx", integers)
    assert "on the host, before: binarize" in shown.out
    assert f"integer graph: {integers}" in shown.out
    again = invoke("inspect", integers).out
    # It is annotated, and its only tail is the host's.
    assert "on the host, before: nothing: raw integers go in" in again
    assert "on the host, behind: nothing" in again
    assert "on the FPGA: 128 weights, 192 bits, 128 MACs" in again


def test_inspect_does_not_replace_its_own_model(invoke: Invoke, models: Path) -> None:
    path = models / "float.onnx"
    before = path.read_bytes()
    ended = invoke("inspect", path, "--qonnx", models / ".." / models.name / "float.onnx")
    assert (ended.status, ended.out) == (2, "")
    assert "is the model itself: write its integers to another file" in ended.err
    assert path.read_bytes() == before


def test_inspect_says_why_no_qonnx_file_can_be_exact(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    path = tmp_path / "integers.onnx"
    options = ("--input-type", "uint32", "--qonnx", path)
    ended = invoke("inspect", models / "raw.onnx", *options)
    assert (ended.status, ended.out) == (2, "")
    assert "QONNX can't say x exactly: its integers reach 4,294,967,295" in ended.err
    assert not path.exists()
