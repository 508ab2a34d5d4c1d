from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen.planning import counting, labels, search
from lutloom.codegen.planning.bounds import NEVER, Bounds
from lutloom.codegen.planning.labels import plans_within
from lutloom.codegen.planning.merging import merged
from lutloom.codegen.planning.moves import improved
from lutloom.codegen.planning.problem import largest_total, total_of
from lutloom.codegen.planning.relaxation import Relaxation, Row
from lutloom.codegen.planning.search import best
from tests.codegen.planning.problems import (
    RESOURCES,
    SHARES,
    THERE,
    legal_plans,
    random_problem,
    seeds,
    shapes,
)

if TYPE_CHECKING:
    from types import ModuleType

    from lutloom.core.types import IntArray

CLOSE = 1e-9


def value(total: IntArray, rows: tuple[Row, ...]) -> Fraction:
    return max(Fraction(int(total[r.resource]) - r.limit, r.scale) for r in rows if r.scale)


def keeps(total: IntArray, rows: tuple[Row, ...]) -> bool:
    return all(total[row.resource] <= row.limit for row in rows if not row.scale)


@given(seeds, shapes)
def test_the_plan_is_the_best_of_all_plans(seed: int, links: tuple[tuple[int, int], ...]) -> None:
    problem = random_problem(seed, links)
    values = [value(total, SHARES) for _, total in legal_plans(problem)]
    found = best(problem, SHARES)
    if not values:
        assert found is None
        return
    assert found is not None
    assert found.total.tolist() == total_of(problem, np.array(found.options)).tolist()
    assert found.options in [options for options, _ in legal_plans(problem)]
    assert found.z == found.bound == value(found.total, SHARES) == min(values)


@given(seeds, shapes)
def test_beside_each_plan_there_is_one_of_needed_options(
    seed: int, links: tuple[tuple[int, int], ...]
) -> None:
    problem = random_problem(seed, links)
    plans = list(legal_plans(problem))
    needed = [
        total
        for options, total in plans
        if all(mask[option] for mask, option in zip(problem.needed, options, strict=True))
    ]
    for _, total in plans:
        assert any((known <= total).all() for known in needed)


@given(seeds, shapes)
def test_plans_stay_the_same_without_variables_of_a_single_option(
    seed: int, links: tuple[tuple[int, int], ...]
) -> None:
    problem = random_problem(seed, links)
    rng = np.random.default_rng(seed)
    counts = [len(variable.costs) for variable in problem.variables]
    masks = [
        np.arange(n) == rng.integers(n) if rng.random() < 0.5 else np.ones(n, np.bool_)
        for n in counts
    ]
    problem = problem.restricted(masks)
    smaller, left = merged(problem)
    assert len(smaller.variables) == len(left)
    expected = {tuple(o[v] for v in left): t.tolist() for o, t in legal_plans(problem)}
    assert {o: t.tolist() for o, t in legal_plans(smaller)} == expected
    bounds = Bounds(smaller, np.eye(RESOURCES, dtype=np.int64))
    if expected:
        assert bounds.least.tolist() == np.min(list(expected.values()), axis=0).tolist()


@given(
    seeds,
    shapes,
    st.sampled_from(
        [(search, "_MOST_LABELS"), (labels, "MOST_ROWS"), (counting, "MOST_ROWS")],
    ),
)
def test_parts_that_are_divided_have_the_same_best_plan(
    seed: int, links: tuple[tuple[int, int], ...], least: tuple[ModuleType, str]
) -> None:
    problem = random_problem(seed, links)
    with pytest.MonkeyPatch.context() as patch:
        # Hardly anything is enumerated, so that options are divided until one is left of each.
        patch.setattr(*least, 1)
        patch.setattr(search, "_MOST_PARTS", 10_000)
        patch.setattr(search, "improved", lambda _problem, _open, options, _rows: options)
        found = best(problem, SHARES)
    values = [value(total, SHARES) for _, total in legal_plans(problem)]
    assert (found is None) == (not values)
    if found is not None:
        assert found.z == found.bound == min(values)


