"""``window.hpp`` and ``parallel_window.hpp``: a memory of pixels, and what chooses and masks."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.line_buffers import walk_parts
from lutloom.codegen.costs.loops import bits_for, buffer, loop
from lutloom.codegen.costs.parts import Adder, Comparator, Multiplexer, Parts, Registers
from lutloom.codegen.costs.recoding import recoded
from lutloom.codegen.costs.spans import span_parts
from lutloom.codegen.kernels import pools, window
from lutloom.codegen.kernels.span import span_of
from lutloom.codegen.kernels.window import Form

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.codegen.kernels.line_buffer import Axis
    from lutloom.core.plan import Folding


@lru_cache(maxsize=4096)
def _parts(site: Site, folding: Folding) -> Parts:
    form, x, y = window.form_of(site, folding), site.inputs[0], site.outputs[0].element
    (channels,), (lanes,) = window.KERNEL.lanes(site, folding)
    pixel, word = channels * x.element.bits, lanes * y.bits
    is_masking = site.op.windows.borders(x.shape[:-1]).is_masking
    shown: Parts = (
        *loop("window", window.KERNEL.cycles(site, folding), pixel, word),
        *recoded(x.element, y, lanes),
        *(((1, Multiplexer(2, word)),) if is_masking else ()),
    )
    if form is Form.WHOLE:
        return (*shown, *span_parts(span_of(site, folding), pixel, folding.memory))
    walk = window.walk_of(site, folding)
    memory = buffer(walk.depth, lanes * x.element.bits, folding.memory)
    rows = _row(pools.axes(site)[1], pixel) if form is Form.ROW else ()
    return (*shown, *walk_parts(walk), *memory, *rows)


def _row(columns: Axis, pixel: int) -> Parts:
    """Return the pixels that came last, and what says which taps of a row lie in the image."""
    position = 1 + bits_for(2 * columns.size)
    taps = columns.kernel - 1
    return (
        (columns.dilation * taps + 1, Registers(pixel)),
        (taps, Adder(position)),
        (2 * taps, Comparator(position, is_constant=True)),
    )


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of the form that ``folding`` chooses."""
    return _parts(site, folding)
