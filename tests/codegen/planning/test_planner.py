from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.boards.device import Device, Family
from lutloom.codegen import check_plan, folding, lower
from lutloom.codegen.assembly import make_design
from lutloom.codegen.channel_groups import channel_groups
from lutloom.codegen.costs.design import design_cost
from lutloom.codegen.costs.ports import token_cost
from lutloom.codegen.costs.resources import Resources, total
from lutloom.codegen.folding import legal_choices, unfolded_plan
from lutloom.codegen.kernels.packed import packed_multiplier
from lutloom.codegen.padding import padded
from lutloom.codegen.planning import (
    Budget,
    InfeasibleError,
    cycles_for,
    fastest_plan,
    frontier,
    least_plan,
    rate_of,
)
from lutloom.codegen.planning.planner import UP_TO_64, Planner
from lutloom.codegen.planning.rates import Calls
from lutloom.codegen.planning.variants import candidates
from lutloom.codegen.streams import processes_of
from lutloom.core.errors import PlanError
from lutloom.core.ops import Add
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from tests.codegen.branching import branching_graph
from tests.codegen.conftest import Chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan

Z7020 = Device(Family.ZYNQ_7000, 53200, 106400, 280, 0, 220)
VU = Device(Family.ULTRASCALE_PLUS, 1728000, 3456000, 5376, 1280, 12288)
TINY = Device(Family.VERSAL, 2000, 4000, 4, 2, 5)
DEVICES = (Z7020, VU, TINY)


def chain(seed: int) -> Graph:
    """Return a product with a staircase before or behind it, or both."""
    rng = np.random.default_rng(seed)
    net = Chain(rng, TensorType(IntType(0, 3), (int(rng.choice([2, 4])),)))
    if rng.integers(2):
        net.threshold(IntType(0, 1), steps=1)
    net.matvec(int(rng.choice([1, 2, 3])))
    return lower(net.graph)


def fork(seed: int) -> Graph:
    """Return a value that is added to what a staircase makes of it."""
    rng = np.random.default_rng(seed)
    net = Chain(rng, TensorType(IntType(0, 3), (int(rng.choice([2, 3])),)))
    net.threshold(IntType(0, 1), steps=1)
    net.append(Add(Const(rng.integers(1, 3, size=(2, 1)))), "x")
    return lower(net.graph)


def row(seed: int) -> Graph:
    """Return a staircase and a product of a row of pixels, of which several may be in a word."""
    rng = np.random.default_rng(seed)
    net = Chain(rng, TensorType(IntType(0, 3), (4, 1)))
    net.threshold(IntType(0, 1), steps=1)
    net.matvec(2)
    return lower(net.graph)


def tfc() -> Graph:
    """Return 784 bytes to 64 to 10, of one bit."""
    net = Chain(np.random.default_rng(0), TensorType(IntType(0, 255), (784,)))
    net.threshold(BIPOLAR, steps=1)
    net.matvec(64)
    net.threshold(BIPOLAR, steps=1)
    net.matvec(10)
    return lower(net.graph)


def foldings(graph: Graph, name: str, device: Device) -> Iterator[Folding]:
    """Yield every folding of a process that leaves nothing open which a plan can say."""
    legal = legal_choices(graph, name, Folding())
    packed = {Multiplier.PACKED, Multiplier.PACKED_25} - {packed_multiplier(device.dsp_type)}
    shapes = (
        Folding(pe, simd, pixels=pixels)
        for pe in legal.pe
        for simd in legal_choices(graph, name, Folding(pe)).simd
        for pixels in legal_choices(graph, name, Folding(pe, simd)).pixels
    )
    for lanes, comparison in product(shapes, legal.comparison):
        shape = replace(lanes, comparison=comparison)
        forms = legal_choices(graph, name, shape)
        for memory, multiplier in product(forms.memory, forms.multiplier):
            is_open = (
                (comparison is Comparison.AUTO and len(legal.comparison) > 1)
                or (memory is Memory.AUTO and len(forms.memory) > 1)
                or (multiplier is Multiplier.AUTO and len(forms.multiplier) > 1)
            )
            if not is_open and multiplier not in packed:
                yield replace(shape, memory=memory, multiplier=multiplier)


