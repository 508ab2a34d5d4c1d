"""Compare random networks, and models of yours, with qonnx's executor, layer by layer.

    python benchmarks/float_executor.py [--convolutions] [--networks 300] [--first 0]
                                        [MODEL.onnx --data x.npy ...]

Half of the networks have powers of two for scales: where float32 makes no error, every bound is
zero, and every output has to be equal. Of the quantizers behind roundings it counts the outputs
that differ, those that the float32 error bound explains, and those at structural ties. It ends with
an error if one difference has no explanation, or if an executor's float lies beyond its bound.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lutloom.core.errors import LutloomError
from lutloom.streamline.comparison import compare_batch
from lutloom.streamline.comparison_parts import merge
from lutloom.streamline.executor import prepare
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import read_source

sys.path.insert(0, str(Path(__file__).parents[1]))  # the networks are those of the tests

from tests.models import write
from tests.random_images import random_image_network
from tests.random_networks import random_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.network import Network
    from lutloom.streamline.comparison_parts import Comparison

BATCH = 500
FREE, ROUNDED = "float32 has no error", "float32 rounds"


@dataclass
class Tally:
    """What was compared."""

    networks: int = 0
    quantizers: int = 0
    outputs: int = 0
    differing: int = 0
    explained: int = 0
    structural: int = 0
    unexplained: int = 0
    beyond: int = 0
    indices: int = 0
    """Of the model's output: outside of their bounds."""
    classes: int = 0
    """Images whose output no bound excuses."""
    tied_elements: int = 0
    bounds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def add(self, found: Comparison, *, is_free: bool) -> None:
        """Count the quantizers of one network that float32 has no error in front of, or others."""
        layers = [layer for layer in found.layers if is_free == (layer.largest_bound == 0)]
        self.networks += bool(layers)
        for layer in layers:
            self.quantizers += 1
            self.outputs += layer.elements
            self.differing += layer.differing
            self.explained += layer.explained
            self.structural += layer.structural
            self.unexplained += layer.unexplained
            self.tied_elements += len(layer.ties)
            if layer.median_bound is not None:
                self.bounds.append(layer.median_bound)
            self.ratios += [entry.ratio for entry in layer.nearest]
        if is_free:
            return
        self.beyond += sum(entry.beyond for entry in found.beyond)
        self.indices += found.outside or 0
        self.classes += int((~found.excused).sum())

    @property
    def failures(self) -> int:
        """What must not be there."""
        return self.unexplained + self.beyond + self.indices

    def row(self, name: str) -> tuple[str, ...]:
        """Return what the table shows."""
        share = self.explained / self.outputs if self.outputs else 0.0
        nearest = ", ".join(f"{ratio:.2f}" for ratio in sorted(self.ratios)[-3:][::-1])
        return (
            name,
            f"{self.networks:,}",
            f"{self.quantizers:,}",
            f"{self.outputs:,}",
            f"{self.explained:,} ({share:.4%})",
            f"{self.structural:,} in {self.tied_elements:,}",
            f"{self.unexplained:,}",
            f"{self.beyond:,}",
            f"{self.indices:,}",
            f"{median(self.bounds):.2g}" if self.bounds else "",
            nearest,
        )


def compare_with_executor(path: Path, network: Network, data: NDArray[Any]) -> Comparison:
    """Return the comparison of ``network`` with the model at ``path`` on ``data``, in batches."""
    encoded = network.encode(data)
    floats = data.astype(np.float32)
    if network.input.is_raw:
        meaning = network.meaning[network.input_value]
        floats = meaning.in_model_order(meaning.to_real(encoded))
    source = read_source(path)
    constants = fold_constants(source)
    parts = []
    for start in range(0, len(data), BATCH):
        batch = floats[start : start + BATCH]
        tensors = prepare(path, len(batch)).run(batch)
        encoded_batch = encoded[start : start + BATCH]
        parts.append(compare_batch(network, source, tensors, encoded_batch, constants))
    return merge(parts)


def record(found: Comparison, free: str, rounded: str, tallies: dict[str, Tally]) -> int:
    """Add ``found`` to two of ``tallies``; return how much of it has no explanation."""
    failures = 0
    for name, is_free in ((free, True), (rounded, False)):
        one = Tally()
        one.add(found, is_free=is_free)
        failures += one.failures + (one.differing if is_free else 0)
        tallies.setdefault(name, Tally()).add(found, is_free=is_free)
    return failures


def main() -> None:
    """Print a table, and end with an error if a difference is without an explanation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, help="the models' input, one .npy for all of them")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--convolutions", action="store_true", help="and pools, on images")
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    tallies: dict[str, Tally] = {}
    refused: Counter[str] = Counter()
    failed: list[Any] = []
    draw = random_image_network if options.convolutions else random_network
    seeds = range(options.first, options.first + options.networks)
    with tempfile.TemporaryDirectory() as folder:
        for seed in track(seeds, description="networks", transient=True):
            powers_of_two, functions = seed % 2 == 0, seed % 4 > 1
            sample = draw(seed, powers_of_two=powers_of_two, functions=functions)
            path = write(sample.model, Path(folder))
            try:
                network = streamline(path, sample.raw)
                found = compare_with_executor(path, network, sample.data)
            except LutloomError as error:
                executed = "qonnx's executor" in str(error)
                reason = re.sub(r"[0-9]+", "N", str(error)[-60:])
                refused[reason if executed else "the lowering refuses them"] += 1
                continue
            failed += [seed] if record(found, FREE, ROUNDED, tallies) else []
    for model in options.models:
        data = np.load(options.data)[: options.images]
        found = compare_with_executor(model, streamline(model), data)
        free, rounded = f"{model.stem}: {FREE}", f"{model.stem}: {ROUNDED}"
        failed += [model] if record(found, free, rounded, tallies) else []
    columns = (
        "of networks quantizers outputs explained ties|elements unexplained beyond indices bound"
    )
    table = Table(*columns.split(), "nearest", box=None)
    for name, tally in sorted(tallies.items()):
        table.add_row(*tally.row(name))
    Console(width=170).print(table)
    for reason, count in refused.most_common():
        print(f"{count} networks not compared: {reason}")
    if failed:
        print(f"without an explanation: {failed}")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
