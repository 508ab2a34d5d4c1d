"""All commands on models with several inputs and outputs, by their names."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto

import lutloom
from lutloom.core.errors import DataFileError, LutloomWarning, RangeError
from lutloom.core.types import IntType
from lutloom.data import load_data, named_source, save_arrays
from lutloom.input_type import InputTypeError, by_input, raw_input
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import RawInput
from tests.models import Writer, write
from tests.streamline.test_ports import MODELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.app.commands import Invoke


def model(directory: Path) -> Path:
    """A vector of floats and one of bytes; scores behind a softmax, the class, and features."""
    rng, w = np.random.default_rng(1), Writer()
    features = w.quant(
        w.matmul(w.quant("x", 0.5), rng.integers(-3, 4, (6, 4)), bits=3), 2.0, bits=3
    )
    codes = w.matmul("bytes", rng.integers(-3, 4, (5, 4)), bits=3)
    scores = w.quant(w.node("Add", [features, codes]), 8.0)
    outputs = [
        w.node("Softmax", [scores], axis=-1, outputs=["scores"], name="soft"),
        w.node("ArgMax", [scores], axis=1, keepdims=0, outputs=["class"], name="best"),
        w.node("Identity", [features], outputs=["a/features"], name="same"),
    ]
    made = w.model(outputs, inputs={"x": (6,), "bytes": (5,)})
    made.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    return write(made, directory, "ports.onnx")


def data(count: int, seed: int = 0) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(scale=2, size=(count, 6)).astype(np.float32),
        "bytes": rng.integers(0, 256, (count, 5)).astype(np.uint8),
    }


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a build of the model, made of data."""
    directory = tmp_path_factory.mktemp("ports")
    lutloom.compile(
        model(directory), directory / "build", input_type={"bytes": "uint8"}, data=data(20)
    )
    return directory / "build"


@pytest.fixture
def folder(build: Path) -> Path:
    return build.parent


def test_outputs_are_those_of_the_model_whatever_computes(build: Path, folder: Path) -> None:
    given = data(30, seed=2)
    wanted = execute(folder / "ports.onnx", given)
    found = lutloom.simulate(build, given)
    assert list(found.arrays) == ["scores", "class", "a/features"]
    for name in ("class", "a/features"):
        assert (found.arrays[name] == wanted[name]).all()
        assert found.arrays[name].shape == wanted[name].shape
    assert (found.arrays["scores"].argmax(axis=1) == wanted["class"]).all()
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    compiled = lutloom.simulate(build, given, engine=lutloom.Engine.CSIM).arrays
    assert all((compiled[name] == found.arrays[name]).all() for name in compiled)


def test_files_go_in_and_out_by_name(
    build: Path, folder: Path, invoke: Invoke, tmp_path: Path
) -> None:
    given = data(30, seed=2)
    for name, array in given.items():
        np.save(tmp_path / f"{name}.npy", array)
    save_arrays(tmp_path / "all.npz", given)
    np.save(tmp_path / "labels.npy", execute(folder / "ports.onnx", given)["class"])
    outputs = []
    for number, options in enumerate(
        (
            ("--data", tmp_path / "all.npz"),
            ("--data", f"bytes={tmp_path / 'bytes.npy'}", "--data", f"x={tmp_path / 'x.npy'}"),
        )
    ):
        output = tmp_path / f"out{number}.npz"
        labels = ("--labels", tmp_path / "labels.npy")
        ended = invoke("simulate", build, *options, *labels, "--output", output)
        assert (ended.status, ended.err) == (0, "")
        assert "30 of 30 labels met" in ended.out
        outputs.append(load_data(output))
    one, other = outputs
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    assert one.keys() == other.keys() == {"scores", "class", "a/features"}
    assert all((one[name] == other[name]).all() for name in one)
    assert (one["class"] == np.load(tmp_path / "out0.npz")["class"]).all()


