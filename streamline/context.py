"""What a rule may use besides its node: the graph being written, and the model's facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import (
    Constant,
    Curve,
    Formula,
    HostFloat,
    Indices,
    Scaled,
    ShapeOf,
    Symbol,
)
from lutloom.streamline.tensors import MOST_AXES

if TYPE_CHECKING:
    from lutloom.core.host import HostProgram
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """The graph's input ``value``, which the host makes of an input of the model by ``head``."""

    value: str
    head: HostProgram


@dataclass(eq=False)
class Context:
    """The state of one import."""

    build: GraphBuilder
    batch: int | None
    """The batch size that the file fixes, or None where it leaves it open."""
    opset: int
    users: dict[str, int]
    """How many nodes and outputs of the model read each of its tensors."""
    symbols: dict[str, Symbol] = field(default_factory=dict)
    integers: set[str] = field(default_factory=set)
    """The model's tensors that hold integers: what a QuantizeLinear gave, moved about or not."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """How the graph's inputs are made of the model's, by whose names, as far as they are met."""


Inputs: TypeAlias = Sequence[Symbol | None]
Results: TypeAlias = "tuple[Symbol | None, ...]"
"""Of a node with several outputs; None for one that is not computed."""
Rule: TypeAlias = "Callable[[SourceNode, Inputs, Context], Symbol | Results]"


def required(node: SourceNode, inputs: Inputs, index: int) -> Symbol:
    """Return an input that must be there."""
    symbol = inputs[index] if index < len(inputs) else None
    if symbol is None:
        raise ModelError(f"{node}: its input {index} is missing: the file is damaged")
    return symbol


def required_constant(node: SourceNode, inputs: Inputs, index: int, what: str) -> Constant:
    """Return an input that must be constant."""
    symbol = required(node, inputs, index)
    if not isinstance(symbol, Constant):
        raise ModelError(
            f"{node}: its {what} depends on the data, which no fixed hardware can follow;"
            " export the model with a constant one"
        )
    return symbol


def required_integers(node: SourceNode, inputs: Inputs, index: int, what: str) -> tuple[int, ...]:
    """Return an input that must be constant integers, such as axes: at most as many as axes."""
    array = required_constant(node, inputs, index, what).array
    if array.dtype.kind not in "iu" or array.size > 2 * MOST_AXES:
        raise ModelError(
            f"{node}: its {what} should be a few integers, not {array.dtype} of the shape"
            f" {list(array.shape)}: the file is damaged"
        )
    return tuple(int(value) for value in array.ravel())


def required_scaled(node: SourceNode, inputs: Inputs, index: int, wanted: str) -> Scaled:
    """Return an input that must be integers in disguise; say otherwise what made it a float."""
    x = required_formula(node, inputs, index, wanted)
    if isinstance(x, Curve):
        raise ModelError(
            f"{node}: {wanted} needs integers, but {x.trail[-1]} before it makes floats and is not"
            " followed by a quantizer; quantize the activations of that layer"
        )
    return x


def required_formula(node: SourceNode, inputs: Inputs, index: int, wanted: str) -> Formula:
    """Return an input that must be a function of integers; say otherwise what made it a float."""
    symbol = required(node, inputs, index)
    match symbol:
        case Scaled() | Curve():
            return symbol
        case HostFloat(start=str()):
            raise ModelError(
                f"{node}: {wanted} needs quantized data, but the model's input reaches it as"
                " floats; put a quantizer (Quant, BipolarQuant) before it, or say with"
                " --input-type and --input-scale that the input holds integers"
            )
        case HostFloat(because=culprit):
            raise ModelError(
                f"{node}: {wanted} needs integers, but {culprit} before it makes floats that have"
                f" no integer form; {_instead(culprit)}, or leave the node out"
            )
        case Indices():
            raise ModelError(f"{node}: {wanted} can't work on the indices of TopK or ArgMax")
        case Constant() | ShapeOf():
            raise ModelError(f"{node}: {wanted} should work on the data, not on a constant")


def _instead(culprit: SourceNode | None) -> str:
    """Return what to do about a node that makes floats."""
    if culprit is not None and culprit.op_type in {"LogSoftmax", "Softmax"}:
        return "train with a ReLU and a quantizer in its place (ReLU attention)"
    return "put a quantizer between the two"


def shape_of(node: SourceNode, symbol: Symbol) -> tuple[int, ...]:
    """Return the model's shape of a data-dependent tensor, without the batch."""
    match symbol:
        case (
            Scaled(shape=shape) | Curve(shape=shape) | HostFloat(shape=shape) | Indices(shape=shape)
        ):
            return shape
        case Constant() | ShapeOf():
            raise ModelError(f"{node}: its input should be the data, not a constant")
