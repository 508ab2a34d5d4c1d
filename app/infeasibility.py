"""What a user reads where no plan is as fast as is wanted, or none fits: why, and what would."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.errors import LutloomError
from lutloom.estimation import RESOURCES

if TYPE_CHECKING:
    from lutloom.boards import Board
    from lutloom.codegen.planning.budget import Budget, InfeasibleError
    from lutloom.targets import Target


class UnreachableError(LutloomError, ValueError):
    """No plan is as fast as was asked for on that board, or none fits on it at all."""


def unreachable(
    error: InfeasibleError,
    *,
    target: Target,
    budget: Budget,
    fps: Fraction | None,
    smallest: Board | None,
) -> UnreachableError:
    """Return ``error`` in the words of the options: ``fps`` is the rate asked for, if one was.

    ``smallest`` is the smallest board that can do it, None if none is known.
    """
    from lutloom.codegen.planning.rates import rate_of

    clock, name = target.clock_mhz, target.board.name
    nearest = None if error.nearest is None else rate_of(error.nearest, target.clock)
    sentences, remedies = [_reason(error, budget, name, clock, fps, nearest)], []
    if nearest is not None:
        sentences.append(
            f"The highest rate that fits is {shown_rate(nearest)} images/s"
            f" ({error.nearest:,} cycles)"
        )
        remedies.append(f"--target-fps {below(nearest)}")
    wanted = "such a plan" if fps is None or nearest is None else f"{shown_rate(fps)} images/s"
    if smallest is None:
        sentences.append(f"No known board has room for {wanted}")
    else:
        sentences.append(
            f"The smallest board for {wanted} is {smallest.name} ({smallest.title},"
            f" {smallest.clock_mhz} MHz)"
        )
        remedies.append(f"--board {smallest.name}")
    if error.resource == "lut" and budget.share < 1:
        remedies.append("--max-utilization for more of the look-up tables")
    if error.resource is None and clock < target.board.highest_clock_mhz:
        remedies.append(f"--clock-mhz, at most {target.board.highest_clock_mhz}")
    remedies.append("a smaller model, or one of fewer bits")
    return UnreachableError(f"{'. '.join(sentences)}. Try {', or '.join(remedies)}")


def _reason(
    error: InfeasibleError,
    budget: Budget,
    name: str,
    clock: float,
    fps: Fraction | None,
    nearest: Fraction | None,
) -> str:
    asked = "" if fps is None else f"{shown_rate(fps)} images/s"
    per_image = f"an image may take {error.wanted:,} cycles at {clock:g} MHz"
    if error.resource is None or error.needed is None:
        return (
            f"{asked} can't be reached on {name}: {per_image}, and {error.process} takes more,"
            " whatever is spent on it"
        )
    needed = (error.needed + budget.reserved).named()[error.resource]
    there = getattr(budget.device, error.resource)
    limit = budget.limits.named()[error.resource]
    of = (
        f"{limit:,}"
        if limit == there
        else f"{limit:,}, which is {float(budget.share):.0%} of {there:,}"
    )
    lack = f"{needed:,} {RESOURCES[error.resource]} instead of {of}"
    most = f"most of them for {error.process}"
    if nearest is None:
        return f"the model does not fit on {name} at any rate: it takes at least {lack}, {most}"
    return f"{asked} do not fit on {name}: {per_image}, which takes {lack}, {most}"


def shown_rate(rate: Fraction | float) -> str:
    """Return a rate as people read it: whole images a second, or three digits of few."""
    return f"{float(rate):,.0f}" if rate >= 100 else f"{float(rate):.3g}"


def below(rate: Fraction | float) -> str:
    """Return a number for ``--target-fps`` of three digits or more, and not above ``rate``."""
    places = max(0, 2 - math.floor(math.log10(rate)))
    return f"{float(Fraction(math.floor(rate * 10**places), 10**places)):.{places}f}"
