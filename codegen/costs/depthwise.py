"""``depthwise.hpp``: a line buffer, and a product and a sum for each of ``pe`` channels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.line_buffers import walk_parts
from lutloom.codegen.costs.loops import buffer, loop
from lutloom.codegen.costs.matvec import accumulators
from lutloom.codegen.costs.parts import Multiplexer, Parts, together
from lutloom.codegen.costs.pools import shown_windows
from lutloom.codegen.costs.products import Products
from lutloom.codegen.costs.rom_words import weight_words
from lutloom.codegen.costs.starts import Starts
from lutloom.codegen.kernels import depthwise, pools
from lutloom.codegen.kernels.span import span_of
from lutloom.core.plan import Folding

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site


@lru_cache(maxsize=1024)
def _facts(site: Site, windows: int) -> tuple[Products, Starts]:
    sums, out = depthwise.sums_of(site), site.outputs[0].element.bits
    products = Products(sums.x, sums.stored, sums.factor)
    return products, Starts.of(depthwise.starts_of(site, windows), out)


@lru_cache(maxsize=4096)
def _buffer(site: Site, pe: int) -> Parts:
    walk, word = pools.walk(site, Folding(pe)), pe * site.inputs[0].element.bits
    out = pe * site.outputs[0].element.bits
    loops = loop("depthwise", walk.beats, word, out)
    return together((*loops, *walk_parts(walk), *buffer(walk.depth, word)))


def parts(site: Site, folding: Folding, device: Device) -> Parts:
    """Return the parts of ``depthwise``; the plan's memory is that of the weights."""
    if pools.is_whole(site, folding):
        return _whole(site, folding, device)
    products, starts = _facts(site, 1)
    pe, taps, out = folding.pe, site.op.windows.taps, site.outputs[0].element.bits
    folds = site.inputs[0].channels // pe
    return (
        *_buffer(site, pe),
        *weight_words(taps * folds, pe * products.weights.bits, folding.memory),
        *starts.parts(folds, pe),
        # A masked tap shows a constant.
        (pe, Multiplexer(2, products.x.bits)),
        *products.rows(pe, 1, folding, device, is_constant=taps * folds == 1),
        *accumulators(pe, out, starts, has_sums=taps > 1),
    )


def _whole(site: Site, folding: Folding, device: Device) -> Parts:
    """Return the parts of ``parallel_depthwise``, whose weights are constants."""
    products, starts = _facts(site, span_of(site, folding).windows)
    (read,), (written,) = pools.lanes(site, folding)
    out = site.outputs[0].element.bits
    return (
        *loop(
            "depthwise",
            depthwise.KERNEL.cycles(site, folding),
            read * products.x.bits,
            written * out,
        ),
        *shown_windows(site, folding, None),
        *starts.parts(1, written),
        *products.rows(written, site.op.windows.taps, folding, device, is_constant=True),
        *accumulators(written, out, starts, has_sums=False),
    )
