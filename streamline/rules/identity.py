"""Identity, Dropout (at inference) and Cast that changes no number: the data as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.context import required
from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Constant, Curve, HostFloat, Indices, Scaled, ShapeOf

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_FLOAT, _INT32, _INT64, _DOUBLE = 1, 6, 7, 11


def identity(node: SourceNode, inputs: Inputs, _: Context) -> Symbol:
    """Return the first input.

    Raises ``ModelError`` for a dropout in training mode, and for casts that change numbers.
    """
    x = required(node, inputs, 0)
    if node.op_type == "Dropout" and len(inputs) > 2 and inputs[2] is not None:
        training = inputs[2]
        if not isinstance(training, Constant) or bool(training.array.any()):
            raise ModelError(f"{node} is in training mode: export the model in evaluation mode")
    if node.op_type == "Cast" and not _harmless(x, node.integer("to", _FLOAT)):
        raise ModelError(
            f"{node} casts the data to another kind of number: take it out of the model"
        )
    return x


def _harmless(x: Symbol, to: int) -> bool:
    match x:
        case ShapeOf() | Indices():
            return to in (_INT32, _INT64)
        case Scaled() if to in (_INT32, _INT64):
            return all(n is None or n.denominator == 1 for a in x.arrays for n in a.ravel())
        case Scaled() | Curve() | HostFloat():
            return to in (_FLOAT, _DOUBLE)
        case Constant():
            return False
