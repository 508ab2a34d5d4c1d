"""The integer graph equals the specification: random networks against the exact interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lutloom.streamline.errors import ModelError
from tests.exact import Tally, compare
from tests.random_networks import random_network

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 12


def tally_of(block: int, directory: Path, *, powers_of_two: bool) -> Tally:
    """Compare a block of networks; the widest multipliers are refused, which must stay rare."""
    tally, refused = Tally(), 0
    for seed in range(_BLOCK * block, _BLOCK * (block + 1)):
        sample = random_network(seed, powers_of_two=powers_of_two)
        try:
            _, one = compare(sample.model, directory, sample.data, sample.raw)
        except ModelError as error:
            assert "meet in multipliers of" in str(error)  # noqa: PT017 - one of many
            refused += 1
        else:
            tally.add(one)
    assert refused <= 1
    assert tally.networks == _BLOCK - refused
    return tally


@pytest.mark.parametrize("block", range(6))
def test_networks_with_powers_of_two_are_exact_through_many_ties(
    block: int, tmp_path: Path
) -> None:
    tally = tally_of(block, tmp_path, powers_of_two=True)
    assert tally.numbers > 3000
    assert tally.ties > 300


@pytest.mark.parametrize("block", range(6))
def test_networks_with_any_scales_are_exact(block: int, tmp_path: Path) -> None:
    tally = tally_of(block, tmp_path, powers_of_two=False)
    assert tally.numbers > 3000


def test_a_range_that_lies_wholly_behind_its_clamp_is_exact(tmp_path: Path) -> None:
    """Found by seed 46: steps were only kept for the range before the clamp."""
    sample = random_network(46, powers_of_two=True)
    compare(sample.model, tmp_path, sample.data, sample.raw)


def test_channels_of_which_only_some_are_clamped_are_exact(tmp_path: Path) -> None:
    """Found by seed 734: a ReLU becomes a lower bound here and an upper one there."""
    sample = random_network(734, powers_of_two=False)
    compare(sample.model, tmp_path, sample.data, sample.raw)
