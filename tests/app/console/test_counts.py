"""One of something is not several of it, wherever it is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tests.app.commands import Invoke
from tests.models import Writer, write

ONE_OF_SEVERAL = re.compile(
    r"(?<![\w.,/:-])(?<! x )1 (?:clock |test |output )?[a-zA-Z]+s\b[^<\n]{0,20}"
)
# Not products, 1 x 1 weights; nor units, and what is no noun.
NOT_COUNTED = ("1 images/s", "1 is")


def said_wrongly(text: str) -> list[str]:
    found = (match.group() for match in ONE_OF_SEVERAL.finditer(text))
    return [words for words in found if not words.startswith(NOT_COUNTED)]


def tiny_model(directory: Path) -> Path:
    """One number of 2 bits in, times one weight of a bit, one number out, with a threshold."""
    w = Writer()
    x = w.matmul(w.quant("x", 0.5, bits=2, name="input"), np.ones((1, 1)), bits=2)
    x = w.matmul(w.bipolar(x), np.ones((1, 1)), bits=2)
    return write(w.model(x, 1), directory, "tiny.onnx")


def test_no_count_of_one_has_a_plural_behind_it(invoke: Invoke, tmp_path: Path) -> None:
    model, build = tiny_model(tmp_path), tmp_path / "build"
    np.save(tmp_path / "one.npy", np.ones((1, 1), np.float32))
    np.save(tmp_path / "label.npy", np.zeros(1, np.int64))
    data = ("--data", tmp_path / "one.npy")
    said = ""
    for command in (
        ("inspect", model),
        ("compile", model, "-o", build),
        ("throughput", build),
        ("explore", model, "--board", "pynq-z2"),
        ("simulate", build, *data, "--labels", tmp_path / "label.npy"),
        ("verify", build, *data, "--exact", "1", "--no-csim"),
    ):
        ended = invoke(*command)
        assert (ended.status, ended.err) == (0, ""), ended
        assert said_wrongly(ended.out) == [], command
        said += ended.out
    for words in ("1 image in ", "1 of 1 label met", "1 of 1 float equal", "agree on 1 image."):
        assert words in said
    for path in (*(build / "hls").rglob("*.?pp"), build / "report.html"):
        assert said_wrongly(path.read_text()) == [], path


def test_a_count_of_one_would_be_seen() -> None:
    assert said_wrongly("on 1 images.") == ["1 images."]
    assert said_wrongly("takes 1 clock cycles an image") == ["1 clock cycles an image"]
    assert said_wrongly("a rate of 1 images/s, 11 bits, 1.1 bits, 1 bit, 0-1 bits") == []
