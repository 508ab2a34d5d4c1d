"""``demo``: the whole pipeline on data that ship with a dependency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.build import MANIFEST
from lutloom.compilation import check_output
from lutloom.compilation import compile as compile_model
from lutloom.core.counts import counted
from lutloom.core.files import whole_directory
from lutloom.data import save_array
from lutloom.extras import require
from lutloom.reporting.writing import report
from lutloom.scores import classes
from lutloom.simulation import Simulation, simulate
from lutloom.training import train
from lutloom.verification import Check, Stage, Verification, layer_check, verify
from lutloom.verification_report import write_report

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.build import Build
    from lutloom.qat.trainer import TrainResult

MODEL, DATA = "SFC_1W1A", "digits"


@dataclass(frozen=True, eq=False)
class Demonstration:
    """What each step of the pipeline gave."""

    trained: TrainResult
    build: Build
    simulation: Simulation
    verification: Verification


def demo(
    output: str | Path = "lutloom-demo",
    *,
    model: str = MODEL,
    board: str = "pynq-z2",
    force: bool = False,
    progress: bool = True,
    on_step: Callable[[str], None] | None = None,
) -> Demonstration:
    """Train a binarized network on real digits, compile it, and prove every stage equal.

    ``output`` receives ``training/``, ``data/`` and ``build/``, the HLS project; ``force``
    replaces it. ``on_step`` is called with a sentence before each step.

    Raises ``MissingExtraError`` where the extras ``qat`` or ``csim`` are not installed, and
    ``OutputError`` if ``output`` exists.
    """
    require("qat", "torch", "brevitas", "lightning", "sklearn")
    from lutloom.boards import load_board
    from lutloom.sim.toolchain import find_ap_headers, find_compiler

    folder = Path(output)
    # What would stop it later on is found before anything is trained.
    check_output(folder, force=force, marker=f"build/{MANIFEST}")
    load_board(board)
    find_compiler()
    find_ap_headers()
    with whole_directory(folder, replace=force) as building:
        result = _demo(building, model, board, progress=progress, tell=on_step or (lambda _: None))
    trained = result.trained
    return replace(
        result,
        trained=replace(
            trained,
            checkpoint=folder / trained.checkpoint.relative_to(building),
            onnx=folder / trained.onnx.relative_to(building),
        ),
        build=replace(result.build, directory=folder / "build"),
    )


def _demo(
    folder: Path, model: str, board: str, *, progress: bool, tell: Callable[[str], None]
) -> Demonstration:
    """Do what ``demo`` does in the empty directory ``folder``."""
    from lutloom.qat.data import load_dataset

    tell(f"Training {model} on scikit-learn's digits")
    trained = train(model, data=DATA, output=folder / "training", progress=progress)
    dataset = load_dataset(DATA)
    images = dataset.test_x
    (folder / "data").mkdir()
    save_array(folder / "data" / "images.npy", images)
    save_array(folder / "data" / "labels.npy", dataset.test_y)
    tell("Compiling it to an HLS project")
    build = compile_model(trained.onnx, folder / "build", board=board, data=images)
    tell("Simulating the test images")
    simulation = simulate(build, images, labels=dataset.test_y)
    tell("Verifying every stage, the compiled C++ included")
    verification = verify(build, images, samples=len(images), on_step=tell)
    pixels = dataset.pixels(images)
    verification = _with_brevitas(trained, build, pixels, verification)
    write_report(verification, build.directory)
    report(build)
    return Demonstration(trained, build, simulation, verification)


def _with_brevitas(
    trained: TrainResult, build: Build, pixels: NDArray[np.float32], verification: Verification
) -> Verification:
    """Put the first comparisons in front: those of the trained Brevitas model.

    Its classes with those of the exported file, and its quantizers' integers, layer by layer, with
    the integer graph.
    """
    from lutloom.qat.data import load_dataset
    from lutloom.qat.trained import trace_trained
    from lutloom.streamline.comparison import compare_batch
    from lutloom.streamline.comparison_parts import merge
    from lutloom.streamline.executor import execute
    from lutloom.streamline.folded_constants import fold_constants
    from lutloom.streamline.source import read_source

    brevitas, quantized = trace_trained(trained.checkpoint, load_dataset(DATA), pixels)
    source, network = read_source(trained.onnx), build.network
    tensors = execute(trained.onnx, pixels)
    (output,) = source.outputs
    exported = tensors[output.name]
    differing = int((classes(brevitas) != classes(exported)).sum())
    remark = (
        f"{int((brevitas == exported).sum())} of {counted(brevitas.size, 'float')} equal to qonnx"
    )
    checks = [Check(Stage.EXPORT, "classes", len(pixels), differing, remark=remark)]
    # A quantizer's node, layers.quantize0.Quant, is named after its module, layers.quantize0.
    replaced = {
        meaning.tensor: quantized[name.rpartition(".")[0]].reshape(tensors[meaning.tensor].shape)
        for name, meaning in network.meaning.items()
        if name.rpartition(".")[0] in quantized
    }
    part = compare_batch(
        network,
        source,
        {**tensors, **replaced, output.name: brevitas},
        network.encode(pixels),
        fold_constants(source),
        own_floats=False,
    )
    checks += [
        layer_check(Stage.BREVITAS, layer)
        for layer in merge([part]).layers
        if network.meaning[layer.value].tensor in replaced
    ]
    return replace(verification, checks=(*checks, *verification.checks))
