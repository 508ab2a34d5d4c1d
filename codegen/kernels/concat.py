"""``lutloom::concat``: ``pe`` elements at a time of each input in turn, in codes of the result."""

from __future__ import annotations

from itertools import accumulate
from math import gcd, prod

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
)
from lutloom.core.plan import Folding


def chunks(site: Site) -> tuple[int, ...]:
    """Return how many elements of each input lie one behind the other in the result."""
    return tuple(prod(x.shape[site.op.axis :]) for x in site.inputs)


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal(divisors(gcd(*chunks(site))))


def _lanes(site: Site, folding: Folding) -> Lanes:
    return (folding.pe,) * len(site.inputs), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.outputs[0].size // folding.pe


def _operators(_site: Site, folding: Folding) -> int:
    return folding.pe


def _code(site: Site, folding: Folding) -> Code:
    y = site.outputs[0]
    ends = [end // folding.pe for end in accumulate(chunks(site))]
    codes = [recoding(x.element, y.element) for x in site.inputs]
    parts = [
        {"base": decimal(base), "factor": factor, "end": end}
        for (base, factor), end in zip(codes, ends, strict=True)
    ]
    rounds = y.size // folding.pe // ends[-1]
    return Code(facts={"parts": parts, "words": ends[-1], "rounds": rounds})


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
