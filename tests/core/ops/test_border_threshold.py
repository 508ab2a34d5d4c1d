from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops import BorderThreshold, Threshold
from lutloom.core.types import Const, IntType, TensorType
from tests.windows import ELEMENTS, random_border_threshold

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.sampled_from([*ELEMENTS, IntType(-9, 9)]))
def test_every_place_has_the_staircases_of_its_classes(seed: int, element: IntType) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(size) for size in rng.integers(1, 5, rng.integers(1, 4)))
    height, width = (1, 1, *shape[:-1])[-2:]
    op = random_border_threshold(rng, element, shape)
    table, base, deltas = op.thresholds.int64, op.base.int64, op.deltas.int64
    rows, columns = op.rows.int64, op.columns.int64
    values = np.arange(element.lo, element.hi + 1, element.step)
    x = np.broadcast_to(values.reshape(-1, *[1] * len(shape)), (len(values), *shape))
    (y,) = op.reference(x)
    wanted = np.empty(x.shape, np.int64).reshape(len(values), height, width, shape[-1])
    for h, w in np.ndindex(height, width):
        kind = (rows[min(h, len(rows) - 1)], columns[w])
        inner = Threshold(Const(table[kind]), Const(base[kind]), Const(deltas[kind]))
        (wanted[:, h, w],) = inner.reference(x.reshape(wanted.shape)[:, h, w])
    assert np.array_equal(y, wanted.reshape(x.shape))
    (type_,) = op.infer(TensorType(element, shape))
    assert type_ == TensorType(IntType.spanning(np.unique(y).tolist()), shape)


ONES, SHARED = np.ones((1, 1, 1, 1), int), Const([0])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"thresholds": Const([[1]])},
            r"^thresholds should have four dimensions, not int8\[1,1\]#",
        ),
        ({"base": Const([1])}, r"^base should be \[1, 1, 1\], not int8\[1\]#"),
        ({"rows": Const([0, 1])}, r"^rows should be classes below 1, not int8\[2\]#"),
        ({"columns": Const([-1])}, r"^columns should be classes below 1, not int8\[1\]#"),
        ({"columns": Const([[0]])}, r"^columns should be classes below 1, not int8\[1,1\]#"),
        ({"deltas": Const([[[[1, 2]]]])}, r"^deltas should be \[1, 1 or 1\], not int8\[1,2\]#"),
        ({"thresholds": Const([[[[2, 1]]]])}, r"^the thresholds of channel 0 do not ascend$"),
    ],
)
def test_what_is_no_staircase_is_refused(parameters: dict[str, Const], message: str) -> None:
    given_: dict[str, Any] = {"thresholds": Const(ONES), "base": Const(ONES[0])}
    given_ |= {"deltas": Const(ONES), "rows": SHARED, "columns": SHARED}
    with pytest.raises(TypeError, match=message):
        BorderThreshold(**(given_ | parameters))


def test_staircases_for_other_places_are_refused() -> None:
    tables = (Const(np.ones((1, 1, 2, 1), int)), Const(np.ones((1, 1, 2), int)))
    op = BorderThreshold(*tables, Const(np.ones((1, 1, 2, 1), int)), Const([0, 0, 0]), SHARED)
    one = IntType(0, 1)
    assert op.infer(TensorType(one, (3, 5, 2)))[0].shape == (3, 5, 2)
    with pytest.raises(TypeError, match=r"^rows are classes of 3 places, not of \[4, 5, 2\]$"):
        op.infer(TensorType(one, (4, 5, 2)))
    with pytest.raises(
        TypeError, match=r"^the thresholds are for 2 channels, but the input is int"
    ):
        op.infer(TensorType(one, (3, 5, 3)))
