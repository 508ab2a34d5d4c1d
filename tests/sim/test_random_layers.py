"""The cycles that kernels state, and a design's slowest loop, against the model that counts."""

from __future__ import annotations

import shutil
from zlib import crc32

import numpy as np
import pytest

from lutloom.boards.loader import load_board
from lutloom.codegen.assembly import make_design
from lutloom.codegen.costs.design import design_cost
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.timing import IDEAL
from lutloom.sim.cycles import CycleModel
from tests.codegen.conftest import in_pixels, random_plan
from tests.codegen.random_layers import random_layer

LAYERS = 12
"""Of each of 18 kinds: 216 in all."""


@pytest.mark.parametrize("kind", sorted(KERNELS))
def test_random_layers_take_the_cycles_that_their_kernels_state(kind: str) -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("needs g++")
    rng = np.random.default_rng(crc32(kind.encode()))
    device = load_board("pynq_z1").device
    for layer in range(LAYERS):
        graph = random_layer(rng, kind)
        plan = random_plan(rng, graph)
        if layer % 2:
            plan = in_pixels(rng, graph, plan)
        design = make_design(graph, plan, name="layer", unit_limit=99)
        model = CycleModel.of(design)
        cycles = model.with_depths(dict.fromkeys((f.name for f in model.fifos), 10**5)).run(IDEAL)
        (unit,) = design.units
        stated = {process.name: process.cycles for process in unit.processes}
        assert {load.name: load.busy for load in cycles.loads if load.kind in KERNELS} == stated
        assert any(process.kernel == kind for process in unit.processes)
        # And an image comes as often as the slowest loop allows, converters and ports included.
        assert cycles.interval == design_cost(design, device).slowest.cycles
