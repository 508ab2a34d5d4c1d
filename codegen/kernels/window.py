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

from dataclasses import replace
from enum import Enum

from lutloom.codegen.initializer import decimal
from lutloom.codegen.kernels.kernel import (
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
from lutloom.codegen.kernels.line_buffer import Walk, WalkSchedule, schedule
from lutloom.codegen.kernels.pixels import with_pixels
from lutloom.codegen.kernels.pools import axes
from lutloom.codegen.kernels.span import pixels_in_a_word, span_of
from lutloom.core.plan import Folding, Memory


class Form(Enum):
    """What a word holds: channels of a tap, the taps of a kernel row, or those of a window."""

    TAP = "tap"
    ROW = "row"
    WHOLE = "whole"


def form_of(site: Site, folding: Folding) -> Form:
    """Return what a word holds."""
    channels = site.inputs[0].channels // site.op.groups
    if folding.pixels > 1:
        return Form.WHOLE
    if folding.simd <= channels:
        return Form.TAP
    return Form.WHOLE if folding.simd == channels * site.op.windows.taps else Form.ROW


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
    if form_of(site, folding) is Form.WHOLE:
        return span_of(site, folding).schedule
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
    at_once = pixels_in_a_word(site) if op.groups == 1 else ()
    if at_once:
        simd.add(channels * op.windows.taps)
    elif rows.kernel == 1 and columns.kernel > 1:
        simd.discard(channels * op.windows.taps)
    pixels = at_once if folding.simd == channels * op.windows.taps and at_once else (1,)
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
        word_bits = span_of(site, folding).stretches * folding.pixels * x.channels * x.element.bits
    else:
        walk = walk_of(site, folding)
        facts |= {"columns": walk.columns.arguments, "buffer": walk.arguments}
        word_bits = folding.simd * x.element.bits
    return Code(facts={**facts, "word_bits": word_bits}, widest=word_bits)


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
