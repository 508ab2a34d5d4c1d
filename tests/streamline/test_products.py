"""Products of two results, element by element: scales, offsets and shapes, against the oracle."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from lutloom.core.ops import Add, Multiply, Upsample
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
PAIRS = np.indices((16, 16)).reshape(2, -1).T - 8


def operators(network: Network) -> list[str]:
    return [node.op.name for node in network.graph.nodes]


def halves(w: Writer) -> tuple[str, str]:
    """Return two values that are no functions of one another: ``x[0]`` and ``x[1]``, twice each."""
    x = w.quant("x")
    return w.matmul(x, np.array([[1, 1], [0, 0]])), w.matmul(x, np.array([[0, 0], [1, 1]]))


def compare_product(w: Writer, left: str, right: str, directory: Path) -> Network:
    x = w.quant(w.node("Mul", [left, right], name="product"), [[0.7, 1.9]], bits=5)
    network, _ = compare(w.model(w.matmul(x, np.eye(2)), 2), directory, PAIRS, NIBBLE)
    return network


def test_scales_multiply(tmp_path: Path) -> None:
    w = Writer()
    left, right = halves(w)
    left = w.quant(left, 0.37, bits=3)
    network = compare_product(w, left, w.quant(right, [[0.5, 1.3]]), tmp_path)
    assert operators(network).count("multiply") == 1
    assert "add" not in operators(network)


@pytest.mark.parametrize("factor", [0.0, -1.5, [0.0, -1.0], [[-0.3, 2.0]]])
def test_scales_may_be_zero_or_negative(factor: Any, tmp_path: Path) -> None:  # noqa: ANN401 - any
    w = Writer()
    left, right = halves(w)
    compare_product(w, w.binary("Mul", left, factor), right, tmp_path)


@pytest.mark.parametrize("is_both", [False, True])
def test_zero_points_are_shifted_into_the_integers(is_both: bool, tmp_path: Path) -> None:
    w = Writer()
    left, right = halves(w)
    left = w.quant(left, 0.5, 5, bits=4, signed=False)
    if is_both:
        right = w.quant(right, 0.3, -2, bits=3)
    network = compare_product(w, left, right, tmp_path)
    assert operators(network).count("requantize") == 1 + is_both
    assert "add" not in operators(network)


@pytest.mark.parametrize("offset", [0.3, [0.5, -0.7], [0.0, 1.5]])
@pytest.mark.parametrize("is_both", [False, True])
def test_other_offsets_make_a_sum_of_products(
    offset: Any,  # noqa: ANN401 - any
    is_both: bool,
    tmp_path: Path,
) -> None:
    w = Writer()
    left, right = halves(w)
    left = w.binary("Add", w.quant(left, 0.4, bits=3), offset)
    if is_both:
        right = w.binary("Add", right, 0.1)
    network = compare_product(w, left, right, tmp_path)
    assert operators(network).count("multiply") == 1


def test_a_factor_without_slope_is_a_constant(tmp_path: Path) -> None:
    w = Writer()
    left, right = halves(w)
    constant = w.binary("Add", w.binary("Mul", left, 0.0), [0.3, -1.7])
    compare_product(w, constant, w.binary("Add", right, 0.25), tmp_path)


def test_a_square_is_a_function_of_one_value(tmp_path: Path) -> None:
    w = Writer()
    left, _ = halves(w)
    network = compare_product(w, left, left, tmp_path)
    assert "multiply" not in operators(network)


def test_a_product_may_be_one_branch_of_a_sum(tmp_path: Path) -> None:
    w = Writer()
    left, right = halves(w)
    left, right = w.quant(left, 0.3), w.quant(right, 0.7, bits=3)
    y = w.node("Add", [w.node("Mul", [left, right]), w.node("Sub", [left, right])])
    x = w.quant(y, 0.9)
    network, _ = compare(w.model(w.matmul(x, np.eye(2)), 2), tmp_path, PAIRS, NIBBLE)
    assert len([node for node in network.graph.nodes if isinstance(node.op, Add)]) <= 2


def test_products_of_products_are_products(tmp_path: Path) -> None:
    w = Writer()
    left, right = halves(w)
    left, right = w.quant(left, 0.3, bits=3), w.quant(right, 0.7, bits=3)
    y = w.node("Mul", [w.node("Mul", [left, right]), right])
    network = compare_product(w, y, left, tmp_path)
    assert operators(network).count("multiply") == 3


SHAPES = [
    ((3, 1, 1), (3, 2, 2)),
    ((1, 2, 2), (3, 2, 2)),
    ((3, 1, 1), (1, 2, 2)),
    ((3, 2, 1), (3, 1, 2)),
    ((1, 1, 1), (3, 2, 2)),
]


def pooled(w: Writer, x: str, shape: tuple[int, ...], whole: tuple[int, ...]) -> str:
    """Return sums of ``x [N, *whole]`` that have the ``shape``."""
    axes = [axis for axis, (a, b) in enumerate(zip(shape, whole, strict=True), 1) if a != b]
    if not axes:
        return x
    return w.node("ReduceSum", [x, w.constant(axes, np.int64)], keepdims=1)


@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize("kind", ["Mul", "Add", "Sub"])
@pytest.mark.parametrize("is_image", [False, True])
def test_shapes_broadcast(
    kind: str,
    left: tuple[int, ...],
    right: tuple[int, ...],
    is_turned: bool,
    is_image: bool,
    tmp_path: Path,
) -> None:
    """Channels-first in the model; behind a convolution the value is channels-last."""
    w = Writer()
    x = w.quant("x", bits=4)
    if is_image:
        weights = np.random.default_rng(0).integers(-2, 3, (3, 3, 1, 1))
        x = w.node("Conv", [x, w.quant(w.constant(weights))])
    branches = [
        w.quant(pooled(w, x, left, (3, 2, 2)), np.array([[[0.9]], [[1.1]], [[0.5]]])[: left[0]]),
        w.quant(pooled(w, x, right, (3, 2, 2)), 1.7, bits=3),
    ]
    y = w.node(kind, branches[::-1] if is_turned else branches)
    scale = np.array([[[0.5]], [[1.5]], [[1.0]]])
    model = w.model(w.quant(y, scale, bits=4), 3, 2, 2)
    data = np.random.default_rng(1).integers(-8, 8, (120, 3, 2, 2))
    network, _ = compare(model, tmp_path, data, NIBBLE)
    repeats = [node for node in network.graph.nodes if isinstance(node.op, Upsample)]
    assert len(repeats) == (left != (3, 2, 2)) + (right != (3, 2, 2))


def test_a_squeeze_and_excite_block_gates_its_channels(tmp_path: Path) -> None:
    w = Writer()
    rng = np.random.default_rng(3)
    weights = rng.integers(-3, 4, (4, 2, 1, 1))
    x = w.quant(w.node("Conv", [w.quant("x"), w.quant(w.constant(weights), 0.25)]), 0.5)
    y = w.quant(w.node("GlobalAveragePool", [x]), 0.25)
    y = w.node("Conv", [y, w.quant(w.constant(rng.integers(-3, 4, (4, 4, 1, 1))), 0.5)])
    gate = w.quant(w.node("HardSigmoid", [y]), 1 / 8, bits=3, signed=False)
    z = w.quant(w.node("Mul", [x, gate]), 0.3)
    data = rng.integers(-8, 8, (100, 2, 3, 3))
    network, _ = compare(w.model(z, 2, 3, 3), tmp_path, data, NIBBLE)
    assert operators(network).count("multiply") == 1
    assert "permute" not in operators(network)


@pytest.mark.parametrize("kind", ["Mul", "Add"])
def test_a_smaller_rank_is_that_of_an_image(kind: str, tmp_path: Path) -> None:
    def model(batch: int | str) -> Any:  # noqa: ANN401 - a model
        w = Writer()
        x = w.quant("x")
        row = w.reshape(pooled(w, x, (1, 1, 2), (3, 2, 2)), [0, -1])
        y = w.quant(w.node(kind, [w.quant(row, 2.0), x], name="m"), 3.0)
        return w.model(y, 3, 2, 2, batch=batch)

    data = np.random.default_rng(1).integers(-8, 8, (60, 3, 2, 2))
    compare(model(1), tmp_path, data, NIBBLE)
    with pytest.raises(ModelError, match=r"'m' combines tensors .* mixes images of a batch"):
        streamline(write(model("N"), tmp_path), NIBBLE)


@pytest.mark.parametrize("kind", ["Mul", "Add"])
def test_numbers_of_their_own_for_too_many_elements_are_refused(kind: str, tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    left = w.quant(x, np.linspace(0.5, 2, 64)[:, np.newaxis])
    right = w.quant(x, np.linspace(0.5, 2, 8192)[np.newaxis], bits=3)
    model = w.model(w.quant(w.node(kind, [left, right], name="m")), 64, 8192)
    with pytest.raises(ModelError, match=r"'m': scales and biases there vary along several"):
        streamline(write(model, tmp_path), NIBBLE)


def test_shapes_that_do_not_broadcast_are_refused(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    model = w.model(w.node("Mul", [x, w.matmul(x, np.ones((3, 2)))], name="m"), 3)
    with pytest.raises(ModelError, match=r"'m' combines tensors of the shapes \['N', 3\] and"):
        streamline(write(model, tmp_path), NIBBLE)


@pytest.mark.parametrize("shift", [0.0, 1.0, -3.0])
def test_a_relu_on_integers_makes_integers(shift: float, tmp_path: Path) -> None:
    w = Writer()
    left, right = halves(w)
    left = w.node("Relu", [w.binary("Add", w.quant(left, 0.5), shift)])
    network = compare_product(w, left, right, tmp_path)
    assert operators(network).count("multiply") == 1


@pytest.mark.parametrize("function", ["Sigmoid", "HardSigmoid", "LeakyRelu", "Tanh"])
def test_a_gate_without_quantizer_is_refused(function: str, tmp_path: Path) -> None:
    w = Writer()
    left, right = halves(w)
    gate = w.node(function, [w.binary("Add", right, 0.3)], name="gate")
    model = w.model(w.quant(w.node("Mul", [left, gate], name="product")), 2)
    message = (
        rf"^Mul node 'product' multiplies two results, and {function} node 'gate' before it makes"
        " one of them that is not quantized; put a quantizer behind it, so that integers meet$"
    )
    with pytest.raises(ModelError, match=message):
        streamline(write(model, tmp_path), NIBBLE)


def test_a_product_may_be_the_output(tmp_path: Path) -> None:
    w = Writer()
    left, right = halves(w)
    model = w.model(w.node("Mul", [w.quant(left, 0.5), w.quant(right, 0.25)]), 2)
    network, _ = compare(model, tmp_path, PAIRS, NIBBLE)
    assert isinstance(network.graph.producers[network.output_value].op, Multiply)
    assert network.meaning[network.output_value].scale == (Fraction(1, 8),)
