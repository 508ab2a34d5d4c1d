"""Products of the codes that a value is stored as, and what they are to those of its integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.sim.engine.fills import with_fill
from lutloom.sim.engine.storage import Layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products

_MOST = 2**31 - 1
_FAR = 2**61


@dataclass(frozen=True, eq=False)
class Coded:
    """``products`` as ``scale * sum(weights * code) + offset [outputs]``, apart from their bias.

    ``weights [groups, taps, C / groups, M / groups]`` have no divisor in common. Codes are from
    ``low`` to ``high``, what windows see around an image is ``fill``. The sums, and whatever
    part of them is summed first, are below 2^31: from ``least [outputs]`` to ``most [outputs]``.
    """

    products: Products
    layout: Layout
    weights: NDArray[np.int64]
    scale: int
    offset: NDArray[np.int64]
    fill: int
    low: int
    high: int
    least: NDArray[np.int64]
    most: NDArray[np.int64]

    @property
    def is_bytes(self) -> bool:
        """Whether codes are bytes without a sign, and weights bytes with one."""
        lo, hi = self.weights.min(initial=0), self.weights.max(initial=0)
        return self.layout is Layout.BYTES and bool(lo >= -(2**7) and hi < 2**7)


def coded_products(planner: Planner, products: Products) -> Coded | None:
    """Return ``products`` of codes of a byte, or of integers of 16 bits as they are.

    None where the input has neither, or sums need more than 32 bits. Where no code stands for what
    windows see around an image, the products are of an image with something else there.
    """
    import numpy as np

    storage, element = planner.dense(products.x).storage, planner.type(products.x).element
    if storage.layout is Layout.BYTES:
        lo, step, low, high, codes = storage.lo, storage.step, 0, storage.levels, range(2**8)
    elif storage.layout is Layout.INT16:
        lo, step, low, high = 0, 1, element.lo, element.hi
        codes = range(-(2**15), 2**15)
    else:
        return None
    fill, rest = divmod(products.fill - lo, step)
    if rest or fill not in codes:
        products, fill = with_fill(products, lo), 0
    low, high = min(low, fill), max(high, fill)
    if _may_wrap(products, lo):
        return None
    divisor = int(np.gcd.reduce(products.weights.ravel())) or 1
    weights = products.weights // divisor

    def summed(part: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(part.sum(axis=(1, 2))).ravel()

    if (summed(np.abs(weights)) > _MOST // max(-low, high, 1)).any():
        return None
    positive, negative = summed(np.maximum(weights, 0)), summed(np.minimum(weights, 0))
    return Coded(
        products=products,
        layout=storage.layout,
        weights=weights,
        scale=step * divisor,
        offset=lo * divisor * (positive + negative),
        fill=fill,
        low=low,
        high=high,
        least=positive * low + negative * high,
        most=positive * high + negative * low,
    )


def _may_wrap(products: Products, lo: int) -> bool:
    """Return whether constants of ``products`` might be too large for what is computed of them."""
    heaviest = max(-int(products.weights.min()), int(products.weights.max()))
    farthest = max(-int(products.bias.min()), int(products.bias.max()))
    return max(heaviest * products.fan_in * max(abs(lo), 1), farthest) >= _FAR
