"""``scale * clamp(a x + b, lower, upper) + shift``  =  a clamp of an affine map again.

Exact: rational arithmetic; a negative scale swaps the bounds, a scale of zero makes them meet. Of
any other curve it is the curve with an affine map behind it.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, TypeVar

from lutloom.streamline.align import compact
from lutloom.streamline.border_classes import check_elements
from lutloom.streamline.curve import affine
from lutloom.streamline.errors import show
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from fractions import Fraction

    from lutloom.core.rational import Rationals

F = TypeVar("F", Scaled, Curve, Scaled | Curve)


def scale_and_shift(x: F, scale: Rationals, shift: Rationals) -> F:
    """Return ``scale * x + shift``; a negative scale turns the bounds of a clamp round."""
    import numpy as np

    shapes = (array.shape for array in (*x.arrays, scale, shift))
    where = str(x.trail[-1]) if x.trail else f"the result {show(x.value)}"
    check_elements(where, prod(np.broadcast_shapes(*shapes)))
    if isinstance(x, Curve):
        return replace(x, expression=affine(len(x.shape), x.expression, scale, shift))
    return _of_clamp(x, scale, shift)


def _of_clamp(x: Scaled, scale: Rationals, shift: Rationals) -> Scaled:
    import numpy as np

    lower, upper = x.lower, x.upper
    if x.is_clamped:
        ends = np.frompyfunc(_bounds, 4, 2)(
            _or_absent(x.lower, x), _or_absent(x.upper, x), scale, shift
        )
        lower, upper = (_or_none(compact(np.asarray(end, dtype=object))) for end in ends)
    return replace(
        x,
        slope=compact(np.asarray(x.slope * scale)),
        offset=compact(np.asarray(x.offset * scale + shift)),
        lower=lower,
        upper=upper,
    )


def _or_absent(bounds: Rationals | None, x: Scaled) -> Rationals:
    import numpy as np

    return np.full((1,) * x.slope.ndim, None, dtype=object) if bounds is None else bounds


def _or_none(bounds: Rationals) -> Rationals | None:
    return None if bounds.size == 1 and bounds.ravel()[0] is None else bounds


def _bounds(
    lower: Fraction | None, upper: Fraction | None, scale: Fraction, shift: Fraction
) -> tuple[Fraction | None, Fraction | None]:
    """Return the bounds of one channel after the map; an absent bound stays absent."""
    if scale == 0:
        return shift, shift
    ends = tuple(None if end is None else end * scale + shift for end in (lower, upper))
    return (ends[1], ends[0]) if scale < 0 else (ends[0], ends[1])