def every_padding(graph: Graph) -> Iterator[dict[str, int]]:
    """Yield every choice of channels that the planner looks at."""
    free = [group for group in channel_groups(graph).values() if group.obstacle is None]
    for counts in product(*(candidates(group.channels) for group in free)):
        chosen = zip(free, counts, strict=True)
        yield {group.name: count for group, count in chosen if count > group.channels}


def every_plan(graph: Graph, device: Device, word_bits: tuple[int, ...]) -> Iterator[Plan]:
    start = replace(unfolded_plan(graph), fifos={})
    for channels in every_padding(graph):
        wide = padded(graph, channels)
        choices = [list(foldings(wide, name, device)) for name in processes_of(wide)]
        for bits, chosen in product(word_bits, product(*choices)):
            named = dict(zip(processes_of(graph), chosen, strict=True))
            plan = replace(start, foldings=named, word_bits=bits, channels=channels)
            try:
                check_plan(graph, plan)
            except PlanError:
                continue
            yield plan


def taken(graph: Graph, plan: Plan, device: Device) -> tuple[Resources, int]:
    """Return what a plan takes but for tokens of TLAST, and its cycles."""
    design = make_design(graph, plan, name="plan")
    cost = design_cost(design, device)
    tokens = total(
        token_cost(unit.token_depth, device) for unit in design.units for _ in unit.tokens
    ).resources
    pairs = zip(cost.total.resources.figures, tokens.figures, strict=True)
    return Resources(*(a - b for a, b in pairs)), cost.slowest.cycles


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("make", "seed"), [(chain, 0), (chain, 1), (fork, 0), (row, 0)])
def test_the_least_plan_is_the_least_of_all_plans(
    make: Callable[[int], Graph], seed: int, device: Device
) -> None:
    graph, budget = make(seed), Budget(device, reserved=Resources(lut=100, bram18=1))
    known = [taken(graph, plan, device) for plan in every_plan(graph, device, (8, 16))]
    assert len(known) > 100
    planner = Planner.of(graph, budget, (8, 16))
    assert {cycles for _, cycles in known} <= set(planner.counts)
    for cycles in planner.counts:
        legal = [needed for needed, interval in known if interval <= cycles]
        legal = [needed for needed in legal if budget.exceeded(needed) is None]
        chosen = planner.choose(cycles, Resources())
        assert (chosen is None) == (not legal)
        if chosen is None:
            continue
        needed, interval = taken(graph, chosen.plan, device)
        assert needed == chosen.counted
        assert interval <= cycles
        assert chosen.bound == budget.largest_share(needed)
        rank = min((budget.largest_share(n), n.lut) for n in legal)
        assert (budget.largest_share(needed), needed.lut) == rank


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(DEVICES), st.booleans())
def test_a_plan_is_counted_as_its_design(seed: int, device: Device, forks: bool) -> None:
    rng = np.random.default_rng(seed)
    net = Chain(rng, TensorType(IntType(0, 3), (4, 4, 2)))
    for _ in range(3):
        net.image()
    graph = lower(branching_graph(seed, 3) if forks else net.graph)
    planner = Planner.of(graph, Budget(device, Fraction(100), Fraction(100)), UP_TO_64)
    cycles = planner.counts[int(rng.integers(len(planner.counts)))]
    chosen = planner.choose(cycles, Resources())
    if chosen is not None:
        needed, interval = taken(graph, chosen.plan, device)
        assert needed == chosen.counted
        assert interval <= cycles
        assert interval in planner.counts


def test_a_port_bounds_the_rate() -> None:
    planned = fastest_plan(tfc(), Budget(VU))
    assert planned.cycles == 98
    assert planned.plan.word_bits == 64
    assert int(rate_of(planned.cycles, Fraction(100_000_000))) == 1_020_408
    assert fastest_plan(tfc(), Budget(VU), word_bits=(64, 128)).cycles == 49


def test_plans_fit_their_budgets_with_all_their_fifos() -> None:
    graph = tfc()
    for share in (Fraction(1, 10), Fraction(1, 20), Fraction(1, 40)):
        budget = Budget(Z7020, share, reserved=Resources(lut=100))
        planned = fastest_plan(graph, budget)
        cost = design_cost(make_design(graph, planned.plan, name="x"), Z7020)
        assert planned.cost.total == cost.total
        assert budget.exceeded(cost.total.resources) is None


