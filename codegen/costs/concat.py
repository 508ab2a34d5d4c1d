"""``concat.hpp``: a word of one of the inputs, in codes of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import counters, loop
from lutloom.codegen.costs.parts import Comparator, Multiplexer, Parts
from lutloom.codegen.costs.recoding import recoded
from lutloom.codegen.kernels import concat

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``concat``: a limit for each input but the last, and what chooses."""
    y, pe, count = site.outputs[0], folding.pe, len(site.inputs)
    words = [pe * tensor.element.bits for tensor in (*site.inputs, y)]
    round_words = sum(concat.chunks(site)) // pe
    index = Comparator(round_words.bit_length(), is_constant=True)
    return (
        *loop("concat", y.size // pe, *words),
        *counters(round_words),
        *(part for x in site.inputs for part in recoded(x.element, y.element, pe)),
        (count - 1, index),
        (1, Multiplexer(count, words[-1])),
    )
