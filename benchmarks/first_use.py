"""What ``engine_costs.py`` measures: a process that loads a build and runs images through it.

python benchmarks/first_use.py BUILD IMAGES.npy RESULT.json
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

begin = time.perf_counter()

import numpy as np  # noqa: E402 - what importing takes is measured

import lutloom  # noqa: E402


def main() -> None:
    """Write the seconds of each part."""
    build, images, result = map(Path, sys.argv[1:])
    loaded = lutloom.load_build(build)
    pixels = np.load(images)
    began = time.perf_counter()
    simulator = lutloom.load_simulator(loaded)
    simulator(pixels[:1])
    made = time.perf_counter()
    simulator(pixels)
    end = time.perf_counter()
    took = {"imports": began - begin, "engine": made - began, "images": end - made}
    result.write_text(json.dumps(took), encoding="utf-8")


main()
