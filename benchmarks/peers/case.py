"""The networks that are measured, and the files of one of them that every engine reads.

Weights are random, batch norms calibrated so that activations use their levels and classes vary
(``qat/calibration.py``). Inputs are bytes; models take them divided by 255.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from lutloom.core.network import Network
    from tests.qat.networks import Recipe

Pixels: TypeAlias = "NDArray[np.uint8]"
Logits: TypeAlias = "NDArray[np.float32]"
Bound: TypeAlias = Callable[[], Logits]
Bind: TypeAlias = Callable[[Pixels], Bound]
"""Takes the pixels of a batch; what it returns is what is timed, and returns the logits."""

_GRAYS = (1, 28, 28)
_QCDQ_OPSET = 13
_COMPLETE = "complete"
_BOARD = "u250"  # large enough: a build for a smaller one says that it does not fit


class NotForThis(Exception):  # noqa: N818 - it is no error
    """The engine does not run this network; the text says why."""


@dataclass(frozen=True)
class Model:
    """A network: how it is made, how many different images, and the batches to choose from."""

    recipe: Callable[[], Recipe]
    images: int
    batches: tuple[int, ...]


def _connected(name: str) -> Recipe:
    from lutloom.qat.models import build_model
    from tests.qat.networks import Recipe

    return Recipe(lambda: build_model(name, _GRAYS, 10), _GRAYS)


def _of_tests(name: str) -> Recipe:
    from tests.qat.networks import BRANCHED, FULL

    return {**FULL, **BRANCHED}[name]


MODELS: Mapping[str, Model] = {
    "TFC-1W1A": Model(lambda: _connected("TFC_1W1A"), 257, (256, 1024, 4096, 16384, 65536)),
    "LFC-1W1A": Model(lambda: _connected("LFC_1W1A"), 257, (64, 256, 1024, 4096, 16384)),
    "CNV-1W1A": Model(lambda: _of_tests("cnv-1w1a"), 67, (16, 64, 256, 1024, 4096)),
    "CNV-2W2A": Model(lambda: _of_tests("cnv-2w2a"), 67, (16, 64, 256, 1024, 4096)),
    "MobileNet-v1 4-bit": Model(lambda: _of_tests("mobilenet-1.0"), 5, (4, 16, 64)),
    "ResNet-18 4W4A": Model(lambda: _of_tests("resnet18"), 19, (4, 16, 64, 256)),
}
"""By their names in the tables. The numbers of images are odd: no lane sees the same ones."""


@dataclass(frozen=True)
class Case:
    """A network of ``MODELS`` in a folder."""

    name: str
    folder: Path

    @property
    def model(self) -> Model:
        """What it is one of."""
        return MODELS[self.name]

    @property
    def qonnx(self) -> Path:
        """The model, as Brevitas exports it."""
        return self.folder / "model.onnx"

    @property
    def standard(self) -> Path:
        """The same in ONNX's own operators, all in float32."""
        return self.folder / "standard.onnx"

    @property
    def qcdq(self) -> Path:
        """Brevitas' other export, if there is one: integers between linear quantizers."""
        return self.folder / "qcdq.onnx"

    @property
    def build(self) -> Path:
        """What Lutloom makes of the model."""
        return self.folder / "build"

    @property
    def weights(self) -> Path:
        """The parameters of the Brevitas model."""
        return self.folder / "weights.pt"

    def network(self) -> Network:
        """Return the integer graph and its ports."""
        from lutloom.core.network import load_network

        return load_network(self.build)

    def pixels(self) -> Pixels:
        """Return the images ``[images, C, H, W]``, no two the same."""
        pixels: Pixels = np.load(self.folder / "pixels.npy")
        return pixels

    def brevitas(self) -> torch.nn.Module:
        """Return the Brevitas model in evaluation mode."""
        import torch

        module = self.model.recipe().make()
        module.load_state_dict(torch.load(self.weights, weights_only=True))
        return module.eval()


def floats_of(pixels: Pixels) -> Logits:
    """Return what a model takes for ``pixels``."""
    return (pixels / 255).astype(np.float32)


def tiled(array: NDArray[Any], batch: int) -> NDArray[Any]:
    """Return ``batch`` entries: those of ``array`` over and over."""
    return np.ascontiguousarray(array[np.arange(batch) % len(array)])


def is_made(folder: Path) -> bool:
    """Say whether a case was made in ``folder``, completely."""
    return (folder / _COMPLETE).is_file()


def make_case(name: str, folder: Path) -> Case:
    """Make the network ``name`` and all of its files."""
    import torch

    import lutloom
    from benchmarks.peers.standard_operators import lower_to_standard
    from lutloom.qat.export import export_qonnx

    case = Case(name, folder)
    recipe, images = case.model.recipe(), case.model.images
    module = recipe.calibrated(max(images, 16))
    pixels = recipe.integers(images, seed=1).astype(np.uint8)
    np.save(folder / "pixels.npy", pixels)
    torch.save(module.state_dict(), case.weights)
    export_qonnx(module, case.qonnx, recipe.shape)
    lutloom.compile(
        case.qonnx,
        case.build,
        board=_BOARD,
        input_type=recipe.input_type,
        input_scale=recipe.input_scale,
        force=True,
    )
    lower_to_standard(case.qonnx, floats_of(pixels[:1]), case.standard)
    _export_qcdq(case, module, recipe.shape)
    (folder / _COMPLETE).touch()
    return case


def _export_qcdq(case: Case, module: torch.nn.Module, shape: tuple[int, ...]) -> None:
    """Write the QCDQ export; say why in a file beside it where Brevitas has none."""
    import torch
    from brevitas.export import export_onnx_qcdq

    ends = {name: {0: "batch"} for name in ("pixels", "logits")}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about torch's older exporter
            export_onnx_qcdq(
                module,
                torch.zeros(1, *shape),
                str(case.qcdq),
                opset_version=_QCDQ_OPSET,
                dynamo=False,
                input_names=["pixels"],
                output_names=["logits"],
                dynamic_axes=ends,
            )
    except Exception as error:  # noqa: BLE001 - Brevitas raises what it has at hand
        case.qcdq.unlink(missing_ok=True)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        case.qcdq.with_suffix(".txt").write_text(reason, encoding="utf-8")
