"""What a design takes of its board, and how fast it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.fifos import say_fifos
from lutloom.console.terminal import say, show, shown
from lutloom.core.counts import counted
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.estimation import Estimate


def show_estimate(estimate: Estimate) -> None:
    """Print what a design takes of its board, and the rate that its loops allow."""
    from lutloom.infeasibility import shown_rate

    show(
        (
            Column("resource", Kind.TEXT),
            *map(Column, ("design", "shell", "there", "share")),
            Column("known", Kind.TEXT),
        ),
        (
            (
                usage.title,
                f"{usage.needed - usage.shell:,}",
                f"{usage.shell:,}",
                f"{usage.there:,}",
                f"{float(usage.share):.1%}",
                usage.confidence.name.lower(),
            )
            for usage in estimate.usages
            if usage.needed or usage.there
        ),
    )
    slowest, clock = estimate.cost.slowest, f"{estimate.clock_mhz:g} MHz"
    rate = f"at most {shown_rate(estimate.fps, 1)} images/s at {clock}"
    say("rate", f"{rate} ({shown(estimate.bottleneck)}: {counted(slowest.cycles, 'cycle')})")
    rate = shown_rate(estimate.rate(estimate.pessimistic))
    say("pessimistic", f"about {rate} images/s, pipelines filling anew for each")
    beats = f"{estimate.beats:,} of {estimate.word_bits} bits an image on {estimate.port}"
    say("transfers", f"{beats}, at most {shown_rate(estimate.rate(estimate.beats), 1)} images/s")
    say_fifos(estimate.fifos)
