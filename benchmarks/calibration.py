"""Calibrate the cost formulas: synthesize parts with yosys and say how far the formulas are off.

    python -m benchmarks.calibration [--only KIND] [--check]

Every part of the grid is written as Verilog, synthesized with ``synth_xilinx`` for two families,
and its look-up tables are counted (``netlists.py``). Mapped by ``abc``: with ``abc9`` popcounts
were 6 % larger. Constants are drawn: the figure is the mean of three. The figures, and what is left
between them and the formulas, go to ``calibration.json``; ``--check`` compares the formulas with
the figures that are there and synthesizes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.calibration_grid import grid
from benchmarks.netlists import luts_of, yosys_version
from benchmarks.verilog import CHAINS, module_of
from lutloom.boards.device import Device, Family
from lutloom.codegen.costs.formulas import part_cost
from lutloom.codegen.costs.parts import Comparator, Multiplier, Rom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.codegen.costs.parts import Single

FILE = Path(__file__).with_suffix(".json")
FAMILIES = {
    "xc7": Device(Family.ZYNQ_7000, 53_200, 106_400, 280, 0, 220),
    "xcup": Device(Family.ZYNQ_ULTRASCALE_PLUS, 230_400, 460_800, 624, 96, 1_728),
}
"""What yosys calls a family, and a device of it; of that only the family counts."""

_DRAWS = 3
_OPTIONS = dict.fromkeys(("multiplexer", "memory"), ("-widemux 5",))
"""Kinds in which F7 and F8 choose, which yosys takes for little else."""


@dataclass(frozen=True)
class Residual:
    """How far a formula is off the figures of its kind.

    ``largest`` is the largest difference in look-up tables, ``worst`` the largest and ``middle``
    the median in percent of a figure, over parts of at least ten look-up tables.
    """

    largest: float
    worst: float
    middle: float


def residual(parts: Sequence[Single], figures: Sequence[float], device: Device) -> Residual:
    """Return how far the formula of ``parts`` is off ``figures``, one for each part."""
    pairs = [
        (part_cost(part, device).resources.lut, figure)
        for part, figure in zip(parts, figures, strict=True)
    ]
    largest = max(abs(lut - figure) for lut, figure in pairs)
    percents = [abs(lut / figure - 1) * 100 for lut, figure in pairs if figure >= 10]
    worst, middle = (max(percents), median(percents)) if percents else (0.0, 0.0)
    return Residual(round(largest, 1), round(worst, 1), round(middle, 1))


def _is_drawn(part: Single) -> bool:
    match part:
        case Rom():
            return True
        case Multiplier() | Comparator():
            return part.is_constant
        case _:
            return False


def synthesized(parts: Sequence[Single], family: str, options: Sequence[str] = ()) -> list[float]:
    """Return the look-up tables of each part."""
    draws = {index: range(_DRAWS if _is_drawn(part) else 1) for index, part in enumerate(parts)}
    modules = [
        module_of(parts[index], f"part_{index}_{draw}", random.Random(draw))  # noqa: S311
        for index, seeds in draws.items()
        for draw in seeds
    ]
    found = luts_of(CHAINS + "".join(modules), family, options)
    return [
        round(sum(found[f"part_{index}_{draw}"] for draw in seeds) / len(seeds), 1)
        for index, seeds in draws.items()
    ]


def main() -> None:
    """Synthesize what is asked for, and write down what the formulas leave."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(grid()), action="append", help="only this kind")
    parser.add_argument("--check", action="store_true", help="synthesize nothing")
    options = parser.parse_args()
    record = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"kinds": {}}
    parts_of = grid()
    for kind in options.only or parts_of:
        parts, entry = parts_of[kind], record["kinds"].setdefault(kind, {})
        for family, device in FAMILIES.items():
            if not options.check:
                figures = synthesized(parts, family, _OPTIONS.get(kind, ()))
                record |= {"yosys": yosys_version(), "date": time.strftime("%Y-%m-%d")}
                record["command"] = "python -m benchmarks.calibration"
                entry[family] = {"figures": figures}
            left = residual(parts, entry[family]["figures"], device)
            entry[family] = {**vars(left), "figures": entry[family]["figures"]}
            print(f"{kind:20} {family:5} {len(parts):4} parts: {left}")
        record["kinds"] = {name: record["kinds"].get(name, {}) for name in parts_of}
        FILE.write_text(_written(record), encoding="utf-8")


def _written(record: object) -> str:
    """Return JSON with the figures of a kind on one line."""
    text = json.dumps(record, indent=1)
    start = 0
    while (start := text.find("[", start)) >= 0:
        end = text.index("]", start)
        text = text[:start] + " ".join(text[start:end].split()) + text[end:]
        start += 1
    return text + "\n"


if __name__ == "__main__":
    main()
