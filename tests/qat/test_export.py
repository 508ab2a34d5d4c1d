"""A QONNX file computes what its Brevitas model does, and holds nothing that surprises."""

from __future__ import annotations

import tempfile
from collections import Counter
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

import onnx
import torch
from qonnx.core import onnx_exec
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import qonnx_make_model

from lutloom.qat.errors import TrainingError
from lutloom.qat.export import export_qonnx
from lutloom.qat.models import build_model, families
from lutloom.qat.models.detector import Detector
from lutloom.qat.quantization import of_bits
from lutloom.qat.run import classify, run_model, trace_outputs
from lutloom.streamline.executor import prepare
from lutloom.streamline.source import read_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (1, 8, 8)
BNN_PYNQ = [
    f"{name}_{weights}W{activations}A"
    for name in ("TFC", "SFC", "LFC")
    for weights, activations in families()[name].bits
]
QUANTIZERS = {"Quant", "BipolarQuant"}
ALLOWED = QUANTIZERS | {
    "Add", "BatchNormalization", "Div", "Flatten", "Gemm", "MatMul", "Mul", "Reshape", "Sub",
    "Transpose",
}  # fmt: skip


def random_model(name: str, seed: int) -> torch.nn.Module:
    """Return a model as training might leave it: no two channels alike, some gammas negative."""
    torch.manual_seed(seed)
    model = build_model(name, SHAPE, 10)
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias, std=0.3)
        if "norm" in path:
            module.running_mean.normal_(std=2.0)
            module.running_var.uniform_(5.0, 60.0)
    return model


def digits_like(images: int, seed: int) -> NDArray[np.float32]:
    sixteenths = np.random.default_rng(seed).integers(0, 17, (images, *SHAPE))
    return (sixteenths / 16).astype(np.float32)


