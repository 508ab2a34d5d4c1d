"""Random inputs are of the network's shape and type, and give its first quantizer work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.types import IntType
from lutloom.random_images import random_images
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.network import Network


def network(directory: Path, scale: float, *, signed: bool, raw: RawInput | None = None) -> Network:
    w = Writer()
    x = w.quant("x", scale, bits=8, signed=signed)
    weights = w.quant(w.constant(np.ones((2, 3, 3, 3))), 1.0, bits=2)
    x = w.quant(w.node("Conv", [x, weights]), 0.5)
    return streamline(write(w.model(x, 3, 20, 12), directory), raw)


@pytest.mark.parametrize(
    ("scale", "signed"),
    [(1 / 255, False), (1 / 128, True), (1.0, False), (1.0, True), (2**-5, True)],
)
def test_most_levels_of_the_first_quantizer_occur(
    scale: float, signed: bool, tmp_path: Path
) -> None:
    images = random_images(network(tmp_path, scale, signed=signed), 5, seed=0)["x"]
    assert images.shape == (5, 3, 20, 12)
    assert images.dtype == np.float32
    low, high = (-128, 127) if signed else (0, 255)
    levels = np.clip(np.round(images / np.float32(scale)), low, high)
    assert len(np.unique(levels)) > 180


def test_raw_integers_are_of_the_type(tmp_path: Path) -> None:
    raw = RawInput(IntType(-3, 4))
    made = network(tmp_path, 1.0, signed=True, raw=raw)
    images = random_images(made, 50, seed=0)["x"]
    assert set(np.unique(images).tolist()) == set(range(-3, 5))
    made.encode(images)


def test_the_same_seed_gives_the_same_images_and_another_others(tmp_path: Path) -> None:
    made = network(tmp_path, 1.0, signed=True)
    first, again, other = (random_images(made, 2, seed=seed)["x"] for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_neighbouring_pixels_are_alike(tmp_path: Path) -> None:
    images = random_images(network(tmp_path, 1.0, signed=True), 50, seed=0)["x"]
    inside = np.abs(np.diff(images[:, :, :8], axis=2)).mean()
    across = np.abs(images[:, :, 7] - images[:, :, 8]).mean()
    assert inside < 0.8 * across
