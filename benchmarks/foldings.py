"""Hold our cost model and our plans against the foldings that FINN publishes.

    python benchmarks/foldings.py FOLDER [DESIGN ...] [--networks DIR] [--layers]

FOLDER has the files of finn-examples (build/*/folding_config/*.json, BSD-3-Clause), named
EXAMPLE__FILE as ``benchmarks/finn/networks.py`` lists them. Networks have random weights: they are
built with Brevitas, exported and streamlined, and kept in DIR if one is given. What is printed is
Markdown.
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
    arguments = parser.parse_args()
    for name in arguments.designs:
        if name not in DESIGNS:
            parser.error(f"there is no design {name!r}: use one of {', '.join(DESIGNS)}")
    with tempfile.TemporaryDirectory() as place:
        networks = arguments.networks or Path(place)
        networks.mkdir(parents=True, exist_ok=True)
        names = arguments.designs or list(DESIGNS)
        comparisons = [compare(name, arguments.folder, networks) for name in names]
    print("## Layers by both models\n")
    print(estimate_table(comparisons))
    print("## What FINN's report leaves out, by our model\n")
    print(missing_table(comparisons))
    print("## What synthesis counted\n")
    print(synthesized_table(comparisons))
    if arguments.layers:
        for comparison in comparisons:
            print(f"### {comparison.name}\n")
            print(layer_table(comparison))


if __name__ == "__main__":
    main()
