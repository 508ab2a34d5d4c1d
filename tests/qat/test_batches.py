"""Batches: every image once, in an order that only seed and epoch decide."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")

import torch

from lutloom.qat.augmentation import augment, parse_augmentation
from lutloom.qat.batches import (
    Batches,
    batch_seed,
    epoch_seed,
    float_pixels,
    seed_drawing,
    shuffled_order,
)
from lutloom.qat.data import Dataset


@given(st.integers(1, 50), st.integers(1, 60), st.booleans(), st.integers(0, 2**63 - 1))
def test_every_image_comes_once_with_its_label(
    images: int, size: int, full: bool, seed: int
) -> None:
    labels = torch.arange(images)
    batches = Batches(labels[:, None], labels, size, shuffled_order(images, seed, 0), full)
    parts = list(batches)
    assert len(parts) == len(batches)
    for pixels, part in parts:
        assert torch.equal(pixels[:, 0], part)
        assert len(part) == size or (not full and part is parts[-1][1])
    seen = sorted(int(label) for _, part in parts for label in part)
    left_out = images % size if full else 0
    assert len(set(seen)) == len(seen) == images - left_out


def test_without_an_order_images_come_as_they_are_stored() -> None:
    labels = torch.arange(5)
    assert [part.tolist() for _, part in Batches(labels, labels, 2)] == [[0, 1], [2, 3], [4]]


def test_an_epoch_is_shuffled_the_same_way_again_and_another_way_from_the_others() -> None:
    orders = [shuffled_order(100, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    again = [shuffled_order(100, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert orders == again
    assert len({tuple(order) for order in orders}) == 4


def test_a_batch_is_prepared_with_its_number() -> None:
    labels = torch.arange(5)
    batches = Batches(labels, labels, 2, prepare=lambda images, number: 10 * images + number)
    assert [part.tolist() for part, _ in batches] == [[0, 10], [21, 31], [42]]


@pytest.mark.parametrize("scale", [Fraction(1, 255), Fraction(1, 16), Fraction(3, 257)])
def test_pixels_of_a_batch_are_those_of_the_data_set(scale: Fraction) -> None:
    every = np.arange(256, dtype=np.uint8)
    none = every[:0]
    wanted = Dataset("", none, none, none, none, 1, scale).pixels(every)
    found = float_pixels(torch.from_numpy(every), scale)
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), wanted)


def test_every_batch_of_every_epoch_has_a_seed_of_its_own() -> None:
    seeds = {batch_seed(s, e, b) for s in range(3) for e in range(20) for b in range(50)}
    assert len(seeds) == 3 * 20 * 50
    assert seeds.isdisjoint(epoch_seed(s, e) for s in range(3) for e in range(20))


def test_seeds_of_epochs_are_what_a_generator_takes() -> None:
    for seed in (-1, 0, 2**64):
        torch.Generator().manual_seed(epoch_seed(seed, 3))


@pytest.mark.parametrize("text", ["", "crop=2", "shift=2,flip"])
def test_batches_are_put_together_and_prepared_on_their_device(text: str) -> None:
    # a device without memory: whatever met it with a tensor of the CPU would fail
    device = torch.device("meta")
    images, order = torch.zeros(10, 3, 8, 8, dtype=torch.uint8), torch.randperm(10)

    def prepare(chosen: torch.Tensor, number: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(number)
        return float_pixels(augment(chosen, parse_augmentation(text), generator), Fraction(1, 255))

    batches = Batches(images, torch.arange(10), 4, order, device=device, prepare=prepare)
    found = list(batches)
    assert [(len(labels), pixels.shape) for pixels, labels in found] == [
        (size, (size, 3, 8, 8)) for size in (4, 4, 2)
    ]
    assert {part.device.type for pair in found for part in pair} == {"meta"}


def test_drawing_is_seeded_as_by_torch() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2**40 + 3)
        wanted = torch.rand(10)
        seed_drawing(2**40 + 3, torch.device("cpu"))
        assert torch.equal(torch.rand(10), wanted)
