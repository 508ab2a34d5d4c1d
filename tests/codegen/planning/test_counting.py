from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from lutloom.codegen.planning.bounds import NEVER, Bounds
from lutloom.codegen.planning.counting import Counted, Pricing, Rest, Rests
from lutloom.codegen.planning.labels import Labels, keys_of, plans_within
from lutloom.codegen.planning.problem import Problem, largest_total, total_of
from lutloom.codegen.planning.relaxation import Row
from tests.codegen.planning.problems import (
    RESOURCES,
    SHARES,
    legal_plans,
    random_problem,
    seeds,
    shapes,
)

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

MANY = 10_000


@dataclass(frozen=True, eq=False)
class Case:
    """A problem, what all its plans take, limits of the rows, and the plans that were counted."""

    problem: Problem
    totals: list[IntArray]
    ends: list[int]
    counted: Counted


def ends_of(problem: Problem, totals: list[IntArray], percent: int) -> list[int]:
    """Return limits that about so many of the plans keep in each resource."""
    known = totals or [largest_total(problem)]
    found: list[int] = np.quantile(known, percent / 100, axis=0).astype(np.int64).tolist()
    return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a small problem in which something is counted."""
    problem = random_problem(draw(seeds), draw(shapes))
    pricing = Pricing.of(SHARES, draw(st.tuples(*[st.integers(0, 50)] * RESOURCES)))
    assume(pricing is not None)
    assert pricing is not None
    totals = [total for _, total in legal_plans(problem)]
    ends = ends_of(problem, totals, draw(st.integers(0, 100)))
    is_open = np.ones(len(problem.costs), np.bool_)
    counted = Counted.of(problem, is_open, pricing, ends, MANY)
    return Case(problem, totals, ends, counted)


def test_what_a_unit_costs_most_of_is_counted() -> None:
    rows = (Row(0, 100, 0), Row(1, 10, 0), Row(0, 0, 50))
    pricing = Pricing.of(rows, (3, 5, 1))
    assert pricing is not None
    assert pricing.resource == 1
    assert pricing.limits([40, 7, 50]).tolist() == [3 * 40 + 50, 7]
    # 3 (100 z) + 50 for what has a price, 10 z for what is counted
    assert pricing.value(350, 0) == 1
    assert pricing.value(50, 7) == Fraction(7, 10)
    counts_first = Pricing.of(rows, (3, 5, 3))
    assert counts_first is not None
    assert counts_first.resource == 0
    assert counts_first.limits([40, 7, 50]).tolist() == [5 * 7, 40]


def test_nothing_is_counted_where_nothing_else_has_a_price() -> None:
    assert Pricing.of((Row(0, 100, 0), Row(1, 10, 0), Row(0, 0, 50)), (3, 0, 1)) is None


@given(cases())
def test_the_plans_are_all_that_nothing_is_less_than_in_both(case: Case) -> None:
    counted, ends = case.counted, case.ends
    assert counted.plans.is_complete
    pairs = {tuple(total) for total in np.reshape(case.totals, (-1, RESOURCES)) @ counted.weights}
    limits = counted.pricing.limits(ends)
    within = {pair for pair in pairs if (np.array(pair) <= limits).all()}
    least = {
        pair
        for pair in within
        if not any(o != pair and o[0] <= pair[0] and o[1] <= pair[1] for o in within)
    }
    found = {tuple(total) for total in counted.plans.totals}
    assert least <= found <= within
    for place, total in enumerate(counted.plans.totals):
        plan = total_of(case.problem, counted.plans.plan(place))
        assert (plan @ counted.weights).tolist() == total.tolist()


@given(cases())
def test_no_plan_has_a_value_below_the_least(case: Case) -> None:
    counted, ends = case.counted, case.ends
    for total in case.totals:
        if (total <= ends).all():
            z = max(Fraction(int(total[row.resource]), row.scale) for row in SHARES)
            assert min(counted.values) <= z


@given(cases(), st.integers(0, 100))
def test_what_leads_to_a_plan_is_kept(case: Case, percent: int) -> None:
    counted, problem = case.counted, case.problem
    if not len(counted.plans.totals):
        return
    # Limits may have become narrower since.
    ends = np.minimum(case.ends, ends_of(problem, case.totals, percent)).tolist()
    rests = Rests.of(counted, ends)
    assert None not in rests.steps
    largest = largest_total(problem)
    bounds = Bounds(problem, np.eye(RESOURCES, dtype=np.int64))
    seen = plans_within(bounds, largest, range(RESOURCES), MANY, 0, rests.kept)
    assert seen.is_complete
    limits = counted.pricing.limits(ends)
    # Of nothing else there is a limit here: what is left is due to what was counted.
    assert ((seen.totals @ counted.weights) <= limits).all()
    for total in case.totals:
        if ((total @ counted.weights) <= limits).all():
            assert any((known <= total).all() for known in seen.totals)


@given(cases())
def test_a_part_of_a_plan_and_what_is_beside_it_are_a_plan(case: Case) -> None:
    counted, ends = case.counted, case.ends
    if not len(counted.plans.totals):
        return
    pairs = (np.array(case.totals) @ counted.weights).tolist()
    limits = counted.pricing.limits(ends)
    there = {cost for cost, units in pairs if units <= limits[1]}
    rests = Rests.of(counted, ends)
    for labels, rest in zip(counted.plans.labels, rests.steps, strict=True):
        assert rest is not None
        costs, units = labels.costs.T
        beside = rest.least(keys_of(labels, counted.bounds.problem), limits[1] - units)
        assert {int(total) for total in (costs + beside)[beside < NEVER]} <= there


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=12), st.integers(-1, 4))
def test_more_units_never_cost_more(labels: list[tuple[int, ...]], units: int) -> None:
    values, costs, taken = np.array(labels, np.int64).reshape(-1, 3).T
    made = Labels((0,), values[:, np.newaxis], np.array([costs, taken]).T, values, ())
    rest = Rest.of(made, Problem((), (), {0: 4}))
    expected = [
        min((c for v, c, u in labels if v == value and u <= units), default=NEVER)
        for value in range(4)
    ]
    assert rest.least(np.arange(4), np.full(4, units)).tolist() == expected
