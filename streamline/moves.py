"""Operators that only move elements, and what they do to the rationals that go with a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.ops import Permute, Reshape, Slice, Upsample
from lutloom.streamline.align import compact

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals

Move: TypeAlias = Permute | Reshape | Slice | Upsample


def moved_array(array: Rationals, op: Move, shape: tuple[int, ...]) -> Rationals:
    """Return ``array``, which broadcasts to a value of ``shape``, for what ``op`` makes of it."""
    import numpy as np

    match op:
        case Permute(axes):
            return array.transpose(axes)
        case Reshape(new):
            return compact(np.broadcast_to(array, shape).reshape(new))
        case Slice(axis, start, stop):
            if array.shape[axis] == 1:
                return array
            return compact(array.take(range(start, stop), axis=axis))
        case Upsample(factors):
            for axis, factor in enumerate(factors):
                if array.shape[axis] > 1:
                    array = array.repeat(factor, axis=axis)
            return array
