"""Sums of products in codes: what weights and starts become when they are written down.

With ``x = x0 + s * code`` and ``y = y0 + u * code`` (both with ``0`` and ``1`` where codes are the
values), ``y[r] = sum of w[r, c] * x[c] + border[r]`` reads in codes

    code_y[r] = (x0 * sum of w[r, c] + border[r] - y0) / u + sum of (s * w[r, c] / u) * code_x[c]

where both quotients are integers: ``u`` divides all differences of results, so that it divides
every ``s * w``, and ``code_x = 0`` gives a result that is congruent to ``y0``. What the weights
have in common is multiplied with later. Products that share DSP slices have other codes (see
``packed``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import PRODUCTS, code_type, coding, multiplier_policy
from lutloom.codegen.kernels.packed import WIDER_FACTOR, Packing, least_code, least_weight, packing
from lutloom.core.plan import Folding, Multiplier
from lutloom.core.types import BIPOLAR, Const, IntType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray


def product_kind(x: IntType, weights: IntType) -> str:
    """Return what a product of ``x`` is: ``xnor``, ``sign`` or ``multiply``."""
    if weights != BIPOLAR:
        return "multiply"
    return "xnor" if x.bits == 1 and not x.is_signed else "sign"


def multipliers_of(product: str) -> tuple[Multiplier, ...]:
    """Return what may multiply, by what a product is."""
    has_products = product == "multiply"
    return PRODUCTS if has_products else (Multiplier.AUTO, Multiplier.FABRIC)


@lru_cache(maxsize=4096)
def sharing_multipliers(x: IntType, weights: IntType) -> tuple[Multiplier, ...]:
    """Return what may multiply where several ``weights`` have the same factor ``x``."""
    alone = multipliers_of(product_kind(x, weights))
    return (*alone, *(m for m in WIDER_FACTOR if packing_of(x, weights, m) is not None))


@lru_cache(maxsize=4096)
def packing_of(x: IntType, weights: IntType, multiplier: Multiplier) -> Packing | None:
    """Return how products share DSP slices; None where they don't, or are no products."""
    has_products = product_kind(x, weights) == "multiply"
    return packing(weights, x, multiplier) if has_products else None


def not_packed(x: IntType, weights: IntType) -> dict[object, str]:
    """Return why products of ``x`` do not share slices, for each way in which they don't."""
    if product_kind(x, weights) != "multiply":
        return dict.fromkeys(WIDER_FACTOR, "nothing is multiplied where all weights are -1 and +1")
    return {
        multiplier: f"sums of two products of {weights.bits} and {x.bits} bits do not fit beside"
        f" each other in a multiplier of {bits} x 18"
        for multiplier, bits in WIDER_FACTOR.items()
        if packing_of(x, weights, multiplier) is None
    }


def product_facts(x: IntType, weights: IntType, factor: int, folding: Folding) -> dict[str, object]:
    """Return what ``product.hpp.j2`` needs to know; each product counts ``factor`` times."""
    packed = packing_of(x, weights, folding.multiplier)
    if packed is not None:
        signed = "true" if x.is_signed else "false"
        weight = f"{packed.weight_bits}, {least_weight(weights)}"
        arguments = f"{x.bits}, {signed}, {weight}, {packed.lanes}, {packed.spacing}"
        return {"product": "packed", "factor": factor, "packed": arguments}
    return {
        "product": product_kind(x, weights),
        "factor": factor,
        "weight_type": code_type(weights),
        "multiplier": multiplier_policy(folding.multiplier, min(weights.bits, x.bits)),
    }


@dataclass(frozen=True)
class Sums:
    """Sums ``y`` of products of ``weights``, an array of any shape, with ``x``.

    ``divisor`` is what the weights have in common, 0 if they are nothing but 0.
    ``is_constant``: what is added does not depend on the input.
    """

    x: IntType
    y: IntType
    weights: Const
    divisor: int
    is_constant: bool = False

    @property
    def base(self) -> int:
        """What the code 0 of an input stands for."""
        return self.x.lo if self.x.is_offset_coded or self._is_fixed else 0

    @property
    def step(self) -> int:
        """What a code is worth in the input; 0 if the input does not matter."""
        if self._is_fixed:
            return 0
        return coding(self.x)[1]

    @property
    def _is_fixed(self) -> bool:
        # The result is a constant, all of it in the starts.
        return self.is_constant or self.x.count == 1

    @property
    def factor(self) -> int:
        """What sums of products with stored weights are multiplied with.

        Windows that are cut off, or weights of zero, may leave results without a step in common,
        so that bipolar products of bipolar values count twice.
        """
        _, unit = coding(self.y)
        return self.divisor * self.step // unit or 1

    @cached_property
    def stored(self) -> IntType:
        """The type of the stored weights; bipolar where they are nothing but -1 and 1."""
        if self.step == 0 or self.divisor == 0:
            return IntType(0, 0)
        lo, hi = self.weights.lo // self.divisor, self.weights.hi // self.divisor
        if {lo, hi} <= {-1, 1} and not (self.weights.data == 0).any():
            return BIPOLAR
        return IntType(lo, hi)

    @property
    def product(self) -> str:
        """What a product is."""
        return product_kind(self.x, self.stored)

    def facts(self, folding: Folding) -> dict[str, object]:
        """Return what the template needs to know about the products."""
        return product_facts(self.x, self.stored, self.factor, folding)

    def weight_bits(self, folding: Folding) -> int:
        """Return the bits of a stored weight."""
        packed = packing_of(self.x, self.stored, folding.multiplier)
        return self.stored.bits if packed is None else packed.weight_bits

    def weight_codes(self, folding: Folding) -> IntArray:
        """Return the weights as they are stored, less their ``factor``, in their shape."""
        if packing_of(self.x, self.stored, folding.multiplier) is not None:
            return self.stored_weights - least_weight(self.stored)
        return self.stored.encode(self.stored_weights)

    @property
    def stored_weights(self) -> IntArray:
        """The weights less their ``factor``, in their shape."""
        return self.weights.int64 // (self.divisor or 1) * (1 if self.step else 0)

    def starts(self, totals: NDArray[np.integer], border: NDArray[np.integer]) -> IntArray:
        """Return what sums start from, in codes.

        ``totals`` are sums of weights, and ``border`` is what is added: arrays that broadcast.
        """
        import numpy as np

        offset, unit = coding(self.y)
        # In Python's integers: what is in between may be wider than the results.
        values = border.astype(object) - offset
        if self.base:
            values = values + totals.astype(object) * self.base
        starts = np.asarray(values // unit).astype(np.int64)
        return np.broadcast_to(starts, np.broadcast_shapes(totals.shape, border.shape))

    def counted(self, axis: int, totals: IntArray, folding: Folding) -> IntArray:
        """Return what sums of products along ``axis`` have too much of.

        ``totals`` are the sums of weights along it. Where products are ``xnor``, agreeing lanes
        already count every weight that is -1. Where they share slices, codes are what they are
        above the least one.
        """
        import numpy as np

        if packing_of(self.x, self.stored, folding.multiplier) is not None:
            stored = totals // (self.divisor or 1) * (1 if self.step else 0)
            return -self.factor * least_code(self.x) * stored
        if self.product != "xnor":
            return np.zeros(totals.shape, np.int64)
        counted: IntArray = (self.weights.data < 0).sum(axis=axis, dtype=np.int64)
        return self.factor * counted
