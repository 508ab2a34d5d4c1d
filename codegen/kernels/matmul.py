"""``lutloom::matmul``: ``pe`` rows of the second matrix at a time, from ``simd`` columns at a time.

With the coefficients of ``bilinear``, the code of a result is

    start + of_b * (sum of code_b) + sum of (of_a + of_both * code_b) * code_a

so that the second matrix is stored as weights ``(of_a + of_both * code_b) / factor``, the rest of
its row is what sums start from, and what is left is ``matvec`` with weights that came in a stream.
Where the weights are -1 and +1, agreeing lanes of one-bit codes are counted as there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd, prod

from lutloom.codegen.initializer import decimal
from lutloom.codegen.kernels.bilinear import Bilinear, wrapped
from lutloom.codegen.kernels.kernel import (
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    kept_memory,
    storage,
)
from lutloom.codegen.kernels.packed import least_code, least_weight
from lutloom.codegen.kernels.sums import (
    not_packed,
    packing_of,
    product_facts,
    product_kind,
    sharing_multipliers,
)
from lutloom.core.plan import Folding, Memory
from lutloom.core.types import BIPOLAR, INT64_MAX, INT64_MIN, IntType


@dataclass(frozen=True)
class Stored:
    """How the second matrix is stored: codes of ``weights``, which count ``factor`` times.

    A stored code is ``base + step * code_b``, of ``bits`` bits. ``rest`` is what is added to the
    products.
    """

    weights: IntType
    bits: int
    factor: int
    base: int
    step: int
    rest: Bilinear

    @classmethod
    def of(cls, a: IntType, b: IntType, y: IntType, terms: int) -> Stored:
        """Return how ``b`` is stored, where results are sums of so many ``terms``."""
        exact = Bilinear.of(a, b, y, terms)
        factor = gcd(exact.of_a, exact.of_both) or 1
        base, step = exact.of_a // factor, exact.of_both // factor
        first, last = (0, b.count - 1) if b.is_offset_coded else (b.lo, b.hi)
        lo, hi = base + step * first, base + step * last
        if factor > INT64_MAX:
            # Right modulo the 64 bits that a result has then.
            lo, hi, factor, base, step = INT64_MIN, INT64_MAX, 1, exact.of_a, exact.of_both
        weights = BIPOLAR if (lo, hi, b.count) == (-1, 1, 2) else IntType(lo, hi)
        if weights == BIPOLAR:
            base, step = 0, 1
        if product_kind(a, weights) == "xnor":
            # Agreeing lanes already count every weight that is -1.
            start, of_b = exact.start - factor * terms, exact.of_b + factor
            exact = replace(exact, start=start, of_b=of_b)
        return cls(weights, weights.bits, factor, base, step, exact)


def _terms(site: Site) -> int:
    return site.inputs[0].channels


def _rows(site: Site) -> int:
    """Return how many rows the second matrix has."""
    return site.outputs[0].channels


@lru_cache(maxsize=256)
def stored_of(site: Site) -> Stored:
    """Return how the second matrix is stored."""
    a, b, y = (tensor.element for tensor in (*site.inputs, *site.outputs))
    return Stored.of(a, b, y, _terms(site))


def stored_in(site: Site, folding: Folding) -> Stored:
    """Return how the second matrix is stored, where products share slices as ``packed`` says."""
    stored, a, terms = stored_of(site), site.inputs[0].element, _terms(site)
    packed = packing_of(a, stored.weights, folding.multiplier)
    if packed is None:
        return stored
    first = stored.factor * least_code(a)
    rest = replace(
        stored.rest,
        start=stored.rest.start + first * terms * stored.base,
        of_b=stored.rest.of_b + first * stored.step,
    )
    base = stored.base - least_weight(stored.weights)
    return replace(stored, bits=packed.weight_bits, base=base, rest=rest)


def _legal(site: Site, _folding: Folding) -> Legal:
    a, weights = site.inputs[0].element, stored_of(site).weights
    return Legal(
        divisors(_rows(site)),
        divisors(_terms(site)),
        tuple(Memory),
        sharing_multipliers(a, weights),
        because=not_packed(a, weights),
    )


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.simd, folding.simd), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    vectors = site.outputs[0].size // folding.pe + site.inputs[1].size // _terms(site)
    return vectors * (_terms(site) // folding.simd)


def _operators(_site: Site, folding: Folding) -> int:
    return folding.pe * folding.simd


def _weight_bits(site: Site, folding: Folding) -> int:
    return folding.pe * folding.simd * stored_in(site, folding).bits


def _code(site: Site, folding: Folding) -> Code:
    stored, terms, rows = stored_in(site, folding), _terms(site), _rows(site)
    a, y = site.inputs[0], site.outputs[0].element
    word_bits = folding.simd * stored.bits
    return Code(
        facts={
            "repeats": prod(a.shape[:-2]),
            "rows_a": a.shape[-2],
            "rows_b": rows,
            "columns": terms,
            "depth": rows // folding.pe * (terms // folding.simd),
            "word_bits": word_bits,
            "storage": storage(folding.memory),
            "folds": terms // folding.simd,
            "vector_bits": folding.simd * a.element.bits,
            "vector_storage": storage(
                kept_memory(terms // folding.simd, folding.simd * a.element.bits)
            )
            if rows > folding.pe
            else "",
            "stored_bits": stored.bits,
            "base": decimal(wrapped(stored.base, 64)),
            "step": decimal(wrapped(stored.step, 64)),
            "start": decimal(wrapped(stored.rest.start, y.bits)),
            "of_b": decimal(wrapped(stored.rest.of_b, y.bits)),
            **product_facts(a.element, stored.weights, stored.factor, folding),
        },
        widest=word_bits,
    )


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, _weight_bits, _code)
