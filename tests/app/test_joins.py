"""What ``inspect`` and ``compile`` say of the places where results meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import lutloom
from lutloom.joins import Join, joins_of
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.app.commands import Invoke


def joined(directory: Path, scales: tuple[float, float], kind: str = "Add") -> Path:
    """Write a model in which two quantizers of these scales meet, behind a layer each."""
    w = Writer()
    x = w.quant("x", 0.5, bits=4)
    weights = np.random.default_rng(0).integers(-3, 4, (2, 4, 4))
    left, right = (
        w.quant(w.matmul(x, of), scale, bits=4) for of, scale in zip(weights, scales, strict=True)
    )
    y = w.quant(w.node(kind, [left, right], name="meet"), 0.9, bits=3)
    return write(w.model(w.matmul(y, np.eye(4)), 4), directory)


def only(path: Path) -> Join:
    (join,) = lutloom.inspect(path).joins
    return join


def test_equal_scales_cost_an_adder(tmp_path: Path) -> None:
    join = only(joined(tmp_path, (0.3, 0.3)))
    assert (join.name, join.operator) == ("meet", "add")
    assert join.multiplier_bits == (0, 0)
    assert (join.adders, join.multipliers) == (1, 0)
    assert join.bits == 5


def test_other_scales_cost_the_smallest_multipliers_that_are_proved(tmp_path: Path) -> None:
    join = only(joined(tmp_path, (0.3, 0.77)))
    assert not join.is_exact
    assert max(join.multiplier_bits) <= 5
    assert join.multipliers in {1, 2}


def test_multipliers_that_are_powers_of_two_are_wires(tmp_path: Path) -> None:
    join = only(joined(tmp_path, (0.25, 1.0)))
    assert join.multiplier_bits in {(0, 3), (0, 2)}
    assert join.multipliers == 0


def test_the_sum_itself_is_exact(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.5, bits=4)
    model = w.model(w.node("Add", [w.quant(w.matmul(x, np.eye(2)), 0.25), x], name="sum"), 2)
    join = only(write(model, tmp_path))
    assert join.is_exact
    assert join.multiplier_bits == (0, 2)


def test_products_cost_multipliers(tmp_path: Path) -> None:
    join = only(joined(tmp_path, (0.3, 0.7), "Mul"))
    assert (join.operator, join.multiplier_bits) == ("multiply", ())
    assert (join.adders, join.multipliers, join.is_exact) == (0, 1, True)


def test_matrix_products_cost_a_multiplier_a_term(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", bits=3)
    y = w.node("MatMul", [x, w.node("Transpose", [x], perm=[0, 2, 1])])
    join = only(write(w.model(w.quant(y, 3.0), 2, 5), tmp_path))
    assert (join.operator, join.adders, join.multipliers) == ("matmul", 4, 5)


def test_a_concatenation_costs_nothing(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.5, bits=4)
    y = w.node("Concat", [w.quant(w.matmul(x, np.eye(2)), 0.3), x], axis=1)
    join = only(write(w.model(w.matmul(y, np.ones((4, 1))), 2), tmp_path))
    assert (join.operator, join.multiplier_bits) == ("concat", (0, 0))
    assert (join.adders, join.multipliers, join.is_exact) == (0, 0, True)


@pytest.mark.parametrize("kind", ["Add", "Mul"])
def test_a_plan_says_how_many_work_in_each_cycle(kind: str, tmp_path: Path, invoke: Invoke) -> None:
    path = joined(tmp_path, (0.3, 0.77), kind)
    build = lutloom.compile(path, tmp_path / "build")
    (one,) = joins_of(build.network)
    (join,) = joins_of(build.network, build.plan)
    pe = build.plan.foldings[join.name].pe
    assert (join.adders, join.multipliers) == (pe * one.adders, pe * one.multipliers)
    ended = invoke("compile", path, "-o", tmp_path / "again")
    assert "where results meet: factors, and what adds and multiplies in each cycle" in ended.out


def test_inspect_prints_a_row_a_join(tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke("inspect", joined(tmp_path, (0.3, 0.77)))
    _, rows = ended.out.split("where results meet: factors, and what adds and multiplies for one")
    (row,) = [line for line in rows.splitlines() if line.startswith("meet")]
    assert "smaller" in row
    assert max(map(len, ended.out.splitlines())) <= 80
