"""``lutloom::split``: words of ``pe`` elements, each to the part that it lies in, if any."""

from __future__ import annotations

from math import gcd, prod

from lutloom.codegen.kernels.kernel import Code, Kernel, Lanes, Legal, Site, divisors, no_weights
from lutloom.core.plan import Folding


def ends(site: Site) -> tuple[int, ...]:
    """Return where parts begin and end in a round, and where that ends, in elements."""
    x, op = site.inputs[0], site.op
    inner = prod(x.shape[op.axis + 1 :])
    return tuple(end * inner for end in (*op.ends, x.shape[op.axis]))


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal(divisors(gcd(*ends(site))))


def _lanes(site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (folding.pe,) * len(site.outputs)


def _cycles(site: Site, folding: Folding) -> int:
    return site.inputs[0].size // folding.pe


def _operators(_site: Site, _folding: Folding) -> int:
    return 1


def _code(site: Site, folding: Folding) -> Code:
    *limits, words = (end // folding.pe for end in ends(site))
    pairs = zip(limits[::2], limits[1::2], strict=True)
    parts = [{"begin": begin, "end": end} for begin, end in pairs]
    return Code(facts={"parts": parts, "words": words, "rounds": _cycles(site, folding) // words})


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
