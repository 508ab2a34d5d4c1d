"""The model of throughput: against a plain one, the cycles of kernels, FINN, and the C++."""

from __future__ import annotations

import shutil
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.boards.loader import load_board
from lutloom.codegen import Golden, check_plan, default_plan, lower, unfolded_plan, write_project
from lutloom.codegen.assembly import make_design
from lutloom.codegen.costs.design import design_cost
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.folding import legal_choices, legal_values
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.streams import Wiring, processes_of, site_of
from lutloom.codegen.timing import IDEAL, PESSIMISTIC, RESTART_GAP, STALLING, Timing
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Concat,
    Conv,
    Linear,
    Lookup,
    MatMul,
    MatVec,
    MaxPool,
    Multiply,
    Permute,
    Requantize,
    Reshape,
    Slice,
    SumPool,
    TopK,
    Upsample,
)
from lutloom.core.plan import Folding, Plan
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim import csim
from lutloom.sim.cycles import CycleModel
from lutloom.sim.deadlock import DeadlockError
from lutloom.sim.reference import run
from tests.codegen.conftest import Chain, image_graph, random_plan, random_values
from tests.codegen.test_networks import quantizer
from tests.graphs import TAKE_TWO

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.codegen.design import Design
    from lutloom.core.op import Op


@pytest.fixture(autouse=True)
def _compiler() -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("needs g++")


def model_of(graph: Graph, plan: Plan) -> CycleModel:
    return CycleModel.of(make_design(graph, plan, name="net"))


def largest(design: Design) -> int:
    """Return the cycles that the slowest process, converter or port states."""
    return design_cost(design, load_board("pynq_z1").device).slowest.cycles


class Plain:
    """The same rules, cycle by cycle and process by process, with nothing skipped."""

    def __init__(self, model: CycleModel, timing: Timing) -> None:
        self.model, self.timing = model, timing
        self.words: list[deque[int]] = [deque() for _ in model.fifos]
        self.last_read = [-1] * len(model.fifos)
        self.masks = [process.schedule.dense.tolist() for process in model.processes]
        self.state = [[0, 0, 0] for _ in model.processes]  # iteration, earliest, last ending
        self.endings: list[deque[tuple[int, int, int]]] = [deque() for _ in model.processes]
        self.finished: list[int] = []

    def run(self, frames: int) -> list[int]:
        cycle = 0
        while len(self.finished) < frames:
            for number in range(len(self.model.processes)):
                if self.timing.stalls:
                    self.shift(number, cycle)
                    continue
                has_ended = self.end(number, cycle)
                self.begin(number, cycle)
                if not has_ended:
                    self.end(number, cycle)
            cycle += 1
            assert cycle < 100_000
        return self.finished

    def ports(self, number: int, mask: int, *, reads: bool) -> list[int]:
        process = self.model.processes[number]
        count = process.schedule.reads
        wanted = range(count) if reads else range(count, len(process.ports))
        return [process.ports[p] for p in wanted if mask >> p & 1 and process.ports[p] >= 0]

    def has_room(self, fifo: int, cycle: int) -> bool:
        held = len(self.words[fifo]) + (self.last_read[fifo] == cycle)
        return held < self.model.fifos[fifo].depth + self.timing.fifo_latency

    def is_readable(self, fifo: int, cycle: int) -> bool:
        words = self.words[fifo]
        return bool(words) and words[0] + 1 + self.timing.fifo_latency <= cycle

    def shift(self, number: int, cycle: int) -> None:
        """Move a pipeline that stalls on by a stage, as a whole."""
        state, masks = self.state[number], self.masks[number]
        stages = self.timing.stages[self.model.processes[number].kind]
        if state[1] > cycle:
            return
        first = masks[state[0]] if state[0] < len(masks) else 0
        last = masks[state[0] - stages] if state[0] >= stages else 0
        inputs = self.ports(number, first, reads=True)
        outputs = self.ports(number, last, reads=False)
        if not all(self.is_readable(fifo, cycle) for fifo in inputs):
            return
        if not all(self.has_room(fifo, cycle) for fifo in outputs):
            return
        for fifo in inputs:
            self.words[fifo].popleft()
            self.last_read[fifo] = cycle
        for fifo in outputs:
            self.words[fifo].append(cycle)
        state[0] += 1
        if state[0] == len(masks) + stages:
            state[0], state[1] = 0, cycle + 1 + self.timing.restart_gap
            if number == len(self.masks) - 1:
                self.finished.append(cycle)

    def end(self, number: int, cycle: int) -> bool:
        if not self.endings[number] or self.endings[number][0][1] > cycle:
            return False
        _, _, mask = self.endings[number][0]
        outputs = self.ports(number, mask, reads=False)
        if not all(self.has_room(fifo, cycle) for fifo in outputs):
            return False
        self.endings[number].popleft()
        self.state[number][2] = cycle
        for fifo in outputs:
            self.words[fifo].append(cycle)
        is_last = number == len(self.masks) - 1 and self.state[number][0] == len(self.masks[-1])
        if is_last and not self.endings[number]:
            self.finished.append(cycle)
        return True

    def begin(self, number: int, cycle: int) -> None:
        state, endings = self.state[number], self.endings[number]
        stages = self.timing.stages[self.model.processes[number].kind]
        if state[0] == len(self.masks[number]):
            if endings:
                return
            last = max(state[2], state[1] - 1 + stages)
            state[0], state[1] = 0, last + 1 + self.timing.restart_gap
        if state[1] > cycle or (endings and state[0] - endings[0][0] > stages):
            return
        mask = self.masks[number][state[0]]
        inputs = self.ports(number, mask, reads=True)
        if not all(self.is_readable(fifo, cycle) for fifo in inputs):
            return
        for fifo in inputs:
            self.words[fifo].popleft()
            self.last_read[fifo] = cycle
        if mask >> self.model.processes[number].schedule.reads:
            endings.append((state[0], cycle + stages, mask))
        state[0] += 1
        state[1] = cycle + 1


