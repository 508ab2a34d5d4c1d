"""Random chains of convolutions, pools and staircases: the compiled C++ equals the reference.

A share of what ``benchmarks/chains.py`` runs at length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import default_plan, lower, unfolded_plan
from tests.codegen.conftest import image_graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.plan import Plan


@pytest.mark.parametrize("seed", range(6))
def test_images_agree_in_any_plan(
    seed: int, draw_plan: Callable[..., Plan], agree: Callable[..., Any]
) -> None:
    lowered = lower(image_graph(seed))
    rng = np.random.default_rng(seed)
    agree(lowered, draw_plan(rng, lowered, int(rng.choice([8, 32, 128]))), images=3)


@pytest.mark.parametrize(
    "seed", [6, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in (7, 8, 9))]
)
def test_images_flow_through_bounded_fifos_and_small_units(
    seed: int, agree: Callable[..., Any]
) -> None:
    lowered = lower(image_graph(seed))
    plan = unfolded_plan(lowered) if seed % 2 else default_plan(lowered, cycles=30)
    agree(lowered, plan, bounded=True, unit_limit=3, images=3)
