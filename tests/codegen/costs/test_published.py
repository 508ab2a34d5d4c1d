"""Costs beside what Vivado counted of layers that Vitis HLS made of FINN's library.

The network of FINN's cybersecurity tutorial, 600-64-64-64-1 with bipolar inputs, weights and
activations of two bits, as akhilvasan/finn_cybsec published ``report/post_synth_resources.json``
(commit d470f84). Its folding is the tutorial's; weights lie in block RAMs, but for the last layer.
FINN's layers are a product, its thresholds and what streams the weights in one: here two processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lutloom.boards.loader import load_board
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.costs.resources import Resources
from lutloom.codegen.kernels import Site
from lutloom.core.ops import MatVec, Threshold
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType

DEVICE = load_board("pynq_z1").device
CODES = IntType(0, 3)


@dataclass(frozen=True)
class Layer:
    """A layer's shape and folding, and what it was counted to take."""

    columns: int
    rows: int
    element: IntType
    folding: Folding
    steps: int
    counted: Resources


def folded(pe: int, simd: int, memory: Memory, multiplier: Multiplier) -> Folding:
    return Folding(pe, simd, memory, multiplier)


BRAM, LUTRAM, DSP, FABRIC = Memory.BRAM, Memory.LUTRAM, Multiplier.DSP, Multiplier.FABRIC
LAYERS = (
    Layer(600, 64, BIPOLAR, folded(16, 40, BRAM, FABRIC), 3, Resources(4910, 4631, 36)),
    Layer(64, 64, CODES, folded(1, 64, BRAM, DSP), 3, Resources(431, 924, 4, 0, 64)),
    Layer(64, 64, CODES, folded(1, 64, BRAM, DSP), 3, Resources(415, 906, 4, 0, 64)),
    Layer(64, 1, CODES, folded(1, 1, LUTRAM, DSP), 1, Resources(89, 97, 0, 0, 1)),
)


def cost_of(layer: Layer) -> Resources:
    """Return what our processes for a layer take, with random weights and thresholds."""
    rng = np.random.default_rng(0)
    x = TensorType(layer.element, (layer.columns,))
    product = MatVec(Const(rng.integers(-2, 2, size=(layer.rows, layer.columns))))
    (sums,) = product.infer(x)
    places = rng.integers(-100, 100, size=(layer.rows, layer.steps))
    ones = np.ones((layer.rows, 1), np.int64)
    stairs = Threshold(Const(np.sort(places)), Const(0 * ones[:, 0]), Const(ones))
    threshold = Folding(layer.folding.pe, comparison=Comparison.PARALLEL)
    processes = (
        (Site(product, (x,), (sums,)), layer.folding),
        (Site(stairs, (sums,), stairs.infer(sums)), threshold),
    )
    costs = (process_cost(site, folding, DEVICE).resources for site, folding in processes)
    return sum(costs, Resources())


@pytest.mark.parametrize("layer", LAYERS[:3])
def test_a_layer_takes_about_as_much_as_was_counted_of_one(layer: Layer) -> None:
    ours, counted = cost_of(layer), layer.counted
    assert (ours.bram18, ours.dsp) == (counted.bram18, counted.dsp)
    assert 0.75 < ours.lut / counted.lut < 1.4
    assert 0.75 < ours.ff / counted.ff < 1.25


def test_a_network_takes_about_as_much_as_was_counted_of_one() -> None:
    ours = sum(map(cost_of, LAYERS), Resources())
    counted = sum((layer.counted for layer in LAYERS), Resources())
    assert (ours.bram18, ours.dsp) == (counted.bram18, counted.dsp)
    assert 0.8 < ours.lut / counted.lut < 1.25
    assert 0.9 < ours.ff / counted.ff < 1.1
