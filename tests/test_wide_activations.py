"""Networks with 8 and with 16 bits of activation, in every form that a plan can give them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import lutloom
from lutloom.core.plan import Comparison
from tests.models import Writer, write

FORMS = ("parallel", "search", "multiply")


def network(bits: int, directory: Path) -> Path:
    """Write a network of two layers whose activations, behind a ReLU or signed, have ``bits``."""
    rng = np.random.default_rng(bits)
    writer = Writer()
    x = writer.quant("x", 2.0**-6, 0, 8)
    x = writer.matmul(x, rng.integers(-3, 4, size=(10, 8)), 3, 0.037)
    gamma = rng.normal(1, 0.3, 8) * np.where(np.arange(8) == 3, -1, 1)
    x = writer.batch_norm(x, gamma, rng.normal(0, 1, 8), rng.normal(0, 0.1, 8), rng.random(8) + 0.5)
    x = writer.quant(writer.node("Relu", [x]), 3.1 / 2**bits, 0, bits, signed=False)
    x = writer.matmul(x, rng.integers(-3, 4, size=(8, 6)), 3, 0.41)
    x = writer.quant(x, 4.3 / 2**bits, 0, bits)
    x = writer.matmul(x, rng.integers(-3, 4, size=(6, 4)), 3, 0.2)
    return write(writer.model(x, 10), directory)


def rows(shown: dict[str, dict[str, object]], what: str) -> list[object]:
    return [entry[what] for name, entry in shown.items() if "Quant" in name]


@pytest.mark.parametrize("form", FORMS)
def test_eight_bits_are_the_same_numbers_in_every_form(form: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    model = network(8, tmp_path)
    first = lutloom.compile(model, output=tmp_path / "first")
    document = json.loads((tmp_path / "first" / "plan.json").read_text())
    chosen = rows(document["processes"], "comparison")
    assert len(chosen) == 2
    assert set(chosen) <= {"search", "multiply"}
    for name, entry in document["processes"].items():
        if "Quant" in name:
            # What the first form is made of need not be there in another.
            entry.update(pe=2, comparison=form, memory="auto", multiplier="auto")
    (tmp_path / "plan.json").write_text(json.dumps(document))
    build = lutloom.compile(model, output=tmp_path / "build", plan=tmp_path / "plan.json")
    assert [f.comparison for f in build.plan.foldings.values()].count(Comparison(form)) == 2
    assert build.processes == first.processes
    data = np.random.default_rng(1).normal(0, 1, size=(60, 10)).astype(np.float32)
    assert lutloom.verify(build, data, exact=10).passed


def test_sixteen_bits_are_products_and_verified(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    build = lutloom.compile(network(16, tmp_path), output=tmp_path / "build")
    kinds = [node.op.name for node in build.processes.nodes]
    assert kinds.count("requantize") == 2
    assert "threshold" not in kinds
    data = np.random.default_rng(2).normal(0, 1, size=(60, 10)).astype(np.float32)
    assert lutloom.verify(build, data, exact=10).passed
    for form in FORMS:
        document = json.loads((tmp_path / "build" / "plan.json").read_text())
        name = next(name for name in document["processes"] if "Quant" in name)
        document["processes"][name]["comparison"] = form
        (tmp_path / "plan.json").write_text(json.dumps(document))
        with pytest.raises(lutloom.LutloomError, match=re.escape("use one of ['auto']")):
            lutloom.compile(
                tmp_path / "model.onnx", output=tmp_path / "other", plan=tmp_path / "plan.json"
            )
