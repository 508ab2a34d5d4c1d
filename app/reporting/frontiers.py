"""The frontier of a model on a board: how much of it each rate takes, as a page."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.counts import counted
from lutloom.reporting.charts import Chart, Curve, Mark, axes, curve
from lutloom.reporting.rendering import RESOURCES, rendered
from lutloom.reporting.versions import versions
from lutloom.reporting.wording import count

if TYPE_CHECKING:
    from lutloom.exploration import Exploration, Point

_FULL = 100.0
_LITTLE = 0.05
"""Per cent of the board below which nothing is drawn."""

_DEEP = 8
"""How many times lower than the lowest point a line may go that makes the chart higher."""


def frontier_page(found: Exploration) -> str:
    """Return the frontier as a page: one file, that needs no other."""
    resources = [usage.resource for usage in found.points[0].usages]
    return rendered(
        "frontier.html.j2",
        found=found,
        board=found.target.board,
        chart=_chart(found, resources),
        resources=[name for name in resources if any(_share(p, name) for p in found.points)],
        versions=versions(),
    )


def _chart(found: Exploration, resources: list[str]) -> Chart:
    """Return the chart: shares of the board, in per cent, over images a second."""
    shares = [float(100 * point.scarcest.share) for point in found.points]
    lines = {name: [float(100 * _share(p, name)) for p in found.points] for name in resources}
    least = max(min(*shares, 100 * found.utilization) / _DEEP, _LITTLE)
    # Lines that are all there; of others, which lie far below, what reaches up so far.
    lowest = min([*shares, *(min(line) for line in lines.values() if min(line) >= least)])
    x, y = axes([point.fps for point in found.points], [lowest, _FULL, *shares])

    def curves() -> Iterator[Curve]:
        limits = {_FULL: "all of the board"}
        limits.setdefault(100 * found.utilization, f"{100 * found.utilization:.3g}% of the LUT")
        for limit, text in limits.items():
            yield curve([(x.low, limit), (x.high, limit)], x, y, text, "limit", text)
        for name, line in lines.items():
            pairs = zip(found.points, line, strict=True)
            drawn = [(point.fps, share) for point, share in pairs if share >= y.low]
            if drawn:
                yield curve(drawn, x, y, RESOURCES[name], name)

    marks = tuple(
        Mark(
            x.at(point.fps),
            y.at(share),
            f"{count(point.fps)} images/s: {share:.3g} % of {RESOURCES[point.scarcest.resource]}",
            "fits" if point.fits else "exceeds",
        )
        for point, share in zip(found.points, shares, strict=True)
    )
    fastest = found.fastest
    text = (
        "No point fits the board."
        if fastest is None
        else f"The board has room for up to {counted(count(fastest.fps), 'image')} a second."
    )
    return Chart(x, y, "images a second", "% of the board", tuple(curves()), marks, text)


def _share(point: Point, name: str) -> Fraction:
    return next(usage.share for usage in point.usages if usage.resource == name)
