"""Constants of the model brought into the order of axes of the value they are applied to.

And the other way: along which of its axes they vary, and what shape it has in the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutloom.core.rational import rationals
from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.rational import Rationals
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula


def aligned(node: SourceNode, x: Formula, array: NDArray[Any], what: str) -> Rationals:
    """Return ``array``, which broadcasts against the model's tensor, in the axes of ``x.value``.

    Raises ``ModelError`` if it is not finite, or makes the tensor larger.
    """
    rank = len(x.shape)
    wide = array.reshape((1,) * max(0, rank + 1 - array.ndim) + array.shape)
    fits = wide.ndim == rank + 1 and wide.shape[0] == 1
    if not fits or any(
        size not in (1, whole) for size, whole in zip(wide.shape[1:], x.shape, strict=True)
    ):
        raise ModelError(
            f"{node}: its {what} of shape {list(array.shape)} does not broadcast to the data,"
            f" {['N', *x.shape]}; give it one number, or one a channel"
        )
    try:
        exact = rationals(wide[0])
    except ValueError as error:
        raise ModelError(
            f"{node}: its {what} is no number: {error}; train the model again"
        ) from error
    return _of_classes(node, x, compact(exact.transpose(x.axes)), what)


def _of_classes(node: SourceNode, x: Formula, array: Rationals, what: str) -> Rationals:
    """Return ``array`` with an entry a class, along axes along which ``x`` has classes."""
    import numpy as np

    for axis, classes in enumerate(x.classes):
        if classes is None or array.shape[axis] == 1:
            continue
        _, first = np.unique(classes, return_index=True)
        of_classes = array.take(first, axis=axis)
        if not np.equal(of_classes.take(classes, axis=axis), array).all():
            raise ModelError(
                f"{node}: its {what} varies along the image, whose border differs from its middle"
                " already, because a padded layer before it has a bias in its input: use one number"
                " a channel"
            )
        array = of_classes
    return array


def compact(array: Rationals) -> Rationals:
    """Return ``array`` with every axis along which it does not vary reduced to size 1."""
    import numpy as np

    # An axis of stride 0 is a broadcast one: there is nothing to compare, nor along the others
    # more than once. A layer of millions of weights has a scale for each output.
    once = (slice(0, 1) if stride == 0 else slice(None) for stride in array.strides)
    array = array[(*once, ...)]
    for axis, size in enumerate(array.shape):
        if size > 1:
            first = array.take([0], axis=axis)
            if np.equal(array, first).all():
                array = first
    return array


def by_channel(array: Rationals | None, channels: int) -> list[Any]:
    """Return the entry of each channel; ``array`` varies along the last axis at most."""
    import numpy as np

    if array is None:
        return [None] * channels
    return list(np.broadcast_to(array.reshape(-1), (channels,)).tolist())


def varying_axes(*arrays: Rationals | None) -> tuple[int, ...]:
    """Return the axes along which any of ``arrays`` (of one rank) varies."""
    return tuple(
        sorted(
            {
                axis
                for array in arrays
                if array is not None
                for axis, size in enumerate(array.shape)
                if size > 1
            }
        )
    )


def varies_in_place(*arrays: Rationals | None) -> bool:
    """Whether any of ``arrays`` varies along another axis than the last."""
    return any(
        axis != array.ndim - 1
        for array in arrays
        if array is not None
        for axis in varying_axes(array)
    )


def model_shape(axes: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the model's shape of a value of ``sizes``, whose axes are those ``axes`` of it."""
    return tuple(sizes[axes.index(axis)] for axis in range(len(axes)))
