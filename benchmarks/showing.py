"""What the showings of networks have in common: to build, compile and compare, with a table each.

Each network is built with Brevitas at its published size, with random weights and batch norms
calibrated so that its activations use their levels and its classes vary (``qat/calibration.py``),
exported, and compiled by a process of its own, whose time and memory are measured from start to
end. The build is compared with qonnx's executor; a reduced copy of the same network also with the
exact interpreter. The C++ of some is compiled with two plans, and compared with the reference on
three images back to back, with FIFOs of the planned depth.

The seconds of the processor are those of the process that was started and of its children: they
mean something on a machine with other work, the seconds on the wall do not.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import lutloom
from lutloom.codegen import default_plan
from lutloom.codegen.assembly import make_design
from lutloom.codegen.cpp_tokens import Kind, tokenize
from lutloom.codegen.fifos import DEFAULT_DEPTH
from lutloom.codegen.folding import slowest
from lutloom.core.ops import Depthwise, MatVec, SumPool
from lutloom.core.plan import Plan, print_plan
from lutloom.fifo_table import fifo_rows
from lutloom.qat.calibration import variety
from lutloom.qat.export import export_qonnx
from lutloom.sim.csim import build as build_simulation
from lutloom.sim.reference import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lutloom import Verification
    from lutloom.build import Build
    from lutloom.codegen.design import Design
    from lutloom.core.graph import Graph
    from tests.qat.networks import Recipe

_COLUMNS = 150
_FRAMES = 3
# Runs in which processes keep their last results and wait at random, besides one without.
_ADVERSARIES = 2
_FLOATS = {"float", "double", "half"}
# How many times the cycles a frame of the automatic plan the second one aims at.
_SLOWER = 4
_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
_COMPILE = "from lutloom.entry import main; main()"


@dataclass(frozen=True, slots=True)
class Limit:
    """What compiling a network may take, from the start of the process to its end."""

    seconds: float
    mib: float


@dataclass(frozen=True)
class Showing:
    """Networks by name, and their reduced copies, whose names begin as theirs or the other way.

    Those ``in_cpp`` have their C++ compiled: larger ones are more of the same, and take long.
    """

    full: Mapping[str, Recipe]
    small: Mapping[str, Recipe]
    in_cpp: tuple[str, ...]
    limits: Mapping[str, Limit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took from its start to its end."""

    wall: float
    cpu: float
    peak_mib: float


def measured(arguments: list[str]) -> Usage:
    """Run a command and return what it took. Raises ``RuntimeError`` with what it said."""
    with tempfile.TemporaryFile() as said:
        started, peak = time.perf_counter(), 0
        process = subprocess.Popen(arguments, stdout=said, stderr=said)
        finished = 0
        while not finished:
            # The peak that wait4 tells is at least that of this process, from which it was forked.
            peak = max(peak, _peak_kib(process.pid))
            time.sleep(0.02)
            finished, status, usage = os.wait4(process.pid, os.WNOHANG)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(said.read().decode(errors="replace"))
    return Usage(wall, usage.ru_utime + usage.ru_stime, peak / 1024)


