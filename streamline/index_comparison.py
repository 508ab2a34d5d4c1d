"""Indices of the largest values, ours against a float executor's: which differences are explained.

Two channels that are equal, or nearly so, may change places by the executor's rounding. That
explains a difference if and only if our channel is the larger one (or the lower of equal ones) of
the exact values, and theirs is within the bounds of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lutloom.streamline.error_bound import FLOAT64_MARGIN
from lutloom.streamline.source import STANDARD_DOMAINS

if TYPE_CHECKING:
    from lutloom.core.types import IntArray
    from lutloom.streamline.error_bound import Bounded, Floats
    from lutloom.streamline.source import Source, SourceNode


def unexplained_indices(
    ours: IntArray, theirs: IntArray, source: Source, known: Mapping[str, Bounded]
) -> int:
    """Return how many of ``ours [batch, ...]`` differ from ``theirs`` without an explanation.

    ``known`` are the tensors of ``source`` with their bounds; where that of the values is not
    among them, nothing is explained.
    """
    import numpy as np

    differs = ours != theirs
    if not differs.any():
        return 0
    node = _selection(source)
    values = None if node is None else known.get(node.inputs[0])
    if node is None or values is None:
        return int(differs.sum())
    rank = values.value.ndim
    axis = node.integer("axis", 0 if node.op_type == "ArgMax" else -1) % rank
    shape = list(values.value.shape)
    shape[axis] = ours.size // (values.value.size // shape[axis])
    mine, other = ours.reshape(shape), theirs.reshape(shape)

    def at(array: Floats, indices: IntArray) -> Floats:
        return np.take_along_axis(array, indices, axis=axis)

    bound = at(values.error, mine) + at(values.error, other)
    lead = at(values.value, mine) - at(values.value, other)
    is_ours_exact = lead >= -bound * FLOAT64_MARGIN
    explained = is_ours_exact & (lead <= bound) & (bound > 0)
    return int((differs.reshape(shape) & ~explained).sum())


def _selection(source: Source) -> SourceNode | None:
    """Return the node of the model that selects the largest values: the last one."""
    nodes = [
        node
        for node in source.nodes
        if node.op_type in ("TopK", "ArgMax") and node.domain in STANDARD_DOMAINS
    ]
    return nodes[-1] if nodes else None
