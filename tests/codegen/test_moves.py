"""Branches that part and meet with elements that move in between, in C++ with bounded FIFOs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import default_plan, lower
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.streams import Wiring
from tests.codegen.random_moves import moving_graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.plan import Plan


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_branches_whose_elements_move_agree_and_do_not_stop(
    seed: int, draw_plan: Callable[..., Plan], agree: Callable[..., Any]
) -> None:
    graph = lower(moving_graph(seed, 12))
    drawn = draw_plan(np.random.default_rng(seed), graph)
    drawn = replace(drawn, fifos=fifo_depths(Wiring(graph, drawn)))
    for plan in (default_plan(graph), drawn):
        agree(graph, plan, bounded=True)
