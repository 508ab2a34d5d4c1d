"""``lutloom::duplicate``: words of ``pe`` elements, one to each reader at a time."""

from __future__ import annotations

from lutloom.codegen.kernels.kernel import Code, Kernel, Lanes, Legal, Site, divisors, no_weights
from lutloom.codegen.kernels.pixels import in_wide_pixels
from lutloom.core.plan import Folding


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal(divisors(site.inputs[0].channels))


def _lanes(site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (folding.pe,) * int(site.op.copies)


def _cycles(site: Site, folding: Folding) -> int:
    return site.inputs[0].size // folding.pe


def _operators(_site: Site, _folding: Folding) -> int:
    return 1


def _code(site: Site, folding: Folding) -> Code:
    return Code(facts={"words": site.inputs[0].size // folding.pe})


KERNEL = in_wide_pixels(Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code))
