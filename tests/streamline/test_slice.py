"""Slice: parts of the data along any axes, forwards and backwards, by any step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.streamline.errors import ModelError
from lutloom.streamline.pipeline import streamline
from tests.models import Writer, write
from tests.moves import FORMS, NIBBLE, check_moved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

END = 2**63 - 1


def sliced(
    w: Writer,
    x: str,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
) -> str:
    """Slice as the opset has it."""
    numbers = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    given: dict[str, Any] = {
        name: list(values) for name, values in numbers.items() if values is not None
    }
    if w.opset < 10:
        return w.node("Slice", [x], name="slice", **given)
    inputs = [w.constant(given[name], np.int64) if name in given else "" for name in numbers]
    while not inputs[-1]:
        inputs.pop()
    return w.node("Slice", [x, *inputs], name="slice")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [3], [1], None),
        ([0, 1], [END, -1], [2, 3], None),
        ([1], [END], [2], [2]),
        ([0, 1], [END, END], [-2, -1], [2, 2]),
        ([-1], [-END], [1], [-1]),
    ],
)
def test_parts_are_exact_in_every_form(
    form: str, starts: list[int], ends: list[int], axes: list[int], steps: list[int], tmp_path: Path
) -> None:
    def move(w: Writer, x: str) -> str:
        return sliced(w, x, starts, ends, axes, steps)

    if form == "pool" and steps == [-1]:
        with pytest.raises(ModelError, match="put a quantizer in front of the pool"):
            check_moved(move, form, (4, 4, 4), tmp_path)
        return
    check_moved(move, form, (4, 4, 4), tmp_path, count=9)


@pytest.mark.parametrize("opset", [9, 10, 13])
@pytest.mark.parametrize("start", [0, 1, -2, -100])
@pytest.mark.parametrize("end", [2, 5, -1, END])
def test_ends_are_those_of_python(opset: int, start: int, end: int, tmp_path: Path) -> None:
    part = range(*slice(start, end).indices(5))
    if part:
        network = check_moved(
            lambda w, x: sliced(w, x, [start], [end], [1]), "levels", (5,), tmp_path, opset=opset
        )
        assert network.graph.types[network.graph.outputs[0]].shape == (len(part),)


@pytest.mark.parametrize("step", [1, 2, 3, 4, -1, -2, -3])
@pytest.mark.parametrize("size", [4, 5, 6, 7])
def test_steps_of_every_length_are_exact(step: int, size: int, tmp_path: Path) -> None:
    for start in range(size):
        end = END if step > 0 else -END
        check_moved(
            lambda w, x: sliced(w, x, [start], [end], [1], [step]),  # noqa: B023 - called at once
            "channels",
            (size,),
            tmp_path,
            count=3,
        )


def test_the_whole_batch_may_be_named(tmp_path: Path) -> None:
    check_moved(lambda w, x: sliced(w, x, [0, 1], [END, 3]), "levels", (4,), tmp_path)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps", "message"),
    [
        ([0], [1], [0], None, "^Slice node 'slice' cuts or joins along the batch"),
        ([1], [END], [-2], None, "^Slice node 'slice' cuts or joins along the batch"),
        ([0], [1], [2], None, "^Slice node 'slice': its axis 2 is not one of 2 dimensions"),
        ([0], [1], [1], [0], "^Slice node 'slice': its step is 0"),
        ([3], [2], [1], None, "^Slice node 'slice' leaves nothing of 4 elements: from 3 to 2 by 1"),
        ([9], [END], [1], None, "leaves nothing of 4 elements"),
        ([0, 0], [1, 1], [1, -1], None, "should be one number for each of several axes"),
        ([0, 0], [1, 1], [1], None, "should be one number for each of several axes"),
    ],
)
def test_hostile_slices_are_refused(
    starts: list[int],
    ends: list[int],
    axes: list[int],
    steps: list[int] | None,
    message: str,
    tmp_path: Path,
) -> None:
    w = Writer()
    x = sliced(w, w.quant("x"), starts, ends, axes, steps)
    with pytest.raises(ModelError, match=message):
        streamline(write(w.model(w.quant(x, 0.5), 4), tmp_path), NIBBLE)
