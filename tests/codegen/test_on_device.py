from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lutloom.boards.device import Device, Family
from lutloom.codegen import check_plan, default_plan, lower, unfolded_plan
from lutloom.codegen.costs import Confidence
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.folding import settled_plan
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.kernels.kernel import kept_memory, memory_beside
from lutloom.codegen.on_device import decided, on_device
from lutloom.codegen.streams import processes_of, site_of
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import MatVec, MaxPool
from lutloom.core.plan import FifoMemory, Folding, Memory, Multiplier, Plan
from lutloom.core.types import Const, IntType, TensorType
from tests.codegen.conftest import image_graph

ZYNQ = Device(Family.ZYNQ_7000, 53_200, 106_400, 280, 0, 220)
MPSOC = Device(Family.ZYNQ_ULTRASCALE_PLUS, 230_400, 460_800, 624, 96, 1_728)
VERSAL = Device(Family.VERSAL, 899_840, 1_799_680, 1_934, 463, 1_968)


def products(shape: tuple[int, int], weight_bits: int, code_bits: int) -> Graph:
    """Return an image, the largest neighbours of each pixel of which a matrix multiplies."""
    rng = np.random.default_rng(0)
    half = 1 << (weight_bits - 1)
    matrix = Const(rng.integers(-half, half, size=shape))
    x = TensorType(IntType(0, (1 << code_bits) - 1), (9, 64, shape[1]))
    pool = MaxPool((3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
    nodes = Node(("most",), pool, ("x",)), Node(("y",), MatVec(matrix), ("most",))
    return lower(Graph({"x": x}, nodes, ("y",)))


def folded(graph: Graph, **changes: Folding) -> Plan:
    plan = unfolded_plan(graph)
    return replace(plan, foldings={**plan.foldings, **changes})


@pytest.mark.parametrize("device", [ZYNQ, MPSOC, VERSAL])
def test_nothing_is_left_open_on_a_device(device: Device) -> None:
    graph = products((64, 128), 6, 6)
    plan = on_device(graph, unfolded_plan(graph), device)
    check_plan(graph, plan)
    for name, node in processes_of(graph).items():
        folding, site = plan.foldings[name], site_of(graph, node)
        legal = KERNELS[node.op.name].legal(site, folding)
        assert folding.memory is not Memory.AUTO or legal.memory == (Memory.AUTO,)
        assert folding.multiplier is not Multiplier.AUTO or legal.multiplier == (Multiplier.AUTO,)
        sure = process_cost(site, folding, device).confidences
        assert {sure.bram18, sure.uram, sure.dsp} == {Confidence.EXACT}
    assert on_device(graph, plan, device) == plan


@pytest.mark.parametrize("seed", range(4))
def test_block_rams_and_slices_of_whole_networks_are_certain(seed: int) -> None:
    graph = lower(image_graph(seed))
    plan = on_device(graph, default_plan(graph, cycles=200), MPSOC)
    for name, node in processes_of(graph).items():
        sure = process_cost(site_of(graph, node), plan.foldings[name], MPSOC).confidences
        assert {sure.bram18, sure.uram, sure.dsp} == {Confidence.EXACT}, (name, plan.foldings)


def test_what_a_plan_says_stays() -> None:
    graph = products((64, 128), 6, 6)
    said = Folding(2, 4, Memory.LUTRAM, Multiplier.PACKED)
    plan = on_device(graph, folded(graph, y=said), MPSOC)
    assert plan.foldings["y"] == said


def test_deep_tables_lie_in_block_ram_and_shallow_ones_in_look_up_tables() -> None:
    """64 look-up tables for a block RAM: 8 bits of 512 words, or of 513."""
    for columns, memory in ((64, Memory.LUTRAM), (512, Memory.BRAM)):
        graph = products((8, columns), 8, 8)
        assert on_device(graph, unfolded_plan(graph), ZYNQ).foldings["y"].memory is memory


def test_narrow_products_are_look_up_tables_and_wide_ones_slices() -> None:
    for bits, multiplier in ((3, Multiplier.FABRIC), (10, Multiplier.DSP)):
        graph = products((8, 8), bits, bits)
        assert on_device(graph, unfolded_plan(graph), ZYNQ).foldings["y"].multiplier is multiplier


def test_ultra_rams_replace_eight_block_rams_where_there_are_some() -> None:
    graph = products((8, 144), 4, 8)
    wide, site = Folding(pe=9), site_of(graph, processes_of(graph)["most"])
    brams = process_cost(site, replace(wide, memory=Memory.BRAM), MPSOC).resources.bram18
    urams = process_cost(site, replace(wide, memory=Memory.URAM), MPSOC).resources.uram
    assert brams >= 8 * urams > 0
    assert decided(site, wide, MPSOC, urams=urams).memory is Memory.URAM
    assert decided(site, wide, MPSOC, urams=urams - 1).memory is Memory.BRAM
    plan = folded(graph, most=wide)
    for device, memory in ((replace(MPSOC, uram=urams), Memory.URAM), (ZYNQ, Memory.BRAM)):
        assert on_device(graph, plan, device).foldings["most"].memory is memory


def test_fifos_that_are_named_keep_their_ultra_rams() -> None:
    graph = products((8, 144), 4, 8)
    plan = replace(
        folded(graph, most=Folding(pe=9)),
        fifos={"most": 2100},
        fifo_memories={"most": FifoMemory.URAM},
    )
    few = replace(MPSOC, uram=1)
    found = on_device(graph, plan, few)
    assert found.foldings["most"].memory is Memory.BRAM
    assert found.fifo_memories["most"] is FifoMemory.URAM
    greedy = plan.with_folding("most", Folding(pe=9, memory=Memory.URAM))
    with pytest.raises(PlanError, match=r"has 1 UltraRAMs, of which processes take 1: use one"):
        on_device(graph, greedy, few)


@pytest.mark.parametrize(
    ("name", "folding", "device", "message"),
    [
        (
            "y",
            Folding(multiplier=Multiplier.PACKED),
            ZYNQ,
            r"^y: multiplier is 'packed', but a DSP48E1 multiplies 25 x 18 bits:"
            r" use one of \['auto', 'fabric', 'dsp', 'packed25'\]$",
        ),
        (
            "most",
            Folding(memory=Memory.URAM),
            ZYNQ,
            r"^most: memory is 'uram', but the device has 0 UltraRAMs:"
            r" use one of \['auto', 'lutram', 'bram'\]$",
        ),
    ],
)
def test_what_a_device_lacks_is_refused(
    name: str, folding: Folding, device: Device, message: str
) -> None:
    graph = products((8, 64), 4, 4)
    plan = folded(graph, **{name: folding})
    check_plan(graph, plan)
    with pytest.raises(PlanError, match=message):
        on_device(graph, plan, device)
    assert on_device(graph, plan, MPSOC).foldings[name].pe == 1


def test_constants_in_ultra_ram_are_refused_with_the_reason() -> None:
    graph = products((8, 64), 4, 4)
    message = (
        r"^y: memory is 'uram', but it holds constants, and UltraRAM is empty when a design starts:"
        r" use one of \['auto', 'lutram', 'bram'\]$"
    )
    with pytest.raises(PlanError, match=message):
        check_plan(graph, folded(graph, y=Folding(memory=Memory.URAM)))


def test_what_stands_beside_the_main_memory_is_bound_by_its_size() -> None:
    """So is what is kept: four look-up tables for 64 words of three bits, 64 a block RAM."""
    assert [memory_beside(words) for words in (1, 2, 256, 257)] == [
        Memory.AUTO,
        Memory.LUTRAM,
        Memory.LUTRAM,
        Memory.BRAM,
    ]
    assert kept_memory(1, 512) is Memory.AUTO
    for words, bits in ((32, 96), (64, 36), (1024, 3)):
        assert kept_memory(words, bits) is Memory.LUTRAM
    for words, bits in ((65, 36), (1024, 4), (4096, 72)):
        assert kept_memory(words, bits) is Memory.BRAM


def test_forms_are_chosen_as_ever() -> None:
    graph = products((8, 64), 4, 4)
    settled = settled_plan(graph, unfolded_plan(graph))
    plan = on_device(graph, settled, ZYNQ)
    assert {n: f.comparison for n, f in plan.foldings.items()} == {
        n: f.comparison for n, f in settled.foldings.items()
    }
