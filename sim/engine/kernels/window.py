"""What windows see, a row each; and padding, which is windows of one tap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.ops import Window
from lutloom.sim.engine.kernels.copy import converted
from lutloom.sim.engine.kernels.move import move
from lutloom.sim.engine.products import seen_pixels

if TYPE_CHECKING:
    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


def lower_window(planner: Planner, node: Node) -> None:
    """Add the step of a ``Window``."""
    import numpy as np

    assert isinstance(node.op, Window)
    (value,) = node.inputs
    tensor, groups = planner.type(value), node.op.groups
    y = planner.make(node.name)
    x = converted(planner, planner.dense(value), tensor, y.storage)
    pixel = seen_pixels(tensor.shape[:-1], node.op.windows)[:, np.newaxis, :, np.newaxis]
    channel = np.arange(tensor.channels).reshape(groups, 1, -1)
    places = np.where(pixel < 0, -1, pixel * tensor.channels + channel)
    fill = int(y.storage.encode(np.array([node.op.fill]))[0])
    width = y.storage.dtype.itemsize
    move(planner, x, y, places, elements=tensor.size, width=width, fill=fill)
