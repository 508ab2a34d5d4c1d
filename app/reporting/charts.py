"""Charts in pixels: axes in decades, bars in per cent, and the points of a roofline or a frontier.

The templates draw them; sizes are those of an SVG's view box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lutloom.reporting.wording import count

WIDTH, HEIGHT = 520, 370
LEFT, RIGHT, TOP, BOTTOM = 76, 14, 14, 56


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in pixels, and what stands there: nothing at a lesser line."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis from ``low`` to ``high``, which are ``start`` and ``end`` in pixels."""

    low: float
    high: float
    start: int
    end: int

    def at(self, value: float) -> float:
        """Return where ``value`` is, at the nearer end if it lies outside."""
        inside = min(max(value, self.low), self.high)
        part = math.log(inside / self.low) / math.log(self.high / self.low)
        return round(self.start + part * (self.end - self.start), 1)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Lines at powers of ten, and at twice and five times them where those are few."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if last - first <= 3 else (1,)
        every = -(-(last - first) // 7)
        values = [
            (step * 10.0**power, power)
            for power in range(first, last + 1)
            for step in steps
            if self.low * 0.999 <= step * 10.0**power <= self.high * 1.001
        ]
        return tuple(Tick(self.at(v), count(v) if p % every == 0 else "") for v, p in values)


@dataclass(frozen=True)
class Mark:
    """A point of a chart and what it is; ``style`` is its class in the style sheet."""

    x: float
    y: float
    text: str
    style: str = "point"


@dataclass(frozen=True)
class Curve:
    """A line through points, as an SVG path; a ``label`` stands above its end, at ``y``."""

    path: str
    text: str
    style: str
    label: str = ""
    y: float = 0.0


@dataclass(frozen=True)
class Chart:
    """A chart with two logarithmic axes."""

    x: Axis
    y: Axis
    x_title: str
    y_title: str
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...]
    text: str


def axes(xs: Sequence[float], ys: Sequence[float]) -> tuple[Axis, Axis]:
    """Return axes on which all ``xs`` and ``ys``, which are positive, have some room around."""
    return (
        Axis(min(xs) / 2, max(xs) * 2, LEFT, WIDTH - RIGHT),
        Axis(min(ys) / 2, max(ys) * 2, HEIGHT - BOTTOM, TOP),
    )


def curve(
    points: Sequence[tuple[float, float]], x: Axis, y: Axis, text: str, style: str, label: str = ""
) -> Curve:
    """Return a line through ``points``, straight between them."""
    path = " L".join(f"{x.at(a):g} {y.at(b):g}" for a, b in points)
    return Curve(f"M{path}", text, style, label, y.at(points[-1][1]))


def bars(values: Sequence[int], width: int, height: int) -> tuple[tuple[float, float, float], ...]:
    """Return ``x, width, height`` of a bar for each value, the highest as high as the chart."""
    top, step = max((*values, 1)), width / max(len(values), 1)
    thin = step * (0.86 if step > 3 else 1.0)
    return tuple(
        (round(i * step, 2), round(thin, 2), round(height * value / top, 2))
        for i, value in enumerate(values)
    )
