"""Branches that meet: every shape and scale that a network may have, against the oracle."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from lutloom.core.ops import Add
from lutloom.core.types import IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]

NIBBLE = RawInput(IntType(-8, 7))


def integers(seed: int, *shape: int, low: int = -8, high: int = 7) -> Array:
    return np.random.default_rng(seed).integers(low, high, shape, endpoint=True)


def parameters(seed: int, channels: int = 3) -> Array:
    """Return gamma, beta, mean and variance."""
    return np.random.default_rng(seed).uniform(0.1, 1, (4, channels))


def widest(network: Network) -> int:
    """Return the bits of the widest multiplier of an addition."""
    ops = [node.op for node in network.graph.nodes if isinstance(node.op, Add)]
    return max((int(abs(op.multipliers.int64).max()).bit_length() for op in ops), default=0)


class Residual:
    """A random network of ``blocks`` in which branches meet, its numbers of any kind."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.writer = Writer()
        self.shape = tuple(self.rng.integers(1, 5, int(self.rng.integers(1, 3))).tolist())
        self.input_shape = self.shape

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def scale(self, *shape: int) -> Array:
        sign = self.rng.choice([-1, 1, 1, 1], shape)
        return np.asarray(self.rng.uniform(0.1, 2, shape) * sign, np.float32)

    def spread(self) -> tuple[int, ...]:
        """Return the shape of numbers for the tensor, or a channel along one axis."""
        axis = int(self.rng.integers(len(self.shape)))
        rows = tuple(size if a == axis else 1 for a, size in enumerate(self.shape))
        return rows if self.chance(0.5) else ()

    def linear(self, x: str) -> str:
        w = self.writer
        size = self.shape[-1]
        scale = self.scale(1, size) if self.chance(0.5) else self.scale()
        weights = w.quant(w.constant(self.rng.normal(0, 2, (size, size))), scale, bits=4)
        return w.node("MatMul", [x, weights])

    def normalized(self, x: str) -> str:
        """Normalize by batch, with variances that may be tiny."""
        count = self.shape[0]
        gamma, beta, mean = (self.rng.normal(0, 1, count) for _ in range(3))
        gamma *= self.rng.choice([0, 1e-3, 1, 1, 1], count)
        variance = self.rng.uniform(0, 2, count) * self.rng.choice([1e-9, 1, 1], count)
        return self.writer.batch_norm(x, gamma, beta, mean, variance)

    def branch(self, x: str) -> str:
        w = self.writer
        for kind in self.rng.choice(["linear", "bn", "mul", "add", "neg", "quant", "relu"], 3):
            match str(kind):
                case "linear":
                    x = self.linear(self.quantized(x, one_scale=True))
                case "bn":
                    x = self.normalized(x)
                case "mul":
                    factor = self.scale(*self.spread())
                    x = w.binary("Mul", x, factor * (0 if self.chance(0.05) else 1))
                case "add":
                    x = w.binary("Add", x, self.scale(*self.spread()))
                case "neg":
                    x = w.node("Neg", [x])
                case "quant":
                    x = self.quantized(x)
                case "relu":
                    x = w.node("Relu", [x])
        return x

    def repeated(self, x: str) -> str:
        """Return the mean of ``x`` along an axis: of size 1, to be repeated."""
        axis = 1 + int(self.rng.integers(len(self.shape)))
        return self.writer.node("ReduceMean", [self.quantized(x, one_scale=True)], axes=[axis])

    def quantized(self, x: str, *, one_scale: bool = False) -> str:
        spread = self.spread() if self.chance(0.2) and not one_scale else ()
        scale = abs(self.scale(*spread))
        bits = int(self.rng.integers(1, 6))
        return self.writer.quant(x, scale, 0.5 if self.chance(0.1) else 0, bits)

    def joined(self, x: str) -> str:
        w = self.writer
        y = self.branch(x)
        if self.chance(0.6):
            y = self.quantized(y)
        other = x if self.chance(0.3) else self.branch(x)
        if self.chance(0.2):
            other = self.repeated(other)
        kind = str(self.rng.choice(["Add", "Add", "Sub", "Mul"]))
        if kind == "Mul":
            y, other = (self.quantized(branch, one_scale=True) for branch in (y, other))
        y = w.node(kind, [y, other] if self.chance(0.7) else [other, y])
        if self.chance(0.3):
            y = w.node("Add", [self.quantized(self.branch(x)), y])
        for kind in self.rng.choice(["bn", "relu", "clip", "mul", "transpose", "none"], 2):
            match str(kind):
                case "bn":
                    y = self.normalized(y)
                case "relu":
                    y = w.node("Relu", [y])
                case "clip":
                    y = w.node("Clip", [y, w.constant(-1.5), w.constant(2.25)])
                case "mul":
                    y = w.binary("Mul", y, self.scale(*self.spread()))
                case "transpose":
                    y = w.node("Transpose", [y], perm=[0, *range(len(self.shape), 0, -1)])
                    self.shape = self.shape[::-1]
        return self.quantized(y)

    def compare(self, directory: Path) -> Network:
        raw = RawInput(IntType(-8, 7), (Fraction(1, 7),), (Fraction(1, 3),))
        x = "x"
        for _ in range(int(self.rng.integers(1, 3))):
            x = self.joined(x)
        data = self.rng.integers(-8, 8, (40, *self.input_shape))
        model = self.writer.model(x, *self.input_shape)
        network, _ = compare(model, directory, data, raw)
        return network


