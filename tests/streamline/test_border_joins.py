"""Branches that meet at the border of an image, and sums that are averaged before a quantizer."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from lutloom.core.ops import Add, BorderThreshold, SumPool
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

SHAPE = (2, 5, 6)
RAW = RawInput(IntType(-8, 7))


def data(count: int = 40, shape: tuple[int, ...] = SHAPE) -> Array:
    return np.random.default_rng(0).integers(-8, 8, (count, *shape))


def padded(w: Writer, x: str, seed: int, size: int = 3, channels: int = 2) -> str:
    """Return a padded layer of ``x``, whose levels have their zero between two of them."""
    rng = np.random.default_rng(seed)
    x = w.quant(x, 0.5, 2.5, bits=3, signed=False)
    weights = w.quant(w.constant(rng.integers(-7, 8, (channels, channels, size, size))), 0.25)
    return w.node("Conv", [x, weights], pads=[size // 2] * 4)


def normalized(w: Writer, x: str, seed: int, channels: int = 2) -> str:
    return w.batch_norm(x, *np.random.default_rng(seed).uniform(0.1, 1, (4, channels)))


def operators(network: Network, kind: type) -> list[Any]:
    return [node.op for node in network.graph.nodes if isinstance(node.op, kind)]


def residual(
    kind: str, *, is_wide: bool, is_both: bool = False, shape: tuple[int, ...] = SHAPE
) -> ModelProto:
    """Return a sum of which one branch differs along the border, or both in their own way."""
    w = Writer()
    channels = shape[0]
    x = w.quant("x")
    left = padded(w, x, 1, channels=channels)
    right = padded(w, x, 2, size=5, channels=channels) if is_both else x
    if is_wide:
        left, right = (normalized(w, branch, i, channels) for i, branch in enumerate((left, right)))
    y = w.node(kind, [left, right], name="join")
    return w.model(w.quant(w.node("Relu", [y]), 0.7, bits=3, signed=False), *shape)


@pytest.mark.parametrize("kind", ["Add", "Sub"])
@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("is_both", [False, True])
def test_borders_of_both_branches_are_classes_of_the_sum(
    kind: str, is_wide: bool, is_both: bool, tmp_path: Path
) -> None:
    network, _ = compare(residual(kind, is_wide=is_wide, is_both=is_both), tmp_path, data(), RAW)
    (border,) = operators(network, BorderThreshold)
    assert border.base.shape[:2] == ((5, 5) if is_both else (3, 3))
    (add,) = operators(network, Add)
    assert add.multipliers.hi < 2**32


@pytest.mark.parametrize("is_wide", [False, True])
def test_a_large_image_costs_what_a_small_one_does(is_wide: bool, tmp_path: Path) -> None:
    """Half a million elements: more than could have thresholds of their own."""
    path = write(residual("Add", is_wide=is_wide, shape=(8, 256, 256)), tmp_path)
    start = process_time()
    (border,) = operators(streamline(path, RAW), BorderThreshold)
    assert border.base.shape[:2] == (3, 3)
    assert process_time() - start < 5


@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("function", ["Sigmoid", "LeakyRelu"])
def test_a_function_may_stand_between_such_a_sum_and_its_quantizer(
    function: str, is_wide: bool, tmp_path: Path
) -> None:
    w = Writer()
    x = w.quant("x")
    left, right = padded(w, x, 1), x
    if is_wide:
        left, right = normalized(w, left, 0), normalized(w, right, 1)
    y = w.node(function, [w.node("Add", [left, right])])
    model = w.model(w.quant(y, 0.11, bits=3), *SHAPE)
    network, _ = compare(model, tmp_path, data(), RAW)
    assert operators(network, BorderThreshold)


def test_a_product_with_offsets_that_differ_by_place_is_a_sum_by_element(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    y = w.quant(w.node("Mul", [padded(w, x, 1), x]), 3.0)
    compare(w.model(y, *SHAPE), tmp_path, data(), RAW)


def test_scales_that_differ_by_place_meet_element_by_element(tmp_path: Path) -> None:
    """A mean of fewer pixels at the border, without a quantizer behind it."""
    w = Writer()
    x = w.quant("x")
    mean = w.node("AveragePool", [x], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    compare(w.model(w.quant(w.node("Add", [x, mean]), 0.7), *SHAPE), tmp_path, data(), RAW)


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "AveragePool", "ReduceMean"])
@pytest.mark.parametrize("is_wide", [False, True])
def test_a_sum_may_be_averaged_before_its_quantizer(
    kind: str, is_wide: bool, tmp_path: Path
) -> None:
    """Its branches are averaged, since their multipliers are wide; then they are narrow."""
    w = Writer()
    x = w.quant("x")
    left, right = w.quant(x, 0.77, bits=3), x
    if is_wide:
        left, right = normalized(w, left, 0), normalized(w, right, 1)
    y = w.node("Add", [left, right], name="join")
    match kind:
        case "AveragePool":
            y = w.node(kind, [y], kernel_shape=[2, 3], pads=[1, 1, 0, 1])
        case "ReduceMean":
            y = w.node(kind, [y], axes=[2, 3])
        case _:
            y = w.node(kind, [y])
    network, _ = compare(w.model(w.quant(y, 0.13, bits=5), *SHAPE), tmp_path, data(), RAW)
    assert len(operators(network, SumPool)) == 2
    (add,) = operators(network, Add)
    assert add.multipliers.hi < 2**14


def test_a_sum_of_one_scale_is_averaged_itself(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.5, bits=4)
    y = w.node("GlobalAveragePool", [w.node("Add", [x, w.quant(padded(w, x, 1), 0.5, bits=4)])])
    network, _ = compare(w.model(w.quant(y, 0.25), *SHAPE), tmp_path, data(), RAW)
    assert len(operators(network, SumPool)) == 1


def test_pixels_whose_scales_differ_are_not_averaged_as_a_sum(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x")
    left = w.binary("Mul", x, np.random.default_rng(0).normal(0, 1, (5, 6)))
    y = w.node("Add", [left, w.quant(x, bits=2)], name="join")
    model = w.model(w.quant(w.node("GlobalAveragePool", [y])), *SHAPE)
    with pytest.raises(ModelError, match=r"and GlobalAveragePool .* reads the sum itself"):
        streamline(write(model, tmp_path), RAW)


@pytest.mark.parametrize("axis", [1, 3])
def test_a_quantizer_behind_a_concatenation_narrows_its_sums(axis: int, tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.3)
    sums = [w.node("Add", [x, w.quant(x, scale, bits=3)]) for scale in (0.7712, 0.4133)]
    y = w.quant(w.node("Concat", [*sums, x], axis=axis), 0.9, bits=3)
    network, _ = compare(w.model(y, *SHAPE), tmp_path, data(), RAW)
    adds = operators(network, Add)
    assert len(adds) == 2
    assert max(add.multipliers.hi for add in adds) < 2**6
