"""Small models, and the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto

from tests.models import Writer, write

MAIN = "from lutloom.entry import main; main()"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


Invoke = Callable[..., Ended]


def float_model(directory: Path) -> Path:
    """Float input, bipolar and 3-bit layers, affine float tail: ``[N, 12]`` to ``[N, 4]``."""
    rng, w = np.random.default_rng(1), Writer()
    x = w.bipolar("x")
    x = w.node("MatMul", [x, w.bipolar(w.constant(rng.choice([-1.0, 1.0], size=(12, 8))))])
    gamma, beta, mean = rng.normal(size=(3, 8))
    x = w.batch_norm(x, gamma, beta, mean, rng.uniform(0.5, 2, 8))
    x = w.matmul(w.quant(x, 0.5, bits=3), rng.integers(-3, 4, size=(8, 4)), bits=3)
    x = w.binary("Add", w.binary("Mul", x, 0.3), rng.normal(size=4))
    return write(w.model(x, 12), directory, "float.onnx")


def raw_model(directory: Path) -> Path:
    """Float input that holds bytes over 255, integer output: ``[N, 2, 3]`` to ``[N, 3]``."""
    rng, w = np.random.default_rng(2), Writer()
    x = w.reshape("x", (-1, 6))
    x = w.matmul(x, rng.integers(-3, 4, size=(6, 5)), bits=3)
    x = w.quant(x, 0.25, bits=2, signed=False)
    x = w.matmul(x, rng.integers(-3, 4, size=(5, 3)), bits=3)
    return write(w.model(x, 2, 3), directory, "raw.onnx")


def index_model(directory: Path) -> Path:
    """4-bit input, and the class as the output: ``[N, 6]`` to ``[N, 1]``."""
    rng, w = np.random.default_rng(3), Writer()
    x = w.matmul(w.quant("x", 0.5, bits=4), rng.integers(-2, 3, size=(6, 5)), bits=3)
    x = w.node("ArgMax", [x], axis=1, keepdims=1)
    return write(w.model(x, 6, output_type=TensorProto.INT64), directory, "index.onnx")


def start(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file below ``directory`` by its path, what C simulation keeps apart."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }
