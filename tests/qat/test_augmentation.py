"""Augmentation: each image is a variation of itself, drawn from a seed and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")

import torch
from torch.nn.functional import pad

from lutloom.qat.augmentation import (
    Augmentation,
    augment,
    parse_augmentation,
    random_crop,
    random_flip,
    random_shift,
)
from lutloom.qat.errors import TrainingError
from lutloom.qat.warping import random_warp

SHAPES = st.tuples(*(st.integers(1, most) for most in (6, 3, 5, 5)))
SEEDS = st.integers(0, 2**63 - 1)
KINDS = st.sampled_from([torch.uint8, torch.float32])
HOW = st.builds(
    Augmentation,
    crop=st.integers(0, 2),
    shift=st.integers(0, 2),
    rotate=st.integers(0, 180),
    zoom=st.integers(0, 90),
    shear=st.integers(0, 60),
    flip=st.booleans(),
)


def drawn(shape: tuple[int, ...], kind: torch.dtype = torch.uint8) -> torch.Tensor:
    """Return images in which no pixel is 0, and no two near each other are alike."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, shape, generator=generator).to(kind)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def edged(image: torch.Tensor, size: int) -> torch.Tensor:
    """Return an image (C, H, W) with its edges repeated ``size`` times around it."""
    rows = [image[:, :1]] * size + [image] + [image[:, -1:]] * size
    tall = torch.cat(rows, dim=1)
    return torch.cat([tall[..., :1]] * size + [tall] + [tall[..., -1:]] * size, dim=2)


def is_crop(image: torch.Tensor, larger: torch.Tensor) -> bool:
    _, height, width = image.shape
    return any(
        torch.equal(larger[:, row : row + height, column : column + width], image)
        for row in range(larger.shape[1] - height + 1)
        for column in range(larger.shape[2] - width + 1)
    )


@given(SHAPES, st.integers(0, 4), SEEDS, KINDS)
def test_a_crop_is_a_crop_of_the_image_among_zeros(
    shape: tuple[int, ...], padding: int, seed: int, kind: torch.dtype
) -> None:
    images = drawn(shape, kind)
    before = images.clone()
    found = random_crop(images, padding, seeded(seed))
    assert (found.shape, found.dtype) == (images.shape, kind)
    for image, crop in zip(images, found, strict=True):
        assert is_crop(crop, pad(image, 4 * [padding]))
    assert torch.equal(images, before)


@given(SHAPES, st.integers(0, 4), SEEDS, KINDS)
def test_a_shift_is_a_crop_of_the_image_among_its_edges(
    shape: tuple[int, ...], most: int, seed: int, kind: torch.dtype
) -> None:
    images = drawn(shape, kind)
    found = random_shift(images, most, seeded(seed))
    assert (found.shape, found.dtype) == (images.shape, kind)
    for image, shifted in zip(images, found, strict=True):
        assert is_crop(shifted, edged(image, most))


@given(SHAPES, SEEDS, KINDS)
def test_a_flip_is_the_image_or_its_mirror_image(
    shape: tuple[int, ...], seed: int, kind: torch.dtype
) -> None:
    images = drawn(shape, kind)
    found = random_flip(images, seeded(seed))
    assert (found.shape, found.dtype) == (images.shape, kind)
    for image, flipped in zip(images, found, strict=True):
        assert torch.equal(flipped, image) or torch.equal(flipped, image.flip(-1))
    assert torch.equal(random_flip(found, seeded(seed)), images)


@pytest.mark.parametrize(
    ("vary", "outcomes"),
    [
        (lambda images, generator: random_crop(images, 1, generator), 9),
        (lambda images, generator: random_shift(images, 2, generator), 25),
        (random_flip, 2),
    ],
)
def test_every_outcome_comes_about_as_often(
    vary: Callable[[torch.Tensor, torch.Generator], torch.Tensor], outcomes: int
) -> None:
    images = drawn((1, 2, 6, 7)).expand(200 * outcomes, -1, -1, -1)
    _, counts = np.unique(vary(images, seeded(1)).numpy(), axis=0, return_counts=True)
    assert len(counts) == outcomes
    # five standard deviations of a count of mean 200
    assert abs(counts - 200).max() < 5 * 200**0.5


@given(SHAPES, HOW, SEEDS)
def test_what_is_drawn_follows_from_the_seed(
    shape: tuple[int, ...], how: Augmentation, seed: int
) -> None:
    images = drawn(shape)
    torch.manual_seed(seed % 7)
    found = augment(images, how, seeded(seed))
    assert torch.equal(found, augment(images, how, seeded(seed)))
    # The kind of numbers makes no difference, ...
    assert torch.equal(found.float(), augment(images.float(), how, seeded(seed)))
    # ... nor how they lie in memory.
    last = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, augment(last, how, seeded(seed)))


def test_all_of_them_are_done_one_after_the_other() -> None:
    images = drawn((50, 3, 8, 8))
    generator = seeded(3)
    wanted = random_shift(random_crop(images, 2, generator), 1, generator)
    wanted = random_flip(random_warp(wanted, 10, 20, 5, generator), generator)
    assert torch.equal(augment(images, Augmentation(2, 1, 10, 20, 5, flip=True), seeded(3)), wanted)
    assert augment(images, Augmentation(), seeded(3)) is images


@given(HOW)
def test_what_is_written_is_read(how: Augmentation) -> None:
    assert parse_augmentation(str(how)) == how


def test_spaces_and_any_order_are_read() -> None:
    assert parse_augmentation("flip, crop=4") == Augmentation(crop=4, flip=True)
    assert parse_augmentation("") == Augmentation()


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "crop",
        "crop=",
        "crop=0",
        "crop=-1",
        "crop=1.5",
        "flip=1",
        "flip,flip",
        "crop=\u0663",
        "rotate",
        "zoom=0.1",
        ",",
    ],
)
def test_other_settings_are_refused(text: str) -> None:
    with pytest.raises(
        TrainingError, match=r"^the augmentation is '.*': use crop=PIXELS, shift=PI"
    ):
        parse_augmentation(text)


@pytest.mark.parametrize("name", ["crop", "shift"])
def test_more_than_an_image_has_is_refused(name: str) -> None:
    parse_augmentation(f"{name}=4").check((3, 5, 6))
    with pytest.raises(TrainingError, match=rf"^{name}=5 may leave nothing of images of 5 x 6 pix"):
        parse_augmentation(f"{name}=5").check((3, 5, 6))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rotate=181", "rotate is at most 180 degrees"),
        ("flip,zoom=91", "zoom is at most 90 percent"),
        ("shear=61", "shear is at most 60 degrees"),
    ],
)
def test_images_that_nothing_is_left_of_are_refused(text: str, said: str) -> None:
    with pytest.raises(TrainingError, match=rf"^the augmentation is '{text}': {said}$"):
        parse_augmentation(text)
