"""What the FIFOs of a design hold together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lutloom.console.terminal import say

if TYPE_CHECKING:
    from lutloom.fifo_table import FifoRow


def say_fifos(rows: Sequence[FifoRow]) -> None:
    """Print how many FIFOs there are, and how much they hold."""
    held = sum(row.total_bits for row in rows) / 1024
    naive = sum(row.naive_bits for row in rows) / 1024
    say("FIFOs", f"{len(rows)} of {held:,.1f} Kbit; with whole tensors {naive:,.1f} Kbit")