@given(seeds, shapes, st.integers(0, 100))
def test_limits_are_kept_where_that_can_be(
    seed: int, links: tuple[tuple[int, int], ...], percent: int
) -> None:
    problem = random_problem(seed, links)
    limits = tuple(Row(r, there * percent // 100 + 1, 0) for r, there in enumerate(THERE))
    fixed = tuple(Row(r, 0, row.scale) for r, row in enumerate(limits))
    within = [total for _, total in legal_plans(problem) if keeps(total, fixed)]
    start = best(problem, limits, enough=1)
    assert (start is not None) == bool(within)
    if start is None:
        return
    assert start.bound <= min(value(total, limits) for _, total in legal_plans(problem))
    rows = (*SHARES, *fixed)
    found = best(problem, rows, start)
    assert found is not None
    assert keeps(found.total, fixed)
    assert found.z == min(value(total, rows) for total in within)
    tables = best(problem, (Row(0, 1, 0), *fixed), start)
    assert tables is not None
    assert tables.z == min(int(total[0]) for total in within)


@given(seeds, shapes)
def test_bounds_are_the_least_sums(seed: int, links: tuple[tuple[int, int], ...]) -> None:
    problem = random_problem(seed, links)
    plans = list(legal_plans(problem))
    if not plans:
        return
    prices = np.random.default_rng(seed).integers(0, 9, (3, RESOURCES))
    sums = np.array([prices @ total for _, total in plans])
    bounds = Bounds(problem, prices)
    assert bounds.least.tolist() == sums.min(axis=0).tolist()
    for row in range(3):
        total = total_of(problem, bounds.cheapest(row))
        assert int(prices[row] @ total) == bounds.least[row]
    limits = sums.min(axis=0) + 30
    for number, mask in enumerate(np.split(bounds.kept(limits), problem.first[1:-1])):
        for option in range(len(mask)):
            with_it = [s for (o, _), s in zip(plans, sums, strict=True) if o[number] == option]
            each = [min((int(s[row]) for s in with_it), default=1 << 40) for row in range(3)]
            assert mask[option] == all(e <= limit for e, limit in zip(each, limits, strict=True))


@given(seeds, shapes)
def test_bounds_of_open_options_are_those_of_a_problem_without_the_others(
    seed: int, links: tuple[tuple[int, int], ...]
) -> None:
    problem = random_problem(seed, links)
    rng = np.random.default_rng(seed)
    is_open = rng.random(len(problem.costs)) < 0.7
    is_open[problem.first[:-1]] = True
    smaller = problem.restricted(np.split(is_open, problem.first[1:-1]))
    prices = rng.integers(0, 9, (3, RESOURCES))
    masked, alone = Bounds(problem, prices, is_open), Bounds(smaller, prices)
    assert masked.least.tolist() == alone.least.tolist()
    if (alone.least < NEVER).all():
        limits = alone.least + 30
        kept = masked.kept(limits)
        assert not kept[~is_open].any()
        assert kept[is_open].tolist() == alone.kept(limits).tolist()
        totals = [total_of(p, b.cheapest(0)) for p, b in ((problem, masked), (smaller, alone))]
        assert prices[0] @ totals[0] == prices[0] @ totals[1] == alone.least[0]


@given(seeds, shapes)
def test_beside_each_plan_within_limits_one_is_seen_that_takes_no_more_of_what_is_scarce(
    seed: int, links: tuple[tuple[int, int], ...]
) -> None:
    problem = random_problem(seed, links)
    plans = [total for _, total in legal_plans(problem)]
    if not plans:
        return
    limits = np.quantile(np.array(plans), 0.6, axis=0).astype(np.int64)
    bounds = Bounds(problem, np.eye(RESOURCES, dtype=np.int64))
    scarce = np.flatnonzero(largest_total(problem) > limits).tolist() or [0]
    seen = plans_within(bounds, limits, scarce, 10_000, 0)
    assert seen.is_complete
    within = [total for total in plans if (total <= limits).all()]
    for total in within:
        assert any((known[scarce] <= total[scarce]).all() for known in seen.totals)


@given(seeds, shapes)
def test_changes_lead_to_legal_plans_that_are_no_worse(
    seed: int, links: tuple[tuple[int, int], ...]
) -> None:
    problem = random_problem(seed, links)
    plans = dict(legal_plans(problem))
    for options, total in list(plans.items())[:3]:
        everything = np.ones(len(problem.costs), np.bool_)
        better = tuple(improved(problem, everything, np.array(options), SHARES).tolist())
        assert better in plans
        assert value(plans[better], SHARES) <= value(total, SHARES)


@given(st.lists(st.tuples(*[st.integers(1, 50)] * RESOURCES), min_size=1, max_size=6))
def test_prices_bound_what_shares_of_plans_reach(totals: list[tuple[int, ...]]) -> None:
    relaxation = Relaxation(SHARES)
    for total in totals:
        relaxation.add(np.array(total))
    z, prices, shares = relaxation.solve()
    mixed = sum(share * relaxation.totals[k] for k, share in shares.items())
    # Floats, which choose prices and decide nothing.
    assert abs(sum(shares.values()) - 1) < CLOSE
    assert abs(max(mixed / np.array(THERE)) - z) < CLOSE
    assert abs(min(float(prices @ total) for total in relaxation.totals) - z) < CLOSE
    assert abs(float(prices @ np.array(THERE)) - 1) < CLOSE