def test_what_is_faster_than_any_plan_is_refused() -> None:
    with pytest.raises(InfeasibleError, match=r"takes 98 at least; the fewest that fit") as caught:
        least_plan(tfc(), Budget(Z7020), cycles=97)
    error = caught.value
    assert (error.wanted, error.resource, error.needed) == (97, None, None)
    assert error.process == "the input -> threshold0"
    assert error.nearest == 98


def test_what_needs_more_than_the_budget_names_who_takes_most() -> None:
    budget = Budget(Z7020, Fraction(1, 40))
    with pytest.raises(InfeasibleError, match=r"look-up tables, and there are 1330 in") as caught:
        least_plan(tfc(), budget, cycles=98)
    error = caught.value
    assert (error.resource, error.process) == ("lut", "matvec1")
    assert error.needed is not None
    assert budget.exceeded(error.needed) == "lut"
    assert error.nearest is not None
    assert least_plan(tfc(), budget, cycles=error.nearest).cycles == error.nearest
    with pytest.raises(InfeasibleError):
        least_plan(tfc(), budget, cycles=error.nearest - 1)


def test_what_never_fits_says_so() -> None:
    with pytest.raises(InfeasibleError, match=r"no plan fits, whatever its cycles") as caught:
        fastest_plan(tfc(), Budget(replace(Z7020, lut=10)))
    assert caught.value.nearest is None


def test_limits_of_a_process_count_as_its_fastest() -> None:
    net = Chain(np.random.default_rng(0), TensorType(IntType(0, 255), (128,)))
    net.matvec(96, tuple(range(-128, 128)))
    graph = lower(net.graph)
    # Weights of 8 bits in words of 4096: 512 products a cycle at most, of 96 x 128.
    with pytest.raises(InfeasibleError, match=r"matvec0 takes 24 at least") as caught:
        least_plan(graph, Budget(VU), cycles=20, word_bits=(1024,))
    assert caught.value.nearest == 24


def test_what_is_beyond_the_limits_however_it_is_folded_is_refused() -> None:
    net = Chain(np.random.default_rng(0), TensorType(IntType(0, 255), (2,)))
    net.matvec(3)
    graph = lower(net.graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "MOST_OPERATORS", 0)
        with pytest.raises(PlanError, match=r"operators at work in one cycle, more than 0"):
            least_plan(graph, Budget(VU), cycles=1000)


def test_what_is_not_there_is_not_taken() -> None:
    budget = Budget(replace(Z7020, bram18=0, dsp=0))
    needed = fastest_plan(tfc(), budget).cost.total.resources
    assert (needed.bram18, needed.uram, needed.dsp) == (0, 0, 0)


def test_along_the_frontier_faster_plans_take_more() -> None:
    budget = Budget(Z7020)
    plans = frontier(tfc(), budget, points=6)
    assert plans[-1].cycles == fastest_plan(tfc(), budget).cycles
    cycles = [planned.cycles for planned in plans]
    shares = [budget.largest_share(planned.cost.total.resources) for planned in plans]
    assert cycles == sorted(set(cycles), reverse=True)
    assert shares == sorted(shares)
    assert 3 <= len(plans) <= 6


@given(st.integers(1, 10**7), st.integers(1, 5 * 10**8), st.integers(0, 10**6))
def test_cycles_are_the_most_that_make_the_rate(rate: int, clock: int, nanoseconds: int) -> None:
    calls = Calls(Fraction(nanoseconds, 10**9), 100)
    cycles = cycles_for(Fraction(rate), Fraction(clock), calls)
    if cycles >= 1:
        assert rate_of(cycles, Fraction(clock), calls) >= rate
        assert rate_of(cycles + 1, Fraction(clock), calls) < rate


def test_where_deep_fifos_decide_the_next_faster_plan_does_not_fit() -> None:
    budget = Budget(replace(Z7020, lut=8000, bram18=0, dsp=4))
    planner = Planner.of(lower(branching_graph(5, most=4)), budget, (64,))
    planned = planner.fastest()
    assert planned is not None
    assert budget.exceeded(planned.cost.total.resources) is None
    assert planned.bound <= planned.share
    place = planner.counts.index(planned.cycles)
    # Without them it would.
    assert planner.fits(planner.counts[place - 1], Resources())
    assert planner.least(planner.counts[place - 1]) is None
