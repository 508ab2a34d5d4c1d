"""Compile random chains of convolutions, pools and staircases, and compare every stream.

    python benchmarks/chains.py [--branches] [--graphs 100] [--first 0] [--images 4] [--most 9]

With ``--branches`` they fork and meet: sums, products, parts, attention. Each graph is lowered,
folded at random and compiled twice: as one unit with FIFOs without bound, and in small units with
bounded ones, a thread a process. It ends with an error at the first value that differs from the
reference, or the first deadlock, and names the command that shows it again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console

from lutloom.codegen import default_plan, lower
from lutloom.core.graph import Graph

sys.path.insert(0, str(Path(__file__).parents[1]))  # the graphs are those of the tests

from tests.codegen.branching import branching_graph
from tests.codegen.conftest import image_graph, random_plan, simulated


def compare(graph: Graph, seed: int, images: int, directory: Path) -> Counter[str]:
    """Compare ``graph`` in two plans; return how many processes of a kind it has."""
    lowered = lower(graph)
    rng = np.random.default_rng(seed)
    plans = (
        random_plan(rng, lowered, int(rng.choice([8, 32, 64, 128, 256]))),
        default_plan(lowered, cycles=int(rng.choice([1, 10, 30, 100]))),
    )
    for number, plan in enumerate(plans):
        limit = int(rng.integers(1, 5)) if number else 99
        simulated(
            lowered,
            plan,
            directory / f"{seed}-{number}",
            images=images,
            bounded=bool(number),
            unit_limit=limit,
        )
    return Counter(node.op.name for node in lowered.nodes)


def main() -> None:
    """Compare graphs, and print how many processes of each kind agreed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--graphs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first graph")
    parser.add_argument("--images", type=int, default=4, help="images back to back, at least 2")
    parser.add_argument("--most", type=int, default=9, help="pixels along an axis of the input")
    parser.add_argument("--branches", action="store_true", help="graphs that fork and meet")
    arguments = parser.parse_args()
    draw = branching_graph if arguments.branches else image_graph
    console, processes = Console(highlight=False), Counter[str]()
    started = time.monotonic()
    for seed in range(arguments.first, arguments.first + arguments.graphs):
        with tempfile.TemporaryDirectory() as folder:
            try:
                graph = draw(seed, arguments.most)
                processes += compare(graph, seed, arguments.images, Path(folder))
            except Exception as error:
                console.print(f"seed {seed}: {type(error).__name__}: {error}", markup=False)
                console.print(
                    f"again: python benchmarks/chains.py --first {seed} --graphs 1 --images"
                    f" {arguments.images} --most {arguments.most}"
                    f"{' --branches' if arguments.branches else ''}",
                    soft_wrap=True,
                )
                raise SystemExit(1) from error
    seconds = time.monotonic() - started
    console.print(f"{arguments.graphs} graphs equal in two plans each, {seconds:.0f} s")
    for name, number in processes.most_common():
        console.print(f"  {number} {name}")


if __name__ == "__main__":
    main()