@pytest.mark.parametrize("block", range(8))
def test_random_residual_networks_are_taken_and_exact(block: int, tmp_path: Path) -> None:
    for seed in range(10 * block, 10 * block + 10):
        assert widest(Residual(seed).compare(tmp_path)) < 48


def quantized_sum(
    w: Writer, left: str, right: str, kind: str = "Add", scale: float = 1.0, bits: int = 3
) -> str:
    return w.quant(w.node(kind, [left, right], name="sum"), scale, bits=bits)


def test_normalizations_in_both_branches_meet_in_a_few_bits(tmp_path: Path) -> None:
    """Exact multipliers would take about a hundred bits: the factors are float64 numbers."""
    w = Writer()
    x = w.quant("x", bits=4)
    left, right = (
        w.batch_norm(w.matmul(x, integers(i, 3, 3), scale=0.3), *parameters(len(w.nodes)))
        for i in range(2)
    )
    model = w.model(w.matmul(quantized_sum(w, left, right), np.eye(3)), 3)
    network, _ = compare(model, tmp_path, integers(1, 400, 3), NIBBLE)
    assert widest(network) <= 10


@pytest.mark.parametrize("kind", ["Add", "Sub"])
@pytest.mark.parametrize("left_axis", [0, 1])
@pytest.mark.parametrize("right_axis", [0, 1, None])
@pytest.mark.parametrize("bias_axis", [0, 1])
def test_scales_and_biases_may_vary_along_any_axes(
    kind: str, left_axis: int, right_axis: int | None, bias_axis: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)

    def along(axis: int | None) -> Array:
        shape = [(3, 1), (1, 2)][axis] if axis is not None else (1, 1)
        return np.asarray(rng.normal(0, 1, shape), np.float32)

    w = Writer()
    left = w.binary("Mul", w.quant("x"), along(left_axis))
    right = w.binary("Mul", w.quant("x", 2.0, bits=3), along(right_axis))
    x = quantized_sum(w, left, w.binary("Add", right, along(bias_axis)), kind, 0.5)
    model = w.model(x, 3, 2)
    compare(model, tmp_path, integers(0, 200, 3, 2), NIBBLE)


