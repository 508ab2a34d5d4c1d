"""A model whose elements are asked for one by one: what is known of them beforehand, exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lutloom.streamline.element_origins import origins

if TYPE_CHECKING:
    from lutloom.core.types import IntArray
    from lutloom.streamline.bounded import Bounded, Floats, Tensors
    from lutloom.streamline.folded_constants import FoldedConstant
    from lutloom.streamline.source import Source, SourceNode

Index: TypeAlias = tuple[int, ...]
Given: TypeAlias = Mapping[str, Callable[[Index], Fraction]]


@dataclass(frozen=True, slots=True, eq=False)
class ExactModel:
    """A model, the ``tensors`` of one run of it, and what is ``known`` of them exactly.

    ``given`` says what elements of the model's input are, by name.
    """

    nodes: Mapping[str, SourceNode]
    tensors: Tensors
    known: Mapping[str, Bounded]
    constants: Mapping[str, FoldedConstant]
    given: Given
    forced: frozenset[str] | None
    """The outputs of quantizers whose levels are the executor's; None for all of them."""
    opset: int
    vectors: dict[tuple[str, Index], tuple[list[int], int]] = field(default_factory=dict)
    """Rows and columns as integers times a power of two: many elements share them."""
    origins: dict[SourceNode, Mapping[str, IntArray]] = field(default_factory=dict)
    """Where the results of nodes that take elements have them from."""

    def is_forced(self, node: SourceNode) -> bool:
        """Whether the levels of a quantizer, or of an equal one on the same tensor, are taken."""
        return self.forced is None or any(
            node.outputs[0] == name or _are_equal(node, self.nodes[name])
            for name in self.forced
            if name in self.nodes
        )


def exact_model(
    source: Source,
    tensors: Tensors,
    known: Mapping[str, Bounded],
    constants: Mapping[str, FoldedConstant],
    given: Given,
    forced: frozenset[str] | None = None,
) -> ExactModel:
    """Return what ``exact_element`` reads from."""
    nodes = {name: node for node in source.nodes for name in node.outputs if name}
    return ExactModel(nodes, tensors, known, constants, given, forced, source.opset)


def _are_equal(left: SourceNode, right: SourceNode) -> bool:
    return (left.op_type, left.inputs[0]) == (right.op_type, right.inputs[0])


def origins_in(model: ExactModel, node: SourceNode) -> Mapping[str, IntArray]:
    """Return where the results of ``node`` have their elements from, in its flat first operand."""
    if node not in model.origins:
        model.origins[node] = origins(node, model.tensors, model.opset)
    return model.origins[node]


def vector(model: ExactModel, name: str, index: Index) -> tuple[list[int], int] | None:
    """Return a vector whose numbers are known exactly as integers times a power of two."""
    if (name, index) in model.vectors:
        return model.vectors[name, index]
    bounded = model.known.get(name)
    if name in model.given or bounded is None or not bounded.is_exact:
        return None
    row = bounded.value[tuple(slice(None) if i == -1 else i for i in index)]
    model.vectors[name, index] = integers(row)
    return model.vectors[name, index]


def times_power(number: int, power: int) -> Fraction:
    """Return ``number * 2^power``."""
    return Fraction(number << power) if power >= 0 else Fraction(number, 1 << -power)


def integers(row: Floats) -> tuple[list[int], int]:
    """Return the floats of ``row`` as integers, and the power of two that is to multiply them."""
    row = row.ravel()
    mantissas, exponents = np.frexp(row)
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    exponents = np.where(whole == 0, 2000, exponents) - 53
    lowest = int(exponents.min(initial=2000))
    pairs = zip(whole.tolist(), exponents.tolist(), strict=True)
    return [m << (e - lowest) if m else 0 for m, e in pairs], lowest if prod(row.shape) else 0
