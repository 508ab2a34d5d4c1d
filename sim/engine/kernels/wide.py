"""Products of any width, one after the other: what no faster kernel can compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products
    from lutloom.sim.engine.program import Operand


@dataclass(frozen=True, eq=False)
class Wide:
    """``Wide`` of native/wide.cpp."""

    x: Operand
    y: Operand
    pixels: int
    x_elements: int
    outputs: int
    groups: int
    taps: int
    channels: int
    levels: int
    lo: int
    step: int
    fill: int
    classes: NDArray[np.int32]
    places: NDArray[np.int64]
    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    thresholds: NDArray[np.int64]


def lower_wide(planner: Planner, products: Products) -> bool:
    """Add the step of ``products``, which may be any, and return True."""
    import numpy as np

    x, y = planner.dense(products.x), planner.make(products.y)
    stairs = products.stairs
    codes = planner.type(products.y).element
    step = Wide(
        x=x.operand,
        y=y.operand,
        pixels=products.pixels,
        x_elements=planner.type(products.x).size,
        outputs=products.outputs,
        groups=products.groups,
        taps=products.weights.shape[1],
        channels=planner.type(products.x).channels,
        levels=-1 if stairs is None else stairs.thresholds.shape[2],
        lo=codes.lo,
        step=1 if stairs is None else codes.step,
        fill=products.fill,
        classes=products.classes,
        places=products.places(),
        weights=np.ascontiguousarray(
            products.weights.transpose(0, 3, 1, 2).reshape(products.outputs, products.fan_in)
        ),
        bias=products.bias,
        thresholds=np.zeros(0, np.int64) if stairs is None else stairs.thresholds,
    )
    planner.add("wide", step, (x.buffer,), (y.buffer,))
    return True
