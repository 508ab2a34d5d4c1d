"""Plans of a model for a target: a plan file, a plain plan, or one that the planner found."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.core.counts import counted
from lutloom.core.files import read_text, reason
from lutloom.estimation import RESOURCES, shell_of
from lutloom.infeasibility import UnreachableError, unreachable
from lutloom.targets import TargetError

if TYPE_CHECKING:
    from lutloom.boards import Board
    from lutloom.codegen.planning.budget import Budget, InfeasibleError, Planned
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan
    from lutloom.targets import Target

UTILIZATION = 0.7
"""The share of a board's look-up tables that a plan may take unless the user says otherwise."""

BEYOND = 2
"""How often the board would have to be there for the largest plans of a frontier."""

SLOWEST = 1 << 40
"""More clock cycles an image than any plan takes."""

LARGEST_PLAN = 2**24
"""More bytes than any plan has: that of MobileNet has a thousandth of it."""

PLAIN_WORD_BITS = 64
"""The width of the streams of a plain plan."""

_ROUNDING = Fraction(1, 1 << 50)
"""What floating point may have added to a rate, as a share of it."""


@dataclass(frozen=True)
class Wish:
    """What the user asks of a plan: nothing, a rate in images a second, or the highest one.

    ``utilization`` is the share of the look-up tables that it may take, ``word_bits`` the width of
    the AXI streams; None leaves it to the planner.
    """

    fps: Fraction | None = None
    is_fastest: bool = False
    utilization: Fraction = Fraction(7, 10)
    word_bits: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked."""
        return self.fps is None and not self.is_fastest

    def cycles(self, clock: Fraction) -> int:
        """Return the most cycles that an image may take at ``clock`` Hz.

        A rate that was computed from cycles, and rounded up, means those cycles and not one less.
        """
        from lutloom.codegen.planning import cycles_for

        return SLOWEST if self.fps is None else cycles_for(self.fps * (1 - _ROUNDING), clock)


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
        wide = counted(word_bits, "bit")
        raise TargetError(f"the streams are {wide} wide: use one of {list(WORD_BITS)}")
    fps = None if target_fps is None else Fraction(str(target_fps))
    return Wish(fps, fastest, Fraction(str(max_utilization)), word_bits)


def budget_of(processes: Graph, target: Target, wish: Wish) -> Budget:
    """Return what a plan may take of the board, of which its shell has a part."""
    from lutloom.codegen.planning.budget import Budget

    shell = shell_of(processes, target.board, wish.word_bits or target.port_bits)
    return Budget(target.board.device, wish.utilization, reserved=shell.resources)


def make_plan(processes: Graph, target: Target, wish: Wish) -> Plan:
    """Return a plan of ``processes`` as it is wished for; a plain one, if nothing is.

    Raises ``UnreachableError`` if no plan is as fast as that, or none fits on the board.
    """
    if wish.is_plain:
        return _plain_plan(processes, target, wish)
    from lutloom.codegen.on_device import on_device
    from lutloom.codegen.planning import InfeasibleError

    try:
        planned = planned_for(processes, target, wish)
        # What is read back by --plan is the same one.
        return on_device(processes, planned.plan, target.board.device)
    except InfeasibleError as error:
        raise _explained(error, processes, target, wish) from error


def _explained(
    error: InfeasibleError, processes: Graph, target: Target, wish: Wish
) -> UnreachableError:
    return unreachable(
        error,
        target=target,
        budget=budget_of(processes, target, wish),
        fps=wish.fps,
        port=_slow_port(processes, error.wanted, _word_bits(target, wish)[-1]),
        weights=_weight_bits(processes),
        smallest=smallest_board(processes, target, wish),
    )


def _slow_port(processes: Graph, cycles: int, word_bits: int) -> str:
    """Return what is to be said of an input or output that takes more than ``cycles``, if any."""
    for what, values in (("input", processes.inputs), ("output", processes.outputs)):
        for value in values:
            type_ = processes.types[value]
            bits = type_.size * type_.element.bits
            beats = -(-bits // word_bits)
            if beats > cycles:
                transfers = f"{counted(beats, 'transfer')} of {word_bits} bits"
                return f"the {what} {value} has {counted(bits, 'bit')}, {transfers}"
    return ""


def planned_for(processes: Graph, target: Target, wish: Wish) -> Planned:
    """Return the plan for the rate that is wished for, or the fastest one.

    Raises ``InfeasibleError`` if there is none.
    """
    from lutloom.codegen.planning import fastest_plan, least_plan

    budget, word_bits = budget_of(processes, target, wish), _word_bits(target, wish)
    if wish.fps is None:
        return fastest_plan(processes, budget, word_bits=word_bits)
    cycles = wish.cycles(target.clock)
    return least_plan(processes, budget, cycles=cycles, word_bits=word_bits)


def smallest_board(processes: Graph, target: Target, wish: Wish) -> Board | None:
    """Return the smallest board with a plan as it is wished for; None if no known one has any.

    Each board runs at its own clock, or at the one that was asked for.
    """
    from lutloom.boards import boards_by_size

    for board in boards_by_size():
        clock = target.clock_mhz if target.is_clock_given else board.clock_mhz
        candidate = replace(target, board=board, clock_mhz=clock)
        if clock > board.highest_clock_mhz or _is_no_better(candidate, target):
            continue
        if _has_plan(processes, candidate, wish):
            return board
    return None


def _has_plan(processes: Graph, target: Target, wish: Wish) -> bool:
    from lutloom.codegen.planning.planner import Planner

    budget, word_bits = budget_of(processes, target, wish), _word_bits(target, wish)
    if _weight_bits(processes) > _memory_bits(budget):
        return False
    planner = Planner.of(processes, budget, word_bits)
    cycles = wish.cycles(target.clock)
    if cycles < planner.formulation.fewest_cycles[1]:
        return False  # what that takes need not be found out
    return planner.least(cycles) is not None


def _weight_bits(processes: Graph) -> int:
    """Return how many bits the weights of all matrices have."""
    from lutloom.codegen.kernels import KERNELS
    from lutloom.codegen.streams import processes_of, site_of
    from lutloom.core.ops import MatVec
    from lutloom.core.plan import Folding

    return sum(
        KERNELS[node.op.name].weight_bits(site_of(processes, node), Folding())
        * node.op.matrix.data.size
        for node in processes_of(processes).values()
        if isinstance(node.op, MatVec)
    )


def _memory_bits(budget: Budget) -> int:
    """Return how many bits of constants there is room for, if nothing else takes any.

    A look-up table holds 64 of them, and UltraRAMs hold some only if they have contents.
    """
    from lutloom.codegen.fifo_memory import BRAM18_BITS, URAM_BITS

    limits = budget.limits
    urams = limits.uram if budget.device.uram_has_contents else 0
    return 64 * limits.lut + BRAM18_BITS * limits.bram18 + URAM_BITS * urams


def _is_no_better(candidate: Target, target: Target) -> bool:
    """Return whether there can't be more on a board than on another one, nor faster."""
    few, many = candidate.board.device, target.board.device
    return (
        candidate.clock_mhz <= target.clock_mhz
        and candidate.port_bits <= target.port_bits
        and few.dsp_type is many.dsp_type
        and all(getattr(few, name) <= getattr(many, name) for name in RESOURCES)
    )


