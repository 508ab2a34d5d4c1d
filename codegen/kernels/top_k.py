"""``lutloom::top_k``: ``pe`` channels in at a time, one channel number out at a time."""

from __future__ import annotations

from lutloom.codegen.kernels.kernel import (
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    no_weights,
)
from lutloom.core.plan import Folding


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal(divisors(site.inputs[0].channels))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (1,)


def _cycles(site: Site, folding: Folding) -> int:
    channels = site.inputs[0].channels
    vectors = site.inputs[0].size // channels
    return int(vectors * (channels // folding.pe + site.op.k - 1))


def _operators(site: Site, folding: Folding) -> int:
    return int(folding.pe * site.op.k)


def _code(site: Site, _folding: Folding) -> Code:
    channels = site.inputs[0].channels
    facts = {
        "channels": channels,
        "k": site.op.k,
        "vectors": site.inputs[0].size // channels,
    }
    return Code(facts=facts, widest=site.op.k)


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
