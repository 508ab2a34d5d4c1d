"""What a user reads where no plan is as fast as is wanted, or none fits: why, and what would."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.codegen.fifo_memory import BRAM18_BITS
from lutloom.core.counts import counted
from lutloom.core.errors import LutloomError
from lutloom.estimation import RESOURCES

if TYPE_CHECKING:
    from lutloom.boards import Board
    from lutloom.codegen.planning.budget import Budget, InfeasibleError
    from lutloom.targets import Target


_ABSURD = 10**15
"""More images a second than are written out."""


class UnreachableError(LutloomError, ValueError):
    """No plan is as fast as was asked for on that board, or none fits on it at all."""


def unreachable(
    error: InfeasibleError,
    *,
    target: Target,
    budget: Budget,
    fps: Fraction | None,
    port: str,
    weights: int,
    smallest: Board | None,
) -> UnreachableError:
    """Return ``error`` in the words of the options: ``fps`` is the rate asked for, if one was.

    ``port`` says of the input or output that takes too long for that, "" if none does. ``weights``
    is how many bits the model has of them. ``smallest`` is the smallest board that can do it, None
    if none is known.
    """
    from lutloom.codegen.planning import rate_of

    nearest = None if error.nearest is None else rate_of(error.nearest, target.clock)
    wanted = "it" if fps is None else f"{shown_rate(fps)} images/s"
    sentences = [
        _too_fast(error, target, wanted, port)
        if error.needed is None
        else _too_large(error, target, budget, wanted, weights)
    ]
    if nearest is not None:
        sentences.append(
            f"The highest rate that fits is {shown_rate(nearest)} images/s"
            f" ({counted(error.nearest or 0, 'cycle')})"
        )
    if smallest is None:
        sentences.append(f"No known board has room for {wanted}")
    else:
        at = f"{smallest.clock_mhz} MHz" if not target.is_clock_given else "that clock"
        sentences.append(f"The smallest board for {wanted} is {smallest.name}, at {at}")
    remedies = _remedies(error, target, budget, nearest, smallest)
    return UnreachableError(f"{'. '.join(sentences)}. Try {', '.join(remedies)}")


def _too_fast(error: InfeasibleError, target: Target, wanted: str, port: str) -> str:
    takes = port or f"{error.process} takes more, whatever is spent on it"
    return f"{wanted} can't be reached on {target.board.name}: {_per_image(error, target)} {takes}"


def _per_image(error: InfeasibleError, target: Target) -> str:
    if error.wanted < 1:
        return f"at {target.clock_mhz:g} MHz that is more than one in a clock cycle, and"
    cycles = counted(error.wanted, "clock cycle")
    return f"at {target.clock_mhz:g} MHz an image may take {cycles}, and"


def _too_large(
    error: InfeasibleError, target: Target, budget: Budget, wanted: str, weights: int
) -> str:
    lack = _lack(error, budget)
    if error.nearest is not None:
        return (
            f"{wanted} do not fit on {target.board.name}: {_per_image(error, target)} the least"
            f" plan for that takes {lack}"
        )
    rooms = budget.device.bram18 * BRAM18_BITS
    alone = (
        f". Its weights alone are {weights / 2**20:,.1f} Mbit, and all block RAMs together hold"
        f" {rooms / 2**20:,.1f}"
        if weights > rooms
        else ""
    )
    return (
        f"the model does not fit on {target.board.name} at any rate: the slowest plan takes"
        f" {lack}{alone}"
    )


def _lack(error: InfeasibleError, budget: Budget) -> str:
    """Return what there is too little of: what is needed, by whom, and what there is of it."""
    assert error.resource is not None
    needed, limit, there = _counts(error, budget)
    may = f"there are {limit:,}"
    if limit < there:
        may = f"may take {limit:,}, {float(100 * budget.share):.3g}% of {there:,}"
    return f"{needed:,} {RESOURCES[error.resource]}, most of them for {error.process}, and {may}"


def _counts(error: InfeasibleError, budget: Budget) -> tuple[int, int, int]:
    """Return what is needed of the resource that limits, may be taken, and is there."""
    assert error.resource is not None
    assert error.needed is not None
    return (
        getattr(error.needed + budget.reserved, error.resource),
        getattr(budget.limits, error.resource),
        getattr(budget.device, error.resource),
    )


def _remedies(
    error: InfeasibleError,
    target: Target,
    budget: Budget,
    nearest: Fraction | None,
    smallest: Board | None,
) -> list[str]:
    found = []
    if nearest is not None:
        found.append(f"--target-fps {below(nearest)}")
    if smallest is not None:
        found.append(f"--board {smallest.name}")
    if error.resource == "lut":
        needed, limit, there = _counts(error, budget)
        if limit < needed <= there:
            found.append("a larger --max-utilization")
    if nearest is not None and target.clock_mhz < target.board.highest_clock_mhz:
        found.append(f"--clock-mhz up to {target.board.highest_clock_mhz}")
    return [*found, "or a model that is smaller or of fewer bits"]


def shown_rate(rate: Fraction | float, places: int = 0) -> str:
    """Return a rate as people read it: images a second with some places, or three digits of few.

    It is not above ``rate``, so that it can be asked for, unless nobody can.
    """
    if rate >= _ABSURD:
        return f"{float(rate):.3g}"
    return f"{_floor(rate, places):,.{places}f}" if rate >= 100 else f"{_floor(rate):.3g}"


def below(rate: Fraction | float) -> str:
    """Return a number for ``--target-fps`` of three digits or more, and not above ``rate``."""
    return f"{_floor(rate):.{_places(rate)}f}"


def _places(rate: Fraction | float) -> int:
    return max(0, 2 - math.floor(math.log10(rate)))


def _floor(rate: Fraction | float, places: int | None = None) -> float:
    """Return what is left of ``rate`` with so many decimal places, or three digits or more."""
    unit = 10 ** (_places(rate) if places is None else places)
    # 0.29 * 100 is below 29 in floating point
    exact = Fraction(str(rate))
    return float(Fraction(math.floor(exact * unit), unit))
