"""What processes do in the cycles of an image, and how many images that makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.fifos import say_fifos
from lutloom.console.terminal import say, show, shown
from lutloom.core.counts import counted
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.frame_rates import Throughput


def show_throughput(result: Throughput) -> None:
    """Print what each process does in the cycles of an image, and how many images that makes."""
    show(
        (
            Column("process", Kind.NAME),
            *map(Column, ("cycles", "awaits input", "awaits output")),
        ),
        (
            (
                load.name,
                f"{load.busy:,}",
                f"{load.waits_for_input:,}",
                f"{load.waits_for_output:,}",
            )
            for load in result.ideal.loads
        ),
    )
    for what, cycles in (("ideal", result.ideal), ("pessimistic", result.pessimistic)):
        rate = f"{result.rate(cycles):,.1f} images/s at {result.clock_mhz:g} MHz"
        latency = f"latency {result.latency(cycles):,.3f} ms"
        say(what, f"{rate}, {counted(cycles.interval, 'cycle')} each, {latency}")
    say("slowest", shown(result.ideal.bottleneck.name))
    say_fifos(result.fifos)
    if result.least is not None:
        before = sum(fifo.planned for fifo in result.least.fifos)
        after = sum(fifo.depth for fifo in result.least.fifos)
        say("least FIFOs", f"{counted(after, 'word')} instead of {before:,}, the same rate")
        say("plan", f"{result.plan}: compile the model again with it, by --plan")
