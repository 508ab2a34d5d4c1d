"""``lutloom::WindowSpan``: a shift register as long as windows reach, which shows them whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import WIDEST_WORD, Site
from lutloom.codegen.kernels.line_buffer import Axis, WalkSchedule, axes_of
from lutloom.codegen.kernels.pixels import pixels_in_a_row

if TYPE_CHECKING:
    from lutloom.core.plan import Folding
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Span:
    """Words of ``pixels`` pixels, and of as many windows as begin in these, but one at least."""

    rows: Axis
    columns: Axis
    pixels: int = 1

    @property
    def windows(self) -> int:
        """Windows that leave in a word."""
        return max(self.pixels // self.columns.stride, 1)

    @property
    def step(self) -> int:
        """Words from one word of windows of a line to the next."""
        return max(self.columns.stride // self.pixels, 1)

    @property
    def width(self) -> int:
        """Words of a row of the image."""
        return self.columns.size // self.pixels

    @property
    def groups(self) -> int:
        """Words of windows in a line."""
        return self.columns.results // self.windows

    @property
    def _across(self) -> int:
        """Columns from the first tap of the windows of a word to their last."""
        reach = self.columns.dilation * (self.columns.kernel - 1)
        return reach + self.columns.stride * (self.windows - 1)

    @property
    def reach(self) -> int:
        """Words from the first tap of a kernel row to the one that has the last."""
        behind = self.pixels - 1 - (self._across - self.columns.pad) % self.pixels
        return -(-(self._across + 1 + behind) // self.pixels)

    @property
    def slots(self) -> int:
        """Slots of the memory between kernel rows; 0 where all are registers."""
        gap = self.rows.dilation * self.width - self.reach
        # Three, so that a slot is read two beats after it was written, and not while another is.
        return gap if self.rows.kernel > 1 and gap >= 3 else 0

    @property
    def stretches(self) -> int:
        """Words in a slot: those between two kernel rows."""
        return max(self.rows.kernel - 1, 1)

    @property
    def ends(self) -> IntArray:
        """The word in which each one of windows ends: before or behind the image, too."""
        import numpy as np

        rows = self.rows
        row = rows.stride * np.arange(rows.results, dtype=np.int64) - rows.pad
        last_row = row + rows.dilation * (rows.kernel - 1)
        last = (self._across - self.columns.pad) // self.pixels
        column = self.step * np.arange(self.groups, dtype=np.int64) + last
        ends: IntArray = last_row[:, None] * self.width + column
        return ends.reshape(-1)

    @property
    def early(self) -> int:
        """Beats before the first word, where a window ends before it."""
        return max(-int(self.ends[0]), 0)

    @property
    def beats(self) -> int:
        """Beats of a frame: its words of pixels, plus a constant."""
        return self.early + max(self.rows.size * self.width, int(self.ends[-1]) + 1)

    @property
    def schedule(self) -> WalkSchedule:
        """In which beats each word of pixels comes, and each one of windows leaves."""
        import numpy as np

        words = np.arange(self.rows.size * self.width, dtype=np.int64)
        return WalkSchedule(self.early + words, self.early + self.ends, self.beats)

    @property
    def is_legal(self) -> bool:
        """Whether there are no gaps between pixels, and each window ends behind the last one.

        And whether words are whole: of pixels, of windows, and from one to the next.
        """
        stride, pixels = self.columns.stride, self.pixels
        if self.columns.size % pixels or (stride % pixels and pixels % stride):
            return False
        if self.columns.results % self.windows:
            return False
        step = self.rows.stride * self.width - self.step * (self.groups - 1)
        has_gaps = self.rows.spacing > 1 or self.columns.spacing > 1
        return not has_gaps and (self.rows.results == 1 or step >= 1)


def span_of(site: Site, folding: Folding) -> Span:
    """Return the shift register of a process with windows."""
    return Span(*axes_of(site.op.windows, site.inputs[0].shape[:-1]), folding.pixels)


def pixels_in_a_word(site: Site) -> tuple[int, ...]:
    """Return how many pixels may come in a cycle where all taps of windows are shown at once.

    Nothing where they can't be shown so.
    """
    rows, columns = axes_of(site.op.windows, site.inputs[0].shape[:-1])
    if not Span(rows, columns).is_legal:
        return ()
    x = site.inputs[0]
    # What lies between kernel rows is one word, too.
    bits = Span(rows, columns).stretches * x.channels * x.element.bits
    several = (n for n in pixels_in_a_row(site)[1:] if n * bits <= WIDEST_WORD)
    return (1, *(n for n in several if Span(rows, columns, n).is_legal))
