"""What a model is compiled for: a board or a part, and its clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.core.errors import LutloomError

if TYPE_CHECKING:
    from lutloom.boards import Board

DEFAULT_BOARD = "pynq-z2"


class ClockError(LutloomError, ValueError):
    """A clock that no hardware has."""


class TargetError(LutloomError, ValueError):
    """Options that say nothing to compile for, or two things."""


@dataclass(frozen=True)
class Target:
    """A board, or a part alone, and the fabric clock that is asked for there.

    ``is_clock_given`` says whether that is the user's, and not the board's own.
    """

    board: Board
    clock_mhz: float
    is_clock_given: bool = False

    @property
    def clock(self) -> Fraction:
        """The clock in Hz."""
        return Fraction(str(self.clock_mhz)) * 1_000_000

    @property
    def port_bits(self) -> int:
        """The width of the board's port to memory, and so the widest stream; any, without one."""
        from lutloom.codegen.folding import WORD_BITS

        ports = self.board.memory_ports
        return ports[0].width if ports else WORD_BITS[-1]


def target_of(board: str | Path | None, part: str | None, clock_mhz: float | None) -> Target:
    """Return what the options of the command line say.

    ``board`` is the name of a board or the path of its file, ``part`` a part that stands alone;
    without either it is ``DEFAULT_BOARD``. The clock is the board's own by default. Raises
    ``TargetError`` for both of them, ``BoardError`` for one that is not known, and ``ClockError``.
    """
    from lutloom.boards import board_of_part, load_board

    if board is not None and part is not None:
        raise TargetError(
            f"there is the board {str(board)!r} and the part {part!r}: give one of them"
        )
    if part is None:
        found = load_board(DEFAULT_BOARD if board is None else board)
    else:
        found = board_of_part(part)
    clock = found.clock_mhz if clock_mhz is None else clock_mhz
    if not 1 <= clock <= found.highest_clock_mhz:
        raise ClockError(
            f"the clock is {clock:g} MHz: {found.name} has designs from 1 to"
            f" {found.highest_clock_mhz} MHz, and {found.clock_mhz} MHz if you leave --clock out"
        )
    return Target(found, clock, clock_mhz is not None)


def check_clock(clock_mhz: float) -> float:
    """Return a clock that hardware may have; raise ``ClockError`` for another one."""
    if not 0 < clock_mhz < math.inf:
        raise ClockError(f"the clock should be some MHz, not {clock_mhz}")
    return clock_mhz
