"""Show that integer graphs equal the specification: random networks against the exact interpreter.

    python benchmarks/exactness.py [--convolutions | --branches] [--inputs 100000]
                                   [--networks 1000] [--whole 512] [--seed 0]

Every number that a network and the exact interpreter of its model (``streamline/oracle.py``) both
hold is compared, ties included: on all inputs where there are few, else on random ones. Networks
are of convolutions and pools with ``--convolutions``, of joins, parts and gates among those with
``--branches``, else of fully connected layers. It ends with an error at the first difference, and
names the command that shows it again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from lutloom.streamline.errors import ModelError

sys.path.insert(0, str(Path(__file__).parents[1]))  # the networks are those of the tests

from tests.exact import Tally, compare, reason_of
from tests.random_branches import random_branched_network
from tests.random_images import random_image_network
from tests.random_networks import Sample, random_network

if TYPE_CHECKING:
    from collections.abc import Callable

_REPORT_SECONDS = 20


@dataclass
class Run:
    """What has been compared so far, and what was refused."""

    whole: Tally = field(default_factory=Tally)
    """Networks of which all inputs were tried."""
    random: Tally = field(default_factory=Tally)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def networks(self) -> int:
        """The number of networks that were compared."""
        return self.whole.networks + self.random.networks


def kind_of(seed: int) -> tuple[bool, bool]:
    """Return whether a network has powers of two only, and functions before its quantizers."""
    return seed % 2 == 0, seed % 3 > 0


def drawn(seed: int, inputs: int, whole: int, draw: Callable[..., Sample]) -> Sample:
    """Return the network of ``seed``, and data for it."""
    powers_of_two, functions = kind_of(seed)
    return draw(seed, powers_of_two=powers_of_two, functions=functions, inputs=inputs, whole=whole)


def compare_one(sample: Sample, directory: Path, run: Run) -> None:
    """Compare a network, and add it to ``run``."""
    try:
        _, tally = compare(sample.model, directory, sample.data, sample.raw)
    except ModelError as error:
        run.refusals[reason_of(error)] += 1
        return
    (run.whole if sample.exhaustive else run.random).add(tally)


def main() -> None:
    """Compare networks until there were enough, and print what was compared."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--convolutions", action="store_true", help="and pools, on images")
    kinds.add_argument("--branches", action="store_true", help="that meet and part, on images")
    parser.add_argument("--inputs", type=int, default=100_000, help="random inputs in total")
    parser.add_argument("--networks", type=int, default=1000, help="at least so many networks")
    parser.add_argument(
        "--whole", type=int, default=512, help="try all inputs where they are at most so many"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the first network")
    arguments = parser.parse_args()
    each = -(-arguments.inputs // arguments.networks)
    draw, option = random_network, ""
    if arguments.convolutions:
        draw, option = random_image_network, " --convolutions"
    elif arguments.branches:
        draw, option = random_branched_network, " --branches"
    console, run = Console(highlight=False), Run()
    started = told = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for seed in count(arguments.seed):
            if run.networks >= arguments.networks and run.random.inputs >= arguments.inputs:
                break
            try:
                sample = drawn(seed, each, arguments.whole, draw)
                compare_one(sample, Path(folder), run)
            except Exception as error:
                console.print(f"seed {seed}: {type(error).__name__}: {error}", markup=False)
                console.print(
                    f"again: python benchmarks/exactness.py --seed {seed} --networks 1"
                    f" --inputs {each} --whole {arguments.whole}{option}",
                    soft_wrap=True,
                )
                raise SystemExit(1) from error
            if time.monotonic() - told > _REPORT_SECONDS:
                told = time.monotonic()
                console.print(f"{run.networks} networks, {run.random.inputs} random inputs")
    seconds = time.monotonic() - started
    console.print(f"no difference in {run.networks:,} networks, {seconds:.0f} s")
    for what, tally in (("all inputs", run.whole), ("random inputs", run.random)):
        console.print(
            f"{what}: {tally.networks:,} networks, {tally.inputs:,} inputs,"
            f" {tally.numbers:,} numbers, {tally.quantized:,} of them a quantizer's,"
            f" {tally.ties:,} exact ties",
            soft_wrap=True,
        )
    console.print(f"refused: {run.refusals.total()}")
    for reason, number in run.refusals.most_common():
        console.print(f"  {number} with '{reason}'")


if __name__ == "__main__":
    main()
