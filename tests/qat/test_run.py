"""Brevitas models over NumPy arrays."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")

import torch

from lutloom.qat.models import build_model
from lutloom.qat.run import classify, run_model, trace_model
from tests.qat.bits import signed

PIXELS = np.random.default_rng(0).random((7, 1, 4, 4), np.float32)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_the_batch_size_does_not_matter(batch_size: int) -> None:
    torch.manual_seed(0)
    model = build_model("TFC_2W2A", (1, 4, 4), 10)
    at_once = model.eval()(torch.from_numpy(PIXELS)).detach().numpy()
    got = run_model(model, PIXELS, batch_size)
    assert got.shape == (7, 10)
    assert np.array_equal(classify(got), classify(at_once))


def test_a_model_is_run_in_evaluation_and_left_in_its_mode() -> None:
    model = build_model("TFC_1W1A", (1, 4, 4), 10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for training in (True, False):
        model.train(training)
        run_model(model, PIXELS)
        assert model.training is training
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_trace_holds_what_each_quantizer_gave() -> None:
    torch.manual_seed(0)
    model = build_model("TFC_2W2A", (1, 4, 4), 10)
    logits, quantized = trace_model(model, PIXELS, 3)
    assert np.array_equal(logits, run_model(model, PIXELS, 3))
    assert list(quantized) == ["quantize_input", *(f"layers.quantize{n}" for n in range(3))]
    assert quantized["layers.quantize1"].shape == (7, 64)
    for values in quantized.values():
        assert len(np.unique(values)) <= 4  # two bits
    # Nothing is left behind in the model.
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("batch_size", [2, 7])
def test_the_uses_of_a_shared_quantizer_are_told_apart(batch_size: int) -> None:
    shared = signed(4)
    model = torch.nn.Sequential(
        OrderedDict(first=shared, pool=torch.nn.MaxPool2d(2), again=shared, end=torch.nn.Flatten())
    )
    logits, quantized = trace_model(model, PIXELS, batch_size)
    assert list(quantized) == ["first", "first:1"]
    assert quantized["first"].shape == (7, 1, 4, 4)
    assert np.array_equal(quantized["first:1"].reshape(7, 4), logits)


def test_of_equal_logits_the_lowest_class_wins() -> None:
    logits = np.array([[1, 3, 3], [2, 0, 2], [0, 0, 0]], np.float32)
    assert classify(logits).tolist() == [1, 0, 0]


def test_nothing_to_run_is_refused() -> None:
    model = build_model("TFC_1W1A", (1, 4, 4), 10)
    with pytest.raises(ValueError, match=r"^0 images in batches of 5: use at least one each$"):
        run_model(model, PIXELS[:0], 5)
    with pytest.raises(ValueError, match=r"^7 images in batches of 0: use at least one each$"):
        run_model(model, PIXELS, 0)
