"""What a tensor of the model is, exactly, while the model is being read.

Shapes leave the batch out, which is always the model's first dimension.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntArray
    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Grid:
    """``integers * scale``: what the constant of a weight quantizer is, without its rounding.

    ``scale`` broadcasts to the shape of ``integers``.
    """

    integers: IntArray
    scale: Rationals


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that no input reaches: folded in float32, node by node. Its shape is whole."""

    array: Array
    grid: Grid | None = None

    def reals(self) -> Array:
        """Return the numbers that it stands for: what a quantizer gave as Fractions, unrounded."""
        return self.array if self.grid is None else self.grid.integers * self.grid.scale


@dataclass(frozen=True)
class ShapeOf:
    """The shape of a tensor, or a part of one, as numbers; None stands for the batch size."""

    sizes: tuple[int | None, ...]
    is_scalar: bool = False


@dataclass(frozen=True, eq=False)
class Scaled:
    """``clamp(slope * value + offset, lower, upper)`` of a value in the integer graph.

    Axis ``j`` of the value is axis ``axes[j]`` of the model's tensor. The arrays broadcast to
    the value's shape (in its own order of axes); an absent bound is None. ``root`` is the last
    value that holds a tensor of the model, ``trail`` the model's nodes from there on.
    """

    value: str
    axes: tuple[int, ...]
    shape: tuple[int, ...]
    """Of the model's tensor."""
    slope: Rationals
    offset: Rationals
    lower: Rationals | None = None
    upper: Rationals | None = None
    root: str = ""
    trail: tuple[SourceNode, ...] = ()

    @property
    def is_clamped(self) -> bool:
        """Whether a ReLU or clip lies between the value and this tensor."""
        return self.lower is not None or self.upper is not None

    def after(self, node: SourceNode) -> Scaled:
        """Return the same numbers, one node further."""
        return replace(self, trail=(*self.trail, node))


@dataclass(frozen=True, eq=False)
class HostFloat:
    """A tensor that only the host can hold: before the first quantizer, or behind the last.

    It is computed from ``start``: a value of the graph, or None for the model's input. ``because``
    is the node that made it so: the first of ``trail`` that has no integer form.
    """

    start: Scaled | None
    shape: tuple[int, ...]
    trail: tuple[SourceNode, ...]
    because: SourceNode | None


@dataclass(frozen=True, eq=False)
class Indices:
    """Numbers of channels, as TopK and ArgMax give them: a value of the graph, as it is."""

    value: str
    shape: tuple[int, ...]


Symbol: TypeAlias = Constant | ShapeOf | Scaled | HostFloat | Indices
Environment: TypeAlias = "Mapping[str, Symbol]"

ONE, ZERO = Fraction(1), Fraction(0)
