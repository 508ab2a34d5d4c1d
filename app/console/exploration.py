"""The frontier of a model on a board, one plan a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.terminal import say, show
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.exploration import Exploration


def show_exploration(result: Exploration) -> None:
    """Print the frontier, which part of it fits on the board, and how to get one of its plans."""
    from lutloom.infeasibility import below, shown_rate

    board = result.target.board
    usages = [usage for point in result.points for usage in point.usages]
    names = {"lut": "LUT", "ff": "FF", "bram18": "BRAM18", "uram": "URAM", "dsp": "DSP"}
    taken = [
        key for key in names if key != "ff" and any(u.needed for u in usages if u.resource == key)
    ]
    needed = [{usage.resource: usage.needed for usage in point.usages} for point in result.points]
    show(
        (
            *map(Column, ("images/s", "cycles", *(names[key] for key in taken))),
            Column("largest", Kind.TEXT),
            Column("fits", Kind.TEXT),
            Column("slowest", Kind.NAME),
        ),
        (
            (
                shown_rate(point.fps),
                f"{point.cycles:,}",
                *(f"{counts[key]:,}" for key in taken),
                f"{float(point.scarcest.share):.0%} {names[point.scarcest.resource]}",
                "yes" if point.fits else "no",
                point.bottleneck,
            )
            for point, counts in zip(result.points, needed, strict=True)
        ),
    )
    say("on", f"{board.name} ({board.part}) at {result.target.clock_mhz:g} MHz")
    of = f"all that the board has, and {100 * result.utilization:.3g}% of its LUT"
    if result.fastest is None:
        say("fits", f"none of these within {of}")
    else:
        fastest = result.fastest.fps
        say("fits", f"up to {shown_rate(fastest)} images/s within {of}")
        say(
            "build one", f"lutloom compile ... --target-fps {below(fastest)}, or another rate above"
        )
    for path in result.files:
        say("written", str(path))
    if result.points[0].path is not None:
        say("plans", f"{result.points[0].path.parent}: compile with one of them, by --plan")
