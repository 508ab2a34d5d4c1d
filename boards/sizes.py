"""Which board is smaller: the one with fewer look-up tables; prices are not known here."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from lutloom.boards.loader import list_boards

if TYPE_CHECKING:
    from lutloom.boards.board import Board
    from lutloom.boards.device import Device


class Needs(Protocol):
    """What a design takes, counted as ``Device`` counts what there is."""

    @property
    def lut(self) -> int:
        """Six-input look-up tables."""
        ...

    @property
    def ff(self) -> int:
        """Flip-flops."""
        ...

    @property
    def bram18(self) -> int:
        """Block RAMs of 18 Kbit."""
        ...

    @property
    def uram(self) -> int:
        """UltraRAMs of 288 Kbit."""
        ...

    @property
    def dsp(self) -> int:
        """DSP slices."""
        ...


def boards_by_size() -> tuple[Board, ...]:
    """Return the boards that come with lutloom, by their look-up tables, equals by name."""
    return tuple(sorted(list_boards(), key=lambda board: (board.device.lut, board.name)))


def smallest_fitting(needs: Needs, share: Fraction | int = 1) -> Board | None:
    """Return the smallest board with room for a design within a share of every resource.

    What a design takes depends on the board where its memories are made of what the device has;
    a caller who can plan anew for each of ``boards_by_size`` knows better.
    """
    return next((board for board in boards_by_size() if _fits(needs, board.device, share)), None)


def _fits(needs: Needs, device: Device, share: Fraction | int) -> bool:
    pairs = (
        (needs.lut, device.lut),
        (needs.ff, device.ff),
        (needs.bram18, device.bram18),
        (needs.uram, device.uram),
        (needs.dsp, device.dsp),
    )
    return all(need <= share * there for need, there in pairs)
