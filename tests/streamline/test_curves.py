"""Quantizers of functions: every level of every integer, beside the function's own definition."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.ops import Threshold
from lutloom.core.types import IntType
from lutloom.sim.reference import run
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.functions import REFERENCES, ROUNDINGS, Grid, Reference, level, node
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.network import Network

    Ints = NDArray[np.int64]

F = Fraction
# Slopes and offsets of channels: dyadic ones, where ties are frequent, and others.
SLOPES = [1 / 16, -1 / 8, 0.0, 0.1, 0.75]
OFFSETS = [0.0, 0.5, -0.75, 0.3, 1.0]
BYTES = np.arange(-128, 128)


def exact(values: list[float]) -> list[Fraction]:
    return [F(float(np.float32(value))) for value in values]


def network_of(
    build: Callable[[Writer, str], str], directory: Path, raw: RawInput, *shape: int
) -> Network:
    w = Writer(opset=20)
    return streamline(write(w.model(build(w, "x"), *shape), directory), raw)


def levels(network: Network, x: Ints) -> Ints:
    """Return the levels of the one quantizer, in the order of the model's axes."""
    integers = network.encode(x)
    found = run(network.graph, {network.input_value: integers})[network.output_value]
    return network.meaning[network.output_value].in_model_order(found)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize(
    ("scale", "zero_point", "bits", "signed"), [(0.125, 0.0, 6, True), (-0.1, 3.0, 5, False)]
)
def test_every_level_is_exact_in_every_rounding_mode(
    name: str, scale: float, zero_point: float, bits: int, signed: bool, tmp_path: Path
) -> None:
    reference = REFERENCES[name]
    arguments = [
        [
            slope * int(x) + offset
            for slope, offset in zip(exact(SLOPES), exact(OFFSETS), strict=True)
        ]
        for x in BYTES
    ]
    if reference.is_positive:
        arguments = [[abs(q) + F(1, 4) for q in row] for row in arguments]
    lo, hi = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    for mode in ROUNDINGS:

        def build(w: Writer, x: str, mode: str = mode) -> str:
            x = w.binary("Add", w.binary("Mul", x, SLOPES), OFFSETS)
            if reference.is_positive:
                x = w.binary("Add", w.node("Abs", [x]), 0.25)
            x = reference.write(w, x)
            return w.quant(x, scale, zero_point, bits, signed=signed, mode=mode)

        network = network_of(build, tmp_path, RawInput(IntType(-128, 127)), len(SLOPES))
        grid = Grid(exact([scale])[0], F(zero_point), mode, lo, hi)
        wanted = [[level(grid, reference, q) for q in row] for row in arguments]
        found = levels(network, np.broadcast_to(BYTES[:, np.newaxis], (256, len(SLOPES))))
        assert found.tolist() == wanted, mode


def staircase_of(network: Network) -> Threshold:
    (op,) = [node.op for node in network.graph.nodes if isinstance(node.op, Threshold)]
    return op


WIDE = {
    name: REFERENCES[name]
    for name in (
        "Gelu",
        "Gelu by tanh, Mul",
        "HardSwish",
        "LeakyRelu falling",
        "Mish",
        "Selu",
        "Sigmoid",
        "Silu as quotient",
        "Softsign",
        "Tanh",
        "ThresholdedRelu",
        "x * x",
        "x - tanh(x)",
    )
}


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "CEIL"])
def test_wide_integers_have_exact_levels_on_both_sides_of_every_step(
    name: str, mode: str, tmp_path: Path
) -> None:
    """A range of 2^45: each step is found, and nothing between two steps is one."""
    most = 2**44
    slope, scale = F(20, most), F(float(np.float32(0.07)))
    grid = Grid(scale, F(0), mode, -128, 127)

    def build(w: Writer, x: str) -> str:
        y = w.binary("Mul", w.binary("Mul", x, 20.0), 2.0**-44)
        return w.quant(WIDE[name].write(w, y), 0.07, bits=8, mode=mode)

    raw = RawInput(IntType(-most, most))
    network = network_of(build, tmp_path, raw, 1)
    steps = staircase_of(network).thresholds.int64.ravel()
    rng = np.random.default_rng(0)
    tried = np.unique(
        np.concatenate([steps - 1, steps, rng.integers(-most, most, 500), [-most, 0, 1, -1, most]])
    )
    tried = tried[(tried >= -most) & (tried <= most)]
    wanted = [level(grid, WIDE[name], slope * int(x)) for x in tried]
    found = run(network.graph, {network.input_value: tried[:, np.newaxis]})[network.output_value]
    assert found.ravel().tolist() == wanted


