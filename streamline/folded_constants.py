"""What the constants of a model stand for, beside what an executor made of them.

They are read as the lowering reads them: folded node by node, and exact behind a quantizer of
weights. An executor's own constants are their roundings, or a function's value that is off in the
last place; the difference is an error like any other. One that is larger than that is none: it is
reported as a float beyond its bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lutloom.streamline.bounded import Bounded, U, without_error
from lutloom.streamline.builder import GraphBuilder
from lutloom.streamline.context import Context
from lutloom.streamline.errors import ModelError
from lutloom.streamline.fold import constant_of, fold
from lutloom.streamline.rule_table import RULES
from lutloom.streamline.source import QUANTIZER_DOMAINS
from lutloom.streamline.symbols import Constant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.bounded import Floats
    from lutloom.streamline.source import Source, SourceNode

# The exact value of a constant and an executor's are a few roundings apart, each a unit at most.
_ROUNDINGS = 64


@dataclass(frozen=True, eq=False)
class FoldedConstant:
    """A constant as it was folded; what it stands for is computed where data meet it."""

    constant: Constant

    @cached_property
    def value(self) -> Floats:
        """What it stands for, in float64: exactly where ``is_exact``."""
        import numpy as np

        array, grid = self.constant.array, self.constant.grid
        if grid is None:
            return array.astype(np.float64)
        floats = np.array([float(value) for value in grid.scale.ravel()])
        return np.broadcast_to(grid.integers * floats.reshape(grid.scale.shape), array.shape)

    @cached_property
    def is_exact(self) -> bool:
        """Whether float64 holds it: integers of at most 29 bits times floats of at most 24."""
        import numpy as np

        grid = self.constant.grid
        if grid is None:
            return True
        return int(np.abs(grid.integers).max(initial=0)) < 1 << 29 and all(
            Fraction(float(exact)) == exact and exact.numerator.bit_length() <= 24
            for exact in grid.scale.ravel().tolist()
        )

    def bounded(self, floats: NDArray[Any] | None) -> Bounded | None:
        """Return it with the error of an executor's ``floats``; None where those are another."""
        import numpy as np

        if floats is None or floats is self.constant.array:
            return without_error(self.value) if self.is_exact else None
        if floats.shape != self.value.shape:
            return None
        error = np.abs(floats.astype(np.float64) - self.value)
        if (error > _ROUNDINGS * U * np.abs(self.value) + U**4).any():
            return None
        slack = 0.0 if self.is_exact else 2.0**-50 * np.abs(self.value)
        return Bounded(self.value, error + slack, self.is_exact)

    def element(self, index: tuple[int, ...]) -> Fraction:
        """Return one number of it, exactly."""
        grid = self.constant.grid
        if grid is None:
            return Fraction(float(self.constant.array[index]))
        scale = grid.scale[broadcast_index(index, grid.scale.shape)]
        return int(grid.integers[index]) * Fraction(scale)


def broadcast_index(index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return where an operand of ``shape`` has what meets the element ``index`` of a result."""
    tail = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else i for i, size in zip(tail, shape, strict=True))


def fold_constants(source: Source) -> Mapping[str, FoldedConstant]:
    """Return every tensor of numbers of ``source`` that no input reaches, by name.

    What can't be folded is absent.
    """
    context = Context(GraphBuilder(), None, source.opset, {})
    found = {name: Constant(array) for name, array in source.constants.items()}
    for node in source.nodes:
        if any(name and name not in found for name in node.inputs):
            continue
        try:
            constant = _folded(node, [found.get(name) for name in node.inputs], context)
        except ModelError:
            continue
        if constant is not None:
            found[node.outputs[0]] = constant
    return {name: FoldedConstant(c) for name, c in found.items() if c.array.dtype.kind in "fiub"}


def _folded(node: SourceNode, inputs: list[Constant | None], context: Context) -> Constant | None:
    if node.op_type == "Constant":
        return constant_of(node)
    if node.domain in QUANTIZER_DOMAINS:
        symbol = RULES[node.domain, node.op_type](node, inputs, context)
        return symbol if isinstance(symbol, Constant) else None
    return fold(node, inputs, context.opset) if inputs else None
