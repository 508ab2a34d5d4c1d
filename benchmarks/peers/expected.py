"""What the logits of a case should be: the reference's, and how far float32 may be from them.

A model in float32 may err by the bound of ``streamline/error_bound.py``, as long as no quantizer
gives another level than the exact one. Where the number in front of one lies within the bound of
the edge of a level, a runtime may round to either side, and its logits may be others: such an image
is *near*, and excuses another logit, which is counted; nothing excuses another class. Both are
computed from one run of qonnx's executor.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peers.case import floats_of
from lutloom.sim.reference import run
from lutloom.streamline.bounded import FLOAT64_MARGIN, Bounded
from lutloom.streamline.error_bound import follow
from lutloom.streamline.executor import prepare
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.level_edges import edges_of
from lutloom.streamline.source import read_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.peers.case import Case, Logits, Pixels
    from lutloom.streamline.error_bound import Followed
    from lutloom.streamline.source import Source

_BATCH = 16


@dataclass(frozen=True)
class Verdict:
    """How the logits of a batch compare: of the images that differ, how many are excused.

    ``classes`` is how many images have another class.
    """

    images: int
    differing: int
    excused: int
    classes: int
    is_integer: bool

    @property
    def is_right(self) -> bool:
        """Whether every difference is excused, and all classes are the same."""
        return self.differing == self.excused and not self.classes

    def __str__(self) -> str:
        """Return what the table says."""
        if not self.is_right:
            wrong = max(self.differing - self.excused, self.classes)
            return f"WRONG: {wrong} of {self.images} images"
        if self.is_integer:
            return "equal"
        if not self.excused:
            return "within bound"
        return f"{self.excused} of {self.images} round otherwise, near an edge"


@dataclass(frozen=True, eq=False)
class Expected:
    """Of each image: the reference's ``logits``, their ``error`` in float32, and if it is near."""

    logits: Logits
    error: NDArray[np.float64]
    near: NDArray[np.bool_]

    def compare(self, logits: Logits, *, is_integer: bool) -> Verdict:
        """Compare the logits of a batch, in which the images come over and over again."""
        places = np.arange(len(logits)) % len(self.logits)
        ours = self.logits[places]
        if logits.shape != ours.shape:
            return Verdict(len(logits), len(logits), 0, len(logits), is_integer)
        if is_integer:
            right = (logits == ours).all(axis=1)
            excused = np.zeros(len(logits), bool)
        else:
            distance = np.abs(logits.astype(np.float64) - ours)
            right = (distance <= self.error[places]).all(axis=1)
            excused = ~right & self.near[places]
        classes = logits.argmax(axis=1) != ours.argmax(axis=1)
        return Verdict(
            len(logits), int((~right).sum()), int(excused.sum()), int(classes.sum()), is_integer
        )


def expect(case: Case) -> Expected:
    """Return what the images of ``case`` should give; it is kept in a file of its folder."""
    kept = case.folder / "expected.npz"
    if not kept.is_file():
        found = _expect(case)
        np.savez(kept, logits=found.logits, error=found.error, near=found.near)
    with np.load(kept) as arrays:
        return Expected(arrays["logits"], arrays["error"], arrays["near"])


def _expect(case: Case) -> Expected:
    network, pixels = case.network(), case.pixels()
    values = run(network.graph, network.encode_all(pixels), wanted=network.graph.outputs)
    logits = network.decode_all(values)[network.output.name]
    source = read_source(case.qonnx)
    parts = [
        _bounds(case, source, pixels[start : start + _BATCH], logits[start : start + _BATCH])
        for start in range(0, len(pixels), _BATCH)
    ]
    errors, near = zip(*parts, strict=True)
    return Expected(logits, np.concatenate(errors), np.concatenate(near))


def _bounds(
    case: Case, source: Source, pixels: Pixels, logits: Logits
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the error of each logit against ``logits``, and which images are near."""
    (given,), (result,) = source.inputs, source.outputs
    floats = floats_of(pixels)
    tensors = prepare(case.qonnx, len(pixels)).run(floats)
    exact = pixels / 255
    error = np.abs(floats - exact) + 2.0**-50 * exact
    followed = follow(
        source,
        tensors,
        {given.name: Bounded(exact, error)},
        fold_constants(source),
        given={given.name: lambda index: Fraction(int(pixels[index]), 255)},
    )
    bounded = followed.known[result.name]
    near = _near(source, followed, tensors, len(pixels))
    # Our own logits are rounded to float32 as well: each of the two may be off by the bound.
    error = 2 * bounded.error
    return error, near | (np.abs(bounded.value - logits) > error).any(axis=1)


def _near(
    source: Source, followed: Followed, tensors: dict[str, NDArray[Any]], images: int
) -> NDArray[np.bool_]:
    near = np.zeros(images, bool)
    for node in source.nodes:
        before = followed.before.get(node.outputs[0]) if node.outputs else None
        if before is None:
            continue
        distance = edges_of(node, tensors).distance(before.value)
        touched = (distance <= before.error * (1 + FLOAT64_MARGIN)) & (before.error > 0)
        near |= touched.reshape(images, -1).any(axis=1)
    return near