def _peak_kib(process: int) -> int:
    """Return the most memory that a process has had so far, 0 if it has ended."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return 0 if found is None else int(found[1])


def widest_accumulator(processes: Graph) -> int:
    """Return the bits of the widest sum that a process makes."""
    return max(
        processes.types[name].element.bits
        for node in processes.nodes
        for name in node.results
        if isinstance(node.op, MatVec | Depthwise | SumPool)
    )


def floating_names(project: Path) -> int:
    """Return how often the synthesised sources of ``project`` name a type of floats."""
    return sum(
        token.synthesised and token.kind is Kind.NAME and token.text in _FLOATS
        for folder in ("include", "src")
        for path in (project / "hls" / folder).rglob("*.[ch]pp")
        for token in tokenize(path.read_text(encoding="utf-8"))
    )


@dataclass
class Tables:
    """What is printed at the end, filled row by row; and whether something differed."""

    models: Table
    compiled: Table
    exact: Table
    cpp: Table
    fifos: Table
    failures: int = 0

    @staticmethod
    def empty() -> Tables:
        """Return them without a row."""
        make = partial(Table, box=None, title_justify="left")
        return Tables(
            make(
                "network", "weights", "MACs", "gammas < 0", "= 0", "levels used, least",
                "most frequent", "classes", "of images",
                title="The models, with random weights",
            ),
            make(
                "network", "wall s", "CPU s", "peak MiB", "processes", "accumulator bits",
                "floats in C++", "host before", "behind", "numbers", "differ", "explained",
                "classes differ",
                title="Compiled in a process of its own; the integer graph and qonnx's executor",
            ),
            make(
                "network", "values", "numbers", "differ", "images", "s",
                title="Reduced copies: the integer graph and the exact interpreter",
            ),
            make(
                "network", "plan", "cycles a frame", "wall s", "CPU s", "images", "run s", "equal",
                title="The C++, compiled, with FIFOs as deep as planned, and the reference",
            ),
            make(
                "network", "plan", "FIFOs", f"deeper than {DEFAULT_DEPTH}", "Kibit",
                "as full tensors", "largest", "words", "of an image's", "memory",
                title="The FIFOs as deep as planned, and if they held whole tensors",
            ),
        )  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """A network in a file, with the integers that go in."""

    name: str
    recipe: Recipe
    model: torch.nn.Module
    path: Path
    inputs: NDArray[np.int64]

    def compile(self, output: Path, plan: Path | None = None) -> Build:
        """Compile it in this process."""
        recipe = self.recipe
        return lutloom.compile(
            self.path,
            output,
            plan=plan,
            input_type=recipe.input_type,
            input_scale=recipe.input_scale,
        )


def prepare(name: str, recipe: Recipe, images: int, folder: Path) -> Prepared:
    """Build the network ``name`` with Brevitas, calibrate it on ``images`` images, export it."""
    path = folder / f"{name}.onnx"
    model = recipe.calibrated(images)
    export_qonnx(model, path, recipe.shape, outputs=recipe.outputs)
    return Prepared(name, recipe, model, path, recipe.integers(images))


def show_model(network: Prepared, tables: Tables) -> None:
    """Add what the Brevitas model is made of, and what it makes of the images."""
    found = variety(network.model, network.recipe.floats(network.inputs))
    norms = [module for module in network.model.modules() if isinstance(module, _NORMS)]
    gammas = torch.cat([norm.weight.detach() for norm in norms]).numpy()
    least = min(found.activations, key=lambda use: use.used / use.levels)
    recipe = network.recipe
    inspection = lutloom.inspect(
        network.path, input_type=recipe.input_type, input_scale=recipe.input_scale
    )
    tables.models.add_row(
        network.name,
        f"{inspection.weights:,}",
        f"{inspection.macs:,}",
        f"{np.mean(gammas < 0):.0%}",
        str(int((gammas == 0).sum())),
        f"{least.used} of {least.levels}",
        f"{max(use.largest for use in found.activations):.0%}",
        str(len(found.classes)),
        str(len(network.inputs)),
    )


def compiled(network: Prepared, folder: Path) -> tuple[Build, Usage]:
    """Return the build that a process of its own made, and what that took."""
    np.save(folder / "images.npy", network.inputs)
    usage = measured(
        [
            *(sys.executable, "-c", _COMPILE, "compile", str(network.path)),
            *("--input-type", network.recipe.input_type),
            *("--input-scale", network.recipe.input_scale),
            *("--data", str(folder / "images.npy"), "-o", str(folder / network.name)),
        ]
    )
    return lutloom.load_build(folder / network.name), usage


def show_compiled(
    network: Prepared, build: Build, usage: Usage, limit: Limit | None, tables: Tables
) -> None:
    """Compare the build with qonnx's executor, and add what was found and what it took."""
    result = lutloom.verify(build, network.inputs, samples=len(network.inputs), csim=False)
    floats = floating_names(build.directory)
    tables.failures += not (result.passed and floats == 0)
    if limit is not None:
        tables.failures += usage.wall > limit.seconds or usage.peak_mib > limit.mib
    layers = [check for check in result.checks if check.stage is lutloom.Stage.MODEL]
    classes = sum(check.differing for check in layers if check.subject.split(" ")[0] == "classes")
    quantizers = [check for check in layers if check.subject in build.network.meaning]
    tables.compiled.add_row(
        network.name,
        f"{usage.wall:.1f}" + (f" < {limit.seconds:g}" if limit else ""),
        f"{usage.cpu:.1f}",
        f"{usage.peak_mib:,.0f}" + (f" < {limit.mib:,g}" if limit else ""),
        str(len(build.processes.nodes)),
        str(widest_accumulator(build.processes)),
        str(floats),
        str(sum(len(port.head) for port in build.network.inputs)),
        str(sum(len(port.tail) for port in build.network.outputs)),
        f"{sum(check.elements for check in quantizers):,}",
        str(sum(check.differing for check in quantizers)),
        "all" if result.passed else f"NOT: {_failure(result)}",
        str(classes),
    )


def _failure(result: Verification) -> str:
    check = result.first_failure
    return "" if check is None else f"{check.subject}: {check.remark}"


def show_exact(network: Prepared, images: int, folder: Path, tables: Tables) -> None:
    """Compare a reduced network with the exact interpreter."""
    build = network.compile(folder / network.name)
    started = time.perf_counter()
    result = lutloom.verify(build, network.inputs, samples=images, exact=images, csim=False)
    checks = [check for check in result.checks if check.stage is lutloom.Stage.EXACT]
    tables.failures += not (result.passed and len(checks) > 0)
    tables.exact.add_row(
        network.name,
        str(len(checks)),
        f"{sum(check.elements for check in checks):,}",
        str(sum(check.differing for check in checks)),
        str(images),
        f"{time.perf_counter() - started:.1f}",
    )


