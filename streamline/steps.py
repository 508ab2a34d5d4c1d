"""The steps of a quantizer: from which real numbers on it takes its next level."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.streamline.rounding import step_up

if TYPE_CHECKING:
    from lutloom.core.rounding import Rounding


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """``first`` below the first boundary, and ``height`` more from every boundary on.

    ``inclusive[i]`` tells whether ``boundaries[i]`` itself takes step ``i``. Boundaries do not
    descend.
    """

    boundaries: tuple[Fraction, ...]
    inclusive: tuple[bool, ...]
    first: int
    height: int


def sign_steps() -> Steps:
    """``-1`` below zero, ``+1`` from zero on."""
    return Steps((Fraction(0),), (True,), first=-1, height=2)


def rounding_steps(mode: Rounding, lo: int, hi: int) -> Steps:
    """Round by ``mode`` and clamp to ``lo .. hi``, in whichever order: they commute."""
    step = step_up(mode)
    taken = [step(level) for level in range(lo, hi)]
    return Steps(tuple(b for b, _ in taken), tuple(i for _, i in taken), lo, 1)
