"""What a model takes of its board before it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.estimate import show_estimate
from lutloom.console.terminal import say

if TYPE_CHECKING:
    from lutloom.readiness import Readiness


def show_readiness(readiness: Readiness) -> None:
    """Print what an untrained model would take of its board."""
    from lutloom.inspection import step_name

    network = readiness.network
    for where, steps in (
        ("before", [step for port in network.inputs for step in port.head]),
        ("behind", [step for port in network.outputs for step in port.tail]),
    ):
        say(f"on the host, {where}", ", ".join(map(step_name, steps)) or "nothing")
    if readiness.estimate is None:
        say("before training", f"{readiness.model} can be built; --board NAME says how fast it is")
        return
    say("before training", f"{readiness.model} on {readiness.estimate.board.name}, untrained")
    show_estimate(readiness.estimate)
