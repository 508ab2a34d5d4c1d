"""What was built: its processes, what it takes, and what to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.estimate import show_estimate
from lutloom.console.inspection import say_widest
from lutloom.console.joins import show_joins
from lutloom.console.terminal import say, show, shown
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.build import Build
    from lutloom.core.plan import Folding
    from lutloom.estimation import Estimate


def show_build(build: Build) -> None:
    """Print what was built, what it takes and how fast it is, and what to do with it."""
    from lutloom.added_channels import added_channels
    from lutloom.estimation import estimate_of
    from lutloom.inspection import layers_of, widest_sum
    from lutloom.joins import joins_of

    estimate = estimate_of(build)
    _show_foldings(build, estimate)
    grown = [f"{shown(a.value)} {a.built:,} for {a.model:,}" for a in added_channels(build)]
    if grown:
        say("channels added", ", ".join(grown))
    show_joins(joins_of(build.network, build.plan), "in each cycle")
    say_widest(widest_sum(layers_of(build.network.graph)))
    show_estimate(estimate)
    say("built for", f"{build.board.name} ({build.board.part}); not yet synthesized with Vitis")
    say("project", str(build.directory / "hls"))
    say("report", str(build.directory / "report.html"))
    say("other rates", "by --target-fps or --fastest; lutloom explore shows what there is")
    say("next", f"lutloom verify {build.directory}, then {build.directory / 'NEXT_STEPS.md'}")


def _show_foldings(build: Build, estimate: Estimate) -> None:
    """Print how each process is folded, how long it takes for an image, and what it takes."""
    needed = {name: item.cost.resources.named() for name, item in estimate.processes.items()}
    counted = {"lut": "LUT", "bram18": "BRAM18", "uram": "URAM", "dsp": "DSP"}
    taken = {key: title for key, title in counted.items() if any(n[key] for n in needed.values())}
    several = int(any(folding.pixels > 1 for folding in build.plan.foldings.values()))
    show(
        (
            Column("process", Kind.NAME),
            *map(Column, ("PE", "SIMD", *["pixels"][:several], "cycles", *taken.values())),
            Column("form", Kind.WORDS),
        ),
        (
            (
                name,
                str(folding.pe),
                str(folding.simd),
                *[str(folding.pixels)][:several],
                f"{estimate.processes[name].cycles:,}",
                *(f"{needed[name][key]:,}" for key in taken),
                _form(folding),
            )
            for name, folding in build.plan.foldings.items()
        ),
    )


def _form(folding: Folding) -> str:
    forms = (folding.memory.value, folding.multiplier.value, folding.comparison.value)
    return " ".join(form for form in forms if form != "auto")