def test_three_branches_become_one_sum(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    branches = [w.binary("Mul", w.quant(x, s, bits=3), s) for s in (0.7, 1.3, 2.1)]
    x = w.node("Add", [w.node("Add", branches[:2]), branches[2]])
    network, _ = compare(
        w.model(w.quant(x, 0.9), 2), tmp_path, np.indices((16, 16)).reshape(2, -1).T - 8, NIBBLE
    )
    (add,) = [node for node in network.graph.nodes if isinstance(node.op, Add)]
    assert len(add.inputs) == 3
    assert widest(network) <= 16


@pytest.mark.parametrize("kind", ["Add", "Sub"])
@pytest.mark.parametrize("factor", [None, -0.5, 2.0, 1.0])
def test_a_tensor_and_itself_are_one_branch(
    kind: str, factor: float | None, tmp_path: Path
) -> None:
    """Directly, or behind a product; their sum may be nothing at all."""
    w = Writer()
    x = w.quant("x", 0.3)
    other = x if factor is None else w.binary("Mul", x, factor)
    y = w.node("Add", [w.quant(w.node(kind, [x, other]), 0.5), w.quant(x, 0.7, bits=3)])
    compare(
        w.model(w.quant(y, 0.9), 2), tmp_path, np.arange(-8, 8).repeat(2).reshape(-1, 2), NIBBLE
    )


@pytest.mark.parametrize("kind", ["Add", "Sub"])
def test_a_branch_that_is_in_a_wide_sum_already_counts_twice(kind: str, tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.3)
    inner = w.node("Add", [w.batch_norm(x, *parameters(1, 2)), w.quant(x, 0.7734, bits=3)])
    y = w.quant(w.node(kind, [inner, x]), 0.4, bits=3)
    data = np.indices((16, 16)).reshape(2, -1).T - 8
    compare(w.model(w.matmul(y, np.eye(2)), 2), tmp_path, data, NIBBLE)


@pytest.mark.parametrize("reads_twice", [False, True])
def test_a_wide_sum_to_which_something_is_added_is_narrowed_with_it(
    reads_twice: bool, tmp_path: Path
) -> None:
    """Exact multipliers of the inner sum take 24 bits, those of the outer one as many more."""
    w = Writer()
    x = w.quant("x", 0.3, bits=4)
    inner = w.node("Add", [x, w.quant(x, 0.7734, bits=3)])
    outer = w.node("Add", [w.batch_norm(inner, *parameters(1, 2)), w.quant(x, 0.412, bits=2)])
    y = w.quant(outer, 0.4, bits=3)
    if reads_twice:
        y = w.quant(w.node("Add", [y, w.quant(inner, 0.9, bits=3)]), 0.8)
    data = np.indices((16, 16)).reshape(2, -1).T - 8
    network, _ = compare(w.model(w.matmul(y, np.eye(2)), 2), tmp_path, data, NIBBLE)
    assert widest(network) <= 12


@pytest.mark.parametrize("kind", ["Sum", "Mean"])
@pytest.mark.parametrize("is_wide", [False, True])
def test_a_sum_may_have_three_branches_itself(kind: str, is_wide: bool, tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.3, bits=4)
    branches = [x, w.quant(x, 0.77, bits=3), w.quant(x, 0.41, bits=2)]
    if is_wide:
        branches = [w.batch_norm(x, *parameters(i)) for i, x in enumerate(branches)]
    model = w.model(w.matmul(w.quant(w.node(kind, branches), 0.4, bits=3), np.eye(3)), 3)
    network, _ = compare(model, tmp_path, integers(0, 300, 3), NIBBLE)
    assert widest(network) <= 20


FUNCTIONS = [["Sigmoid"], ["LeakyRelu"], ["Sigmoid", "Mul"], ["Relu", "Tanh"], ["Mul", "Neg"]]


def behind(w: Writer, x: str, functions: list[str]) -> str:
    """Apply ``functions`` in turn; a product is one with ``x`` itself."""
    y = x
    for name in functions:
        y = w.node(name, [y] if name != "Mul" else [x, y])
    return y


@pytest.mark.parametrize("functions", FUNCTIONS)
def test_a_function_may_stand_behind_the_sum(functions: list[str], tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.3, bits=4)
    y = behind(w, w.node("Add", [w.quant(x, 0.77, bits=3), x]), functions)
    model = w.model(w.matmul(w.quant(y, 0.11, bits=4), np.eye(3)), 3)
    network, _ = compare(model, tmp_path, integers(0, 300, 3), NIBBLE)
    assert widest(network) <= 8


@pytest.mark.parametrize("functions", FUNCTIONS)
def test_a_function_may_stand_behind_a_sum_of_any_width(
    functions: list[str], tmp_path: Path
) -> None:
    """Also where it rises and falls: every sum that occurs is looked at."""
    w = Writer()
    left = w.batch_norm(w.quant("x", 1.5, bits=3), *parameters(1))
    right = w.batch_norm("x", *(parameters(2) * [[1], [1], [1], [0.01]]))
    y = behind(w, w.node("Add", [left, right]), functions)
    model = w.model(w.matmul(w.quant(y, 0.11, bits=5), np.eye(3)), 3)
    data = np.stack([np.arange(-128, 128)] * 3, axis=1)
    network, _ = compare(model, tmp_path, data, RawInput(IntType(-128, 127)))
    assert 4 <= widest(network) <= 16


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.0])
def test_branches_of_one_value_are_a_scale(factor: float, tmp_path: Path) -> None:
    """Also where their axes have another order, and where they cancel out."""
    w = Writer()
    x = w.quant("x", [0.3, 0.7])
    back = w.node("Transpose", [w.node("Transpose", [x], perm=[0, 2, 1])], perm=[0, 2, 1])
    x = quantized_sum(w, x, w.binary("Mul", back, factor))
    network, _ = compare(w.model(x, 3, 2), tmp_path, integers(0, 50, 3, 2), NIBBLE)
    assert not [node for node in network.graph.nodes if isinstance(node.op, Add)]


