"""What a tensor of the model is, exactly, while the model is being read.

Shapes leave the batch out, which is always the model's first dimension.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.expression import Expression, arrays_of, with_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        import numpy as np

        if self.grid is None:
            return self.array
        return np.asarray(self.grid.integers * self.grid.scale, dtype=object)


@dataclass(frozen=True)
class ShapeOf:
    """The shape of a tensor, or a part of one, as numbers; None stands for the batch size."""

    sizes: tuple[int | None, ...]
    is_scalar: bool = False


@dataclass(frozen=True, eq=False)
class Fork:
    """Two chains of nodes that begin at one tensor, and ``node``, which combines their ends."""

    node: SourceNode
    left: Trail
    right: Trail

    def __str__(self) -> str:
        return str(self.node)


Trail: TypeAlias = "tuple[SourceNode | Fork, ...]"
Classes: TypeAlias = "tuple[IntArray | None, ...]"
"""The class of each place along each axis, None for an axis without any; empty for no axis."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """``clamp(slope * value + offset, lower, upper)`` of a value in the integer graph.

    Axis ``j`` of the value is axis ``axes[j]`` of the model's tensor. The arrays broadcast to
    the value's shape (in its own order of axes); an absent bound is None. ``root`` is the last
    value that holds a tensor of the model, ``trail`` the model's nodes from there on. ``classes``
    are those of the places along each axis of the value: of an axis that has some, the arrays hold
    an entry a class. They are what differs along the border of an image.
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
    trail: Trail = ()
    classes: Classes = ()

    @property
    def is_clamped(self) -> bool:
        """Whether a ReLU or clip lies between the value and this tensor."""
        return self.lower is not None or self.upper is not None

    @property
    def arrays(self) -> tuple[Rationals, ...]:
        """The rationals that it is made of."""
        arrays = (self.slope, self.offset, self.lower, self.upper)
        return tuple(array for array in arrays if array is not None)

    def with_arrays(self, change: Callable[[Rationals], Rationals]) -> Scaled:
        """Return the tensor with each of its arrays changed."""
        return replace(
            self,
            slope=change(self.slope),
            offset=change(self.offset),
            lower=None if self.lower is None else change(self.lower),
            upper=None if self.upper is None else change(self.upper),
        )

    def after(self, node: SourceNode) -> Scaled:
        """Return the same numbers, one node further."""
        return replace(self, trail=(*self.trail, node))


@dataclass(frozen=True, eq=False)
class Curve:
    """``expression`` of a value in the integer graph, element by element: any real function.

    The other fields are those of ``Scaled``, which is the special case that stays simple.
    """

    value: str
    axes: tuple[int, ...]
    shape: tuple[int, ...]
    expression: Expression
    root: str
    trail: Trail
    classes: Classes = ()

    @property
    def arrays(self) -> tuple[Rationals, ...]:
        """The rationals that it is made of."""
        return arrays_of(self.expression)

    def with_arrays(self, change: Callable[[Rationals], Rationals]) -> Curve:
        """Return the tensor with each of its arrays changed."""
        return replace(self, expression=with_arrays(self.expression, change))

    def after(self, node: SourceNode) -> Curve:
        """Return the same numbers, one node further."""
        return replace(self, trail=(*self.trail, node))


Formula: TypeAlias = Scaled | Curve
"""A tensor that is a function of one value of the graph, element by element."""


@dataclass(frozen=True, eq=False)
class HostFloat:
    """A tensor that only the host can hold: before the first quantizer, or behind the last.

    It is computed from ``start``: a value of the graph, or an input of the model, by its name.
    ``because`` is the node that made it so: the first of ``trail`` that has no integer form.
    """

    start: Formula | str
    shape: tuple[int, ...]
    trail: Trail
    because: SourceNode | None


@dataclass(frozen=True, eq=False)
class Indices:
    """Numbers of channels, as TopK and ArgMax give them: a value of the graph, as it is."""

    value: str
    shape: tuple[int, ...]


Symbol: TypeAlias = Constant | ShapeOf | Scaled | Curve | HostFloat | Indices
Environment: TypeAlias = "Mapping[str, Symbol]"

ONE, ZERO = Fraction(1), Fraction(0)