def test_several_outputs_are_expected_and_traced_by_their_names(
    build: Path, invoke: Invoke, tmp_path: Path
) -> None:
    given = data(11, seed=5)
    save_arrays(tmp_path / "in.npz", given)
    base = ("simulate", build, "--data", tmp_path / "in.npz", "--batch", "4")
    assert invoke(*base, "--output", tmp_path / "out.npz").status == 0
    assert invoke(*base, "--expect", tmp_path / "out.npz", "--limit", "9").status == 0
    wanted = load_data(tmp_path / "out.npz")
    assert isinstance(wanted, dict)
    changed = {name: array.copy() for name, array in wanted.items()}
    changed["a/features"][6, 2] += 1
    changed["class"][7] ^= 1
    changed["scores"][10] = np.nan
    result = lutloom.simulate(build, given, expect=changed, batch=3)
    assert result.difference is not None
    assert str(result.difference).startswith("a/features[6, 2] is ")
    assert (result.difference.numbers, result.difference.images) == (6, 3)
    values = [*lutloom.load_build(build).network.graph.types]
    for layers in (values, ["scores"] * ("scores" in values), values[-1:]):
        result = lutloom.simulate(build, given, trace=layers, batch=5)
        assert list(result.arrays) == [*wanted]
        assert list(result.traces) == layers
        assert all((result.arrays[name] == wanted[name]).all() for name in wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "x.npy"), "the model has the inputs 'x', 'bytes': say by name what is for"),
        (("--data", "x=x.npy"), "the data are for 'x', but the model's inputs are 'x', 'bytes': "),
        (("--data", "x=x.npy", "--data", "x.npy"), "--data is 'x.npy' among several: give one NA"),
        (("--data", "x=x.npy", "--data", "x=x.npy"), "--data is 'x=x.npy' among several: "),
        (("--data", "x=x.npy", "--data", "bytes=few.npy"), "hold different numbers of samples fo"),
        (("--data", "x=x.npy", "--data", "bytes=none.npy"), "file none.npy does not exist"),
        (("--data", "none.npz"), "the data file none.npz does not exist"),
        (("--data", "text.npz"), "the data file text.npz is no .npz file of numbers (File is not"),
        (("--data", "words.npz"), "words in the data file words.npz holds <U1, not numbers"),
        (("--data", "all.npz", "--output", "o.npy"), "o.npy should be a .npz file: the model has "),
        (("--data", "all.npz", "--output", "all.npz"), "all.npz is the input itself: write the o"),
    ],
)
def test_what_is_wrong_with_files_is_said(
    options: tuple[str, ...],
    message: str,
    build: Path,
    invoke: Invoke,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = data(4)
    np.save("x.npy", given["x"])
    np.save("few.npy", given["bytes"][:2])
    save_arrays(tmp_path / "all.npz", given)
    save_arrays(tmp_path / "words.npz", {"words": np.array(["a"])})
    (tmp_path / "text.npz").write_text("no archive")
    ended = invoke("simulate", build, *options)
    assert ended.status == 2
    assert message in ended.err


def test_every_stage_agrees(build: Path, invoke: Invoke, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    save_arrays(tmp_path / "all.npz", data(25, seed=3))
    ended = invoke("verify", build, "--data", tmp_path / "all.npz", "--exact", "5")
    assert ended.status == 0, ended.out + ended.err
    assert "All stages agree on 25 images." in ended.out
    report = json.loads((build / "verification.json").read_text())
    subjects = {check["subject"] for check in report["checks"]}
    assert {"output scores", "classes scores", "indices class", "output a/features"} <= subjects


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["image and vector", pytest.param("siamese", marks=pytest.mark.thorough), "two scales"]
)
def test_model_integers_and_cpp_agree_with_bounded_fifos(name: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    make, given = MODELS[name]
    made = lutloom.compile(write(make(Writer()), tmp_path), tmp_path / "build")
    result = lutloom.verify(made, given, exact=4)
    assert result.passed, result.first_failure
    stages = {check.stage for check in result.checks}
    wanted = ("EXACT", "MODEL", "PROCESSES", "CSIM", "BOUNDED")
    assert {lutloom.Stage[stage] for stage in wanted} <= stages


def test_without_data_the_samples_of_compile_are_verified_else_random_ones(
    build: Path, folder: Path, tmp_path: Path
) -> None:
    assert lutloom.verify(build, csim=False).samples == 16
    types = {"bytes": "uint8"}
    other = lutloom.compile(folder / "ports.onnx", tmp_path / "b", input_type=types)
    result = lutloom.verify(other, csim=False, samples=20)
    assert (result.samples, result.passed) == (20, True)


def test_golden_vectors_go_by_the_names_of_the_model(build: Path) -> None:
    loaded = lutloom.load_build(build)
    golden = np.load(build / "golden.npz")
    encoded = loaded.network.encode_all({name: array[:16] for name, array in data(20).items()})
    assert sorted(golden) == [
        "inputs.bytes",
        "inputs.x",
        "outputs.a/features",
        "outputs.class",
        "outputs.scores",
    ]
    for port in loaded.network.inputs:
        assert (golden[f"inputs.{port.name}"] == encoded[port.value]).all()


def test_a_wrong_output_is_found_and_named(build: Path, tmp_path: Path) -> None:
    from lutloom.core.store import load_graph, save_graph

    shutil.copytree(build, tmp_path / "b")
    stem = tmp_path / "b" / "processes"
    graph = load_graph(stem)
    swapped = type(graph)(graph.inputs, graph.nodes, graph.outputs[::-1])
    save_graph(swapped, stem)
    with pytest.warns(LutloomWarning, match=r"report\.html stays as it was: the plan is for the"):
        result = lutloom.verify(tmp_path / "b", csim=False)
    assert not result.passed


def test_the_project_names_its_streams_after_the_model(build: Path) -> None:
    document = json.loads((build / "hls" / "design.json").read_text())
    assert [port["name"] for port in document["inputs"]] == ["x", "bytes"]
    assert [port["name"] for port in document["outputs"]] == ["scores", "class", "a/features"]
    (unit,) = document["units"]
    arguments = [border["argument"] for border in (*unit["entries"], *unit["exits"])]
    assert arguments[:2] == ["s_axis_x", "s_axis_bytes"]
    assert arguments[2:] == ["m_axis_scores", "m_axis_n_class", "m_axis_a_features"]


def test_inspect_and_throughput_show_all_ports(folder: Path, build: Path, invoke: Invoke) -> None:
    shown = invoke("inspect", folder / "ports.onnx", "--input-type", "bytes=uint8")
    assert shown.status == 0
    assert "on the host, before x: quantize" in shown.out
    assert "on the host, before bytes: nothing: raw integers go in" in shown.out
    assert "on the host, behind scores: softmax" in shown.out
    assert "model: x [N, 6], bytes [N, 5] to scores [N, 4], class [N]" in shown.out
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    ended = invoke("throughput", build)
    assert ended.status == 0
    assert "read_axis_bytes" in ended.out


def test_the_only_output_is_asked_for_where_there_are_several(build: Path) -> None:
    result = lutloom.simulate(build, data(3))
    with pytest.raises(RangeError, match=r"^the model has the outputs \['scores', 'class', "):
        _ = result.outputs
    assert result.first is result.arrays["scores"]


def test_the_integers_go_out_as_qonnx_with_all_ports(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "integers.onnx"
    found = lutloom.inspect(folder / "ports.onnx", input_type={"bytes": "uint8"}, qonnx=path)
    network = found.network
    encoded = network.encode_all(data(9))
    tensors = execute(path, {name: x.astype(np.float32) for name, x in encoded.items()})
    outputs = network.decode_all({n: tensors[n].astype(np.int64) for n in network.graph.outputs})
    wanted = execute(folder / "ports.onnx", data(9))
    assert all((outputs[name] == wanted[name]).all() for name in ("class", "a/features"))


def test_options_name_the_inputs_they_are_for() -> None:
    assert by_input(None) is None
    assert by_input(["uint8"]) == "uint8"
    assert by_input(["a=b=uint8", "c=int4"]) == {"a=b": "uint8", "c": "int4"}
    found = raw_input({"a": "uint8", "b": "int4"}, {"a": "1/255"}, {"b": "1"})
    assert isinstance(found, dict)
    raw = [form for form in found.values() if isinstance(form, RawInput)]
    assert [str(form.scale[0]) for form in raw] == ["1/255", "1"]
    assert [str(form.bias[0]) for form in raw] == ["0", "1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("uint8", {"a": "1"}, None), r"^--input-scale names inputs, and --input-type does not: "),
        (({"a": "uint8"}, {"b": "1"}, None), r"^--input-scale should be NAME=NUMBER, for .* \['a'"),
        (({"a": "uint8"}, None, "1"), r"^--input-bias should be NAME=NUMBER, for inputs that "),
        (("float", "1", None), r"^--input-scale and --input-bias need integers: floats are taken"),
        (({"a": "uint99"}, None, None), r"^--input-type is 'uint99': use uint8, int8"),
    ],
)
def test_options_that_do_not_fit_each_other_are_refused(
    options: tuple[Any, Any, Any], message: str
) -> None:
    with pytest.raises(InputTypeError, match=message):
        raw_input(*options)


def test_values_without_a_name_among_several_are_refused() -> None:
    with pytest.raises(InputTypeError, match=r"^'int4' is one of several values of an option: "):
        by_input(["a=uint8", "int4"])
    with pytest.raises(DataFileError, match=r"^--data is 'x.npy' among several: give one NAME=FI"):
        named_source(["a=a.npy", "x.npy"])


def test_a_file_with_an_equals_sign_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a=b.npy"
    np.save(path, np.zeros((2, 3)))
    assert named_source([str(path)]) == str(path)


@pytest.mark.parametrize(
    ("text", "lo", "hi"), [("0..9", 0, 9), ("-3..4", -3, 4), ("int8", -128, 127), ("3..7", 3, 7)]
)
def test_an_input_holds_the_integers_of_a_type_or_of_a_range(text: str, lo: int, hi: int) -> None:
    found = raw_input(text, None, None)
    assert isinstance(found, RawInput)
    assert found.type == IntType(lo, hi)
