"""Padding by another integer than the one that was asked for: what that changes is constant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.sim.engine.products import Stairs, pairs_of

if TYPE_CHECKING:
    from lutloom.sim.engine.products import Products


def with_fill(products: Products, fill: int) -> Products:
    """Return the same products for an image whose masked taps see ``fill``.

    What that changes in a sum depends on which taps of its window are masked: its class.
    """
    import numpy as np

    if products.windows is None or products.fill == fill:
        return products
    borders = products.windows.borders(products.image)
    if not borders.is_masking:
        return replace(products, fill=fill)
    hidden = ~borders.masks.reshape(-1, products.windows.taps)
    kinds = np.zeros(1, np.int32)
    for along, patterns in zip(borders.classes, borders.patterns, strict=True):
        kinds = (kinds[:, None] * len(patterns) + along).astype(np.int32).ravel()
    taps = products.weights.sum(axis=2).swapaxes(0, 1).reshape(-1, products.outputs)
    missing = hidden.astype(np.int64) @ taps * (products.fill - fill)
    classes, kind, pattern = pairs_of(products.classes, kinds)
    bias, stairs = products.bias[kind], products.stairs
    if stairs is None:
        bias = bias + missing[pattern]
    else:
        stairs = Stairs(stairs.thresholds[kind] - missing[pattern][..., np.newaxis])
    return replace(products, fill=fill, classes=classes, bias=bias, stairs=stairs)
