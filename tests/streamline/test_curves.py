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
from lutloom.streamline.errors import ModelError
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
    return network.output.meaning.in_model_order(found)


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
    for mode in ROUNDINGS if signed else ("ROUND", "HALF_UP", "FLOOR"):

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


def test_the_sign_of_a_function_is_that_of_its_real_value(tmp_path: Path) -> None:
    """At 0 it is positive, and a wave that falls below 0 comes up again."""

    def build(w: Writer, x: str) -> str:
        x = w.binary("Mul", x, [0.125, -0.25])
        square = w.binary("Sub", w.node("Mul", [x, x]), [1.0, 4.0])
        return w.bipolar(w.node("Mul", [square, x]))

    network = network_of(build, tmp_path, RawInput(IntType(-128, 127)), 2)
    x = np.broadcast_to(BYTES[:, np.newaxis], (256, 2))
    arguments = x * np.array([0.125, -0.25])
    wanted = np.where((arguments**2 - [1.0, 4.0]) * arguments >= 0, 1, -1)
    assert levels(network, x).tolist() == wanted.tolist()


@pytest.mark.parametrize("rows", [1, 2])
def test_tables_of_thresholds_count_what_a_function_reaches(rows: int, tmp_path: Path) -> None:
    """A table a channel: equal thresholds, ones that are met exactly, ones that never are."""
    table = [[0.25, 0.5, 0.5, 1.0], [-0.5, 0.0, 0.125, 0.875]][:rows]

    def build(w: Writer, x: str) -> str:
        x = w.node("Sigmoid", [w.binary("Mul", x, [0.0625, -0.125])])
        return w.multi_threshold(x, table, scale=0.5, bias=-1.0)

    network = network_of(build, tmp_path, RawInput(IntType(-128, 127)), 2)
    x = np.broadcast_to(BYTES[:, np.newaxis], (256, 2))
    found = levels(network, x).astype(object) * network.output.meaning.scale[0]
    for channel, slope in enumerate((F(1, 16), F(-1, 8))):
        thresholds = [F(t) for t in table[channel % rows]]
        for x_, level_ in zip(BYTES, found[:, channel], strict=True):
            least, most = REFERENCES["Sigmoid"].bounds(slope * int(x_), 400)
            counts = {sum(end >= t for t in thresholds) for end in (least, most)}
            assert counts == {2 * (level_ + 1)}


def test_channels_with_ranges_of_their_own_have_only_the_steps_they_reach(tmp_path: Path) -> None:
    def build(w: Writer, x: str) -> str:
        x = w.matmul(x, [[1.0, 7.0, 0.0], [-1.0, 7.0, 0.0]])
        x = w.node("Sigmoid", [w.binary("Mul", x, [0.5, 0.25, 0.5])])
        return w.quant(x, 0.03125, bits=5, signed=False)

    network = network_of(build, tmp_path, RawInput(IntType(-2, 2)), 2)
    grid = Grid(F(1, 32), F(0), "ROUND", 0, 31)
    channels = ((F(1, 2), 4), (F(1, 4), 28), (F(1, 2), 0))
    wanted = [
        {x: level(grid, REFERENCES["Sigmoid"], slope * x) for x in range(-most, most + 1)}
        for slope, most in channels
    ]
    op = staircase_of(network)
    heights = np.broadcast_to(op.deltas.int64, op.thresholds.shape)
    for (_, most), row, table, deltas in zip(
        channels, wanted, op.thresholds.int64, heights, strict=True
    ):
        steps = [int(t) for t, height in zip(table, deltas, strict=True) if height and t <= 28]
        assert steps == [x for x in range(1 - most, most + 1) if row[x] != row[x - 1]]
    x = np.array([[a, b] for a in range(-2, 3) for b in range(-2, 3)])
    sums = x @ np.array([[1, 7, 0], [-1, 7, 0]])
    assert levels(network, x).tolist() == [
        [row[int(total)] for row, total in zip(wanted, row_of_sums, strict=True)]
        for row_of_sums in sums
    ]


def test_functions_of_functions_are_functions(tmp_path: Path) -> None:
    """Clips, normalizations and casts between them; a wave of five pieces."""

    def build(w: Writer, x: str) -> str:
        x = w.node("Relu", [w.binary("Mul", x, [[[0.125]], [[-0.25]]])])
        x = w.batch_norm(x, [2.0, -1.0], [0.5, 0.25], [1.0, -1.0], [4.0, 0.25], epsilon=0.0)
        x = w.node("Clip", [w.node("Abs", [x]), w.constant(0.25), w.constant(3.0)])
        x = w.node("Cast", [w.binary("Sub", x, 1.5, constant_first=True)], to=1)
        return w.quant(w.node("Neg", [w.node("Mul", [w.node("Identity", [x]), x])]), 0.0625, bits=6)

    network = network_of(build, tmp_path, RawInput(IntType(-128, 127)), 2, 1, 1)
    x = np.broadcast_to(BYTES.reshape(-1, 1, 1, 1), (256, 2, 1, 1))
    scaled = np.maximum(x[:, :, 0, 0] * np.array([0.125, -0.25]), 0)
    normal = (scaled - [1.0, -1.0]) * [1.0, -2.0] + [0.5, 0.25]
    wave = -((1.5 - np.clip(np.abs(normal), 0.25, 3.0)) ** 2)  # float64 has no rounding here
    wanted = np.clip(np.round(wave / 0.0625), -32, 31)
    assert levels(network, x)[:, :, 0, 0].tolist() == wanted.tolist()


