"""``lutloom::window``: every tap of every window, ``simd`` channels a word.

In codes a value ``x = x0 + s * code`` of the input is ``(x - y0) / u`` in the result, whose type
includes what masked taps show; so the code of the result is

    code_y = (x0 - y0) / u + (s / u) * code_x

where both quotients are integers: all of the input's values are values of the result's type.

A word may also be all taps of a kernel row, or of a window (``parallel_window.hpp``): ``simd`` is
then the channels times those taps, and whole pixels come in. Of windows several may be in a word:
``pixels`` are those that come in a cycle, and so many windows leave as begin in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from lutloom.codegen.initializer import decimal
from lutloom.codegen.kernels.kernel import (
    WIDEST_WORD,
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    no_weights,
    recoding,
    storage,
)
from lutloom.codegen.kernels.line_buffer import Axis, Walk, WalkSchedule, schedule
from lutloom.codegen.kernels.pixels import pixels_in_a_row, with_pixels
from lutloom.codegen.kernels.pools import axes
from lutloom.core.plan import Folding, Memory

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


class Form(Enum):
    """What a word holds: channels of a tap, the taps of a kernel row, or those of a window."""

    TAP = "tap"
    ROW = "row"
    WHOLE = "whole"


@dataclass(frozen=True)
class Span:
    """``lutloom::whole_window``: a shift register that is as long as a window reaches.

    In words of ``pixels`` pixels, and of as many windows as begin in these, but one at least.
    """

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
        return self.columns.dilation * (self.columns.kernel - 1) + self.columns.stride * (
            self.windows - 1
        )

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


def form_of(site: Site, folding: Folding) -> Form:
    """Return what a word holds."""
    channels = site.inputs[0].channels // site.op.groups
    if folding.pixels > 1:
        return Form.WHOLE
    if folding.simd <= channels:
        return Form.TAP
    return Form.WHOLE if folding.simd == channels * site.op.windows.taps else Form.ROW


def span_of(site: Site, folding: Folding) -> Span:
    """Return the shift register, a window or several a word."""
    return Span(*axes(site), folding.pixels)


def walk_of(site: Site, folding: Folding) -> Walk:
    """Return how the line buffer is walked, a tap or a kernel row a word."""
    x, op = site.inputs[0], site.op
    rows, columns = axes(site)
    if form_of(site, folding) is Form.ROW:
        reach = columns.dilation * (columns.kernel - 1)
        # The column of the last tap, which may lie behind the image while others do not.
        last = replace(columns, kernel=1, dilation=1, pad=columns.pad - reach)
        overhang = last.stride * (last.results - 1) - last.pad - (last.size - 1)
        return Walk(rows, last, 1, 1, max(overhang, 0))
    # A window of one tap has its channels in order whatever the groups: as one of them, its words
    # are free one by one.
    groups = op.groups if op.windows.taps > 1 else 1
    return Walk(rows, columns, x.channels // folding.simd, groups)


def schedule_of(site: Site, folding: Folding) -> WalkSchedule:
    """Return in which beats of its loop the process reads and writes each word."""
    import numpy as np

    if form_of(site, folding) is Form.WHOLE:
        span = span_of(site, folding)
        words = np.arange(span.rows.size * span.width, dtype=np.int64)
        return WalkSchedule(span.early + words, span.early + span.ends, span.beats)
    walk = walk_of(site, folding)
    steps = schedule(walk)
    # No word is read for those behind the image.
    return replace(steps, takes=steps.takes[: walk.image_words])


def _legal(site: Site, folding: Folding) -> Legal:
    op, channels = site.op, site.inputs[0].channels
    simd = set(divisors(channels // op.groups))
    rows, columns = axes(site)
    if op.groups == 1 and columns.spacing == 1:
        simd.add(channels * columns.kernel)
    if op.groups == 1 and Span(rows, columns).is_legal:
        simd.add(channels * op.windows.taps)
    elif rows.kernel == 1 and columns.kernel > 1:
        simd.discard(channels * op.windows.taps)
    pixels: tuple[int, ...] = (1,)
    if op.groups == 1 and folding.simd == channels * op.windows.taps:
        # What lies between kernel rows is one word, too.
        stretch = max(rows.kernel - 1, 1) * channels * site.inputs[0].element.bits
        several = (n for n in pixels_in_a_row(site)[1:] if n * stretch <= WIDEST_WORD)
        pixels += tuple(n for n in several if Span(rows, columns, n).is_legal)
    return with_pixels(Legal((1,), tuple(sorted(simd)), tuple(Memory)), pixels)


def _channels(site: Site, folding: Folding) -> int:
    return min(folding.simd, site.inputs[0].channels // int(site.op.groups))


def _lanes(site: Site, folding: Folding) -> Lanes:
    windows = span_of(site, folding).windows if folding.pixels > 1 else 1
    return (folding.pixels * _channels(site, folding),), (windows * folding.simd,)


def _cycles(site: Site, folding: Folding) -> int:
    if form_of(site, folding) is Form.WHOLE:
        return span_of(site, folding).beats
    return walk_of(site, folding).beats


def _operators(site: Site, folding: Folding) -> int:
    return _lanes(site, folding)[1][0]


def _code(site: Site, folding: Folding) -> Code:
    import numpy as np

    x, y = site.inputs[0], site.outputs[0]
    form = form_of(site, folding)
    rows, columns = axes(site)
    base, factor = recoding(x.element, y.element)
    is_masking = site.op.windows.borders(x.shape[:-1]).is_masking
    fill = int(y.element.encode(np.array(site.op.fill, np.int64))) if is_masking else 0
    facts: dict[str, object] = {
        "form": form.value,
        "rows": rows.arguments,
        "columns": columns.arguments,
        "channels": _channels(site, folding),
        "taps": columns.kernel,
        "dilation": columns.dilation,
        "base": decimal(base),
        "factor": factor,
        "fill": decimal(fill),
        "storage": storage(folding.memory),
    }
    if form is Form.WHOLE:
        stretches = max(rows.kernel - 1, 1)
        word_bits = stretches * folding.pixels * x.channels * x.element.bits
    else:
        walk = walk_of(site, folding)
        facts |= {"columns": walk.columns.arguments, "buffer": walk.arguments}
        word_bits = folding.simd * x.element.bits
    return Code(facts={**facts, "word_bits": word_bits}, widest=word_bits)


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
