"""Measure the engines that simulate low-bit networks, ours and others, and check what they give.

    python benchmarks/engines.py [--models CNV-1W1A ...] [--engines lutloom onnxruntime ...]
                                 [--rounds 7] [--seconds 0.5] [--batches 64 1024] [--threads 2]
                                 [--output engines] [--keep FOLDER]

For each network and engine: images a second at batch 1 and at the best batch, medians of rounds in
which the engines take turns, each in a process of its own. The logits of every window are compared:
those of engines that compute the integer graph are equal, or the command fails; those of models in
float32 lie within the bound on float32's error, or the row is marked as wrong. In the same rounds
the machine's peak is measured, and what the two largest layers make of it. Writes the tables to
OUTPUT.md and a chart to OUTPUT.png. What takes long to make of the networks can be kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))  # the networks are those of the tests

from benchmarks.engine_costs import costs
from benchmarks.engine_layers import Layers, shares
from benchmarks.engine_report import abouts, draw, goals, peaks, rates, setting
from benchmarks.engine_rounds import Settings, measure
from benchmarks.peak import compile_peak
from benchmarks.peers import PEERS
from benchmarks.peers.case import MODELS, Case, is_made, make_case
from benchmarks.peers.expected import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.engine_report import Grid
    from benchmarks.engine_rounds import Found
    from benchmarks.peak import Peak

_ENGINES = (
    "lutloom", "lutloom vnni", "lutloom avx2", "reference", "onnxruntime", "onnxruntime qcdq",
    "torch", "onednn", "brevitas", "qonnx",
)  # fmt: skip
_COSTS_OF = "CNV-1W1A"
_COLUMNS = 150


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS], metavar="NAME")
    parser.add_argument(
        "--engines", nargs="+", choices=PEERS, default=_ENGINES, metavar="NAME",
        help=", ".join(PEERS),
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a window")
    parser.add_argument("--batches", type=int, nargs="+", help="to choose the best one from")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", type=Path, default=Path("engines"), help="without its suffix")
    parser.add_argument("--keep", type=Path, help="networks for the next run, and from the last")
    parser.add_argument("--no-costs", dest="costs", action="store_false", help="of the first use")
    return parser.parse_args()


def _measured(
    name: str, options: argparse.Namespace, peak: Peak, folder: Path, say: Callable[[str], None]
) -> tuple[Found, list[Grid]]:
    say(f"{name}: making the network")
    case = Case(name, folder) if is_made(folder) else make_case(name, folder)
    say(f"{name}: what the logits should be")
    expected = expect(case)
    settings = _settings(options, MODELS[name].batches)
    is_ours = any(engine.startswith("lutloom") for engine in options.engines)
    layers = Layers.of(case, options.threads) if is_ours else Layers((), options.threads)
    found = measure(case, expected, options.engines, settings, peak, layers.measure, say)
    tables = [rates(found)]
    if layers.parts:
        tables.append(shares(found, layers))
    if options.costs and is_ours and name == _COSTS_OF:
        say(f"{name}: the cost of the first use")
        tables.append(costs(case))
    return found, tables


def _settings(options: argparse.Namespace, batches: tuple[int, ...]) -> Settings:
    chosen = tuple(sorted(options.batches)) if options.batches else batches
    return Settings(options.rounds, options.seconds, options.threads, chosen)


def main() -> None:
    """Print the tables and write them; end with an error if anything is wrong."""
    options = _options()
    console, everything, tables = Console(width=_COLUMNS), [], []
    with tempfile.TemporaryDirectory() as root:
        peak = compile_peak(Path(root), options.threads)
        for name in options.models:
            folder = Path(options.keep or root, name)
            folder.mkdir(parents=True, exist_ok=True)
            with console.status("") as status:
                say = status.update if console.is_terminal else console.print
                found, made = _measured(name, options, peak, folder, say)
            everything.append(found)
            tables += made
            for table in made:
                console.print(table.rich(), "")
    ends = [goals(everything), peaks(everything), abouts(options.engines)]
    for table in ends:
        console.print(table.rich(), "")
    paragraph = setting(_settings(options, ()))
    console.print(paragraph)
    pages = "\n\n".join((paragraph, *(table.markdown() for table in (*tables, *ends))))
    options.output.with_suffix(".md").write_text(pages + "\n", encoding="utf-8")
    draw(everything, options.output.with_suffix(".png"))
    # A model in float32 may be wrong, and its row says so; engines of integers may not.
    wrong = [
        f"{row.engine} on {found.case.name}"
        for found in everything
        for row in found.rows
        if PEERS[row.engine].is_integer and not (row.verdict and row.verdict.is_right)
    ]
    if wrong:
        console.print(f"wrong: {', '.join(dict.fromkeys(wrong))}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
