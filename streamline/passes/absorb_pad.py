"""``conv(pad(x))``  =  ``conv(x)`` with larger pads; so with pools, and with pads of pads.

Exact: a padding puts the same integer around the image that the masked taps of the layer behind it
see. The side conditions: both integers are equal, unless only one of the two pads at all; no side
is cropped by one of them and padded by the other. The largest of a window does not see padding,
so what is put around must be no larger than all of the data, and every window must see a pixel; a
sum of a window does not see zeros. With gaps between the pixels what is put around is as far
apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Conv, MaxPool, SumPool, Window

if TYPE_CHECKING:
    from lutloom.core.op import Op
    from lutloom.core.types import TensorType


def absorb_pad(graph: Graph) -> Graph:
    """Let layers with windows pad by themselves; who else reads the padded image still can."""
    changed: dict[str, Node] = {}
    for node in graph.nodes:
        padding = graph.producers.get(node.inputs[0])
        if padding is None or padding.name in changed:
            continue
        op = _absorbed(node.op, padding, graph)
        if op is not None:
            changed[node.name] = replace(node, op=op, inputs=padding.inputs)
    if not changed:
        return graph
    nodes = tuple(changed.get(node.name, node) for node in graph.nodes)
    return Graph(graph.inputs, nodes, graph.outputs)


def _absorbed(op: Op, node: Node, graph: Graph) -> Op | None:
    """Return ``op`` on the input of the padding ``node``; None where that is another result."""
    padding = node.op
    if not isinstance(op, Conv | MaxPool | SumPool | Window) or not isinstance(padding, Window):
        return None
    x = graph.types[node.inputs[0]]
    own = padding.windows
    if own.taps != 1 or any(step != 1 for step in (*own.stride, *own.spacing)):
        return None
    pads = tuple(
        there + here * spacing
        for there, here, spacing in zip(
            op.windows.pads, own.pads, op.windows.spacing * 2, strict=True
        )
    )
    sides = list(zip(op.windows.pads, own.pads, strict=True))
    if any(there > 0 > here or here > 0 > there for there, here in sides):
        return None
    before = graph.types[node.name]
    if isinstance(op, MaxPool):
        return _of_largest(op, padding, pads, x)
    if isinstance(op, SumPool):
        is_nothing = padding.fill == 0 or not own.borders(x.shape[:-1]).is_masking
        return replace(op, pads=pads) if is_nothing else None
    fill = op.fill
    if own.borders(x.shape[:-1]).is_masking:
        fill = padding.fill
        if op.windows.borders(before.shape[:-1]).is_masking and op.fill != fill:
            return None
    return replace(op, pads=pads, fill=fill)


def _of_largest(op: MaxPool, padding: Window, pads: tuple[int, ...], x: TensorType) -> Op | None:
    largest = replace(op, pads=pads)
    if not padding.windows.borders(x.shape[:-1]).is_masking:
        return largest
    sees_pixels = largest.windows.borders(x.shape[:-1]).masks.any(axis=-1).all()
    return largest if padding.fill <= x.element.lo and sees_pixels else None
