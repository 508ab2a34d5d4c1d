"""Quantizers to fewer bits than NumPy has a type for: by a ``Clip``, and to integers of four bits.

``clamp(clamp(q, lo, hi), low, high)`` is one clamp, so a ``Clip`` behind a QuantizeLinear, which is
how QCDQ says three bits, is a quantizer with other limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]


def with_limits(
    nodes: Iterable[SourceNode],
    constants: Mapping[str, Array],
    four_bits: Mapping[str, tuple[int, int]],
) -> tuple[SourceNode, ...]:
    """Return ``nodes``, with every ``Clip`` behind a QuantizeLinear the quantizer that it makes.

    Exact: a clamp to less is the same behind a clamp to more. What the ``Clip`` gave is the result
    of a quantizer of its own then; that of all levels stays for whoever else reads it.
    ``four_bits`` are the ends of constants whose type has four bits.
    """
    import numpy as np

    known = dict(constants)
    quantizers: dict[str, SourceNode] = {}
    found = []
    for node in nodes:
        made, first = node, node.inputs[0] if node.inputs else ""
        value = node.attributes.get("value")
        if node.op_type == "Constant" and node.outputs and isinstance(value, np.ndarray):
            known[node.outputs[0]] = value
        if node.op_type == "QuantizeLinear" and node.is_quantizer and len(node.outputs) == 1:
            if len(node.inputs) > 2 and node.inputs[2] in four_bits:
                made = replace(node, limits=four_bits[node.inputs[2]])
            quantizers[node.outputs[0]] = made
        elif node.op_type == "Clip" and first in quantizers:
            quantizer = quantizers[first]
            ends = _integers_of(node, known)
            if ends is not None and node.domain == quantizer.domain:
                made = replace(quantizer, outputs=node.outputs, limits=_within(quantizer, ends))
        found.append(made)
    return tuple(found)


def _integers_of(node: SourceNode, known: Mapping[str, Array]) -> tuple[int, int] | None:
    """Return the bounds of a ``Clip`` of integers, or None if they are no two constants."""
    arrays = [known.get(name) for name in node.inputs[1:]]
    ends = [int(a.item()) for a in arrays if a is not None and a.size == 1 and a.dtype.kind in "iu"]
    if len(ends) != 2 or len(arrays) != 2 or ends[0] > ends[1]:
        return None
    return ends[0], ends[1]


def _within(quantizer: SourceNode, ends: tuple[int, int]) -> tuple[int, int]:
    """Return what ``ends`` leave of the limits that ``quantizer`` has already."""
    lo, hi = quantizer.limits or ends
    return min(max(ends[0], lo), hi), min(max(ends[1], lo), hi)
