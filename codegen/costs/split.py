"""``split.hpp``: a word to the part that it lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import counters, loop
from lutloom.codegen.costs.parts import Comparator, Parts
from lutloom.codegen.kernels import split

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``split``: two limits for each part."""
    x, count = site.inputs[0], len(site.outputs)
    word, round_words = folding.pe * x.element.bits, split.ends(site)[-1] // folding.pe
    return (
        *loop("split", x.size // folding.pe, word, *[0] * count),
        *counters(round_words),
        (2 * count, Comparator(round_words.bit_length(), is_constant=True)),
    )
