"""Where the elements of a tensor come from that a node only moves, repeats or leaves out.

The node itself is run, in ONNX Runtime, on the places of the elements: what comes out says for each
of its results which element of the data it is, whatever the attributes mean in which version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.bounded import Bounded
from lutloom.streamline.run_node import results_of
from lutloom.streamline.source import STANDARD_DOMAINS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.types import IntArray
    from lutloom.streamline.bounded import Tensors
    from lutloom.streamline.source import SourceNode

# ONNX Runtime has these for floats only; 2^53 places are enough, too.
_OF_FLOATS = frozenset({"DepthToSpace", "SpaceToDepth"})

_OF_NEAREST = frozenset({"Resize", "Upsample"})

WITH_ORIGINS = frozenset({*_OF_FLOATS, *_OF_NEAREST, "Expand", "Gather", "Slice", "Split", "Tile"})
"""Operators of the standard whose results hold elements of their first operand, and no others."""


def has_origins(node: SourceNode) -> bool:
    """Return whether all that ``node`` gives are elements of its first operand."""
    if node.domain not in STANDARD_DOMAINS or node.op_type not in WITH_ORIGINS:
        return False
    return node.op_type not in _OF_NEAREST or node.text("mode", "nearest") == "nearest"


def origins(node: SourceNode, tensors: Tensors, opset: int) -> Mapping[str, IntArray]:
    """Return the place in the flat first operand of each element of each result, by its name.

    Raises ``ModelError`` where ONNX Runtime can't run the node.
    """
    import numpy as np

    x = tensors[node.inputs[0]]
    places = np.arange(x.size).reshape(x.shape)
    dtype = np.float64 if node.op_type in _OF_FLOATS else np.int32
    others = [tensors[name] if name else None for name in node.inputs[1:]]
    results = results_of(node, [places.astype(dtype), *others], opset)
    return {
        name: result.astype(np.int64)
        for name, result in zip(node.outputs, results, strict=True)
        if name
    }


def at_places(x: Bounded, places: IntArray) -> Bounded:
    """Return the elements of ``x`` at ``places``, which are those of the flat array."""
    return Bounded(x.value.ravel()[places], x.error.ravel()[places], x.is_exact)
