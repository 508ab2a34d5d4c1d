"""``linear(window(x), w)``  =  ``conv(x, w)``, as models of FINN write their convolutions.

Exact: both are the sum over taps and channels. A matrix in which each output has weights for the
channels of one group alone is a convolution in groups, since what it leaves out is zero times
something: the side condition is that the groups follow one another.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Conv, Linear, Window
from lutloom.core.types import Const

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def join_window(graph: Graph) -> Graph:
    """Make convolutions of products with rows of windows."""
    changed: dict[str, Node] = {}
    for node in graph.nodes:
        window = graph.producers.get(node.inputs[0])
        if not isinstance(node.op, Linear) or window is None:
            continue
        if isinstance(window.op, Window) and window.op.groups == 1:
            channels = graph.types[window.inputs[0]].channels
            conv = _convolution(window.op, node.op, channels)
            changed[node.name] = replace(node, op=conv, inputs=window.inputs)
    if not changed:
        return graph
    nodes = tuple(changed.get(node.name, node) for node in graph.nodes)
    return Graph(graph.inputs, nodes, graph.outputs)


def _convolution(window: Window, linear: Linear, channels: int) -> Conv:
    outputs = linear.weights.shape[1]
    weights = linear.weights.data.reshape(*window.kernel, channels, outputs)
    groups = _groups(weights)
    fan_in, filters = channels // groups, outputs // groups
    split = weights.reshape(*window.kernel, groups, fan_in, groups, filters)
    own = [split[..., group, :, group, :] for group in range(groups)]
    places = (window.stride, window.dilation, window.pads, window.spacing)
    return Conv(Const(_joined(own)), *places, groups, window.fill)


def _joined(own: list[NDArray[np.integer]]) -> NDArray[np.integer]:
    import numpy as np

    return np.concatenate(own, axis=-1)


def _groups(weights: NDArray[np.integer]) -> int:
    """Return the most groups that leave out nothing but zeros."""
    import numpy as np

    channels, outputs = weights.shape[-2:]
    is_used = (weights != 0).reshape(-1, channels, outputs).any(axis=0)
    rows, columns = np.nonzero(is_used)
    most = gcd(channels, outputs)
    for groups in range(most, 1, -1):
        if most % groups:
            continue
        if (rows // (channels // groups) == columns // (outputs // groups)).all():
            return groups
    return 1
