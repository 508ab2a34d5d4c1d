"""Warped images are what a plain computation in fractions says, pixel by pixel."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")

import torch

from lutloom.qat.warping import random_warp


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def warped(
    image: torch.Tensor, angle: float, slant: float, tall: float, wide: float
) -> list[list[list[int]]]:
    """Return an image (C, H, W) that is turned, slanted, and stretched."""
    height, width = image.shape[1:]
    sine, cosine = math.sin(angle), math.cos(angle)
    to_row = tall * cosine, wide * (slant * cosine - sine), height
    to_column = tall * sine, wide * (slant * sine + cosine), width

    def seen(i: int, j: int, by_row: float, by_column: float, size: int) -> Fraction:
        exact = [Fraction(round(factor * 65536), 65536) for factor in (by_row, by_column)]
        middle = i - Fraction(height - 1, 2), j - Fraction(width - 1, 2)
        place = exact[0] * middle[0] + exact[1] * middle[1] + Fraction(size - 1, 2)
        return Fraction(math.floor(256 * place), 256)

    def pixel(plane: list[list[int]], i: int, j: int) -> int:
        mean = between(plane, seen(i, j, *to_row), seen(i, j, *to_column))
        return math.floor(mean + Fraction(1, 2))

    planes = image.tolist()
    return [[[pixel(p, i, j) for j in range(width)] for i in range(height)] for p in planes]


def between(plane: list[list[int]], y: Fraction, x: Fraction) -> Fraction:
    """Return the mean by distance of the four pixels around a place, edges going on outside."""
    found = Fraction(0)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            share = (1 - abs(y - row)) * (1 - abs(x - column))
            inside = min(max(row, 0), len(plane) - 1), min(max(column, 0), len(plane[0]) - 1)
            found += share * plane[inside[0]][inside[1]]
    return found


@given(
    st.tuples(*(st.integers(1, most) for most in (3, 2, 5, 5))),
    st.tuples(st.integers(0, 180), st.integers(0, 90), st.integers(0, 60)),
    st.integers(0, 2**63 - 1),
)
def test_pixels_are_the_means_of_those_around_the_place_that_is_seen(
    shape: tuple[int, ...], most: tuple[int, int, int], seed: int
) -> None:
    rotate, zoom, shear = most
    images = torch.randint(0, 256, shape, generator=seeded(0)).to(torch.uint8)
    found = random_warp(images, rotate, zoom, shear, seeded(seed))
    assert (found.shape, found.dtype) == (images.shape, images.dtype)
    drawn = 2 * torch.rand(4, len(images), generator=seeded(seed), dtype=torch.float64) - 1
    for image, warp, (turn, lean, up, across) in zip(images, found, drawn.T.tolist(), strict=True):
        angle, slant = math.radians(rotate) * turn, math.tan(math.radians(shear) * lean)
        assert warp.tolist() == warped(
            image, angle, slant, 1 + zoom / 100 * up, 1 + zoom / 100 * across
        )


def test_nothing_is_changed_by_nothing() -> None:
    images = torch.randint(0, 256, (5, 3, 8, 7), generator=seeded(0)).to(torch.uint8)
    assert torch.equal(random_warp(images, 0, 0, 0, seeded(1)), images)


def test_images_of_one_colour_stay_so() -> None:
    images = torch.full((20, 1, 9, 9), 255, dtype=torch.uint8)
    assert torch.equal(random_warp(images, 180, 90, 60, seeded(1)), images)
