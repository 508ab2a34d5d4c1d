"""The integer graph equals the specification: random networks with branches, as in test_exactness.

A share of what ``benchmarks/exactness.py --branches`` runs at length.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.exact import Tally, compare_block
from tests.random_branches import random_branched_network

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 20


def tally_of(block: int, directory: Path, *, powers_of_two: bool, functions: bool) -> Tally:
    """Compare a block of networks, large enough to say something."""
    tally = compare_block(
        range(_BLOCK * block, _BLOCK * (block + 1)),
        directory,
        most_refused=_BLOCK // 5,
        powers_of_two=powers_of_two,
        functions=functions,
        draw=random_branched_network,
    )
    assert tally.quantized > 2000
    return tally


@pytest.mark.parametrize("block", range(3))
def test_branches_with_powers_of_two_are_exact_through_many_ties(
    block: int, tmp_path: Path
) -> None:
    tally = tally_of(block, tmp_path, powers_of_two=True, functions=False)
    assert tally.ties > 300


@pytest.mark.parametrize("block", range(3))
def test_branches_with_any_scales_are_exact(block: int, tmp_path: Path) -> None:
    tally_of(block, tmp_path, powers_of_two=False, functions=False)


@pytest.mark.parametrize("powers_of_two", [True, False])
def test_branches_with_functions_before_their_quantizers_are_exact(
    powers_of_two: bool, tmp_path: Path
) -> None:
    tally_of(3, tmp_path, powers_of_two=powers_of_two, functions=True)


def test_every_way_to_branch_is_among_the_networks() -> None:
    found: Counter[str] = Counter()
    for seed in range(400):
        model = random_branched_network(seed, powers_of_two=seed % 2 == 0).model
        found.update(node.op_type for node in model.graph.node)
    wanted = (
        "Add Concat DepthToSpace Expand Gather Mul Resize Slice SpaceToDepth Split Sub Sum Tile"
        " Upsample"
    )
    assert [name for name in wanted.split() if found[name] < 2] == []