def executed(path: Path, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    model = ModelWrapper(str(path))
    model.set_tensor_shape("pixels", list(pixels.shape))
    model.set_tensor_shape("logits", [len(pixels), 10])
    with pytest.MonkeyPatch.context() as patch:
        # it wraps each node in a model of ONNX's newest version, which ONNX Runtime may not know
        patch.setattr(onnx_exec, "qonnx_make_model", partial(qonnx_make_model, ir_version=8))
        logits: NDArray[np.float32] = onnx_exec.execute_onnx(
            model.transform(InferShapes()), {"pixels": pixels}
        )["logits"]
    return logits


def assert_same(got: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """The sums before the tail are equal integers, so only its four operations may round apart."""
    assert np.array_equal(classify(got), classify(expected))
    rounding = 8 * np.finfo(np.float32).eps * np.abs(expected).max()
    assert np.abs(got - expected).max() <= rounding


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
@pytest.mark.parametrize("name", ["TFC_1W1A", "TFC_1W2A", "TFC_2W2A"])
def test_the_file_computes_what_the_model_does(tmp_path: Path, name: str, dynamo: bool) -> None:
    model, pixels = random_model(name, seed=1), digits_like(200, seed=2)
    path = export_qonnx(model, tmp_path / "m.onnx", SHAPE, dynamo=dynamo)
    expected = run_model(model, pixels)
    assert len(set(classify(expected).tolist())) > 3
    assert_same(executed(path, pixels), expected)


@settings(max_examples=8)
@given(st.sampled_from(BNN_PYNQ[:6]), st.integers(0, 2**32 - 1))
def test_the_file_computes_what_the_model_does_for_other_weights(name: str, seed: int) -> None:
    model, pixels = random_model(name, seed), digits_like(20, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = export_qonnx(model, Path(folder) / "m.onnx", SHAPE)
        assert_same(executed(path, pixels), run_model(model, pixels))


def test_zero_and_ties_are_quantized_alike_on_both_sides(tmp_path: Path) -> None:
    # 8/16 is the zero of one bit, 4/16 and 12/16 are the ties of two
    pixels = np.stack([np.full(SHAPE, level / 16, np.float32) for level in (4, 8, 12)])
    for name in ("TFC_1W1A", "TFC_2W2A"):
        model = random_model(name, seed=3)
        path = export_qonnx(model, tmp_path / f"{name}.onnx", SHAPE)
        assert_same(executed(path, pixels), run_model(model, pixels))


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
@pytest.mark.parametrize("name", ["TFC_1W1A", "SFC_2W2A"])
def test_the_graph_is_made_of_few_operators(tmp_path: Path, name: str, dynamo: bool) -> None:
    path = export_qonnx(random_model(name, 0), tmp_path / "m.onnx", SHAPE, dynamo=dynamo)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert model.ir_version <= 10
    operators = Counter(node.op_type for node in model.graph.node)
    assert set(operators) <= ALLOWED
    # four layers' weights, the input and three layers' activations
    assert operators["BipolarQuant" if "1W1A" in name else "Quant"] == 8
    assert {node.domain for node in model.graph.node if node.op_type in QUANTIZERS} == {
        "qonnx.custom_op.general"
    }
    assert operators["BatchNormalization"] == 3


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
def test_the_batch_is_symbolic_and_the_ends_are_named(tmp_path: Path, dynamo: bool) -> None:
    path = export_qonnx(random_model("TFC_1W1A", 0), tmp_path / "m.onnx", SHAPE, dynamo=dynamo)
    graph = onnx.load(path).graph
    ends = {
        end.name: [d.dim_param or d.dim_value for d in end.type.tensor_type.shape.dim]
        for end in (*graph.input, *graph.output)
    }
    assert ends == {"pixels": ["batch", 1, 8, 8], "logits": ["batch", 10]}


@pytest.mark.parametrize("dynamo", [False, True])
def test_several_outputs_have_a_name_each(tmp_path: Path, dynamo: bool) -> None:
    model = Detector(of_bits(4, 4), width=2).eval()
    shape, names = (3, 32, 16), ("coarse", "fine")
    path = export_qonnx(model, tmp_path / "m.onnx", shape, dynamo=dynamo, outputs=names)
    graph = onnx.load(path).graph
    assert [output.name for output in graph.output] == ["coarse", "fine"]
    pixels = np.random.default_rng(0).random((3, *shape), np.float32)
    found = prepare(path, 3).run(pixels)
    expected, _ = trace_outputs(model, pixels, 2)
    for name, output in zip(names, expected, strict=True):
        assert found[name].shape == output.shape
        assert np.mean(found[name] == output) > 0.99


def test_nodes_are_named_after_their_modules(tmp_path: Path) -> None:
    path = export_qonnx(random_model("TFC_1W1A", 0), tmp_path / "m.onnx", SHAPE)
    names = [node.name for node in onnx.load(path).graph.node]
    for number in range(4):
        assert f"/layers/linear{number}/MatMul" in names


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
def test_batch_norms_of_equal_figures_read_their_weights_directly(
    tmp_path: Path, dynamo: bool
) -> None:
    # an untrained model: exporters merge its equal weights
    path = export_qonnx(
        build_model("TFC_1W1A", SHAPE, 10), tmp_path / "m.onnx", SHAPE, dynamo=dynamo
    )
    graph = onnx.load(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            assert set(node.input[1:]) <= weights


def test_one_file_holds_the_weights(tmp_path: Path) -> None:
    path = export_qonnx(random_model("TFC_1W1A", 0), tmp_path / "m.onnx", SHAPE)
    assert list(tmp_path.iterdir()) == [path]
    model = onnx.load(path, load_external_data=False)
    assert all(not tensor.external_data for tensor in model.graph.initializer)


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
def test_weights_may_be_left_beside_the_file(tmp_path: Path, dynamo: bool) -> None:
    model, pixels = random_model("TFC_2W2A", 4), digits_like(20, 5)
    path = export_qonnx(model, tmp_path / "m.onnx", SHAPE, external_data=True, dynamo=dynamo)
    assert {file.name for file in tmp_path.iterdir()} == {"m.onnx", "m.onnx.data"}
    assert path.stat().st_size < (tmp_path / "m.onnx.data").stat().st_size
    onnx.checker.check_model(str(path))
    assert_same(executed(path, pixels), run_model(model, pixels))


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = random_model("TFC_1W1A", 0)
    first, second = (export_qonnx(model, tmp_path / f"{k}.onnx", SHAPE) for k in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
def test_export_says_nothing_and_keeps_the_model_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], dynamo: bool
) -> None:
    model = random_model("SFC_1W2A", 0).train()
    before = run_model(model, digits_like(5, 0))
    export_qonnx(model, tmp_path / "m.onnx", SHAPE, dynamo=dynamo)
    assert model.training
    assert np.array_equal(run_model(model, digits_like(5, 0)), before)
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "m.onnx"
    message = rf"^{path} can't be written: there is no folder {path.parent}$"
    with pytest.raises(TrainingError, match=message):
        export_qonnx(build_model("TFC_1W1A", SHAPE, 10), path, SHAPE)


def test_a_file_notes_the_bytes_that_its_pixels_were(tmp_path: Path) -> None:
    model = random_model("TFC_1W1A", seed=0)
    for scale, expected in ((Fraction(1, 16), {"lutloom.input.pixels": "uint8 1/16"}), (None, {})):
        path = export_qonnx(model, tmp_path / "model.onnx", SHAPE, input_scale=scale)
        assert read_source(path).notes == expected
