"""Every family of the zoo trains, and becomes a design that computes what its model does.

Families are built by name, few channels wide and for small inputs; those of their full size are in
``tests.qat.networks``, which ``benchmarks/convolutions.py`` and ``benchmarks/branches.py`` compile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch
from torch.nn.functional import cross_entropy, mse_loss

import lutloom
from lutloom.core.host import Binary, BinaryKind, ToShape
from lutloom.qat.calibration import calibrate, random_images
from lutloom.qat.export import export_qonnx
from lutloom.qat.models import build_model, families
from lutloom.qat.models.family import Task
from lutloom.qat.models.local_binary import anchors
from tests.qat.networks import SMALL_BRANCHED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

CLASSES = 5
NORM = {BinaryKind.SUB, BinaryKind.DIV, BinaryKind.MUL, BinaryKind.ADD}


@dataclass(frozen=True)
class Tiny:
    """A small model of a family: the shape of its input, and its options."""

    shape: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


_SMALL, _IMAGE = (3, 8, 8), (3, 32, 32)
_CONNECTED = Tiny((1, 4, 5), {"hidden": "8-7"})

TINY: Mapping[str, Tiny] = {
    **dict.fromkeys(("TFC", "SFC", "LFC", "KWS_MLP", "UNSW_NB15", "JET_MLP"), _CONNECTED),
    "AUTOENCODER": Tiny((1, 4, 5), {"width": 8, "code": 3}),
    "CNV": Tiny(_IMAGE, {"width": 2}),
    "CNV_SF": Tiny(_IMAGE, {"width": 2, "rank": 2}),
    "VGG16": Tiny(_IMAGE, {"width": 1}),
    "VGG16_DS": Tiny(_IMAGE, {"width": 1}),
    "VGG10": Tiny((2, 1, 128), {"width": 3}),
    "DS_CNN": Tiny((1, 9, 6), {"width": 4, "blocks": 2}),
    "MOBILENET_V1": Tiny(_IMAGE, {"alpha": 1 / 16}),
    "RESNET8": Tiny(_SMALL, {"width": 3}),
    "RESNET20": Tiny(_SMALL, {"width": 2, "blocks": 2}),
    "RESNET18": Tiny(_SMALL, {"width": 2}),
    "RESNET50": Tiny(_IMAGE, {"width": 1}),
    "MOBILENET_V2": Tiny(_IMAGE, {"alpha": 1 / 16, "last_width": 4}),
    "SHUFFLENET_V2": Tiny(_IMAGE, {"width": 4, "last_width": 4}),
    "SQUEEZENET": Tiny((3, 29, 29), {"width": 4}),
    "BIREAL18": Tiny(_SMALL, {"width": 2}),
    "REACTNET": Tiny(_IMAGE, {"width": 2}),
    "LBCNN": Tiny(_SMALL, {"width": 3, "patterns": 4, "depth": 2}),
    "SQUEEZE_EXCITE": Tiny(_SMALL, {"width": 4, "blocks": 2}),
    "ATTENTION": Tiny(_SMALL, {"width": 8, "heads": 2, "blocks": 1}),
}


QUICK = {
    *("TFC", "KWS_MLP", "UNSW_NB15", "JET_MLP", "AUTOENCODER", "CNV", "CNV_SF", "VGG10", "DS_CNN"),
    *("LBCNN", "SQUEEZE_EXCITE", "ATTENTION"),
}
"""Families that are compiled each time; others are where all is asked for that is thorough."""


def tiny(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(name, TINY[name].shape, CLASSES, **TINY[name].options)


def test_the_table_has_every_family() -> None:
    assert TINY.keys() == families().keys()


@pytest.mark.parametrize("name", TINY)
def test_a_step_of_training_reaches_every_parameter(name: str) -> None:
    model = tiny(name)
    pixels = torch.from_numpy(random_images(TINY[name].shape, 16)) / 255
    outputs = model.train()(pixels)
    if families()[name].task is Task.CLASSIFICATION:
        assert outputs.shape == (16, CLASSES)
        loss = cross_entropy(outputs, torch.arange(16) % CLASSES)
    else:
        loss = mse_loss(outputs, 2 * pixels.flatten(1) - 1)
    loss.backward()  # type: ignore[no-untyped-call]
    trained = {path: each for path, each in model.named_parameters() if each.requires_grad}
    gradients = {path: each.grad for path, each in trained.items() if each.grad is not None}
    assert gradients.keys() == trained.keys()
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    still = {path for path, gradient in gradients.items() if not gradient.any()}
    # what is added to all logits alike changes no class
    assert still <= {"norm.bias"}
    fixed = [path for path, each in model.named_parameters() if not each.requires_grad]
    assert all("anchors" in path for path in fixed)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in TINY],
)
def test_a_family_becomes_a_design_that_computes_what_its_model_does(
    tmp_path: Path, name: str
) -> None:
    model, shape = tiny(name), TINY[name].shape
    images = random_images(shape, 8)
    calibrate(model, (images / 255).astype(np.float32))
    check_design(tmp_path, model, images)


@pytest.mark.parametrize("name", ["bireal18", "reactnet", "resnet20"])
def test_a_part_of_a_deep_family_becomes_such_a_design(tmp_path: Path, name: str) -> None:
    recipe = SMALL_BRANCHED[name]
    check_design(tmp_path, recipe.calibrated(8), random_images(recipe.shape, 8))


def check_design(folder: Path, model: torch.nn.Module, images: NDArray[np.uint8]) -> None:
    """Compile ``model`` for bytes, and compare every stage with the one before it."""
    path = export_qonnx(model, folder / "m.onnx", images.shape[1:])
    build = lutloom.compile(
        path, folder / "build", input_type="uint8", input_scale="1/255", data=images, board="u250"
    )
    # bytes go in, and the host is left with the norm of all logits alone
    assert build.network.input.is_raw
    steps = build.network.output.tail
    assert all(
        isinstance(step, ToShape) or (isinstance(step, Binary) and step.kind in NORM)
        for step in steps
    )
    result = lutloom.verify(build, images, samples=8, csim=False)
    assert result.passed, result.first_failure


def test_anchors_are_as_dense_as_asked_for_and_never_trained() -> None:
    torch.manual_seed(0)
    layer = anchors(16, 32, 0.25)
    weight = layer.get_parameter("weight")
    assert set(weight.flatten().tolist()) == {-1.0, 0.0, 1.0}
    assert 0.23 < (weight != 0).float().mean() < 0.27
    assert abs(weight.mean()) < 0.02
    assert not weight.requires_grad
    model = build_model("LBCNN", _SMALL, CLASSES, **TINY["LBCNN"].options).train()
    before = model.get_parameter("blocks.block0.anchors.layer.weight").clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    model(torch.rand(4, *_SMALL)).square().sum().backward()
    optimizer.step()
    assert torch.equal(model.get_parameter("blocks.block0.anchors.layer.weight"), before)


def test_filters_of_a_separable_convolution_are_of_the_rank_that_is_asked_for() -> None:
    torch.manual_seed(0)
    for rank in (1, 2):
        model = build_model("CNV_SF", _IMAGE, CLASSES, width=4, rank=rank)
        column = model.get_submodule("features.conv1.column").quant_weight().value  # type: ignore[operator]
        row = model.get_submodule("features.conv1.row").quant_weight().value  # type: ignore[operator]
        columns = column.reshape(4, rank, 3)
        rows = row.reshape(4, 4, rank, 3)
        filters = torch.einsum("crh,ocrw->ochw", columns, rows)
        ranks = torch.linalg.matrix_rank(filters).flatten().tolist()
        assert max(ranks) == rank
        x = torch.randint(0, 2, (2, 4, 6, 6)).float() * 2 - 1
        layer = model.get_submodule("features.conv1")
        sums = layer.get_submodule("row")(layer.get_submodule("column")(x))
        assert torch.equal(sums, torch.nn.functional.conv2d(x, filters))


def test_sums_of_a_stage_have_room_for_the_branch_that_each_adds() -> None:
    model: Any = build_model("RESNET20", _SMALL, CLASSES, width=1)
    sums = [
        15 * model.get_submodule(f"features.block0{number}.quantize").act_quant.scale().item()
        for number in range(3)
    ]
    branch = 7 * model.get_submodule("features.block00.conv1.quantize").act_quant.scale().item()
    wanted = [1, 1 + branch, 1 + 2 * branch]
    assert np.array_equal(np.round(sums, 5), np.round(wanted, 5))
