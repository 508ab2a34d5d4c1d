"""Compile a model in three foldings, and verify each build, the compiled C++ included.

    python compile_and_verify.py MODEL.onnx IMAGES.npy OUTPUT

The three builds compute the same integers, at different speeds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import lutloom
from lutloom.codegen.folding import default_plan, largest_plan, unfolded_plan
from lutloom.codegen.lower import lower
from lutloom.core.plan import print_plan

PLANS = {"smallest": unfolded_plan, "default": default_plan, "largest": largest_plan}


def main(
    model: Path,
    images: Path,
    output: Path,
    *,
    input_type: str | None = None,
    input_scale: str | None = None,
    csim: bool = True,
) -> bool:
    """Return whether all builds in ``output`` pass, and give the same outputs.

    ``input_type`` and ``input_scale`` are those of ``compile``; ``csim`` compiles and runs the C++
    as well.
    """
    output.mkdir(parents=True)
    data = np.load(images)
    inspection = lutloom.inspect(model, input_type=input_type, input_scale=input_scale)
    processes = lower(inspection.network.graph)
    results = []
    passed = True
    for name, make_plan in PLANS.items():
        plan = output / f"{name}.json"
        plan.write_text(print_plan(make_plan(processes)), encoding="utf-8")
        build = lutloom.compile(
            model,
            output / name,
            plan=plan,
            input_type=input_type,
            input_scale=input_scale,
            data=data,
        )
        verification = lutloom.verify(build, data, samples=50, csim=csim)
        results.append(lutloom.simulate(build, data).outputs)
        passed = passed and verification.passed
        failure = verification.first_failure
        print(f"{name}: {'all stages agree' if failure is None else failure}")
    return passed and all(np.array_equal(results[0], result) for result in results)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: compile_and_verify.py MODEL.onnx IMAGES.npy OUTPUT")
    sys.exit(0 if main(*map(Path, sys.argv[1:])) else 1)
