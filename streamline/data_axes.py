"""Dimensions of the data that a node names: counted without the batch, which stays in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    from lutloom.streamline.source import SourceNode


def data_axis(node: SourceNode, axis: int, shape: tuple[int, ...]) -> int:
    """Return which dimension of ``shape``, which lacks the batch, the model's ``axis`` is.

    Raises ``ModelError`` for the batch, and where there is none.
    """
    rank = len(shape) + 1
    if not -rank <= axis < rank:
        raise ModelError(f"{node}: its axis {axis} is not one of {rank} dimensions")
    if axis % rank == 0:
        raise ModelError(
            f"{node} cuts or joins along the batch, which mixes images; every image is computed by"
            " itself: use another axis"
        )
    return axis % rank - 1
