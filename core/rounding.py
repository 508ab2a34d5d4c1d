"""The ways in which a real number becomes an integer."""

from __future__ import annotations

from enum import Enum


class Rounding(Enum):
    """A rounding mode, by the name it has in files."""

    HALF_EVEN = "half_even"
    """To the nearest, ties to the even one."""
    HALF_UP = "half_up"
    """To the nearest, ties away from zero."""
    HALF_DOWN = "half_down"
    """To the nearest, ties towards zero."""
    FLOOR = "floor"
    CEIL = "ceil"
    UP = "up"
    """Away from zero."""
    DOWN = "down"
    """Towards zero."""
