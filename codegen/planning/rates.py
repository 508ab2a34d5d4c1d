"""Rates and cycles: how many clock cycles an image may take for so many images a second.

Between two calls nothing flows: with ``overhead`` seconds a call of ``images`` images, a design
that takes ``cycles`` at ``clock`` Hz between images makes

    rate = 1 / (cycles / clock + overhead / images)

images a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Calls:
    """How a design is called: with so many ``images`` at a time, ``overhead`` seconds each time."""

    overhead: Fraction = Fraction(0)
    images: int = 1

    @property
    def per_image(self) -> Fraction:
        """Seconds of overhead for each image."""
        return self.overhead / self.images


AT_ONCE = Calls()
"""Calls that take no time of their own: one is prepared while another runs."""


def cycles_for(rate: Fraction, clock: Fraction, calls: Calls = AT_ONCE) -> int:
    """Return the most cycles between images that make ``rate`` images a second at ``clock`` Hz.

    It is 0 or less where calls alone take too long.
    """
    return (clock * (1 / rate - calls.per_image)).__floor__()


def rate_of(cycles: int, clock: Fraction, calls: Calls = AT_ONCE) -> Fraction:
    """Return the images a second of a design that takes ``cycles`` between images."""
    return 1 / (cycles / clock + calls.per_image)
