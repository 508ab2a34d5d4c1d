"""Sums of products in codes: what weights and starts become when they are written down.

With ``x = x0 + s * code`` and ``y = y0 + u * code`` (both with ``0`` and ``1`` where codes are the
values), ``y[r] = sum of w[r, c] * x[c] + border[r]`` reads in codes

    code_y[r] = (x0 * sum of w[r, c] + border[r] - y0) / u + sum of (s * w[r, c] / u) * code_x[c]

where both quotients are integers: ``u`` divides all differences of results, so that it divides
every ``s * w``, and ``code_x = 0`` gives a result that is congruent to ``y0``. What the weights
have in common is multiplied with later.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import PRODUCTS, code_type, coding, multiplier_policy
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


def product_facts(x: IntType, weights: IntType, factor: int, folding: Folding) -> dict[str, object]:
    """Return what ``product.hpp.j2`` needs to know; each product counts ``factor`` times."""
    return {
        "product": product_kind(x, weights),
        "factor": factor,
        "weight_type": code_type(weights),
        "multiplier": multiplier_policy(folding, min(weights.bits, x.bits)),
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

    @property
    def multipliers(self) -> tuple[Multiplier, ...]:
        """What may multiply."""
        return multipliers_of(self.product)

    def facts(self, folding: Folding) -> dict[str, object]:
        """Return what the template needs to know about the products."""
        return product_facts(self.x, self.stored, self.factor, folding)

    def stored_weights(self) -> IntArray:
        """Return the weights in codes, less their ``factor``, in their shape."""
        return self.weights.int64 // (self.divisor or 1) * (1 if self.step else 0)

    def starts(self, totals: NDArray[np.integer], border: NDArray[np.integer]) -> IntArray:
        """Return what sums start from, in codes.

        ``totals`` are sums of weights, and ``border`` is what is added: arrays that broadcast.
        """
        import numpy as np

        offset, unit = coding(self.y)
        # In Python's integers: what is in between may be wider than the results.
        values = totals.astype(object) * self.base + border.astype(object) - offset
        return np.asarray(values // unit).astype(np.int64)

    def counted(self, axis: int) -> IntArray:
        """Return what sums of products along ``axis`` have too much of.

        Where products are ``xnor``, agreeing lanes already count every weight that is -1.
        """
        import numpy as np

        counted: IntArray = (self.weights.data < 0).sum(axis=axis, dtype=np.int64)
        return self.factor * counted if self.product == "xnor" else 0 * counted
