"""The machine's peak: how often its cores issue an instruction, by a few lines of C++."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.sim.toolchain import find_compiler

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCE = Path(__file__).with_name("peak.cpp")
_FLAGS = ("-std=c++17", "-O2", "-march=native", "-pthread")


@dataclass(frozen=True)
class Peak:
    """A program that measures instructions, with ``threads`` threads at once."""

    program: Path
    threads: int

    def measure(self, seconds: float) -> Mapping[str, float]:
        """Return how many of each instruction are issued a second, in a window of that length."""
        command = [str(self.program), str(self.threads), str(1000 * seconds)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        lines = (line.split(",") for line in done.stdout.splitlines())
        return {name: float(rate) for name, rate in lines}


def compile_peak(folder: Path, threads: int) -> Peak:
    """Compile it into ``folder``. Raises ``CSimError`` where there is no compiler."""
    program = folder / "peak"
    subprocess.run(
        [find_compiler(None), *_FLAGS, str(_SOURCE), "-o", str(program)],
        check=True,
        capture_output=True,
    )
    return Peak(program, threads)
