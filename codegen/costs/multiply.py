"""``multiply.hpp``: a product for each of ``pe`` elements, and what offsets of codes add to it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import loop
from lutloom.codegen.costs.parts import Adder, Parts
from lutloom.codegen.costs.products import constant_product, product, times
from lutloom.codegen.kernels import multiply

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.codegen.kernels.bilinear import Bilinear
    from lutloom.core.plan import Folding


@lru_cache(maxsize=1024)
def _facts(site: Site) -> Bilinear:
    return multiply.product_of(site)


def parts(site: Site, folding: Folding, device: Device) -> Parts:
    """Return the parts of ``multiply``."""
    rest, pe, y = _facts(site), folding.pe, site.outputs[0].element
    a, b = (x.element.bits for x in site.inputs)
    multiplier = folding.multiplier
    products = product(a, b, pe, multiplier, device.dsp_type) if rest.of_both else ()
    terms = ((a, rest.of_a), (b, rest.of_b), (a + b, rest.of_both))
    scaled = tuple(entry for bits, factor in terms for entry in constant_product(bits, abs(factor)))
    added = sum(map(bool, (rest.start, rest.of_a, rest.of_b, rest.of_both))) - 1
    return (
        *loop("multiply", site.inputs[0].size // pe, pe * a, pe * b, pe * y.bits),
        *products,
        *times(pe, scaled),
        (pe * max(added, 0), Adder(y.bits)),
    )
