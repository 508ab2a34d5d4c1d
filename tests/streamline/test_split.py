"""Split: every form of data, every way to say the sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.ops import Slice
from lutloom.streamline.errors import ModelError
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write
from tests.moves import FORMS, NIBBLE, check_moved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def split(
    w: Writer,
    x: str,
    count: int,
    sizes: Sequence[int] = (),
    **attributes: Any,  # noqa: ANN401 - whatever ONNX takes
) -> list[str]:
    """Split as the opset has it; return the parts."""
    results = [f"part{index}" for index in range(count)]
    inputs = [x]
    if sizes and w.opset >= 13:
        inputs.append(w.constant(sizes, np.int64))
    elif sizes:
        attributes["split"] = list(sizes)
    w.node("Split", inputs, name="split", outputs=results, **attributes)
    return results


def added(w: Writer, x: str, sizes: Sequence[int], axis: int) -> str:
    """Return parts of one size, quantized by themselves and added."""
    left, right = split(w, x, 2, sizes, axis=axis)
    return w.node("Add", [w.quant(left, 0.5), w.quant(right, 0.5)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_halves_are_exact_in_every_form(form: str, axis: int, tmp_path: Path) -> None:
    check_moved(lambda w, x: added(w, x, (2, 2), axis), form, (4, 4, 4), tmp_path, count=12)


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("last", [0, 1, 2])
def test_sizes_may_be_an_attribute_an_input_or_none(opset: int, last: int, tmp_path: Path) -> None:
    """Parts that nobody reads are no results of anything."""

    def one(w: Writer, x: str) -> str:
        if opset == 18:
            return split(w, x, 3, axis=1, num_outputs=3)[last]
        return split(w, x, 3, (1, 3, 1), axis=-1)[last]

    network = check_moved(one, "levels", (5,), tmp_path, opset=opset)
    assert [type(node.op) for node in network.graph.nodes].count(Slice) == 1


def test_all_inputs_of_a_tiny_split_are_exact(tmp_path: Path) -> None:
    w = Writer()
    left, right = split(w, w.quant("x", 0.5, bits=2), 2, (1, 2), axis=1)
    x = w.node("Add", [w.quant(right, 0.75, bits=2), w.binary("Mul", left, 0.3)])
    data = np.indices((16,) * 3).reshape(3, -1).T - 8
    compare(w.model(w.quant(x, 0.2), 3), tmp_path, data, NIBBLE)


@pytest.mark.parametrize(
    ("sizes", "attributes", "message"),
    [
        ((2, 1), {"axis": 1}, r"^Split node 'split' splits 4 elements into 2 parts of the sizes"),
        ((5, -1), {"axis": 1}, "which should be positive and add up"),
        ((4, 0), {"axis": 1}, "which should be positive and add up"),
        ((2, 1, 1), {"axis": 1}, "which should be positive and add up"),
        ((1, 1), {"axis": 0}, r"^Split node 'split' cuts or joins along the batch"),
        ((2, 2), {"axis": 2}, r"^Split node 'split': its axis 2 is not one of 2 dimensions"),
        ((), {"axis": 1, "num_outputs": 0}, "its num_outputs is 0, and should be positive"),
        ((), {"axis": 1, "num_outputs": 3}, "which should be positive and add up"),
    ],
)
def test_hostile_splits_are_refused(
    sizes: Sequence[int], attributes: dict[str, int], message: str, tmp_path: Path
) -> None:
    w = Writer(opset=18)
    left, _ = split(w, w.quant("x"), 2, sizes, **attributes)
    with pytest.raises(ModelError, match=message):
        streamline(write(w.model(w.quant(left, 0.5), 4), tmp_path), NIBBLE)