def show_cpp(network: Prepared, build: Build, folder: Path, tables: Tables) -> None:
    """Compile the C++ of two plans, and compare it with the reference."""
    inputs = build.network.encode_all(network.inputs[:_FRAMES])
    expected = run(build.processes, inputs)
    for number, (what, plan) in enumerate(_plans(build).items()):
        text = folder / f"{network.name}-{number}.json"
        text.write_text(print_plan(plan), encoding="utf-8")
        planned = network.compile(folder / f"{network.name}-{number}", text)
        show_fifos(network.name, what, make_design(build.processes, plan, name="design"), tables)
        started, before = time.perf_counter(), _children_seconds()
        simulation = build_simulation(planned.directory, bounded=True)
        built, started = time.perf_counter() - started, time.perf_counter()
        cpu = _children_seconds() - before
        equal = all(
            np.array_equal(found, expected[name])
            for seed in (None, *range(_ADVERSARIES))
            for name, found in simulation.run_all(inputs, adversary=seed).items()
        )
        ran = time.perf_counter() - started
        tables.failures += not equal
        tables.cpp.add_row(
            network.name,
            what,
            f"{slowest(build.processes, plan)[1]:,}",
            f"{built:.1f}",
            f"{cpu:.1f}",
            str(_FRAMES),
            f"{ran:.1f}",
            "yes" if equal else "NO",
        )


def show_fifos(name: str, what: str, design: Design, tables: Tables) -> None:
    """Add how deep the FIFOs of a design are, and how large full tensors would be."""
    rows = fifo_rows(design)
    largest = max(rows, key=lambda row: row.total_bits)
    tables.fifos.add_row(
        name,
        what,
        str(len(rows)),
        str(sum(row.depth > DEFAULT_DEPTH for row in rows)),
        f"{sum(row.total_bits for row in rows) / 1024:,.1f}",
        f"{sum(row.naive_bits for row in rows) / 1024:,.1f}",
        largest.value,
        f"{largest.depth:,}",
        f"{largest.words:,}",
        largest.memory,
    )


def _plans(build: Build) -> dict[str, Plan]:
    """Return the automatic plan, and one with other lanes and other words at the borders."""
    cycles = _SLOWER * slowest(build.processes, build.plan)[1]
    slower = default_plan(build.processes, cycles=cycles, word_bits=128)
    return {"automatic": build.plan, f"{_SLOWER} times slower": slower}


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def show(
    name: str,
    showing: Showing,
    folder: Path,
    arguments: argparse.Namespace,
    console: Console,
    tables: Tables,
) -> None:
    """Add all that is shown of the network ``name`` at its full size."""
    console.print(f"{name}: ", end="")
    recipe = showing.full[name]
    network = prepare(name, recipe, arguments.images or recipe.images, folder)
    show_model(network, tables)
    console.print("compiling, ", end="")
    build, usage = compiled(network, folder)
    console.print("comparing with qonnx", end="")
    show_compiled(network, build, usage, showing.limits.get(name), tables)
    if arguments.csim and name in showing.in_cpp:
        console.print(", compiling its C++", end="")
        show_cpp(network, build, folder, tables)
    console.print()


def main(description: str, showing: Showing) -> None:
    """Print the tables, and end with an error if any number differs."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(showing.full))
    parser.add_argument("--images", type=int, help="instead of as many as each network says")
    parser.add_argument("--exact", type=int, default=4, help="images for the exact interpreter")
    parser.add_argument("--no-csim", dest="csim", action="store_false", help="no C++")
    arguments = parser.parse_args()
    chosen = arguments.networks or list(showing.full)
    for name in chosen:
        if name not in showing.full:
            parser.error(f"there is no network {name!r}: use one of {', '.join(showing.full)}")
    console, tables = Console(width=_COLUMNS), Tables.empty()
    try:
        for name in chosen:
            with tempfile.TemporaryDirectory() as place:
                show(name, showing, Path(place), arguments, console, tables)
        for name, recipe in showing.small.items():
            if any(whole.startswith(name) or name.startswith(whole) for whole in chosen):
                with tempfile.TemporaryDirectory() as place:
                    small = prepare(name, recipe, 32, Path(place))
                    show_exact(small, arguments.exact, Path(place), tables)
    finally:
        # what was found until Ctrl-C as well
        parts = (tables.models, tables.compiled, tables.exact, tables.cpp, tables.fifos)
        for table in parts:
            if table.row_count:
                console.print(table, "")
    console.print(f"{tables.failures} comparisons failed")
    raise SystemExit(bool(tables.failures))