def test_a_function_that_only_the_host_could_compute_otherwise_may_end_the_model(
    tmp_path: Path,
) -> None:
    w = Writer(opset=20)
    x = w.matmul(w.quant("x"), np.eye(3))
    path = write(w.model(w.node("Mul", [x, w.node("Sigmoid", [x])]), 3), tmp_path)
    network = streamline(path)
    found = network.decode(np.array([[-3, 0, 5]]))
    wanted = np.array([[-3, 0, 5]]) / (1 + np.exp([[3, 0, -5]]))
    assert (np.abs(found - wanted) < 2.0**-20).all()


Build = Callable[[Writer, str], str]


def into_matmul(w: Writer, x: str) -> str:
    return w.matmul(w.node("Tanh", [x], name="bend"), [[1.0]])


def into_another_branch(w: Writer, x: str) -> str:
    other = w.matmul(x, [[1.0]])
    return w.quant(w.node("Add", [w.node("Tanh", [x], name="bend"), other], name="sum"))


def product_of_two(w: Writer, x: str) -> str:
    other = w.matmul(x, [[1.0]])
    return w.quant(w.node("Mul", [w.node("Tanh", [x]), other], name="product"))


def logarithm(w: Writer, x: str) -> str:
    return w.quant(w.node("Log", [w.binary("Add", x, 1.5)], name="log"))


def root(w: Writer, x: str) -> str:
    return w.quant(w.node("Sqrt", [w.binary("Mul", x, 0.5)], name="root"))


def reciprocal(w: Writer, x: str) -> str:
    return w.quant(w.node("Reciprocal", [x], name="inverse"))


def quotient(w: Writer, x: str) -> str:
    return w.quant(w.node("Div", [x, w.binary("Add", x, 3.0)], name="ratio"))


def undecidable(w: Writer, x: str) -> str:
    x = w.node("Log", [w.node("Exp", [w.binary("Mul", x, 0.5)])])
    return w.quant(x, 1.0, name="tie")


def exponents(w: Writer, x: str) -> str:
    return w.quant(w.node("Pow", [x, w.constant([[2.0, 3.0]])], name="pow"))


def huge_exponent(w: Writer, x: str) -> str:
    return w.quant(w.binary("Pow", x, 1e9))


def unknown_gelu(w: Writer, x: str) -> str:
    return w.quant(w.node("Gelu", [x], approximate="erf", name="g"))


def flat_celu(w: Writer, x: str) -> str:
    return w.quant(w.node("Celu", [x], alpha=0.0, name="c"))


def infinite_slope(w: Writer, x: str) -> str:
    return w.quant(w.node("LeakyRelu", [x], alpha=float("inf"), name="l"))


def slope_of_data(w: Writer, x: str) -> str:
    return w.quant(w.node("PRelu", [x, x], name="p"))


def of_indices(w: Writer, x: str) -> str:
    return w.quant(w.node("Tanh", [w.node("ArgMax", [w.matmul(x, [[1.0, 1.0]])], axis=1)]))


def three_sums(w: Writer, x: str) -> str:
    return w.quant(w.node("Sum", [x, x, x], name="s"))


REFUSED: list[tuple[Build, str]] = [
    (
        into_matmul,
        r"^MatMul node '.*': a product needs integers, but Tanh node 'bend' before it ma",
    ),
    (into_another_branch, r"^Add node 'sum' adds floats: Tanh node 'bend' before it is not foll"),
    (product_of_two, r"^Mul node 'product' multiplies two results, and Tanh node 'Tanh_4' before"),
    (
        logarithm,
        r"^Log node 'log' takes the logarithm of -\d+\.5, where the integers before it can",
    ),
    (
        root,
        r"^Sqrt node 'root' takes the power 1/2 of -\d+, which is negative, where the integers ",
    ),
    (reciprocal, r"^Reciprocal node 'inverse' divides by zero, where the integers before it can l"),
    (quotient, r"^Div node 'ratio' divides by zero, where the integers before it can lead; keep "),
    (
        undecidable,
        r"^Quant node 'tie': where the integers before it are -?\d+, its input can't be t",
    ),
    (exponents, r"^Pow node 'pow' has several exponents: use one for the tensor$"),
    (huge_exponent, r"^Pow node 'Pow_\d': its exponent 1000000000.0 should lie between -64 and 64"),
    (unknown_gelu, r"^Gelu node 'g': its approximation 'erf' is neither none nor tanh$"),
    (flat_celu, r"^Celu node 'c' divides by its alpha, which is 0: export the model again$"),
    (infinite_slope, r"^LeakyRelu node 'l': the attribute 'alpha' should be a finite number"),
    (slope_of_data, r"^PRelu node 'p': its slope depends on the data, which no fixed hardware can"),
    (of_indices, r"^Tanh node 'Tanh_\d' works on indices or shapes: take it out of the model$"),
    (three_sums, r"^Sum node 's' has 3 inputs: write it as several of two inputs$"),
]


@pytest.mark.parametrize(
    ("build", "message"), REFUSED, ids=[build.__name__ for build, _ in REFUSED]
)
def test_what_has_no_levels_is_refused(build: Build, message: str, tmp_path: Path) -> None:
    def shaped(w: Writer, x: str) -> str:
        return build(w, w.matmul(x, [[1.0, 1.0]] if build is exponents else [[1.0]]))

    with pytest.raises(ModelError, match=message):
        network_of(shaped, tmp_path, RawInput(IntType(-128, 127)), 1)
