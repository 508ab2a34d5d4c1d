"""Places along an axis that share all their numbers: an entry a class instead of one a place.

Along the border of an image windows are cut off, and what they stand for differs from the middle:
in few classes of rows and of columns, however large the image is.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, TypeVar

from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntArray
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Classes, Formula

_MOST_ELEMENTS = 2**18

F = TypeVar("F", Scaled, Curve, Scaled | Curve)


def check_elements(where: object, size: int) -> None:
    """Raise ``ModelError`` for more elements that differ than anybody has thresholds for."""
    if size > _MOST_ELEMENTS:
        raise ModelError(
            f"{where}: scales and biases there vary along several dimensions, so that each of"
            f" {size:,} elements has its own, and at most {_MOST_ELEMENTS:,} can; use one a channel"
        )


def expanded(node: SourceNode, x: F) -> F:
    """Return ``x`` without classes: its arrays have an entry a place.

    Raises ``ModelError`` for too many of them.
    """
    import numpy as np

    if not x.classes:
        return x
    shape = np.broadcast_shapes(*(array.shape for array in x.arrays))
    sizes = (
        size if classes is None or size == 1 else len(classes)
        for size, classes in zip(shape, x.classes, strict=True)
    )
    check_elements(node, prod(sizes))
    return replace(x.with_arrays(lambda array: spread(array, x.classes)), classes=())


def spread(array: Rationals, classes: Classes) -> Rationals:
    """Return ``array``, which has an entry a class along some axes, with one a place."""
    for axis, of in enumerate(classes):
        if of is not None and array.shape[axis] > 1:
            array = array.take(of, axis=axis)
    return array


def in_one_form(node: SourceNode, left: Formula, right: Formula) -> tuple[Formula, Formula]:
    """Return two functions of one value with the same classes: those that they share, or none."""
    if left.classes is right.classes:
        return left, right
    return expanded(node, left), expanded(node, right)


def distinct(rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return the class of each row of ``rows [n, ...]``, and where each class comes first.

    Equal rows are a class; classes are numbered as they appear.
    """
    import numpy as np

    _, first, index = np.unique(
        rows.reshape(len(rows), -1), axis=0, return_index=True, return_inverse=True
    )
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return number[index.reshape(-1)], first[order]
