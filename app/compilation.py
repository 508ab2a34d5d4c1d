"""``compile``: from a QONNX file to a build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.build import GOLDEN, MANIFEST, MODEL, PLAN, SAMPLES, Build, manifest_text
from lutloom.core.files import OutputError, check_writable, whole_directory, write_file
from lutloom.data import save_arrays
from lutloom.data_set import open_data
from lutloom.estimation import estimate_of, warn_if_too_large
from lutloom.input_type import raw_input
from lutloom.planning import UTILIZATION, budget_of, make_plan, read_plan, wish_of
from lutloom.reporting.writing import write_build_report
from lutloom.targets import TargetError, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lutloom.codegen.toolflow import AxiStream
    from lutloom.core.graph import Graph
    from lutloom.core.network import Network
    from lutloom.core.types import IntArray
    from lutloom.data import DataSource
    from lutloom.input_type import ByInput

    _Vectors: TypeAlias = tuple[Mapping[str, IntArray], Mapping[str, IntArray]]

GOLDEN_IMAGES, FEWEST_IMAGES, GOLDEN_NUMBERS = 16, 3, 2**25
"""How many images the testbench gets: fewer where their values would be more numbers than that."""


def compile(  # noqa: A001, PLR0913 - the name and the options that users expect
    model: str | Path,
    output: str | Path,
    *,
    board: str | None = None,
    part: str | None = None,
    clock_mhz: float | None = None,
    target_fps: float | None = None,
    fastest: bool = False,
    max_utilization: float = UTILIZATION,
    word_bits: int | None = None,
    plan: str | Path | None = None,
    input_type: ByInput = None,
    input_scale: ByInput = None,
    input_bias: ByInput = None,
    data: DataSource | None = None,
    name: str | None = None,
    force: bool = False,
) -> Build:
    """Compile the QONNX file ``model`` to an HLS project in the directory ``output``.

    ``board`` is one that ``list_boards`` knows, or the path of a board's TOML file, by default
    the Pynq-Z2; instead of one, ``part`` is a part such as ``xc7z010clg400-1``. ``clock_mhz`` is
    the fabric clock, the board's own by default.

    The plan is the one of least resources for ``target_fps`` images a second, or the ``fastest``
    one, with at most ``max_utilization`` of the board's look-up tables and streams of
    ``word_bits`` bits. ``plan`` is a plan file instead. Without any of them a plain plan is made.

    ``input_type``, ``input_scale`` and ``input_bias`` say that the model's input holds integers,
    and what they stand for. ``data`` are inputs of the model, ``[N, ...]``, for the testbench and
    for ``verify``; without them, random ones are used. Of several inputs all four go by the
    model's names, in mappings. ``name`` names the design: by default, the model's file. ``force``
    replaces ``output`` if it exists.

    Raises a ``LutloomError`` that says what to do for whatever can't be compiled; ``output`` then
    stays as it was.
    """
    from lutloom.codegen.lower import lower
    from lutloom.core.network import save_network
    from lutloom.core.plan import print_plan
    from lutloom.core.store import save_graph
    from lutloom.streamline.pipeline import streamline
    from lutloom.streamline.source import whole_model

    model, output = Path(model), Path(output)
    check_output(output, force=force, marker=MANIFEST)
    target = target_of(board, part, clock_mhz)
    wish = wish_of(
        target_fps=target_fps,
        fastest=fastest,
        max_utilization=max_utilization,
        word_bits=word_bits,
    )
    if plan is not None and not (wish.is_plain and wish.word_bits is None):
        raise TargetError(
            "a plan file says itself what is built: leave out --plan, or --target-fps, --fastest"
            " and --word-bits"
        )
    network = streamline(model, raw_input(input_type, input_scale, input_bias))
    processes = lower(network.graph)
    if plan is None:
        folding = make_plan(processes, target, wish)
    else:
        folding = read_plan(Path(plan), processes, target)
    samples = None
    if data is not None:
        samples = open_data(data, network, least=1).first(GOLDEN_IMAGES)
    golden = _golden(network, processes, samples)
    build = Build(
        output,
        name or model.stem,
        target.board,
        target.clock_mhz,
        network,
        processes,
        folding,
    )
    warn_if_too_large(estimate_of(build), budget_of(processes, target, wish))
    with whole_directory(output, replace=force) as directory:
        write_file(directory / MODEL, whole_model(model))
        save_network(network, directory)
        save_graph(processes, directory / "processes")
        write_file(directory / PLAN, print_plan(folding).encode())
        save_arrays(directory / GOLDEN, _by_port(build, golden))
        if samples is not None:
            save_arrays(directory / SAMPLES, samples)
        _write_project(build, directory, golden)
        write_file(directory / MANIFEST, manifest_text(build, directory))
        # Behind the manifest: `report` writes it anew when there is more to say.
        write_build_report(build, directory)
    return build


def check_output(path: Path, *, force: bool, marker: str) -> None:
    """Raise ``OutputError`` if ``path`` should not become an output directory.

    With ``force`` it may exist, if it is empty or holds ``marker``, which says that lutloom wrote
    it: a directory of anything else is not for us to delete.
    """
    check_writable(path)
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


def _golden(
    network: Network, processes: Graph, samples: Mapping[str, NDArray[Any]] | None
) -> _Vectors:
    """Return integers at the inputs and outputs of ``processes``, by name."""
    from lutloom.random_images import random_images
    from lutloom.sim.reference import run

    numbers = sum(type_.size for type_ in network.graph.types.values())
    images = min(GOLDEN_IMAGES, max(FEWEST_IMAGES, GOLDEN_NUMBERS // numbers))
    given = (
        random_images(network, images, seed=0)
        if samples is None
        else {name: array[:images] for name, array in samples.items()}
    )
    inputs = network.encode_all(given)
    values = run(network.graph, inputs, wanted=network.graph.outputs)
    twins = zip(processes.outputs, network.graph.outputs, strict=True)
    return inputs, {name: values[twin] for name, twin in twins}


def _by_port(build: Build, golden: _Vectors) -> dict[str, IntArray]:
    """Return the golden vectors, of several inputs or outputs by the model's names."""
    return {
        what if len(arrays) == 1 else f"{what}.{build.port_names[value]}": array
        for what, arrays in zip(("inputs", "outputs"), golden, strict=True)
        for value, array in arrays.items()
    }


def _write_project(build: Build, directory: Path, golden: _Vectors) -> None:
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
        port_names=build.port_names,
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
        part=build.board.part,
        clock_mhz=build.clock_mhz,
        board=build.board,
        streams=_streams(design),
    )


def _streams(design: Mapping[str, Any]) -> list[AxiStream]:
    """Return what joins the units of ``design``, which is what design.json says."""
    from lutloom.codegen.toolflow import AxiStream

    ends = {
        side: [{**border, "top": unit["top"]} for unit in design["units"] for border in unit[side]]
        for side in ("exits", "entries")
    }
    written, read = (
        {b["stream"]: f"{b['top']}.{b['argument']}" for b in borders} for borders in ends.values()
    )
    sizes = {b["stream"]: (b["bits"], b["beats"]) for b in (*ends["entries"], *ends["exits"])}
    return [
        AxiStream(written.get(name, "the host"), read.get(name, "the host"), *size)
        for name, size in sizes.items()
    ]
