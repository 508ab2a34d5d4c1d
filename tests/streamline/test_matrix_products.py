"""Matrix products of two results, as attention has them, against the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from lutloom.core.types import IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]

NIBBLE = RawInput(IntType(-8, 7))
LENGTH, HEADS, SIZE = 3, 2, 2
WIDTH = HEADS * SIZE


def data(count: int, *shape: int) -> Array:
    return np.random.default_rng(0).integers(-8, 8, (count, *shape))


def products(network: Network) -> int:
    return [node.op.name for node in network.graph.nodes].count("matmul")


def factors(w: Writer, scale: Any = 0.7, zero: float = 0) -> tuple[str, str]:  # noqa: ANN401 - any
    """Return two matrices [3, 3] of numbers of the input."""
    x = w.quant("x")
    left = w.quant(w.matmul(x, [[1, 2, 0], [0, 1, -1], [1, 0, 1]]), scale, zero, bits=3)
    right = w.quant(w.matmul(x, [[0, 1, 1], [-1, 0, 2], [1, 1, 0]]), 1.1, bits=3)
    return left, right


def compare_product(w: Writer, left: str, right: str, directory: Path) -> Network:
    y = w.quant(w.node("MatMul", [left, right], name="product"), 3.3)
    return compare(w.model(w.matmul(y, np.eye(3)), 3, 3), directory, data(200, 3, 3), NIBBLE)[0]


def test_scales_multiply(tmp_path: Path) -> None:
    w = Writer()
    network = compare_product(w, *factors(w), tmp_path)
    assert products(network) == 1
    assert "add" not in [node.op.name for node in network.graph.nodes]


def test_a_scale_may_vary_along_what_stays(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w)
    left = w.binary("Mul", left, [[0.5], [-1.0], [0.0]])
    compare_product(w, left, w.binary("Mul", right, [0.3, 1.7, -0.2]), tmp_path)


def test_a_zero_point_is_shifted_into_the_integers(tmp_path: Path) -> None:
    w = Writer()
    network = compare_product(w, *factors(w, zero=3), tmp_path)
    assert [node.op.name for node in network.graph.nodes].count("requantize") == 1


def test_a_zero_point_may_be_scaled_along_what_stays(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w, zero=3)
    compare_product(w, w.binary("Mul", left, [[0.5], [-1.0], [1.7]]), right, tmp_path)


def test_a_matrix_may_meet_its_own_transpose(tmp_path: Path) -> None:
    w = Writer()
    left, _ = factors(w)
    compare_product(w, left, w.node("Transpose", [left], perm=[0, 2, 1]), tmp_path)


def heads(w: Writer, x: str, *, is_key: bool, style: str) -> str:
    """Split ``x [N, length, heads * size]`` into ``[N, heads, length, size]``, or its transpose."""
    x = w.reshape(x, [0, LENGTH, HEADS, SIZE] if style != "open" else [0, -1, HEADS, SIZE])
    if not is_key:
        return w.node("Transpose", [x], perm=[0, 2, 1, 3])
    if style == "at once":
        return w.node("Transpose", [x], perm=[0, 2, 3, 1])
    x = w.node("Transpose", [x], perm=[0, 2, 1, 3])
    return w.node("Transpose", [x], perm=[0, 1, 3, 2])


def attention(w: Writer, style: str, *, quantizes_late: bool = False) -> ModelProto:
    """Return a block of ReLU attention with two heads."""
    rng = np.random.default_rng(2)
    x = w.quant("x", 0.5)
    parts = []
    for scale in (0.25, 0.37, 0.5):
        part = w.matmul(x, rng.integers(-3, 4, (WIDTH, WIDTH)), scale=0.3)
        parts.append(part if quantizes_late else w.quant(part, scale))
    query, key, value = (
        heads(w, part, is_key=place == 1, style=style) for place, part in enumerate(parts)
    )
    if quantizes_late:
        query, key, value = (w.quant(part, 0.4) for part in (query, key, value))
    scores = w.binary("Div", w.node("MatMul", [query, key]), np.float32(np.sqrt(SIZE)))
    weights = w.quant(w.node("Relu", [scores]), 0.4, bits=3, signed=False)
    y = w.quant(w.node("MatMul", [weights, value]), 0.6)
    y = w.reshape(w.node("Transpose", [y], perm=[0, 2, 1, 3]), [0, LENGTH, WIDTH])
    y = w.quant(w.matmul(y, rng.integers(-3, 4, (WIDTH, WIDTH)), scale=0.2), 0.7)
    return w.model(w.quant(w.node("Add", [y, x]), 0.9), LENGTH, WIDTH)


@pytest.mark.parametrize("style", ["at once", "in turn", "open"])
@pytest.mark.parametrize("quantizes_late", [False, True])
def test_an_attention_block_of_two_heads_is_exact(
    style: str, quantizes_late: bool, tmp_path: Path
) -> None:
    model = attention(Writer(), style, quantizes_late=quantizes_late)
    network, _ = compare(model, tmp_path, data(60, LENGTH, WIDTH), NIBBLE)
    assert products(network) == 2


def test_leading_axes_broadcast(tmp_path: Path) -> None:
    """One key for all heads, as in multi-query attention."""
    w = Writer()
    x = w.quant("x")
    one = w.node("ReduceSum", [x, w.constant([1], np.int64)], keepdims=1)
    one = w.node("Transpose", [w.quant(one, 2.0)], perm=[0, 1, 3, 2])
    y = w.quant(w.node("MatMul", [x, one]), 5.0)
    network, _ = compare(w.model(y, 2, 3, 2), tmp_path, data(80, 2, 3, 2), NIBBLE)
    assert products(network) == 1


def test_a_relu_on_integers_makes_integers(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w)
    compare_product(w, w.node("Relu", [left]), right, tmp_path)


def refused(w: Writer, left: str, right: str, directory: Path) -> str:
    model = w.model(w.quant(w.node("MatMul", [left, right], name="product")), 3, 3)
    with pytest.raises(ModelError) as error:
        streamline(write(model, directory), NIBBLE)
    return str(error.value).removeprefix("MatMul node 'product'")


def test_a_softmax_in_between_is_refused_with_what_stands_in_its_place(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w)
    message = refused(w, w.quant(w.node("Softmax", [left]), 0.1), right, tmp_path)
    assert "Softmax node 'Softmax_" in message
    assert message.endswith(
        "train with a ReLU and a quantizer in its place (ReLU attention), or leave the node out"
    )


def test_factors_that_are_no_integers_are_refused(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w)
    left = w.node("Relu", [w.binary("Add", left, 0.3)], name="act")
    message = refused(w, left, right, tmp_path)
    assert message.startswith(" multiplies floats: Relu node 'act' before it is not followed by")


def test_a_scale_along_the_sum_is_refused(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w, scale=[0.3, 0.5, 0.7])
    assert ": the scale of a factor varies along the dimension of the sum" in refused(
        w, left, right, tmp_path
    )


def test_an_offset_that_is_no_integer_is_refused(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w)
    message = refused(w, left, w.binary("Add", right, 0.25), tmp_path)
    assert message.endswith("its scale; put a quantizer behind the bias")


def test_matrices_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w)
    narrow = w.quant(w.matmul(left, np.ones((3, 2))))
    assert "['N', 3, 2] and ['N', 3, 3]; they should be" in refused(w, narrow, right, tmp_path)


def test_a_product_with_the_batch_is_refused(tmp_path: Path) -> None:
    w = Writer()
    left, right = factors(w)
    row = w.quant(w.node("ReduceSum", [right, w.constant([1], np.int64)], keepdims=0))
    assert "which mixes images of a batch" in refused(w, left, row, tmp_path)
