from __future__ import annotations

from dataclasses import replace

import numpy as np

from lutloom.boards.device import Device, Family
from lutloom.codegen import lower
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.planning.options import options, shapes
from lutloom.codegen.streams import processes_of, site_of
from lutloom.core.types import IntType, TensorType
from tests.codegen.conftest import Chain

Z7020 = Device(Family.ZYNQ_7000, 53200, 106400, 280, 0, 220)
SMALLER = replace(Z7020, lut=1, ff=2, bram18=3, dsp=0, uram=7)


def chain() -> Chain:
    net = Chain(np.random.default_rng(0), TensorType(IntType(0, 3), (6, 6, 2)))
    for _ in range(4):
        net.image()
    return net


def test_options_are_the_same_whatever_was_asked_before_and_of_however_large_a_device() -> None:
    graph = lower(chain().graph)
    for node in processes_of(graph).values():
        site = site_of(graph, node)
        cycles = sorted({taken for _, _, taken in shapes(site)})
        few = tuple(options(site, Z7020, cycles[0]))
        every = tuple(options(site, SMALLER, cycles[-1]))
        assert few == tuple(option for option in every if option.cycles == cycles[0])
        for option in every:
            cost = process_cost(site, option.folding, Z7020)
            assert cost == process_cost(site, option.folding, SMALLER)
            assert option.costs == cost.resources.figures
