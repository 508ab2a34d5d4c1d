"""Plans of a model for a target: a plan file, a plain plan, or one that the planner found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.core.files import read_text
from lutloom.estimation import shell_of
from lutloom.targets import TargetError

if TYPE_CHECKING:
    from lutloom.codegen.planning.budget import Budget, Planned
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan
    from lutloom.targets import Target

UTILIZATION = 0.7
"""The share of a board's look-up tables that a plan may take unless the user says otherwise."""


@dataclass(frozen=True)
class Wish:
    """What the user asks of a plan: nothing, a rate in images a second, or the highest one.

    ``utilization`` is the share of the look-up tables that it may take, ``word_bits`` the width of
    the AXI streams, None for the planner's choice.
    """

    fps: Fraction | None = None
    is_fastest: bool = False
    utilization: Fraction = Fraction(7, 10)
    word_bits: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked."""
        return self.fps is None and not self.is_fastest


def wish_of(
    *,
    target_fps: float | None = None,
    fastest: bool = False,
    max_utilization: float,
    word_bits: int | None,
) -> Wish:
    """Return what the options of the command line say.

    Raises ``TargetError`` for numbers that mean nothing, and for two wishes at once.
    """
    from lutloom.codegen.folding import WORD_BITS

    if target_fps is not None and fastest:
        raise TargetError("there are --target-fps and --fastest: give one of them")
    if target_fps is not None and not 0 < target_fps < math.inf:
        raise TargetError(
            f"the target is {target_fps:g} images a second: give a positive number, such as 1000"
        )
    if not 0 < max_utilization <= 1:
        raise TargetError(
            f"the utilization is {max_utilization:g}: give the share of the look-up tables that"
            f" may be taken, above 0 and at most 1, such as {UTILIZATION}"
        )
    if word_bits is not None and word_bits not in WORD_BITS:
        raise TargetError(f"the streams are {word_bits} bits wide: use one of {list(WORD_BITS)}")
    fps = None if target_fps is None else Fraction(str(target_fps))
    return Wish(fps, fastest, Fraction(str(max_utilization)), word_bits)


def budget_of(processes: Graph, target: Target, wish: Wish) -> Budget:
    """Return what a plan may take of the board, of which its shell has a part."""
    from lutloom.codegen.planning.budget import Budget

    shell = shell_of(processes, target.board, wish.word_bits or target.port_bits)
    return Budget(target.board.device, wish.utilization, reserved=shell.resources)


def make_plan(processes: Graph, target: Target, wish: Wish) -> Plan:
    """Return a plan of ``processes`` as the user wishes it; a plain one, if he does not."""
    from lutloom.codegen.folding import default_plan
    from lutloom.codegen.planning.rates import cycles_for
    from lutloom.codegen.ultra_rams import in_ultra_rams

    cycles = None if wish.fps is None else max(1, cycles_for(wish.fps, target.clock))
    plan = default_plan(processes, cycles=cycles, word_bits=wish.word_bits or 64)
    return in_ultra_rams(processes, plan, target.board.device.uram)


def frontier_of(processes: Graph, target: Target, wish: Wish, points: int) -> tuple[Planned, ...]:
    """Return at most so many plans that no other one beats, from the slowest to the fastest.

    Some of them may not fit on the board.
    """
    from lutloom.codegen.planning import frontier

    return frontier(processes, budget_of(processes, target, wish), points=points)


def read_plan(path: Path, processes: Graph, target: Target) -> Plan:
    """Return the plan in a file, what it leaves open chosen.

    Raises ``PlanError`` for what is no plan of ``processes``, and for one with more UltraRAMs than
    the device has.
    """
    from lutloom.codegen.folding import check_plan, settled_plan
    from lutloom.codegen.ultra_rams import in_ultra_rams
    from lutloom.core.errors import PlanError
    from lutloom.core.plan import parse_plan

    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise PlanError(f"the plan {path} can't be read: {error}") from error
    try:
        plan = parse_plan(text)
        check_plan(processes, plan)
        return in_ultra_rams(processes, settled_plan(processes, plan), target.board.device.uram)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error
