"""How many images a second a net trains with: Brevitas, plain PyTorch, and Lutloom's trainer.

python benchmarks/training.py [--models CNV_1W1A ...] [--threads N] [--rounds N] [--json PATH]

Each contender is a process of its own; in every round each of them takes some steps with batches of
100 images, one after the other, so that whatever else the machine does meets them all. Ratios are
those of single rounds; of rates and ratios the medians are shown, by the clock and by the seconds
that processors were busy, which other programs change less. Brevitas is the model of the zoo in a
plain loop with Adam, without input to prepare; plain PyTorch is the same net with straight-through
estimators and channels last (``training_plain.py``), as far as there is one; Lutloom is its
trainer, which varies the images, computes metrics and follows a schedule.

Needs ``lutloom[qat]``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

BATCH = 100
CONTENDERS = ("brevitas", "pytorch", "lutloom")
DEFAULT_MODELS = ("CNV_1W1A", "CNV_2W2A", "SFC_1W1A", "RESNET20_4W4A")


@dataclass(frozen=True)
class Rates:
    """Images a second of a contender in each round, by the clock and of busy processors."""

    by_clock: tuple[float, ...]
    by_work: tuple[float, ...]


class Contender:
    """A process that trains ``steps`` steps at each call."""

    def __init__(self, name: str, model: str, steps: int, threads: int) -> None:
        self.name = name
        self._images = steps * BATCH
        worker = Path(__file__).with_name("training_worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(worker), name, model, str(steps), str(threads)],
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.is_there = self._answer() is not None

    def round(self) -> tuple[float, float]:
        """Return the images a second by the clock, and of busy processors."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._answer()
        if not isinstance(answer, list):
            raise SystemExit(f"{self.name} has ended in the middle of its training")
        took, busy = answer
        return self._images / took, self._images / busy

    def end(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> object:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None


def measure(model: str, steps: int, rounds: int, threads: int) -> dict[str, Rates]:
    """Return the rates of all contenders that have ``model``."""
    contenders = [Contender(name, model, steps, threads) for name in CONTENDERS]
    there = [contender for contender in contenders if contender.is_there]
    taken: dict[str, list[tuple[float, float]]] = {contender.name: [] for contender in there}
    for _ in range(rounds):
        for contender in there:
            taken[contender.name].append(contender.round())
    for contender in contenders:
        contender.end()
    return {
        name: Rates(tuple(clock for clock, _ in pairs), tuple(work for _, work in pairs))
        for name, pairs in taken.items()
    }


def report(model: str, rates: dict[str, Rates]) -> None:
    """Print a line for each contender."""
    bare = rates["brevitas"]
    for name, own in rates.items():
        columns = [f"{model:<14} {name:<9}"]
        for ours, theirs in ((own.by_clock, bare.by_clock), (own.by_work, bare.by_work)):
            ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
            columns.append(f"{median(ours):9,.0f} {median(ratios):6.2f} x")
        print("  ".join(columns), flush=True)


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure each model, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=DEFAULT_MODELS)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write all rates there, too")
    chosen = parser.parse_args()
    versions = subprocess.run(
        [sys.executable, "-c", "import torch, brevitas; print(torch.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    print(f"{processor()}, {chosen.threads} threads, torch {versions.stdout.strip()}")
    print(f"{'':<24}  {'images/s':>9} {'ratio':>8}  {'by work':>9} {'ratio':>8}")
    found = {}
    for model in chosen.models:
        steps = 300 if model.startswith(("TFC", "SFC", "LFC")) else 4
        rates = measure(model, steps, chosen.rounds, chosen.threads)
        report(model, rates)
        found[model] = {name: asdict(own) for name, own in rates.items()}
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
