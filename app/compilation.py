"""``compile``: from a QONNX file to a build."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.build import GOLDEN, MANIFEST, MODEL, PLAN, SAMPLES, Build, manifest_text
from lutloom.core.files import OutputError, read_text, whole_directory, write_file
from lutloom.data import load_images, save_array
from lutloom.input_type import raw_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.boards import Board
    from lutloom.core.graph import Graph
    from lutloom.core.network import Network
    from lutloom.core.plan import Plan
    from lutloom.core.types import IntArray
    from lutloom.data import DataSource

GOLDEN_IMAGES, FEWEST_IMAGES, GOLDEN_NUMBERS = 16, 3, 2**25
"""How many images the testbench gets: fewer where their values would be more numbers than that."""


def compile(  # noqa: A001, PLR0913 - the name and the options that users expect
    model: str | Path,
    output: str | Path,
    *,
    board: str = "pynq-z2",
    plan: str | Path | None = None,
    input_type: str | None = None,
    input_scale: str | None = None,
    input_bias: str | None = None,
    data: DataSource | None = None,
    name: str | None = None,
    force: bool = False,
) -> Build:
    """Compile the QONNX file ``model`` to an HLS project in the directory ``output``.

    ``board`` is one that ``list_boards`` knows, or the path of a board's TOML file. ``plan`` is a
    plan file; without one, a plain automatic plan is made. ``input_type``, ``input_scale`` and
    ``input_bias`` say that the model's input holds integers, and what they stand for. ``data`` are
    inputs of the model, ``[N, ...]``, for the testbench and for ``verify``; without them, random
    ones are used. ``name`` names the design: by default, the model's file. ``force`` replaces
    ``output`` if it exists.

    Raises a ``LutloomError`` that says what to do for whatever can't be compiled; ``output`` then
    stays as it was.
    """
    from lutloom.boards import load_board
    from lutloom.codegen.lower import lower
    from lutloom.core.network import save_network
    from lutloom.core.plan import print_plan
    from lutloom.core.store import save_graph
    from lutloom.streamline.pipeline import streamline
    from lutloom.streamline.source import whole_model

    model, output = Path(model), Path(output)
    check_output(output, force=force, marker=MANIFEST)
    target = load_board(board)
    network = streamline(model, raw_input(input_type, input_scale, input_bias))
    processes = lower(network.graph)
    folding = _plan(processes, plan, target)
    samples = None if data is None else load_images(data)[:GOLDEN_IMAGES]
    golden = _golden(network, samples)
    build = Build(
        output,
        name or model.stem,
        target.name,
        target.part,
        target.clock_mhz,
        network,
        processes,
        folding,
    )
    with whole_directory(output, replace=force) as directory:
        write_file(directory / MODEL, whole_model(model))
        save_network(network, directory)
        save_graph(processes, directory / "processes")
        write_file(directory / PLAN, print_plan(folding).encode())
        write_file(directory / GOLDEN, _archive(inputs=golden[0], outputs=golden[1]))
        if samples is not None:
            save_array(directory / SAMPLES, samples)
        _write_project(build, directory, golden, target)
        write_file(directory / MANIFEST, manifest_text(build, directory))
    return build


def check_output(path: Path, *, force: bool, marker: str) -> None:
    """Raise ``OutputError`` if ``path`` should not become an output directory.

    With ``force`` it may exist, if it is empty or holds ``marker``, which says that lutloom wrote
    it: a directory of anything else is not for us to delete.
    """
    if not path.exists() and not path.is_symlink():
        return
    if not force:
        raise OutputError(f"{path} exists: choose another directory, or pass --force to replace it")
    if path.is_symlink() or not path.is_dir():
        raise OutputError(f"{path} is no directory: choose another one")
    if Path.cwd().is_relative_to(path.resolve()):
        raise OutputError(f"{path} is the current directory, or holds it: go elsewhere first")
    if any(path.iterdir()) and not (path / marker).exists():
        raise OutputError(
            f"{path} was not written by lutloom: it is not replaced; choose another directory"
        )


def _plan(processes: Graph, path: str | Path | None, board: Board) -> Plan:
    from lutloom.codegen.design import in_ultra_rams
    from lutloom.codegen.folding import check_plan, default_plan, settled_plan
    from lutloom.core.errors import PlanError
    from lutloom.core.plan import parse_plan

    if path is None:
        return in_ultra_rams(processes, default_plan(processes), board.uram)
    try:
        text = read_text(Path(path))
    except (OSError, ValueError) as error:
        raise PlanError(f"the plan {path} can't be read: {error}") from error
    try:
        plan = parse_plan(text)
        check_plan(processes, plan)
        return in_ultra_rams(processes, settled_plan(processes, plan), board.uram)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def _golden(network: Network, samples: NDArray[Any] | None) -> tuple[IntArray, IntArray]:
    """Return integers at the graph's input and output."""
    from lutloom.random_images import random_images
    from lutloom.sim.reference import run

    graph, start = network.graph, network.input_value
    numbers = sum(type_.size for type_ in graph.types.values())
    images = min(GOLDEN_IMAGES, max(FEWEST_IMAGES, GOLDEN_NUMBERS // numbers))
    given = random_images(network, images, seed=0) if samples is None else samples[:images]
    inputs = network.encode(given)
    (output,) = graph.outputs
    return inputs, run(graph, {start: inputs}, wanted=(output,))[output]


def _write_project(
    build: Build, directory: Path, golden: tuple[IntArray, IntArray], board: Board
) -> None:
    """Write the HLS project and its scripts, and check the pragmas of what was written."""
    from lutloom.codegen.pragma_check import check_project
    from lutloom.codegen.project import Golden, write_project
    from lutloom.codegen.toolflow import UnitSources, write_toolflow

    write_project(
        build.processes,
        build.plan,
        name=build.name,
        golden=Golden(*golden),
        directory=directory,
    )
    problems = check_project(directory)
    if problems:
        raise AssertionError(f"lutloom wrote C++ that its own checker refuses: {problems[0]}")
    design = json.loads((directory / "hls" / "design.json").read_text(encoding="utf-8"))
    write_toolflow(
        directory,
        name=build.name,
        units=[
            UnitSources(unit["top"], (f"hls/src/{unit['top']}.cpp",)) for unit in design["units"]
        ],
        part=board.part,
        clock_mhz=board.clock_mhz,
        board=board,
    )


def _archive(**arrays: IntArray) -> bytes:
    """Return an .npz file of ``arrays``, the same bytes for the same numbers."""
    import numpy as np

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            zipped.writestr(
                zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue()
            )
    return buffer.getvalue()
