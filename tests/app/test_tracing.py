"""The integers of layers, by their names and with the axes of the model."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import lutloom
from lutloom.core.errors import RangeError
from lutloom.sim.reference import run
from lutloom.tracing import named_files, traced
from tests.app.commands import Invoke
from tests.models import Writer, write


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a build that takes images ``[N, 2, 4, 5]``, channels first."""
    directory = tmp_path_factory.mktemp("images")
    rng, w = np.random.default_rng(9), Writer()
    weights = w.constant(rng.integers(-1, 2, size=(3, 2, 3, 3)))
    x = w.node("Conv", [w.quant("x", 0.5, bits=3), w.quant(weights, 1.0, bits=2)])
    x = w.reshape(w.quant(x, 1.0, bits=2, signed=False), (-1, 18))
    x = w.matmul(x, rng.integers(-1, 2, size=(18, 4)), bits=2)
    lutloom.compile(write(w.model(x, 2, 4, 5), directory), directory / "build")
    return directory / "build"


def test_every_layer_is_what_the_reference_gives(float_build: Path, models: Path) -> None:
    network = lutloom.load_build(float_build).network
    data = np.load(models / "float.npy")
    values = run(network.graph, network.encode_all(data))
    result = lutloom.simulate(float_build, data, trace=[*values], batch=2)
    assert list(result.traces) == list(values)
    for name, value in values.items():
        assert np.array_equal(result.traces[name], value), name
        element = network.graph.types[name].element
        assert result.traces[name].dtype.itemsize <= max(1, element.bits // 4)
    assert np.array_equal(result.outputs, lutloom.simulate(float_build, data).outputs)
    assert [*result.arrays] == [port.name for port in network.outputs]


def test_layers_of_images_have_their_channels_first(images: Path) -> None:
    network = lutloom.load_build(images).network
    data = np.random.default_rng(1).normal(size=(5, 2, 4, 5)).astype(np.float32)
    values = run(network.graph, network.encode_all(data))
    name = next(
        name
        for name, meaning in network.meaning.items()
        if values[name].shape[1:] == (2, 3, 3) and meaning.is_quantized
    )
    tensor = network.meaning[name].tensor
    result = lutloom.simulate(images, data, trace=(name, tensor))
    for found in result.traces.values():
        assert np.array_equal(found, values[name].transpose(0, 3, 1, 2))


def test_layers_go_to_files(
    invoke: Invoke, float_build: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = lutloom.load_build(float_build).network
    first, last = next(iter(network.graph.inputs)), network.graph.outputs[0]
    ended = invoke(
        "simulate", float_build, "--data", models / "float.npy", "--batch", "3",
        "--trace", f"{first}=here.npy", "--trace", last,
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    result = lutloom.simulate(float_build, models / "float.npy", trace=[first, last])
    (other,) = named_files([last]).values()
    assert {path.name for path in tmp_path.iterdir()} == {"here.npy", other.name}
    assert np.array_equal(np.load("here.npy"), result.traces[first])
    assert np.array_equal(np.load(other), result.traces[last])
    assert np.load(other).dtype == result.traces[last].dtype


def test_a_name_that_is_none_is_answered_with_those_near_to_it(float_build: Path) -> None:
    network = lutloom.load_build(float_build).network
    name = [*network.graph.types][1]
    with pytest.raises(RangeError, match=rf"^there is no layer '{name}x': near to it are '{name}'"):
        traced(network, [f"{name}x"])
    with pytest.raises(RangeError, match=r"^there is no layer '': near to it are '"):
        traced(network, [""])


def test_the_designs_own_cplusplus_has_no_layers(
    invoke: Invoke, float_build: Path, models: Path
) -> None:
    (layer, *_) = lutloom.load_build(float_build).network.graph.types
    data = ("--data", models / "float.npy", "--trace", f"{layer}=x.npy")
    ended = invoke("simulate", float_build, *data, "--engine", "csim")
    assert ended.status == 2
    assert "the csim engine computes processes, not layers: its traces are those" in ended.err


def test_the_compiled_engine_gives_the_same_layers(images: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    data = np.random.default_rng(2).normal(size=(37, 2, 4, 5)).astype(np.float32)
    layers = [*lutloom.load_build(images).network.graph.types]
    wanted = lutloom.simulate(images, data, trace=layers, engine=lutloom.Engine.REFERENCE)
    found = lutloom.simulate(
        images, data, trace=layers, engine=lutloom.Engine.COMPILED, instructions="portable"
    )
    assert all(np.array_equal(found.traces[name], wanted.traces[name]) for name in layers)
    assert np.array_equal(found.outputs, wanted.outputs)


def test_files_of_layers_are_named_after_them() -> None:
    found = named_files(["a=b=c.npy", "/layers.1/Conv\x1b 2", "x"])
    assert found == {
        "a=b": Path("c.npy"),
        "/layers.1/Conv\x1b 2": Path("layers.1_Conv_2.npy"),
        "x": Path("x.npy"),
    }
