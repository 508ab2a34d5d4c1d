"""Models in which elements move: what lies before a move may be anything that the import knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lutloom.core.types import IntType
from lutloom.streamline.importer import RawInput
from tests.exact import compare
from tests.models import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]

NIBBLE = RawInput(IntType(-8, 7))

FORMS = ("input", "levels", "channels", "clamp", "curve", "sum", "pool", "border")
"""What a move may find: integers as they are, or functions of integers in all their forms."""


def made(w: Writer, form: str, shape: tuple[int, ...]) -> str:
    """Return a tensor of the form; ``shape`` is ``[C, ...]``, and its border is an image's."""
    rng = np.random.default_rng(7)
    column = (shape[0], *[1] * (len(shape) - 1))
    match form:
        case "input":
            return "x"
        case "channels":
            return w.quant("x", rng.uniform(0.5, 1.5, column).astype(np.float32), bits=3)
    x = w.quant("x", 0.75, bits=3)
    factor = rng.normal(0, 1, column).astype(np.float32)
    match form:
        case "clamp":
            return w.node("Relu", [w.binary("Add", w.binary("Mul", x, factor), 0.5)])
        case "curve":
            return w.node("Sigmoid", [w.binary("Mul", x, factor)])
        case "sum":
            parameters = rng.uniform(0.1, 1, (2, 4, shape[0]))
            branches = [w.batch_norm(y, *p) for y, p in zip((x, "x"), parameters, strict=True)]
            return w.node("Add", branches)
        case "pool":
            curve = w.node("Mul", [x, w.node("Sigmoid", [x])])  # falls and rises
            rest = [0] * (len(shape) - 2)
            kernel = [2, *(1 for _ in rest)]
            return w.node("MaxPool", [curve], kernel_shape=kernel, pads=[1, *rest, 0, *rest])
        case "border":
            shifted = w.binary("Add", x, 0.3)
            rank = len(shape) - 1
            weights = w.quant(w.constant(rng.normal(0, 2, (shape[0], 1, *[3] * rank))), 0.5)
            pads = [1] * 2 * rank
            return w.node("Conv", [shifted, weights], group=shape[0], pads=pads)
    return x


def check_moved(
    move: Callable[[Writer, str], str],
    form: str,
    shape: tuple[int, ...],
    directory: Path,
    *,
    opset: int = 13,
    count: int = 40,
) -> Network:
    """Check that a model with the ``move`` and a quantizer behind it is exact."""
    w = Writer(opset=opset)
    x = move(w, made(w, form, shape))
    model = w.model(w.quant(w.binary("Mul", x, 0.7), 0.4, bits=3), *shape)
    data = np.random.default_rng(0).integers(-8, 8, (count, *shape))
    network, tally = compare(model, directory, data, NIBBLE)
    assert tally.quantized > 0
    return network
