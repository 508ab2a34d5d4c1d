"""What the demonstration gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.simulation import show_simulation
from lutloom.console.terminal import say
from lutloom.console.training import show_training
from lutloom.console.verification import show_checks, show_verdict

if TYPE_CHECKING:
    from lutloom.demonstration import Demonstration


def show_demo(result: Demonstration) -> None:
    """Print what the demonstration gave."""
    show_training(result.trained)
    show_simulation(result.simulation)
    show_checks(result.verification)
    show_verdict(result.verification)
    say("HLS project", str(result.build.directory / "hls"))
    say("report", str(result.build.directory / "report.html"))
    say("what to do next", str(result.build.directory / "NEXT_STEPS.md"))
