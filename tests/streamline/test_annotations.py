"""What a file notes of its input is what the options would say of it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.types import IntType
from lutloom.input_type import raw_input
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import FloatInput, RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

RNG = np.random.default_rng(11)
WEIGHTS = np.sign(RNG.normal(size=(6, 6)))
RAW = RawInput(IntType(-8, 7))


def noted(note: str) -> ModelProto:
    w = Writer()
    weights = w.constant(WEIGHTS)
    first = w.quant(w.node("Mul", ["x", w.constant(np.float32(6))]), 1.0)
    model = w.model(w.quant(w.node("MatMul", [first, weights]), 2.0), 6)
    model.metadata_props.add(key="lutloom.input.x", value=note)
    return model


@pytest.mark.parametrize("note", ["int4 1/3", "-8..7 1/3", "int4 0.5", "bipolar 2"])
def test_a_note_says_the_same_of_an_input_as_the_options(note: str, tmp_path: Path) -> None:
    integers, scale = note.split()
    given = raw_input(integers, scale, None)
    assert isinstance(given, RawInput)
    path = write(noted(note), tmp_path)
    network, same = streamline(path), streamline(path, given)
    assert network.input.is_raw
    assert (network.graph, network.meaning) == (same.graph, same.meaning)
    low = given.type.lo
    compare(noted(note), tmp_path, low + given.type.step * RNG.integers(0, 2, (9, 6)), given)


def test_an_option_counts_more_than_a_note(tmp_path: Path) -> None:
    path = write(noted("int4 1/3"), tmp_path)
    assert not streamline(path, FloatInput()).input.is_raw
    assert streamline(path, RAW).meaning["x"].scale == (Fraction(1),)


@pytest.mark.parametrize(
    "note",
    ["", "int4", "int4 ", "int4 0", "int4 1/0", "int99 1", "int4 1/3 x", "int4 1e9999", "1"],
)
def test_a_note_that_says_nothing_is_refused_unless_an_option_says_more(
    note: str, tmp_path: Path
) -> None:
    path = write(noted(note), tmp_path)
    with pytest.raises(ModelError, match=r"'lutloom.input.x' in its metadata is '.*', where it s"):
        streamline(path)
    assert streamline(path, RAW).input.is_raw


def test_notes_on_other_tensors_are_passed_over(tmp_path: Path) -> None:
    model = noted("int4 1/3")
    model.metadata_props[0].key = "lutloom.input.y"
    assert not streamline(write(model, tmp_path)).input.is_raw