def chain(seed: int, shape: tuple[int, ...]) -> Chain:
    return Chain(np.random.default_rng(seed), TensorType(IntType(0, 3), shape))


def branches(seed: int) -> Graph:
    """Products of random sizes, with sums around some of them."""
    rng = np.random.default_rng(seed)
    net = chain(seed, (int(rng.integers(1, 9)), 8))
    for _ in range(2):
        before = net.last
        for _ in range(int(rng.integers(1, 4))):
            net.matvec(int(rng.choice([4, 6, 8])))
            net.threshold(IntType(0, 3))
        net.matvec(8)
        net.append(Add(Const([[1], [2]])), before)
        net.threshold(IntType(0, 3))
    net.append(TopK(2))
    return lower(net.graph)


def planned(graph: Graph, plan: Plan) -> Plan:
    return replace(plan, fifos=fifo_depths(Wiring(graph, plan)))


@pytest.mark.parametrize("seed", range(6))
def test_times_are_those_of_a_plain_model_that_goes_cycle_by_cycle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = branches(seed)
    model = model_of(graph, planned(graph, random_plan(rng, graph)))
    shallow = {f.name: int(rng.integers(1, 4)) + f.depth // 2 for f in model.fifos}
    odd = Timing({kind: int(rng.integers(4)) for kind in PESSIMISTIC.stages}, 2, 1)
    stiff = replace(odd, stalls=True)
    deep = model.with_depths({fifo.name: 1000 for fifo in model.fifos})
    for timing in (IDEAL, PESSIMISTIC, odd, stiff):
        candidate = deep if timing.stalls else model
        cycles = candidate.run(timing)
        plain = Plain(candidate, timing).run(4)
        assert cycles.latency == plain[0] + 1
        assert cycles.interval == plain[3] - plain[2]
    for timing in (odd, stiff):
        with model.with_depths(shallow).running(timing) as running:
            if running.settles():
                wanted = len(running.finished)
                plain = Plain(model.with_depths(shallow), timing).run(wanted)
                assert running.finished == plain


def test_who_is_ahead_of_a_deep_fifo_waits_once_it_is_full() -> None:
    net = chain(0, (1, 8))
    first = net.threshold(IntType(0, 3))
    slow = net.matvec(64)
    graph = lower(net.graph)
    model = model_of(graph, unfolded_plan(graph)).with_depths({first: 8 * 20})
    cycles = model.run(IDEAL)
    waits = {load.name: load.waits_for_output for load in cycles.loads}
    assert cycles.bottleneck.name == slow
    assert waits[first] == cycles.interval - 8
    assert waits["read_axis"] == cycles.interval - 1


@pytest.mark.parametrize("seed", range(12))
def test_planned_fifos_are_deep_enough_for_the_slowest_process(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = branches(seed)
    for plan in (default_plan(graph, cycles=60), planned(graph, random_plan(rng, graph))):
        check_plan(graph, plan)
        design = make_design(graph, plan, name="net")
        model = CycleModel.of(design)
        slowest = largest(design)
        assert slowest <= model.run(IDEAL).interval <= slowest + 20
        deep = model.with_depths({fifo.name: 10**6 for fifo in model.fifos})
        assert deep.run(IDEAL).interval == slowest
        for timing in (PESSIMISTIC, STALLING):
            assert model.run(timing).interval <= slowest + 20


@pytest.mark.parametrize("seed", range(10))
def test_designs_on_images_take_what_their_slowest_process_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = lower(image_graph(seed))
    for plan in (default_plan(graph, cycles=300), planned(graph, random_plan(rng, graph))):
        check_plan(graph, plan)
        design = make_design(graph, plan, name="net")
        model = CycleModel.of(design)
        slowest = largest(design)
        deep = model.with_depths({fifo.name: 10**6 for fifo in model.fifos})
        assert deep.run(IDEAL).interval == slowest
        # Windows that begin in the padding lose some cycles more.
        for timing in (PESSIMISTIC, STALLING):
            assert model.run(timing).interval <= slowest * 1.05 + 20


def cnv() -> Graph:
    """BNN-PYNQ's CNV with binary weights and activations, and random numbers in it."""
    rng = np.random.default_rng(0)
    nodes: list[Node] = []
    types = {"x": TensorType(IntType(0, 255), (32, 32, 3))}
    last, channels = "x", 3

    def append(name: str, op: Conv | MaxPool | Reshape | Linear | TopK) -> None:
        nonlocal last
        nodes.append(Node((name,), op, (last,)))
        (types[name],) = op.infer(types[last])
        last = name

    def quantize(name: str) -> None:
        nonlocal last
        nodes.append(quantizer(rng, name, last, BIPOLAR, types[last]))
        types[name] = TensorType(BIPOLAR, types[last].shape)
        last = name

    for index, (outputs, is_pooled) in enumerate(
        [(64, False), (64, True), (128, False), (128, True), (256, False), (256, False)]
    ):
        weights = Const(rng.choice([-1, 1], size=(3, 3, channels, outputs)))
        append(f"conv{index}", Conv(weights, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1, 0))
        quantize(f"act{index}")
        if is_pooled:
            append(f"pool{index}", MaxPool((2, 2), (2, 2), (1, 1), (0, 0, 0, 0)))
        channels = outputs
    append("flat", Reshape((256,)))
    for index, outputs in enumerate((512, 512, 10)):
        append(f"fc{index}", Linear(Const(rng.choice([-1, 1], size=(channels, outputs)))))
        if index < 2:
            quantize(f"act{6 + index}")
        channels = outputs
    append("class", TopK(1))
    return lower(Graph({"x": types["x"]}, tuple(nodes), ("class",)))


def finns(graph: Graph) -> Plan:
    """Return the PE and SIMD that finn-examples publishes for this network on a Pynq-Z1.

    A threshold is part of the product there; here it has its PE.
    """
    plan = unfolded_plan(graph)
    products = [(16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (5, 1)]
    for index, (pe, simd) in enumerate(products):
        name = f"conv{index}" if index < 6 else f"fc{index - 6}"
        for process, folding in (
            (name, Folding(pe, simd)),
            (f"{name}/window", Folding(1, simd)),
            (f"act{index}", Folding(pe)),
            (f"pool{index}", Folding(pe)),
        ):
            if process in plan.foldings:
                plan = plan.with_folding(process, folding)
    return planned(graph, plan)


def test_cnv_with_finns_folding_has_the_rate_that_finn_states() -> None:
    graph = cnv()
    plan = finns(graph)
    check_plan(graph, plan)
    model = model_of(graph, plan)
    ideal = model.run(IDEAL)
    # 3,052 images a second at 100 MHz.
    assert ideal.interval == 512 * 256 // 4 == 32768
    assert ideal.bottleneck.name in {"fc0", "fc1"}
    assert model.run(PESSIMISTIC).interval == 32768 + PESSIMISTIC.stages["matvec"] + RESTART_GAP
    # With two words everywhere it would be another one.
    assert model_of(graph, replace(plan, fifos={})).run(IDEAL).interval > 40_000


def test_the_default_plan_of_cnv_comes_up_to_what_it_aims_at() -> None:
    graph = cnv()
    for plan in (default_plan(graph), default_plan(graph, cycles=8000)):
        slowest = largest(make_design(graph, plan, name="net"))
        cycles = model_of(graph, plan).run(PESSIMISTIC)
        assert slowest <= cycles.interval <= slowest * 1.01


ONE, WINDOWS = Const([0]), ((2, 3), (1, 2), (1, 1), (0, 1, 0, 1))
ALONE: dict[str, Op] = {
    "add": Add(Const([[1], [1]])),
    "border_threshold": BorderThreshold(
        Const([[[[1, 2]]]]), Const([[[0]]]), Const([[[[1, 2]]]]), ONE, ONE
    ),
    "concat": Concat(2),
    "duplicate": Add(Const([[1], [1]])),
    "lookup": Lookup(Const(np.arange(24).reshape(4, 6))),
    "matmul": MatMul(),
    "matvec": MatVec(Const(np.arange(120).reshape(10, 12) % 5 - 2)),
    "max_pool": MaxPool(*WINDOWS),
    "multiply": Multiply(),
    "permute": Permute((1, 0, 2)),
    "requantize": Requantize(Const([[1]]), Const([[0]]), 1, Const([0]), Const([1])),
    "split": Slice(1, 2, 5),
    "sum_pool": SumPool(*WINDOWS),
    "top_k": TopK(3),
    "upsample": Upsample((2, 3, 1)),
}


def alone(kind: str) -> Graph:
    """A graph with a process of ``kind`` and no more than it needs around it."""
    net = chain(0, (6, 7, 12))
    if kind == "threshold":
        net.count(IntType(0, 5))
    elif kind in ALONE:
        op = ALONE[kind]
        net.append(op, *[net.last] * isinstance(op, TAKE_TWO))
    else:
        groups = 12 if kind == "depthwise" else 1
        weights = net.rng.integers(-1, 2, size=(3, 2, 12 // groups, 12))
        net.append(Conv(Const(weights), (1, 2), (1, 1), (1, 0, 0, 1), (1, 1), groups, 0))
    return lower(net.graph)


@pytest.mark.parametrize("kind", sorted(KERNELS))
def test_a_process_takes_the_cycles_that_its_kernel_states(kind: str) -> None:
    graph = alone(kind)
    name, node = next((n, p) for n, p in processes_of(graph).items() if p.op.name == kind)
    lanes = (
        (pe, simd)
        for pe in legal_values(graph, name)["pe"]
        for simd in legal_choices(graph, name, Folding(pe)).simd
    )
    for pe, simd in lanes:
        for pixels in legal_choices(graph, name, Folding(pe, simd)).pixels:
            plan = unfolded_plan(graph, word_bits=512)
            plan = plan.with_folding(name, Folding(pe, simd, pixels=pixels))
            design = make_design(graph, planned(graph, plan), name="net")
            model = CycleModel.of(design)
            (process,) = (process for process in model.processes if process.name == name)
            stated = KERNELS[kind].cycles(site_of(graph, node), plan.foldings[name])
            assert process.schedule.iterations == stated
            # FIFOs are planned for a frame that ends in a pipeline and a restart. A window that
            # begins in the padding waits for its product, then for pixels.
            late = 40 if kind == "window" else PESSIMISTIC.stages[kind] + RESTART_GAP
            assert 0 <= model.run(IDEAL).interval - largest(design) <= late


def around_a_window(padding: int) -> Graph:
    """A sum of an image and of a convolution of it."""
    net = chain(1, (6, 5, 2))
    before = net.last
    weights = Const(net.rng.integers(-1, 2, size=(3, 3, 2, 2)))
    pads = (padding, 1, 2 - padding, 1)
    net.append(Conv(weights, (1, 1), (1, 1), pads, (1, 1), 1, 0))
    net.append(Add(Const([[1], [1]])), before)
    return lower(net.graph)


def stops(graph: Graph, plan: Plan, timing: Timing = IDEAL) -> bool:
    try:
        model_of(graph, plan).run(timing)
    except DeadlockError:
        return True
    return False


@pytest.mark.parametrize("padding", [pytest.param(0, marks=pytest.mark.thorough), 2])
def test_a_design_stops_in_the_model_where_its_cpp_does(padding: int, tmp_path: Path) -> None:
    graph = around_a_window(padding)
    plan = unfolded_plan(graph)
    short = "x/copy1"
    inputs = random_values(np.random.default_rng(0), graph.inputs["x"], 3)
    expected = run(graph, {"x": inputs})[graph.outputs[0]]
    golden = Golden(inputs, expected)

    def at(depth: int) -> Plan:
        return replace(plan, fifos={**plan.fifos, short: depth})

    def compiled(depth: int) -> csim.CSim:
        project = tmp_path / str(depth)
        write_project(graph, at(depth), name="net", golden=golden, directory=project)
        return csim.build(project, bounded=True)

    # Lines of the image wait while the window of its first pixels is filled.
    least = next(depth for depth in range(1, 100) if not stops(graph, at(depth)))
    assert 3 <= least <= plan.fifos[short]
    assert np.array_equal(compiled(least).run(inputs), expected)
    short_by = least - 2
    needs = rf"^the design stops: x_copy0_out1 is full \({short_by} of {short_by} words\)"
    needs += rf" and should hold {least}: make 'x/copy1' {least} deep among the fifos of the plan;"
    with pytest.raises(DeadlockError, match=needs + " x/copy0 waits for room in x_copy0_out1; "):
        model_of(graph, at(short_by)).run(IDEAL)
    # A process reads its inputs one after the other there, and holds the first one that it has.
    with pytest.raises(DeadlockError, match=r"^C simulation: deadlock: x_copy0_out1 is full "):
        compiled(short_by).run(inputs)
    # With pipelines that stall, both go on with the very same depth.
    least = next(d for d in range(1, 100) if not stops(graph, at(d), STALLING))
    assert np.array_equal(compiled(least).run(inputs, adversary=padding), expected)
    held = rf"^C simulation: deadlock: x_copy0_out1 is full \({least - 2} of {least - 2} words\)"
    held += rf" and should hold {least}: make 'x/copy1' {least} deep among the fifos of the plan;"
    with pytest.raises(DeadlockError, match=held + " x/copy0 waits for room in x_copy0_out1; "):
        compiled(least - 2).run(inputs, adversary=padding)
