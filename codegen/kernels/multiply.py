"""``lutloom::multiply``: ``pe`` elements of two streams at a time (``bilinear`` says how)."""

from __future__ import annotations

from lutloom.codegen.initializer import decimal
from lutloom.codegen.kernels.bilinear import Bilinear, wrapped
from lutloom.codegen.kernels.kernel import (
    PRODUCTS,
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    multiplier_policy,
    no_weights,
)
from lutloom.codegen.kernels.pixels import in_wide_pixels
from lutloom.core.plan import Folding, Multiplier


def product_of(site: Site) -> Bilinear:
    """Return the coefficients as the hardware has them: modulo the width of a result."""
    a, b = (x.element for x in site.inputs)
    y = site.outputs[0].element
    exact = Bilinear.of(a, b, y)
    return Bilinear(
        wrapped(exact.start, y.bits),
        wrapped(exact.of_a, y.bits),
        wrapped(exact.of_b, y.bits),
        wrapped(exact.of_both, y.bits),
    )


def _legal(site: Site, _folding: Folding) -> Legal:
    # Of signs nothing is left to multiply, but sums of codes.
    multipliers = PRODUCTS if product_of(site).of_both else (Multiplier.AUTO,)
    return Legal(divisors(site.inputs[0].channels), multiplier=multipliers)


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe, folding.pe), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.inputs[0].size // folding.pe


def _operators(_site: Site, folding: Folding) -> int:
    return folding.pe


def _code(site: Site, folding: Folding) -> Code:
    product = product_of(site)
    return Code(
        facts={
            "words": site.inputs[0].size // folding.pe,
            "start": decimal(product.start),
            "of_a": decimal(product.of_a),
            "of_b": decimal(product.of_b),
            "of_both": decimal(product.of_both),
            "multiplier": multiplier_policy(
                folding.multiplier, min(x.element.bits for x in site.inputs)
            ),
        }
    )


KERNEL = in_wide_pixels(Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code))
