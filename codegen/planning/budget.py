"""What planners are given and return: a budget; a plan and what it takes, or an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.codegen.costs.resources import Resources
from lutloom.core.errors import LutloomError

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.costs.design import DesignCost
    from lutloom.core.plan import Plan

LUT_SHARE = Fraction(7, 10)
"""Share of a device's look-up tables that a design may take, by default: fuller ones don't route.

It is what AMD's UltraFast methodology recommends (UG949), and what its tools warn above.
"""


@dataclass(frozen=True)
class Budget:
    """What a design may take of ``device``: a ``share`` of its look-up tables.

    ``other_share`` is that of flip-flops, memories and DSP slices, which may all be taken by
    default. ``reserved`` is what else is on the device, and counts as taken.
    """

    device: Device
    share: Fraction = LUT_SHARE
    other_share: Fraction = Fraction(1)
    reserved: Resources = field(default_factory=Resources)

    @property
    def there(self) -> Resources:
        """What the device has."""
        device = self.device
        return Resources(device.lut, device.ff, device.bram18, device.uram, device.dsp)

    @property
    def limits(self) -> Resources:
        """The most that the design and what is reserved may take together."""
        lut, *others = self.there.figures
        return Resources(int(lut * self.share), *(int(n * self.other_share) for n in others))

    def largest_share(self, needed: Resources) -> Fraction:
        """Return the largest share of a resource of the device that a design takes.

        With what is reserved, and not counting what the device has none of.
        """
        pairs = zip((needed + self.reserved).figures, self.there.figures, strict=True)
        return max(Fraction(taken, there) for taken, there in pairs if there)

    def exceeded(self, needed: Resources) -> str | None:
        """Return the resource of which ``needed`` takes most beyond its limit, or None."""
        limits, taken = self.limits.named(), (needed + self.reserved).named()
        shares = {n: share_of(taken[n], limits[n]) for n in taken if taken[n] > limits[n]}
        # Of what is not there at all, any number is more than of what is.
        return max(shares, key=lambda n: (limits[n] == 0, shares[n]), default=None)


def share_of(taken: int, there: int) -> Fraction:
    """Return ``taken`` as a share of what is ``there``; of nothing, the number itself."""
    return Fraction(taken, max(there, 1))


@dataclass(frozen=True)
class Planned:
    """A plan, what it takes, and the clock ``cycles`` between two images, ports included.

    Cycles are those of the longest loop: see ``codegen.timing`` for what synthesis may add.
    ``share`` is its largest share of a resource of the device before FIFOs are made deeper than
    the default, and no plan has a smaller one than ``bound``: where both are the same, it is
    proved to be the least.
    """

    plan: Plan
    cost: DesignCost
    cycles: int
    share: Fraction = Fraction(0)
    bound: Fraction = Fraction(0)

    @property
    def is_least(self) -> bool:
        """Whether it is proved that no plan has a smaller largest share."""
        return self.share == self.bound


class InfeasibleError(LutloomError, ValueError):
    """No plan keeps both the cycles that are wanted and the budget.

    ``wanted`` are those cycles, ``nearest`` the fewest within the budget, None if no plan fits at
    all. ``resource`` (as ``Resources`` names it) is what there is too little of, and ``process``
    the one that takes most of it in the least plan for the wanted cycles, which needs ``needed``
    (or in the slowest plan, if none fits at all);
    where no plan is as fast, whatever it takes, both are None and ``process`` is what can't be
    faster: a process, a stream between two ("a -> b"), or a port.
    """

    def __init__(
        self,
        message: str,
        *,
        wanted: int,
        nearest: int | None,
        resource: str | None,
        process: str | None,
        needed: Resources | None,
    ) -> None:
        super().__init__(message)
        self.wanted = wanted
        self.nearest = nearest
        self.resource = resource
        self.process = process
        self.needed = needed
