"""Weights as integers times exact scales.

A weight quantizer is taken at its word: its integers (found in float32, as qonnx finds them) times
the exact float32 scale. Constants without one may still lie on a coarse grid, as those of models
whose weights were folded do, or be integers, as in models that were streamlined.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.core.rational import common_divisor, rationals
from lutloom.streamline.symbols import Constant, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.rational import Rationals

    Array: TypeAlias = NDArray[Any]

# A float constant counts as quantized if it has few distinct values, on a grid of few steps, or if
# it holds integers that float32 need not have rounded.
_MOST_VALUES, _MOST_STEPS = 512, 255
_LARGEST_INTEGER = 2**24


def grid_of(constant: Constant) -> Grid | None:
    """Return ``constant`` as integers and a scale, or None where it lies on no coarse grid.

    Looks for one scale for the whole tensor first, then for one for each column (last axis).
    """
    import numpy as np

    if constant.grid is not None:
        return constant.grid
    array = constant.array
    if array.dtype.kind in "iu":
        return Grid(array.astype(np.int64), rationals(1))
    if array.dtype.kind != "f" or not np.isfinite(array).all() or array.ndim == 0:
        return None
    whole = _step(array)
    if whole is not None:
        return Grid(_divide(array, [whole]), rationals(np.array(whole)))
    if array.ndim < 2:
        return None
    steps = [_step(array[..., column]) for column in range(array.shape[-1])]
    if any(step is None for step in steps):
        return None
    known = [step for step in steps if step is not None]
    return Grid(_divide(array, known), _row(known, array.ndim))


def _row(steps: Sequence[Fraction], rank: int) -> Rationals:
    import numpy as np

    row = np.empty(len(steps), dtype=object)
    row[:] = steps
    return row.reshape((*[1] * (rank - 1), -1))


def _step(values: Array) -> Fraction | None:
    """Return the step of the grid on which all ``values`` lie, if it is a coarse one."""
    import numpy as np

    distinct = np.unique(np.abs(values)).astype(np.float64)
    if ((distinct <= _LARGEST_INTEGER) & (distinct == np.floor(distinct))).all():
        return Fraction(int(np.gcd.reduce(distinct.astype(np.int64))) or 1)
    if distinct.size > _MOST_VALUES:
        return None
    step = common_divisor(Fraction(value) for value in distinct.tolist())
    return step if Fraction(float(distinct[-1])) / step <= _MOST_STEPS else None


def _divide(array: Array, steps: Sequence[Fraction]) -> NDArray[Any]:
    """Return ``array / step``, column by column: exact, since the quotients are small integers."""
    import numpy as np

    # float64 division of a by s rounds the true quotient, which is an integer below 2^53.
    divisors = np.array([float(step) for step in steps])
    return np.asarray(np.round(array.astype(np.float64) / divisors), dtype=np.int64)
