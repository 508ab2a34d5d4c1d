"""Hold our cost model and our plans against the foldings that FINN publishes.

    python benchmarks/foldings.py FOLDER [DESIGN ...] [--networks DIR] [--layers] [--plans]

FOLDER has the files of finn-examples (build/*/folding_config/*.json, BSD-3-Clause), named
EXAMPLE__FILE as ``benchmarks/finn/networks.py`` lists them. Networks have random weights: they are
built with Brevitas, exported and streamlined, and kept in DIR if one is given. What is printed is
Markdown. With --plans our own plans are made for the rate of each folding, with no more of anything
than it takes, and for the highest rate; it ends with an error where a plan takes more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the networks are those of the tests

from benchmarks.finn.compare import (
    Comparison,
    estimate_table,
    layer_table,
    missing_table,
    synthesized_table,
)
from benchmarks.finn.mapping import mapped
from benchmarks.finn.networks import DESIGNS, processes_of_design
from benchmarks.finn.plans import against_table, plan_against, rate_table
from benchmarks.finn.published import PublishedFolding
from lutloom.boards import load_board


def compare(name: str, folder: Path, networks: Path) -> Comparison:
    """Return the design ``name`` of ``DESIGNS`` by both models."""
    published = DESIGNS[name]
    device = load_board(published.board).device
    graph = processes_of_design(name, networks)
    folding = PublishedFolding.read(folder / published.file)
    return Comparison(name, published, mapped(graph, folding, device), device)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folding files")
    parser.add_argument("designs", nargs="*", metavar="DESIGN", help=", ".join(DESIGNS))
    parser.add_argument("--networks", type=Path, help="where networks are kept")
    parser.add_argument("--layers", action="store_true", help="layer by layer, too")
    parser.add_argument("--plans", action="store_true", help="our plans, too")
    arguments = parser.parse_args()
    for name in arguments.designs:
        if name not in DESIGNS:
            parser.error(f"there is no design {name!r}: use one of {', '.join(DESIGNS)}")
    names = arguments.designs or list(DESIGNS)
    for name in names:
        if not (arguments.folder / DESIGNS[name].file).is_file():
            parser.error(f"{name}: there is no {DESIGNS[name].file} in {arguments.folder}")
    with tempfile.TemporaryDirectory() as place:
        networks = arguments.networks or Path(place)
        networks.mkdir(parents=True, exist_ok=True)
        comparisons = [compare(name, arguments.folder, networks) for name in names]
        _print_models(comparisons, with_layers=arguments.layers)
        if arguments.plans:
            _print_plans(comparisons, networks)


def _print_models(comparisons: list[Comparison], *, with_layers: bool) -> None:
    print("## Layers by both models\n")
    print(estimate_table(comparisons))
    for comparison in comparisons:
        if comparison.published.note:
            print(f"- {comparison.name}: {comparison.published.note}")
    print()
    print("## What FINN's report leaves out, by our model\n")
    print(missing_table(comparisons))
    print("## What synthesis counted\n")
    print(synthesized_table(comparisons))
    if with_layers:
        for comparison in comparisons:
            print(f"### {comparison.name}\n")
            print(layer_table(comparison))


def _print_plans(comparisons: list[Comparison], networks: Path) -> None:
    against = [plan_against(comparison) for comparison in comparisons]
    print("## Our plans, within what the foldings take by our model\n")
    print(against_table(against))
    print("## The highest rates that we estimate to fit\n")
    print(rate_table(comparisons, networks))
    more = [found.published.name for found in against if not found.is_no_more]
    if more:
        raise SystemExit(f"more than the folding: {', '.join(more)}")


if __name__ == "__main__":
    main()
