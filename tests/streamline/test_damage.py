"""Whatever a file holds: a network that computes what the file says, or one clear refusal.

``LUTLOOM_DAMAGE=20`` takes twenty times as many samples; every single bit from 40 on.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto

from lutloom.core.errors import LutloomError
from lutloom.core.network import Network, load_network, save_network
from lutloom.sim.reference import run
from lutloom.streamline.errors import UnforeseenError
from lutloom.streamline.pipeline import streamline
from tests.bounds import bounded, needs_proc
from tests.exact import compare
from tests.models import Writer
from tests.mutations import flipped, mutated

MORE = int(os.environ.get("LUTLOOM_DAMAGE", "1"))


def classifier() -> ModelProto:
    """Return a layer, a ReLU, and the class: ``[N, 2]`` to ``[N, 1]``."""
    w = Writer()
    x = w.matmul(w.quant("x"), [[1, 2], [-3, 1]])
    x = w.quant(w.node("Relu", [x]), 0.5)
    w.node("TopK", [w.matmul(x, np.eye(2)), w.constant([1], np.int64)], outputs=["v", "i"])
    return w.model("i", 2, output_type=TensorProto.INT64)


def everything() -> ModelProto:
    """Return a network of most of what there is: ``[N, 3]`` to ``[N, 2]``."""
    w, rng = Writer(), np.random.default_rng(0)
    x = w.quant(w.binary("Sub", "x", 0.5), 0.5, bits=4)
    x = w.matmul(x, rng.integers(-3, 4, (3, 4)))
    x = w.batch_norm(x, [1, -2, 0.5, 1], [0, 1, 0, 0], [0, 0.5, 1, 2], [1, 2, 3, 0.1])
    x = w.quant(w.node("Sigmoid", [x]), [[0.25, 0.5, 0.25, 0.125]], 1.0, bits=3, signed=False)
    x = w.node("Transpose", [w.reshape(x, (0, 2, 2))], perm=[0, 2, 1])
    x = w.node("Flatten", [x], axis=1)
    weights = w.quant(w.constant(rng.integers(-2, 3, (2, 4))))
    y = w.node("Gemm", [x, weights, w.constant([1, 2])], transB=1, alpha=0.5)
    y = w.node("Clip", [y, w.constant(-3), w.constant(3)])
    z = w.matmul(x, rng.integers(-2, 3, (4, 2)))
    t = w.multi_threshold(w.node("Add", [w.quant(y, 0.5), w.quant(z)]), [[-1, 0, 1, 2]])
    return w.model(w.node("Softmax", [w.binary("Mul", t, 0.3)]), 3)


MODELS = {"classifier": classifier().SerializeToString(), "all": everything().SerializeToString()}


def outcome(data: bytes, directory: Path) -> str:
    """Return what becomes of the model in ``data``; whatever is compiled can be kept and run."""
    path = directory / "damaged.onnx"
    path.write_bytes(data)
    with bounded(8):
        try:
            network = streamline(path)
        except UnforeseenError as error:
            raise AssertionError("nobody foresaw this") from error
        except LutloomError as error:
            text = str(error)
            assert text.isprintable()
            assert 10 < len(text) < 2100
            return "refused"
        used(network, directory)
    return "compiled"


def used(network: Network, directory: Path) -> None:
    """Save ``network``, load it, and run it on two inputs."""
    save_network(network, directory)
    assert load_network(directory).graph == network.graph
    element = network.graph.inputs[network.input_value].element
    shape = network.graph.inputs[network.input_value].shape
    integers = np.full((2, *shape), element.lo)
    integers[1] = element.hi
    values = run(network.graph, {network.input_value: integers})
    network.decode(values[network.output_value])


def outcomes(changed: Iterable[bytes], directory: Path) -> Counter[str]:
    return Counter(outcome(data, directory) for data in changed)


@needs_proc
@pytest.mark.parametrize("name", MODELS)
def test_a_flipped_bit_is_refused_or_does_no_harm(name: str, tmp_path: Path) -> None:
    whole = MODELS[name]
    step = max(1, 40 // MORE)
    assert outcome(whole, tmp_path) == "compiled"
    found = outcomes((flipped(whole, bit) for bit in range(0, 8 * len(whole), step)), tmp_path)
    assert min(found["compiled"], found["refused"]) > sum(found.values()) // 10


@needs_proc
@pytest.mark.parametrize("name", MODELS)
def test_a_file_that_is_cut_off_is_refused(name: str, tmp_path: Path) -> None:
    whole = MODELS[name]
    found = outcomes((whole[:end] for end in range(0, len(whole), max(1, 7 // MORE))), tmp_path)
    # The last entry of the file, the version of the quantizers, is not missed.
    assert found["compiled"] <= 1


@needs_proc
@pytest.mark.parametrize("name", MODELS)
def test_files_that_are_sound_and_say_nonsense_are_refused_or_do_no_harm(
    name: str, tmp_path: Path
) -> None:
    whole = MODELS[name]
    found = outcomes((mutated(whole, seed) for seed in range(600 * MORE)), tmp_path)
    assert min(found["compiled"], found["refused"]) > sum(found.values()) // 50


@pytest.mark.parametrize("name", MODELS)
def test_what_is_compiled_of_a_damaged_file_computes_what_the_file_says(
    name: str, tmp_path: Path
) -> None:
    whole, random, compared = MODELS[name], np.random.default_rng(1), 0
    for bit in random.integers(8 * len(whole), size=150 * MORE).tolist():
        data = flipped(whole, bit)
        path = tmp_path / "damaged.onnx"
        path.write_bytes(data)
        try:
            network = streamline(path)
        except LutloomError:
            continue
        if network.input.is_raw:
            continue
        inputs = random.normal(scale=2, size=(2, *network.input.shape)).astype(np.float32)
        compare(ModelProto.FromString(data), tmp_path, inputs)
        compared += 1
    assert compared > 15 * MORE
