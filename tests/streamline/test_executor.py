"""Source models run as they are: in any batch, opset and domain, with every tensor kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute, prepare
from lutloom.streamline.pipeline import streamline
from tests.models import Writer, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from onnx import ModelProto


def network(
    *, opset: int = 13, batch: int | str = "N", target: Sequence[int] = (1, -1), mode: str = "ROUND"
) -> ModelProto:
    """Powers of two throughout: every runtime gives the same floats, in any batch."""
    random, model = np.random.default_rng(0), Writer(opset=opset)
    x = model.reshape(model.quant("x", 0.5, bits=4), target)
    x = model.matmul(x, random.integers(-3, 4, (6, 5)) * 0.25, bits=3, scale=0.25)
    x = model.node("LeakyRelu", [model.binary("Add", x, 0.5)], alpha=0.125)
    return model.model(model.quant(x, 0.5, bits=3, mode=mode), 2, 3, batch=batch)


IMAGES = np.random.default_rng(1).normal(0, 2, size=(7, 2, 3)).astype(np.float32)


@pytest.mark.parametrize("opset", range(9, 21))
@pytest.mark.parametrize(("batch", "target"), [("N", (-1, 6)), (1, (1, -1)), (1, (1, 6))])
def test_a_batch_is_run_like_its_samples(
    tmp_path: Path, opset: int, batch: int | str, target: tuple[int, ...]
) -> None:
    path = write(network(opset=opset, batch=batch, target=target), tmp_path)
    together = execute(path, IMAGES)
    alone = [execute(path, image[np.newaxis]) for image in IMAGES[:2]]
    (output,) = {name for name in together if name.startswith("Quant_") and "_out" in name} - {
        "Quant_0_out",
        "Quant_2_out",
    }
    assert together[output].shape == (7, 5)
    for name in ("Quant_0_out", output):
        for index, sample in enumerate(alone):
            assert (together[name][index] == sample[name][0]).all()


def test_an_executor_is_prepared_once_for_many_batches(tmp_path: Path) -> None:
    executor = prepare(write(network(), tmp_path), 3)
    first, second = executor.run(IMAGES[:3]), executor.run(IMAGES[3:6])
    assert first.keys() == second.keys()
    assert (first["x"] == IMAGES[:3]).all()
    assert (second["x"] == IMAGES[3:6]).all()
    assert all(isinstance(tensor, np.ndarray) for tensor in first.values())


def test_the_standard_domain_may_be_named(tmp_path: Path) -> None:
    unnamed = execute(write(network(), tmp_path), IMAGES)
    model = network()
    for node in model.graph.node:
        node.domain = node.domain or "ai.onnx"
    named = execute(write(model, tmp_path), IMAGES)
    assert unnamed.keys() == named.keys()
    assert all((named[name] == tensor).all() for name, tensor in unnamed.items())


@pytest.mark.parametrize(("mode", "same"), [("ROUND_TO_ZERO", "DOWN"), ("half_even", "ROUND")])
def test_rounding_modes_may_have_the_names_of_brevitas(
    tmp_path: Path, mode: str, same: str
) -> None:
    results: list[Any] = [
        execute(write(network(mode=name), tmp_path), IMAGES) for name in (mode, same)
    ]
    assert all((results[0][name] == tensor).all() for name, tensor in results[1].items())


def test_what_qonnx_can_not_run_is_said_in_one_line(tmp_path: Path) -> None:
    model = Writer()
    path = write(model.model(model.node("Nonsense", ["x"]), 2), tmp_path)
    with pytest.raises(ModelError, match=r"qonnx's executor can't run the model: ") as error:
        execute(path, np.zeros((1, 2), np.float32))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    ("kernel", "stride", "pads"), [([2], [3], [0, 0]), ([3], [2], [1, 2]), ([3], [3], [2, 2])]
)
def test_windows_that_would_begin_behind_the_image_are_none(
    tmp_path: Path, kind: str, kernel: list[int], stride: list[int], pads: list[int]
) -> None:
    """ONNX counts them among the results, ONNX Runtime does not; what follows has their shape."""
    w = Writer()
    x = w.quant("x", 0.25)
    for _ in range(2):
        x = w.node(kind, [x], kernel_shape=kernel, strides=stride, pads=pads, ceil_mode=1)
        x = w.quant(w.binary("Mul", x, 1.0), 0.25)
    path = write(w.model(x, 2, 12), tmp_path)
    data = np.random.default_rng(0).normal(size=(3, 2, 12)).astype(np.float32)
    network = streamline(path)
    assert execute(path, data)[x].shape == (3, *network.output.shape)