def _word_bits(target: Target, wish: Wish) -> tuple[int, ...]:
    """Return how wide the streams may be: at most as the board's port to memory is.

    Raises ``TargetError`` if they should be wider.
    """
    from lutloom.codegen.folding import WORD_BITS

    if wish.word_bits is not None:
        if wish.word_bits > target.port_bits:
            raise TargetError(
                f"the streams are {wish.word_bits} bits wide, but a port of {target.board.name} to"
                f" memory has {target.port_bits}: give --word-bits at most that"
            )
        return (wish.word_bits,)
    return tuple(bits for bits in WORD_BITS if bits <= target.port_bits)


def _plain_plan(processes: Graph, target: Target, wish: Wish) -> Plan:
    from lutloom.codegen.folding import default_plan
    from lutloom.codegen.on_device import on_device

    word_bits = _word_bits(target, wish)[-1]
    if wish.word_bits is None:
        word_bits = min(PLAIN_WORD_BITS, word_bits)
    plan = default_plan(processes, word_bits=word_bits)
    return on_device(processes, plan, target.board.device)


def frontier_of(processes: Graph, target: Target, wish: Wish, points: int) -> tuple[Planned, ...]:
    """Return about so many plans that no other one beats, from the slowest to the fastest.

    The fastest one that fits is among them; others may take up to ``BEYOND`` times what the board
    has. Raises ``UnreachableError`` if no plan fits.
    """
    from lutloom.codegen.planning import InfeasibleError, frontier

    fastest = replace(wish, is_fastest=True)
    try:
        fits = planned_for(processes, target, fastest)
    except InfeasibleError as error:
        raise _explained(error, processes, target, fastest) from error
    budget = budget_of(processes, target, wish)
    beyond = replace(budget, share=Fraction(BEYOND), other_share=Fraction(BEYOND))
    found = frontier(processes, beyond, points=points, word_bits=_word_bits(target, wish))
    others = (planned for planned in found if planned.cycles != fits.cycles)
    return tuple(sorted((*others, fits), key=lambda planned: -planned.cycles))


def read_plan(path: Path, processes: Graph, target: Target) -> Plan:
    """Return the plan in a file, what it leaves open chosen.

    Raises ``PlanError`` for what is no plan of ``processes``, and for one with more UltraRAMs than
    the device has, or products that its DSP slices can't pack.
    """
    from lutloom.codegen.folding import check_plan
    from lutloom.codegen.on_device import on_device
    from lutloom.core.errors import PlanError
    from lutloom.core.plan import parse_plan

    try:
        text = read_text(path, LARGEST_PLAN)
    except (OSError, ValueError) as error:
        raise PlanError(f"the plan {path} can't be read: {reason(error)}") from error
    try:
        plan = parse_plan(text)
        check_plan(processes, plan)
        return on_device(processes, plan, target.board.device)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error
