"""Plan networks for boards and rates, and say how long that takes, and how near the least it is.

    python benchmarks/planning.py --networks DIR [--only CNV-1W1A ...]

Networks are of their published sizes with random weights (``finn/networks.py``), and kept in
``DIR``. Each is planned in a process of its own, as ``compile`` does it: seconds are CPU time from
the graph of processes to the plan, or to the message that there is none, with what would fit
instead. *share* is the largest share of a resource before deep FIFOs, *proved* that no plan has
less.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # the networks are those of the tests

from benchmarks.finn.networks import processes_of_design
from lutloom.infeasibility import UnreachableError
from lutloom.planning import UTILIZATION, make_plan, planned_for, wish_of
from lutloom.targets import target_of

MOBILENET = "MobileNet-v1 4-bit, U250"
RESNET = "ResNet-50 1W2A"


@dataclass(frozen=True)
class Case:
    """A network that is planned for a board, and images a second; None for as many as can be."""

    network: str
    board: str
    fps: float | None
    goal: float | None = None
    """Seconds that it should take at most, where that was decided."""


CASES = (
    Case("TFC-1W1A", "pynq-z1", 1_000_000),
    Case("CNV-1W1A", "pynq-z1", 3000),
    Case("CNV-1W1A", "pynq-z1", None),
    Case("CNV-2W2A", "pynq-z1", 800),
    Case("CNV-2W2A", "pynq-z1", None),
    Case("CNV-2W2A", "pynq-z1", 10_000_000),
    Case(MOBILENET, "u250", 1500, goal=1),
    Case(MOBILENET, "zcu104", 100),
    Case(MOBILENET, "pynq-z2", 30),
    Case(RESNET, "u250", 150, goal=5),
    Case(RESNET, "u250", None),
    Case(RESNET, "pynq-z2", 10),
)


@dataclass(frozen=True)
class Row:
    """What came of a case: its seconds, what is shown of the plan, or why there is none."""

    seconds: float
    found: tuple[str, ...] = ("none",)
    message: str = ""


def measure(case: Case, networks: Path) -> Row:
    """Plan once; what is shown of the plan is asked for again, which is not counted."""
    processes = processes_of_design(case.network, networks)
    target = target_of(case.board, None, None)
    wish = wish_of(
        target_fps=case.fps,
        fastest=case.fps is None,
        max_utilization=UTILIZATION,
        word_bits=None,
    )
    started = time.process_time()
    try:
        make_plan(processes, target, wish)
    except UnreachableError as error:
        return Row(time.process_time() - started, message=str(error))
    seconds = time.process_time() - started
    planned = planned_for(processes, target, wish)
    lut, _, *others = planned.cost.total.resources.figures
    takes = f"{lut:,} / {others[0]} / {others[1]} / {others[2]}"
    proved = "yes" if planned.is_least else f"to {float(planned.share / planned.bound - 1):.2%}"
    return Row(seconds, (f"{planned.cycles:,}", f"{float(planned.share):.4f}", proved, takes))


def main() -> None:
    """Print a table, and the messages for what does not fit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=Path, help="where networks are kept")
    parser.add_argument("--only", nargs="*", help="parts of names of networks")
    arguments = parser.parse_args()
    columns = "network", "board", "images/s", "CPU s", "goal", "cycles", "share", "proved"
    table = Table(*columns, "LUT / BRAM18 / URAM / DSP", box=None)
    messages: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        networks = arguments.networks or Path(place)
        networks.mkdir(parents=True, exist_ok=True)
        for case in CASES:
            if arguments.only and not any(part in case.network for part in arguments.only):
                continue
            # In processes of their own, so that nothing is known from the case before.
            with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
                pool.apply(processes_of_design, (case.network, networks))
                row: Row = pool.apply(measure, (case, networks))
            goal = "" if case.goal is None else f"{case.goal:g}"
            rate = "highest" if case.fps is None else f"{case.fps:,.0f}"
            name = case.network.partition(",")[0]
            table.add_row(name, case.board, rate, f"{row.seconds:.2f}", goal, *row.found)
            if row.message:
                messages.append(f"{name} on {case.board}, {rate} images/s: {row.message}")
    Console(width=120).print(table)
    print("\n".join(messages))


if __name__ == "__main__":
    main()
