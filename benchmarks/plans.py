"""Compile a model with several plans and compare each one's C++ with the reference, bit by bit.

    python benchmarks/plans.py MODEL.onnx --data images.npy [--images 1000]

Three plans: all ones, the largest legal one, and one in which neighbours disagree on the number of
lanes, so that width converters of unequal, non-integer ratios stand between them. Each is run in
batches of 1, 2, 7 and all images through the AXI streams of its top, and once more with bounded
FIFOs and a thread a process.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

import lutloom
from lutloom.codegen import largest_plan, legal_values, unfolded_plan
from lutloom.core.plan import Folding, Plan, print_plan
from lutloom.sim.csim import build as build_simulation
from lutloom.sim.reference import run

if TYPE_CHECKING:
    from lutloom.core.graph import Graph


def converting_plan(graph: Graph) -> Plan:
    """Return a plan with a width converter wherever the numbers of channels allow one."""
    plan = unfolded_plan(graph)
    for index, name in enumerate(plan.foldings):
        legal = legal_values(graph, name)
        # Every other process takes the middle of its legal values, the others the smallest
        # above 1: neighbours then hardly ever agree.
        chosen = {
            key: values[len(values) // 2] if index % 2 else values[min(1, len(values) - 1)]
            for key, values in legal.items()
        }
        plan = plan.with_folding(name, Folding(pe=chosen["pe"], simd=chosen["simd"]))
    return plan


def main() -> None:
    """Print a table of plans, and end with an error if any number differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1000)
    arguments = parser.parse_args()
    images = np.load(arguments.data, allow_pickle=False)[: arguments.images]
    table = Table("plan", "converters", "build s", "batches equal", "run s", "bounded", box=None)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        first = lutloom.compile(arguments.model, Path(folder) / "default", data=images)
        encoded = first.network.encode(images)
        expected = run(first.network.graph, {first.network.input_value: encoded})
        reference = expected[first.network.output_value]
        plans = {
            "all ones": unfolded_plan(first.processes),
            "largest": largest_plan(first.processes),
            "converters": converting_plan(first.processes),
        }
        for name, plan in plans.items():
            path = Path(folder) / f"{name}.json"
            path.write_text(print_plan(plan), encoding="utf-8")
            build = lutloom.compile(arguments.model, Path(folder) / name, plan=path, data=images)
            started = time.perf_counter()
            simulation = build_simulation(build.directory)
            built, started = time.perf_counter() - started, time.perf_counter()
            results = {
                batch: np.array_equal(simulation.run(encoded, batch=batch), reference)
                for batch in (1, 2, 7, len(images))
            }
            ran = time.perf_counter() - started
            bounded = np.array_equal(
                build_simulation(build.directory, bounded=True).run(encoded), reference
            )
            failures += (not bounded) + sum(not equal for equal in results.values())
            sources = "".join(p.read_text() for p in (build.directory / "hls/src").glob("*.cpp"))
            converters = re.findall(r"lutloom::(?:gearbox|narrow|widen)<", sources)
            table.add_row(
                name,
                str(len(converters)),
                f"{built:.1f}",
                ", ".join(str(batch) for batch, equal in results.items() if equal),
                f"{ran:.1f}",
                "equal" if bounded else "DIFFERS",
            )
    Console().print(table)
    print(f"{failures} of {5 * len(plans)} runs differ from the reference on {len(images)} images")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
