"""Operators that have no integer form: they stay on the host, before or behind the integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.curve import forked
from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Constant, Curve, HostFloat, Indices, Scaled, ShapeOf

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_MEETING = frozenset({"Add", "Mul", "Sub", "Sum", "Mean"})


def host_only(node: SourceNode, inputs: Inputs, _: Context) -> Symbol:
    """Return the float that the host computes from the only data-dependent input.

    Two inputs may be data as well, if both begin at one tensor: ``x * softmax(x)``.

    Raises ``ModelError`` if there are others, or none that is a float: integers meet in sums and
    products alone.
    """
    data = [symbol for symbol in inputs if symbol is not None and not isinstance(symbol, Constant)]
    if len(data) == 2:
        left, right = (_begun(symbol) for symbol in data)
        if left is not None and right is not None and _origin(left) == _origin(right):
            trail = forked(node, left.trail, right.trail)
            return HostFloat(left.start, left.shape, trail, left.because or right.because or node)
    if len(data) != 1:
        raise ModelError(f"{node} combines two results as floats{_way_out(node)}")
    match data[0]:
        case (Scaled() | Curve()) as x:
            return HostFloat(x, x.shape, (*x.trail, node), node)
        case HostFloat(start, shape, trail, because):
            return HostFloat(start, shape, (*trail, node), because or node)
        case Indices() | ShapeOf():
            raise ModelError(f"{node} works on indices or shapes: take it out of the model")
        case _:
            raise ModelError(f"{node} has no data to work on")


def _way_out(node: SourceNode) -> str:
    if node.op_type in _MEETING:
        return ", and a host part is a chain; put a quantizer on each branch, so that integers meet"
    return ", which this version has no hardware and no host part for: leave it out of the model"


def _begun(x: Symbol) -> HostFloat | None:
    """Return ``x`` as a float of the host, if it can be one."""
    match x:
        case Scaled() | Curve():
            return HostFloat(x, x.shape, x.trail, None)
        case HostFloat():
            return x
        case _:
            return None


def _origin(x: HostFloat) -> tuple[bool, str, tuple[int, ...]]:
    """Return where the trail of ``x`` begins, in the model or in the graph, and its shape."""
    if isinstance(x.start, str):
        return False, x.start, x.shape
    return True, x.start.root, x.shape
