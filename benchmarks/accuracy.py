"""Test trained models three times: as trained, as exported, and as the integers of a build.

    python benchmarks/accuracy.py RUN [RUN ...] --data DATA

RUN is what ``lutloom train -o RUN`` wrote, DATA what it was trained on. The classes of all test
images are those of Brevitas' model in PyTorch, of the exported file by qonnx's executor, and of
the compiled integer engine. It ends with an error where the file and its integers disagree about
any image. What is printed is Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import lutloom
from lutloom.core.errors import LutloomWarning
from lutloom.qat.data import load_dataset
from lutloom.qat.run import classify, run_model
from lutloom.qat.trained import load_trained
from lutloom.streamline.executor import prepare
from lutloom.streamline.source import read_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.qat.data import Dataset

_BATCH = 100


@dataclass(frozen=True, eq=False)
class Tested:
    """The classes (N,) that a trained model told the test images, at each stage, and the labels."""

    name: str
    trained: NDArray[np.int64]
    exported: NDArray[np.int64]
    integers: NDArray[np.int64]
    labels: NDArray[np.uint8]

    @property
    def differing(self) -> int:
        """Images to which the exported file and the integers give different classes."""
        return int((self.exported != self.integers).sum())

    def row(self) -> str:
        """Return a row of the table."""
        stages = (self.trained, self.exported, self.integers)
        shares = (f"{100 * (classes == self.labels).mean():.2f}" for classes in stages)
        return f"| {self.name} | {' | '.join(shares)} | {self.differing} |"


def test(run: Path, dataset: Dataset) -> Tested:
    """Test the model of a run on all test images."""
    (model,) = run.glob("*.onnx")
    recalibrated = run / "checkpoints" / "recalibrated.ckpt"
    best = run / "checkpoints" / "best.ckpt"
    checkpoint = recalibrated if recalibrated.exists() else best
    pixels = dataset.pixels(dataset.test_x)
    trained = run_model(load_trained(checkpoint, dataset), pixels)
    (port,) = read_source(model).outputs
    batches = [pixels[at : at + _BATCH] for at in range(0, len(pixels), _BATCH)]
    exported = {size: prepare(model, size) for size in {len(batch) for batch in batches}}
    logits = np.concatenate([exported[len(batch)].run(batch)[port.name] for batch in batches])
    with tempfile.TemporaryDirectory() as place:
        with warnings.catch_warnings():
            # Nothing is said of a board here: the default plan need not fit one.
            warnings.simplefilter("ignore", LutloomWarning)
            build = lutloom.compile(model, Path(place) / "build")
        simulated = lutloom.simulate(build, pixels)
    classes = [classify(values) for values in (trained, logits, simulated.outputs)]
    return Tested(model.stem, classes[0], classes[1], classes[2], dataset.test_y)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--data", required=True, help="a data set's name, or its path")
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.data)
    print("| model | trained, % | exported, % | integers, % | images that differ |")
    print("| --- | ---: | ---: | ---: | ---: |", flush=True)
    differing = 0
    for run in arguments.runs:
        tested = test(run, dataset)
        differing += tested.differing
        print(tested.row(), flush=True)
    if differing:
        sys.exit(f"{differing} images differ")


if __name__ == "__main__":
    main()
