"""What hardware takes, and how well that is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum


class Confidence(IntEnum):
    """How a figure was found; of several the lowest counts."""

    UNCALIBRATED = 0
    """By a formula that has been held against nothing."""
    CALIBRATED = 1
    """By a formula with constants that a synthesis tool's figures gave."""
    EXACT = 2
    """It follows from the device's documentation and from what the C++ binds."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Look-up tables, flip-flops, block RAMs of 18 Kbit, UltraRAMs and DSP slices."""

    lut: int = 0
    ff: int = 0
    bram18: int = 0
    uram: int = 0
    dsp: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.lut + other.lut,
            self.ff + other.ff,
            self.bram18 + other.bram18,
            self.uram + other.uram,
            self.dsp + other.dsp,
        )

    def __mul__(self, times: int) -> Resources:
        return Resources(
            self.lut * times, self.ff * times, self.bram18 * times, self.uram * times,
            self.dsp * times,
        )  # fmt: skip

    @property
    def figures(self) -> tuple[int, int, int, int, int]:
        """The numbers in the order of the fields."""
        return self.lut, self.ff, self.bram18, self.uram, self.dsp

    def named(self) -> dict[str, int]:
        """Return the numbers by the names of the fields."""
        return dict(zip((field.name for field in fields(self)), self.figures, strict=True))


@dataclass(frozen=True, slots=True)
class Confidences:
    """The confidence of each figure. A figure of 0 is as certain as what it is 0 of."""

    lut: Confidence = Confidence.EXACT
    ff: Confidence = Confidence.EXACT
    bram18: Confidence = Confidence.EXACT
    uram: Confidence = Confidence.EXACT
    dsp: Confidence = Confidence.EXACT

    def __and__(self, other: Confidences) -> Confidences:
        return Confidences(
            min(self.lut, other.lut),
            min(self.ff, other.ff),
            min(self.bram18, other.bram18),
            min(self.uram, other.uram),
            min(self.dsp, other.dsp),
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """Resources, each with its confidence."""

    resources: Resources = Resources()
    confidences: Confidences = Confidences()

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.resources + other.resources, self.confidences & other.confidences)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.resources * times, self.confidences)


def total(costs: Iterable[Cost]) -> Cost:
    """Return the sum of ``costs``."""
    return sum(costs, Cost())
