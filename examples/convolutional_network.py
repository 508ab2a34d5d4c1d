"""Draw a convolutional network at random, compile it, and compare it with its model.

    python convolutional_network.py OUTPUT [--width 16]

It is CNV of BNN-PYNQ with one-bit weights and activations, without training: its batch norms take
the statistics of random images, so that its activations use their levels and its classes vary. With
the width 64 it has the published size.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

import lutloom
from lutloom.qat.calibration import calibrate, random_images, variety
from lutloom.qat.export import export_qonnx
from lutloom.qat.models import build_model
from lutloom.qat.models.cnv import IMAGE


def main(output: Path, width: int, *, csim: bool = True) -> bool:
    """Return whether every stage of the build in ``output`` computes the same.

    ``csim`` compiles and runs the C++ as well.
    """
    output.mkdir(parents=True)
    torch.manual_seed(0)
    model = build_model("CNV_1W1A", IMAGE, 10, width=width)
    images = random_images(IMAGE, 32)
    pixels = (images / 255).astype(np.float32)
    calibrate(model, pixels)
    print(f"{len(variety(model, pixels).classes)} of 10 classes among {len(images)} images")

    path = export_qonnx(model, output / "cnv.onnx", IMAGE)
    build = lutloom.compile(
        path, output / "build", input_type="uint8", input_scale="1/255", data=images
    )
    verification = lutloom.verify(build, csim=csim)
    failure = verification.first_failure
    print("all stages agree" if failure is None else failure)
    return verification.passed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--width", type=int, default=16, help="channels of the first layer")
    arguments = parser.parse_args()
    sys.exit(0 if main(arguments.output, arguments.width) else 1)
