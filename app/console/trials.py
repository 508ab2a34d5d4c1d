"""What was tried before training: one batch, and learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.terminal import say, show
from lutloom.core.counts import counted
from lutloom.tables import Column

if TYPE_CHECKING:
    from lutloom.qat.trials import Overfitting, RateSearch


def show_overfitting(result: Overfitting) -> None:
    """Print whether one batch was learnt by heart."""
    first, last = result.history[0], result.history[-1]
    say("one batch", f"{counted(result.images, 'image')}, {counted(len(result.history), 'step')}")
    say("loss", f"{first.loss:.3f} at first, {last.loss:.3f} at last")
    say("right", f"{last.accuracy:.2%} of them")


def show_rates(search: RateSearch) -> None:
    """Print the losses that learning rates lead to, and which one to begin with."""
    steps = range(0, len(search.rates), max(1, len(search.rates) // 15))
    show(
        (Column("learning rate"), Column("loss")),
        ((f"{search.rates[step]:.1e}", f"{search.losses[step]:.3f}") for step in steps),
    )
    say("learning rate", f"the loss falls fastest at {search.suggestion:.1e}")
