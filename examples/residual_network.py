"""Draw a residual network at random, compile it, and see what its sums and its FIFOs cost.

    python residual_network.py OUTPUT [--width 8]

It is the ResNet-8 of MLPerf Tiny with four-bit weights and activations, without training. Two
branches of different scales meet at each sum, and one of them waits for the other: the FIFO that
keeps it is as deep as it has to be, not as the whole tensor.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

import lutloom
from lutloom.core.ops import Add
from lutloom.qat.calibration import calibrate, random_images
from lutloom.qat.export import export_qonnx
from lutloom.qat.models import build_model
from lutloom.qat.models.resnet8 import IMAGE


def main(output: Path, width: int, *, csim: bool = True) -> bool:
    """Return whether every stage of the build in ``output`` computes the same.

    ``csim`` compiles and runs the C++ as well, with FIFOs as deep as planned.
    """
    output.mkdir(parents=True)
    torch.manual_seed(0)
    model = build_model("ResNet8_4W4A", IMAGE, 10, width=width)
    images = random_images(IMAGE, 16)
    calibrate(model, (images / 255).astype(np.float32))

    path = export_qonnx(model, output / "resnet8.onnx", IMAGE)
    build = lutloom.compile(
        path, output / "build", input_type="uint8", input_scale="1/255", data=images
    )
    for node in build.processes.nodes:
        if isinstance(node.op, Add):
            print(f"{node.name}: branches times {node.op.multipliers.int64[:, 0].tolist()}")
    fifos = build.plan.fifos
    deepest = max(fifos, key=fifos.__getitem__)
    print(f"the deepest FIFO holds {fifos[deepest]} words of {deepest}")
    verification = lutloom.verify(build, csim=csim)
    failure = verification.first_failure
    print("all stages agree" if failure is None else failure)
    return verification.passed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--width", type=int, default=8, help="channels of the first layer")
    arguments = parser.parse_args()
    sys.exit(0 if main(arguments.output, arguments.width) else 1)
