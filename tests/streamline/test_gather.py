"""Gather: elements of the data by constant indices, and rows of a table by data."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.ops import Concat, Linear, Lookup, Permute, Slice
from lutloom.core.types import IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write
from tests.moves import FORMS, NIBBLE, check_moved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike


def gathered(w: Writer, x: str, indices: ArrayLike, axis: int) -> str:
    return w.node("Gather", [x, w.constant(indices, np.int64)], name="gather", axis=axis)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("indices", "axis"),
    [([1], 1), (2, 2), ([0, 2, 1, 3], 1), ([1, 1, -1, -1], 3), ([[0, 1], [2, 3]], -1)],
)
def test_elements_are_exact_in_every_form(
    form: str, indices: ArrayLike, axis: int, tmp_path: Path
) -> None:
    check_moved(lambda w, x: gathered(w, x, indices, axis), form, (4, 4, 4), tmp_path, count=9)


@pytest.mark.parametrize(
    ("indices", "kinds"),
    [
        (range(1, 3), {Slice}),
        ((0, 3, 1, 4, 2, 5), {Permute}),
        ((4, 5, 0, 1), {Slice, Concat}),
        (range(5, -1, -1), {Slice, Concat}),
    ],
)
def test_channels_are_taken_in_passing(
    indices: Sequence[int], kinds: set[type], tmp_path: Path
) -> None:
    network = check_moved(
        lambda w, x: gathered(w, x, list(indices), 1), "channels", (6, 2), tmp_path
    )
    moving = {type(node.op) for node in network.graph.nodes} & {Slice, Permute, Concat, Linear}
    assert moving == kinds


def test_many_scattered_channels_are_a_product(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(40).tolist()
    network = check_moved(lambda w, x: gathered(w, x, order, 1), "channels", (40, 2), tmp_path)
    assert any(isinstance(node.op, Linear) for node in network.graph.nodes)


@pytest.mark.parametrize(
    ("indices", "axis", "message"),
    [
        ([0], 0, "^Gather node 'gather' cuts or joins along the batch"),
        ([0], 3, "^Gather node 'gather': its axis 3 is not one of 2 dimensions"),
        ([4], 1, "^Gather node 'gather': its indices 4 to 4 lie outside of 4 elements"),
        ([0, -5], 1, "its indices -5 to 0 lie outside of 4 elements"),
        ([], 1, "its indices should be some integers"),
    ],
)
def test_hostile_indices_are_refused(
    indices: list[int], axis: int, message: str, tmp_path: Path
) -> None:
    w = Writer()
    x = gathered(w, w.quant("x"), indices, axis)
    with pytest.raises(ModelError, match=message):
        streamline(write(w.model(w.quant(x, 0.5), 4), tmp_path), NIBBLE)


TABLE = np.random.default_rng(3).normal(0, 1, (8, 3)).astype(np.float32)


def embedded(w: Writer, kind: str, rows: str) -> str:
    """Return the rows of a table of the kind."""
    match kind:
        case "quantized":
            table = w.quant(w.constant(TABLE), 0.25, bits=4)
        case "columns":
            table = w.quant(w.constant(TABLE), [0.25, 0.3, 0.7], bits=4)
        case "rows":
            table = w.quant(w.constant(TABLE), np.linspace(0.1, 0.9, 8)[:, None], bits=4)
        case _:
            table = w.constant(TABLE)
    return w.node("Gather", [table, rows], name="embedding")


@pytest.mark.parametrize("kind", ["quantized", "columns", "rows", "floats"])
@pytest.mark.parametrize("raw", [IntType(0, 7), IntType(-8, 7), IntType(1, 7, 2)])
def test_every_row_of_every_table_is_exact(kind: str, raw: IntType, tmp_path: Path) -> None:
    """Negative rows count from the end."""
    w = Writer()
    x = w.quant(embedded(w, kind, "x"), 0.3, bits=3)
    values = np.arange(raw.lo, raw.hi + 1, raw.step)
    data = np.array(np.meshgrid(values, values)).reshape(2, -1).T
    network, _ = compare(w.model(x, 2), tmp_path, data, RawInput(raw))
    assert any(isinstance(node.op, Lookup) for node in network.graph.nodes)


def test_rows_feed_a_layer(tmp_path: Path) -> None:
    w = Writer()
    x = w.reshape(embedded(w, "quantized", "x"), [0, -1])
    x = w.quant(w.matmul(x, np.random.default_rng(0).integers(-7, 8, (6, 4))), 0.8)
    data = np.indices((8, 8)).reshape(2, -1).T
    compare(w.model(x, 2), tmp_path, data, RawInput(IntType(0, 7)))


def test_a_quantizer_may_name_the_rows(tmp_path: Path) -> None:
    w = Writer()
    rows = w.node("Cast", [w.quant("x", 1.0, bits=3, signed=False)], to=7)
    x = w.quant(embedded(w, "floats", rows), 0.3, bits=3)
    compare(w.model(x, 2), tmp_path, np.indices((16, 16)).reshape(2, -1).T - 8, NIBBLE)


@pytest.mark.parametrize(
    ("raw", "axis", "message"),
    [
        (RawInput(IntType(0, 8)), 0, "the data name the rows 0 to 8 of a table that has 8; say"),
        (RawInput(IntType(0, 255)), 0, "the data name the rows 0 to 255 of a table that has 8"),
        (RawInput(IntType(0, 7)), 1, "looks up columns of a table of the shape"),
        (RawInput(IntType(0, 7), (Fraction(1, 2),)), 0, "but the data hold 1/2 among others"),
        (RawInput(IntType(0, 3), (Fraction(1), Fraction(2))), 0, "a scale or bias for each chan"),
    ],
)
def test_hostile_tables_are_refused(raw: RawInput, axis: int, message: str, tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Gather", [w.constant(TABLE), "x"], name="embedding", axis=axis)
    with pytest.raises(ModelError, match=f"^Gather node 'embedding'.*{message}"):
        streamline(write(w.model(w.quant(x, 0.5), 2), tmp_path), raw)
