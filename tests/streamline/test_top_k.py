"""Indices of the largest and the smallest, of channels with scales of their own."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.ops import Requantize, TopK
from lutloom.core.types import IntType
from lutloom.sim.reference import run
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from lutloom.core.network import Network

NIBBLE = RawInput(IntType(-8, 7))
SCALES: dict[str, Any] = {
    "one": 0.3,
    "negative": -0.3,
    "powers of two": [[0.5, 2.0, 0.25, 1.0]],
    "any": [[0.1, 0.2, 0.3, 0.7]],
    "signed": [[0.1, -0.2, 0.3, -0.7]],
    "zero among them": [[0.1, 0.0, 0.3, 0.0]],
    "zero": 0.0,
}
BIASES: dict[str, Any] = {"none": 0.0, "shared": 0.1, "own": [[0.3, -1.7, 0.3, 2.0]]}


def integers(seed: int, *shape: int) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(-8, 7, shape, endpoint=True)


def scaled(w: Writer, x: str, scales: ArrayLike, biases: ArrayLike) -> str:
    return w.binary("Add", w.binary("Mul", x, scales), biases)


def on_integers(network: Network) -> bool:
    return any(isinstance(node.op, TopK) for node in network.graph.nodes)


def top_k(w: Writer, x: str, k: int, **attributes: Any) -> str:  # noqa: ANN401 - ONNX's
    w.node("TopK", [x, w.constant([k], np.int64)], outputs=["v", "i"], name="top", **attributes)
    return "i"


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("choice", ["ArgMax", "ArgMin", "last ArgMax", "last ArgMin", "top", "low"])
def test_channels_are_compared_as_reals(
    scales: str, biases: str, choice: str, tmp_path: Path
) -> None:
    w = Writer()
    # Sums of few values: ties of integers abound, and those of reals at zero.
    x = w.matmul(w.quant("x", bits=2), [[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]])
    x = scaled(w, x, SCALES[scales], BIASES[biases])
    if choice in ("top", "low"):
        x = top_k(w, x, 3, largest=int(choice == "top"), axis=1)
    else:
        x = w.node(
            choice.rsplit(maxsplit=1)[-1], [x], axis=1, select_last_index=int("last" in choice)
        )
    network, _ = compare(w.model(x, 3), tmp_path, integers(0, 150, 3), NIBBLE)
    assert on_integers(network)
    needs_product = any(isinstance(node.op, Requantize) for node in network.graph.nodes)
    rising = {"one": ("ArgMax", "top"), "negative": ("ArgMin", "low")}
    is_plain = biases in ("none", "shared") and choice in rising.get(scales, ())
    assert needs_product != is_plain


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("along", [0, 1, None])
def test_any_axis_may_be_searched(axis: int, k: int, along: int | None, tmp_path: Path) -> None:
    w = Writer()
    shape = {0: (3, 1), 1: (1, 2), None: (1, 1)}[along]
    scales = np.random.default_rng(1).uniform(0.1, 1, shape)
    x = top_k(w, scaled(w, w.quant("x", bits=3), scales, 0.25), k, axis=axis)
    network, _ = compare(w.model(x, 3, 2), tmp_path, integers(0, 150, 3, 2), NIBBLE)
    assert on_integers(network)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_an_axis_in_the_middle_may_be_dropped(keepdims: int, tmp_path: Path) -> None:
    w = Writer()
    x = w.node("ArgMax", [w.quant("x", bits=2)], axis=2, keepdims=keepdims)
    network, _ = compare(w.model(x, 2, 3, 2), tmp_path, integers(0, 60, 2, 3, 2), NIBBLE)
    assert on_integers(network)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize(
    "functions", [["Softmax"], ["LogSoftmax"], ["Sigmoid"], ["Tanh", "Exp", "Softmax"]]
)
def test_functions_that_increase_change_no_index(
    functions: list[str], opset: int, tmp_path: Path
) -> None:
    """A float32 sigmoid of 90 and one of 100 are both 1; the reals are not."""
    w = Writer(opset=opset)
    x = w.matmul("x", [[9, 8, 7], [1, 9, 9]], bits=8)
    x = scaled(w, x, [[1.5, 1.25, 2.0]], 0.1)
    for name in functions:
        x = w.node(name, [x], axis=1) if "max" in name else w.node(name, [x])
    x = w.node("ArgMax", [x], axis=1)
    data = integers(0, 100, 2)
    network = streamline(write(w.model(x, 2), tmp_path), NIBBLE)
    assert on_integers(network)
    assert not network.output.tail
    values = run(network.graph, {network.input_value: network.encode(data)})
    found = network.decode(values[network.output_value]).reshape(-1)
    exact = (data @ [[9, 8, 7], [1, 9, 9]]) * [1.5, 1.25, 2.0]
    assert found.tolist() == exact.argmax(axis=1).tolist()


def test_a_softmax_along_another_axis_changes_the_order(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Softmax", [w.quant("x", bits=3)], axis=1)
    network = streamline(write(w.model(w.node("ArgMax", [x], axis=2), 3, 2), tmp_path), NIBBLE)
    assert not on_integers(network)


CLIPS = list(product([None, -9.0, -2.05, -0.5, 0.0, 0.25, 1.2, 90.0], repeat=2))


@pytest.mark.parametrize("factor", [0.3, -0.3, 0.0])
@pytest.mark.parametrize("choice", ["top", "low", "last ArgMax"])
def test_clamped_channels_are_compared_as_reals(factor: float, choice: str, tmp_path: Path) -> None:
    """Whatever lies behind a bound is a tie; bounds that meet leave one number."""
    for low, high in CLIPS:
        if low is not None and high is not None and low > high:
            continue
        w = Writer()
        x = w.matmul(w.quant("x", bits=2), [[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]])
        x = w.clip(scaled(w, x, factor, 0.1), low, high)
        if choice == "last ArgMax":
            x = w.node("ArgMax", [x], axis=1, select_last_index=1)
        else:
            x = top_k(w, x, 4, largest=int(choice == "top"))
        network, _ = compare(
            w.model(x, 3), tmp_path, np.indices((4, 4, 4)).reshape(3, -1).T - 2, NIBBLE
        )
        assert on_integers(network)


def test_clamped_channels_with_scales_of_their_own_are_compared_by_the_host(
    tmp_path: Path,
) -> None:
    w = Writer()
    x = w.node("Relu", [scaled(w, w.matmul("x", np.eye(3)), [[0.5, 0.25, 2.0]], 0.5)])
    network, _ = compare(
        w.model(top_k(w, x, 2, largest=0), 3), tmp_path, integers(0, 100, 3), NIBBLE
    )
    assert not on_integers(network)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda w, x: top_k(w, x, 2, sorted=0), r"^TopK node 'top' gives its 2 values in no order"),
        (
            lambda w, x: w.node(
                "ArgMax",
                [w.node("Relu", [w.binary("Mul", x, [[1, 2, 3, 4]])])],
                axis=1,
                select_last_index=1,
            ),
            r"takes the last of equal values, which the host does not",
        ),
        (
            lambda w, x: w.quant(top_k(w, x, 2) and "v"),
            r"^TopK node 'top': its values are used; end the model before it",
        ),
    ],
)
def test_what_has_no_indices_is_refused(make: Any, message: str, tmp_path: Path) -> None:  # noqa: ANN401
    w = Writer()
    model = w.model(make(w, w.matmul("x", integers(0, 3, 4))), 3)
    with pytest.raises(ModelError, match=message):
        streamline(write(model, tmp_path), NIBBLE)


def test_one_value_in_no_order_is_in_order(tmp_path: Path) -> None:
    w = Writer()
    x = top_k(w, w.matmul("x", integers(0, 3, 4)), 1, sorted=0)
    network, _ = compare(w.model(x, 3), tmp_path, integers(0, 50, 3), NIBBLE)
    assert on_integers(network)