def test_a_branch_without_slope_is_a_bias(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", bits=4)
    constant = w.binary("Add", w.binary("Mul", w.matmul(x, np.eye(3)), 0.0), [0.3, -1.7, 2.0])
    x = w.matmul(quantized_sum(w, x, constant), np.eye(3))
    network, _ = compare(w.model(x, 3), tmp_path, integers(0, 60, 3), NIBBLE)
    assert not [node for node in network.graph.nodes if isinstance(node.op, Add)]


def test_zero_weights_make_a_branch_that_does_not_count(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", bits=4)
    right = w.batch_norm(w.matmul(x, np.zeros((3, 3))), *parameters(len(w.nodes)))
    x = quantized_sum(w, w.batch_norm(x, *parameters(len(w.nodes))), right)
    compare(w.model(w.matmul(x, np.eye(3)), 3), tmp_path, integers(0, 60, 3), NIBBLE)


def test_equal_scales_need_no_multipliers(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.3, bits=4)
    y = w.quant(w.matmul(x, integers(0, 3, 3)), 0.3, bits=4)
    x = w.matmul(quantized_sum(w, x, y), np.eye(3))
    network, _ = compare(w.model(x, 3), tmp_path, integers(0, 60, 3), NIBBLE)
    assert widest(network) == 1


def test_the_raw_input_may_be_a_branch(tmp_path: Path) -> None:
    w = Writer()
    y = w.batch_norm(w.matmul("x", integers(0, 3, 3)), *parameters(len(w.nodes)))
    model = w.model(w.matmul(quantized_sum(w, "x", y, bits=4), np.eye(3)), 3)
    raw = RawInput(IntType(0, 255), (Fraction(1, 255), Fraction(2, 255), Fraction(1, 3)))
    compare(model, tmp_path, integers(0, 300, 3, low=0, high=255), raw)


def test_clamps_affine_maps_and_reshapes_may_stand_behind_the_sum(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", bits=4)
    left, right = (w.batch_norm(w.quant(x, s), *parameters(len(w.nodes))) for s in (1.0, 1.5))
    x = w.node("Relu", [w.node("Add", [left, right])])
    x = w.reshape(w.binary("Mul", x, -0.7), [0, -1])
    x = w.binary("Add", w.node("Clip", [x, w.constant(-2.0), w.constant(-0.1)]), 0.3)
    x = w.matmul(w.quant(x, 0.3, bits=3), np.eye(6))
    compare(w.model(x, 3, 2), tmp_path, integers(0, 200, 3, 2), NIBBLE)


@pytest.mark.parametrize("kind", ["bipolar", "thresholds", "both", "channels"])
def test_any_quantizers_may_read_a_sum_of_any_width(kind: str, tmp_path: Path) -> None:
    w = Writer()
    x = sum_of_normalized(w)
    rows = [[-1.0, 0.5, 2.0], [-0.3, 0.0, 0.1], [0.0, 3.0, 4.0]]
    match kind:
        case "bipolar":
            x = w.bipolar(x)
        case "thresholds":
            x = w.multi_threshold(x, rows, layout="NCW")
        case "both":
            x = w.node(
                "Add",
                [w.bipolar(x, 0.3), w.quant(w.multi_threshold(x, rows, -0.7, layout="NCW"), 0.2)],
            )
            x = w.quant(x, 0.4)
        case "channels":
            x = w.quant(x, [[0.1], [0.7], [1.3]])
            x = w.quant(w.binary("Mul", x, [0.5, 2.0]), 0.9)
    data = integers(0, 300, 3, 2)
    compare(w.model(w.matmul(w.reshape(x, [0, -1]), np.eye(6)), 3, 2), tmp_path, data, NIBBLE)


def sum_of_normalized(w: Writer) -> str:
    x = w.quant("x", bits=4)
    left, right = (w.batch_norm(w.quant(x, s), *parameters(len(w.nodes))) for s in (1.0, 1.5))
    return w.node("Add", [left, right], name="sum")


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        ("none", r"^Add node 'sum': the scales of its branches meet in multipliers of \d+ bits, "),
        ("MatMul", r"and MatMul node 'fc' reads the sum itself; put a quantizer behind it"),
        ("Softmax", r"and the output reads the sum itself"),
    ],
)
def test_what_needs_the_wide_sum_itself_is_refused(
    reader: str, message: str, tmp_path: Path
) -> None:
    w = Writer()
    x = sum_of_normalized(w)
    match reader:
        case "MatMul":
            x = w.node("MatMul", [x, w.quant(w.constant(np.eye(3)))], name="fc")
        case "Softmax":
            x = w.node("Softmax", [x])
    with pytest.raises(ModelError, match=message):
        streamline(write(w.model(x, 3), tmp_path), NIBBLE)


def test_an_output_whose_numbers_vary_along_two_axes_is_refused(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    y = w.binary("Add", w.quant(x, bits=2), [[[0.5], [0.75], [1.0]]])
    model = w.model(w.node("Add", [w.binary("Mul", x, [0.5, 0.25]), y]), 3, 2)
    with pytest.raises(ModelError, match="the output's scales and biases vary along several"):
        streamline(write(model, tmp_path))


CLAMPS = [["Relu"], ["Clip"], ["Relu", "Mul"], ["Relu", "Clip"], ["Neg", "Relu", "Add"]]


def clamped(w: Writer, x: str, kinds: list[str], scale: Any) -> str:  # noqa: ANN401 - any
    for kind in kinds:
        match kind:
            case "Clip":
                x = w.clip(x, -1.3, 2.6)
            case "Mul":
                x = w.binary("Mul", x, scale)
            case "Add":
                x = w.binary("Add", x, scale)
            case _:
                x = w.node(kind, [x])
    return x


@pytest.mark.parametrize("kinds", CLAMPS)
@pytest.mark.parametrize("scale", [0.7, [0.3, -1.1], [0.0, 2.0]])
@pytest.mark.parametrize("is_both", [False, True])
def test_a_branch_may_be_clamped_without_a_quantizer(
    kinds: list[str],
    scale: Any,  # noqa: ANN401 - any
    is_both: bool,
    tmp_path: Path,
) -> None:
    """Of integers that a ReLU cuts off, what is left are integers, and one number beside them."""
    w = Writer()
    x = w.quant("x")
    left = w.binary("Add", w.binary("Mul", w.matmul(x, [[1, 1], [0, 0]]), scale), [0.4, -0.9])
    right = w.binary("Mul", w.matmul(x, [[0, 0], [1, 1]]), 0.45)
    left = clamped(w, left, kinds, scale)
    right = clamped(w, right, ["Clip"], 1) if is_both else right
    model = w.model(w.matmul(quantized_sum(w, left, right, "Sub", 0.8, bits=4), np.eye(2)), 2)
    data = np.indices((16, 16)).reshape(2, -1).T - 8
    network, _ = compare(model, tmp_path, data, NIBBLE)
    assert widest(network) < 32


def test_a_relu_on_integers_without_offset_adds_one_value(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.3, bits=4)
    y = w.node("Relu", [w.matmul(x, integers(0, 3, 3))])
    x = w.matmul(quantized_sum(w, x, y), np.eye(3))
    network, _ = compare(w.model(x, 3), tmp_path, integers(0, 60, 3), NIBBLE)
    (add,) = [node for node in network.graph.nodes if isinstance(node.op, Add)]
    assert len(add.inputs) == 2


def test_a_clamp_that_no_integer_reaches_is_none(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", bits=4)
    y = w.clip(w.binary("Mul", w.matmul(x, integers(0, 3, 3)), [0.0, 1.0, 0.01]), 20.0, 20.5)
    x = w.matmul(quantized_sum(w, x, w.binary("Add", y, -20.0)), np.eye(3))
    compare(w.model(x, 3), tmp_path, integers(0, 60, 3), NIBBLE)


def test_clamped_numbers_may_differ_along_the_image(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    y = w.node("Relu", [w.binary("Add", x, [[[0.5, -1.5], [0.75, 0.25]]])])
    model = w.model(quantized_sum(w, y, w.quant(x, bits=2)), 3, 2, 2)
    compare(model, tmp_path, integers(0, 60, 3, 2, 2), NIBBLE)


PIECES = [["LeakyRelu"], ["PRelu"], ["Abs"], ["Relu", "minus"], ["Relu6", "LeakyRelu"], ["Max"]]


@pytest.mark.parametrize("kinds", PIECES)
def test_a_function_of_straight_pieces_may_be_a_branch(kinds: list[str], tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    left = w.binary("Add", w.binary("Mul", w.matmul(x, [[1, 1], [0, 0]]), [0.7, -0.4]), 0.3)
    right = w.binary("Mul", w.matmul(x, [[0, 0], [1, 1]]), 0.45)
    for kind in kinds:
        match kind:
            case "PRelu":
                left = w.node(kind, [left, w.constant([0.25, -0.5])])
            case "LeakyRelu":
                left = w.node(kind, [left], alpha=0.1)
            case "Relu6":
                left = w.clip(left, 0, 6)
            case "minus":
                left = w.node("Sub", [left, w.binary("Mul", x, 0.5)])
            case "Max":
                left = w.node(kind, [left, w.constant([0.5, -1.0])])
            case _:
                left = w.node(kind, [left])
    model = w.model(w.matmul(quantized_sum(w, right, left, "Add", 0.8, bits=4), np.eye(2)), 2)
    data = np.indices((16, 16)).reshape(2, -1).T - 8
    compare(model, tmp_path, data, NIBBLE)
