"""Expand and Tile: axes of size 1, or whole ones, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.streamline.errors import ModelError
from lutloom.streamline.pipeline import streamline
from tests.models import Writer, write
from tests.moves import FORMS, NIBBLE, check_moved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def expanded(w: Writer, x: str, sizes: Sequence[int]) -> str:
    return w.node("Expand", [x, w.constant(sizes, np.int64)], name="expand")


def tiled(w: Writer, x: str, repeats: Sequence[int]) -> str:
    return w.node("Tile", [x, w.constant(repeats, np.int64)], name="tile")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sizes", [(1, 1, 3, 4), (3, 1), (1, 2, 3, 1)])
def test_axes_of_size_1_are_repeated_in_every_form(
    form: str, sizes: Sequence[int], tmp_path: Path
) -> None:
    check_moved(lambda w, x: expanded(w, x, sizes), form, (2, 1, 4), tmp_path, count=8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("repeats", [(1, 2, 1, 1), (1, 1, 2, 3)])
def test_whole_axes_are_repeated_in_every_form(
    form: str, repeats: Sequence[int], tmp_path: Path
) -> None:
    check_moved(lambda w, x: tiled(w, x, repeats), form, (2, 3, 2), tmp_path, count=8)


def test_a_shape_that_the_model_computes_may_be_expanded_to(tmp_path: Path) -> None:
    def move(w: Writer, x: str) -> str:
        first = w.node("Gather", [w.node("Shape", [x]), w.constant([0], np.int64)])
        sizes = w.node("Concat", [first, w.constant([2, 5], np.int64)], axis=0)
        return w.node("Expand", [x, sizes])

    check_moved(move, "levels", (2, 1), tmp_path)


@pytest.mark.parametrize("sizes", [(2, 2, 1, 4), (1, 2, 0, 4), (1, 2, 3, 5), (1, 1, 2, 1, 4)])
def test_hostile_shapes_are_refused(sizes: Sequence[int], tmp_path: Path) -> None:
    w = Writer()
    x = expanded(w, w.quant("x"), sizes)
    with pytest.raises(ModelError, match=r"^Expand node 'expand' expands .* axes of size 1 only"):
        streamline(write(w.model(w.quant(x, 0.5), 2, 1, 4), tmp_path), NIBBLE)


@pytest.mark.parametrize("repeats", [(2, 1, 1), (1, 1), (1, 0, 1), (1, -1, 1)])
def test_hostile_repeats_are_refused(repeats: Sequence[int], tmp_path: Path) -> None:
    w = Writer()
    x = tiled(w, w.quant("x"), repeats)
    with pytest.raises(ModelError, match=r"^Tile node 'tile' repeats .* and 1 for the batch"):
        streamline(write(w.model(w.quant(x, 0.5), 2, 3), tmp_path), NIBBLE)
