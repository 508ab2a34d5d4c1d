"""The integer graph equals the specification: random networks against the exact interpreter.

A share of what ``benchmarks/exactness.py`` runs at length.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.exact import REASONS, Tally, compare, compare_block
from tests.models import Writer

_BLOCK = 12


def tally_of(block: int, directory: Path, *, powers_of_two: bool, functions: bool) -> Tally:
    """Compare a block of networks, large enough to say something."""
    tally = compare_block(
        range(_BLOCK * block, _BLOCK * (block + 1)),
        directory,
        most_refused=1,
        powers_of_two=powers_of_two,
        functions=functions,
    )
    assert tally.numbers > 3000
    assert tally.quantized > 1000
    return tally


@pytest.mark.parametrize("block", range(3))
def test_networks_with_powers_of_two_are_exact_through_many_ties(
    block: int, tmp_path: Path
) -> None:
    tally = tally_of(block, tmp_path, powers_of_two=True, functions=False)
    assert tally.ties > 150


@pytest.mark.parametrize("block", range(3))
def test_networks_with_any_scales_are_exact(block: int, tmp_path: Path) -> None:
    tally_of(block, tmp_path, powers_of_two=False, functions=False)


@pytest.mark.parametrize("block", [0, 2])
@pytest.mark.parametrize("powers_of_two", [True, False])
def test_networks_with_functions_before_their_quantizers_are_exact(
    block: int, powers_of_two: bool, tmp_path: Path
) -> None:
    tally_of(block, tmp_path, powers_of_two=powers_of_two, functions=True)


def test_what_random_networks_may_be_refused_for_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "refusals.md").read_text()
    assert [reason for reason in REASONS if f"`{reason}" not in documented] == []


def grid(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.linspace(-3, 3, 25 * int(np.prod(shape)), dtype=np.float32).reshape(-1, *shape)


def test_a_range_that_lies_wholly_behind_its_clamp_is_exact(tmp_path: Path) -> None:
    """Steps were only kept for the range before the clamp, once."""
    w = Writer()
    x = w.quant("x", 0.25, bits=4, signed=False)
    x = w.binary("Add", w.binary("Mul", x, -1.0), -2.0)  # negative everywhere
    x = w.quant(w.binary("Add", w.node("Relu", [x]), 1.25), 0.5, bits=3)
    compare(w.model(w.matmul(x, np.eye(2)), 2), tmp_path, grid(2))


def test_channels_of_which_only_some_are_clamped_are_exact(tmp_path: Path) -> None:
    """A ReLU becomes a lower bound here and an upper one there."""
    w = Writer()
    x = w.node("Relu", [w.matmul(w.quant("x", 0.25, bits=4), np.eye(3))])
    x = w.binary("Add", w.binary("Mul", x, [0.5, -0.75, 0.0]), [0.0, 1.5, 0.25])
    x = w.quant(w.clip(x, -1.0, None), 0.3, bits=4)
    compare(w.model(w.matmul(x, np.eye(3)), 3), tmp_path, grid(3))