def test_functions_of_the_widest_integers_are_exact(tmp_path: Path) -> None:
    most = 2**62

    def build(w: Writer, x: str) -> str:
        y = w.binary("Mul", x, 2.0**-62)
        return w.quant(w.node("Tanh", [w.node("Mul", [y, y])]), 0.25, mode="CEIL")

    network = network_of(build, tmp_path, RawInput(IntType(-most, most)), 1)
    steps = staircase_of(network).thresholds.int64.ravel().tolist()
    # tanh(y * y) is above 1/4, 1/2 and 3/4; and above 0 but for 0 itself.
    assert [step for step in steps if 0 <= step < 2] == [0, 1]
    reference = Reference(node("Tanh"), lambda q: F(0) if q == 0 else None, lambda x: x.tanh())
    grid = Grid(F(1, 4), F(0), "CEIL", -8, 7)
    tried = [x for step in steps for x in (step - 1, step)]
    wanted = [level(grid, reference, F(x, most) ** 2) for x in tried]
    column = np.array(tried)[:, np.newaxis]
    found = run(network.graph, {network.input_value: column})[network.output_value]
    assert found.ravel().tolist() == wanted


@pytest.mark.parametrize("step", [2, 6])
def test_integers_with_gaps_are_the_only_ones_that_count(step: int, tmp_path: Path) -> None:
    """At 0 the reciprocal is not defined; a sum of an odd number of signs is never 0."""

    def build(w: Writer, x: str) -> str:
        return w.quant(w.node("Reciprocal", [w.node("MatMul", [x, weights(w)])]), 0.125)

    def weights(w: Writer) -> str:
        return w.bipolar(w.constant(np.ones((3, 1))), scale=step / 2)

    x = np.array([[1, 1, 1], [1, 1, -1], [1, -1, -1], [-1, -1, -1]])
    network = network_of(build, tmp_path, RawInput(IntType(-1, 1, 2)), 3)
    grid = Grid(F(1, 8), F(0), "ROUND", -8, 7)
    sums = x.sum(axis=1) * F(step, 2)
    assert levels(network, x).ravel().tolist() == [grid.level(1 / F(total)) for total in sums]


LAYOUTS: dict[str, Callable[[Writer, str], str]] = {
    "channels first": lambda w, x: w.node("Add", [x, w.node("Sigmoid", [x])]),
    "transposed": lambda w, x: w.node(
        "Transpose", [w.node("Add", [x, w.node("Sigmoid", [x])])], perm=[0, 2, 1]
    ),
    "transposed branches": lambda w, x: w.node(
        "Add",
        [
            w.node("Transpose", [x], perm=[0, 2, 1]),
            w.node("Sigmoid", [w.node("Transpose", [x], perm=[0, 2, 1])]),
        ],
    ),
    "reshaped": lambda w, x: w.reshape(w.node("Add", [x, w.node("Sigmoid", [x])]), (0, 6)),
    "reshaped branches": lambda w, x: w.node(
        "Add", [w.reshape(x, (0, 6)), w.node("Sigmoid", [w.reshape(x, (0, 6))])]
    ),
    "transposed and reshaped branches": lambda w, x: w.node(
        "Add",
        [
            w.reshape(w.node("Transpose", [x], perm=[0, 2, 1]), (0, 6)),
            w.node("Sigmoid", [w.reshape(w.node("Transpose", [x], perm=[0, 2, 1]), (0, 6))]),
        ],
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(
    "slopes", [[[0.25], [-0.5]], [[0.25, -0.5, 1.0]], [[0.1, 1, 2], [3, 4, 0]]]
)
def test_numbers_of_channels_and_elements_follow_the_layout(
    name: str, slopes: list[list[float]], tmp_path: Path
) -> None:
    def build(w: Writer, x: str) -> str:
        y = w.binary("Add", w.binary("Mul", x, slopes), [[0.5], [0.0]])
        return w.quant(LAYOUTS[name](w, y), 0.25, bits=6)

    network = network_of(build, tmp_path, RawInput(IntType(-8, 7)), 2, 3)
    x = np.random.default_rng(0).integers(-8, 7, (20, 2, 3), endpoint=True)
    reference = Reference(
        node("Sigmoid"),
        lambda q: F(1, 2) if q == 0 else None,
        lambda y: y + 1 / (1 + (-y).exp()),
    )
    grid = Grid(F(1, 4), F(0), "ROUND", -32, 31)
    factors = np.broadcast_to(np.array(slopes, dtype=np.float32), (2, 3))
    arguments = x * np.vectorize(F, otypes=[object])(factors.astype(object))
    arguments = arguments + np.array([[F(1, 2)], [F(0)]])
    wanted = np.vectorize(lambda q: level(grid, reference, q))(arguments)
    if name.startswith("transposed"):
        wanted = wanted.transpose(0, 2, 1)
    found = levels(network, x)
    assert found.tolist() == wanted.reshape(found.shape).tolist()
