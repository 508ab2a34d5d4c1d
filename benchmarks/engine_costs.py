"""What the compiled engine costs before it computes: compiling, and loading from the cache."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.engine_report import Grid
from benchmarks.peers.case import tiled

if TYPE_CHECKING:
    from benchmarks.peers.case import Case

_IMAGES = 10_000
_SCRIPT = Path(__file__).with_name("first_use.py")


def costs(case: Case) -> Grid:
    """Return the seconds of the first use and of one from the cache, and the memory of a set."""
    from benchmarks.showing import measured  # with torch, which processes of peers need not load

    with tempfile.TemporaryDirectory() as folder:
        images, result = Path(folder, "images.npy"), Path(folder, "result.json")
        np.save(images, tiled(case.pixels(), _IMAGES))
        cache = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        rows = []
        try:
            for what in ("first use", "from the cache"):
                command = [sys.executable, str(_SCRIPT), str(case.build), str(images), str(result)]
                usage = measured(command)
                took = json.loads(result.read_text(encoding="utf-8"))
                seconds = [f"{took[part]:.2f}" for part in ("imports", "engine", "images")]
                rows.append((what, *seconds, f"{usage.wall:.2f}", f"{usage.peak_mib:,.0f}"))
        finally:
            if cache is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = cache
    return Grid(
        f"{case.name}, a process from start to end with {_IMAGES:,} images: seconds and peak MiB",
        ("", "imports and build", "engine and first image", "images", "all", "MiB"),
        tuple(rows),
    )
