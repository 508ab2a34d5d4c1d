"""Operators that have no integer form: they stay on the host, before or behind the integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Constant, Curve, HostFloat, Indices, Scaled, ShapeOf

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol


def host_only(node: SourceNode, inputs: Inputs, _: Context) -> Symbol:
    """Return the float that the host computes from the only data-dependent input.

    Raises ``ModelError`` if there are several of those, or none that is a float.
    """
    data = [symbol for symbol in inputs if symbol is not None and not isinstance(symbol, Constant)]
    if len(data) != 1:
        raise ModelError(
            f"{node} combines two results as floats, and a host part is a chain; put a quantizer"
            " on each branch, so that integers meet"
        )
    match data[0]:
        case (Scaled() | Curve()) as x:
            return HostFloat(x, x.shape, (*x.trail, node), node)
        case HostFloat(start, shape, trail, because):
            return HostFloat(start, shape, (*trail, node), because or node)
        case Indices() | ShapeOf():
            raise ModelError(f"{node} works on indices or shapes: take it out of the model")
        case _:
            raise ModelError(f"{node} has no data to work on")
