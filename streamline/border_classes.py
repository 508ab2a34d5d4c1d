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


def channels_apart(node: SourceNode, x: F) -> F:
    """Return ``x`` without classes along its value's last axis, which are channels to its readers.

    Raises ``ModelError`` for too many elements that differ.
    """
    if not x.classes or x.classes[-1] is None:
        return x
    *others, _ = x.classes
    others_alone = replace(x, classes=(*others, None) if any(o is not None for o in others) else ())
    only_last = (*(None for _ in others), x.classes[-1])
    found = others_alone.with_arrays(lambda array: spread(array, only_last))
    check_together(node, found)
    return found


def spread(array: Rationals, classes: Classes) -> Rationals:
    """Return ``array``, which has an entry a class along some axes, with one a place."""
    for axis, of in enumerate(classes):
        if of is not None and array.shape[axis] > 1:
            array = array.take(of, axis=axis)
    return array


def in_one_form(node: SourceNode, *tensors: F, but: int | None = None) -> tuple[F, ...]:
    """Return all with the same classes: two places share one if they do in every tensor.

    The tensors have one shape, their values' axes one order. Along the axis ``but`` of the values
    they may differ in size, and have no classes. Raises ``ModelError`` where too many elements
    differ.
    """
    import numpy as np

    first = tensors[0]
    if but is None and all(x.classes is first.classes for x in tensors):
        return tensors
    merged: list[IntArray | None] = []
    for axis, model_axis in enumerate(first.axes):
        sizes = [x.shape[model_axis] for x in tensors]
        places = [_places(x, axis, size) for x, size in zip(tensors, sizes, strict=True)]
        index = None
        if axis != but:
            found, entries = distinct(np.stack(places, axis=1))
            if 1 < len(entries) < sizes[0]:
                index = found
                places = [own[entries] for own in places]
        tensors = tuple(_with_entries(x, at, axis) for x, at in zip(tensors, places, strict=True))
        merged.append(index)
    for x in tensors:
        check_elements(node, prod(np.broadcast_shapes(*(array.shape for array in x.arrays))))
    classes = tuple(merged) if any(of is not None for of in merged) else ()
    return tuple(replace(x, classes=classes) for x in tensors)


def check_together(node: SourceNode, *tensors: Formula) -> None:
    """Raise ``ModelError`` if too many elements differ in a sum or a product of ``tensors``."""
    import numpy as np

    shapes = (array.shape for x in tensors for array in x.arrays)
    check_elements(node, prod(np.broadcast_shapes(*shapes)))


def _places(x: Formula, axis: int, size: int) -> IntArray:
    """Return which entry of its arrays each place along ``axis`` has."""
    import numpy as np

    if all(array.shape[axis] == 1 for array in x.arrays):
        return np.zeros(size, dtype=np.int64)
    classes = x.classes[axis] if x.classes else None
    return np.arange(size) if classes is None else classes


def _with_entries(x: F, at: IntArray, axis: int) -> F:
    """Return ``x`` with the entries ``at`` of its arrays that vary along ``axis``."""
    return x.with_arrays(lambda a: a.take(at, axis=axis) if a.shape[axis] > 1 else a)


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
