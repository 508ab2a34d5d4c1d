"""The integer graph while it is being written: nodes are only ever added."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lutloom.core.errors import GraphError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Linear
from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.meaning import ValueMeaning
    from lutloom.core.op import Op
    from lutloom.core.types import TensorType
    from lutloom.streamline.source import SourceNode


# Modules that Brevitas puts between a layer and the node that it exports for it.
_WRAPPER = re.compile(r"(act_quant|weight_quant|input_quant|tensor_quant|export_handler)(_[0-9]+)?")


def readable_name(name: str) -> str:
    """Return a name of the model as its path of modules, ``layers.0.MatMul``.

    >>> readable_name("/layers.0/act_quant/export_handler/Quant")
    'layers.0.Quant'
    """
    parts = name.strip("/").replace("/", ".").split(".")
    return ".".join(part for part in parts if not _WRAPPER.fullmatch(part)) or name


@dataclass(eq=False)
class GraphBuilder:
    """Collects inputs and equations, types them, and remembers what their values mean."""

    inputs: dict[str, TensorType] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    meaning: dict[str, ValueMeaning] = field(default_factory=dict)
    _bounds: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)

    def add_input(self, name: str, type_: TensorType) -> str:
        """Add an input; return its name, changed if another value has it."""
        name = self._unused(readable_name(name))
        self.inputs[name] = self.types[name] = type_
        return name

    def add(self, node: SourceNode, suffix: str, op: Op, inputs: Sequence[str]) -> str:
        """Add ``op`` on behalf of ``node`` of the model; return the name of its result.

        Raises ``ModelError`` if the result can't be typed: sums beyond 64 bits.
        """
        name = self._unused(readable_name(node.name) + suffix)
        try:
            (type_,) = op.infer(*(self.types[source] for source in inputs))
        except (TypeError, ValueError) as error:
            raise ModelError(f"{node}: {error}") from error
        if isinstance(op, Linear):
            self._bounds[name] = op.sums.bounds(self.types[inputs[0]].element)
        self.nodes.append(Node((name,), op, tuple(inputs)))
        self.types[name] = type_
        return name

    def bounds(self, value: str) -> tuple[list[int], list[int]]:
        """Return the smallest and largest integer of each channel (last axis) of ``value``."""
        known = self._bounds.get(value)
        if known is not None:
            return known
        type_ = self.types[value]
        return [type_.element.lo] * type_.channels, [type_.element.hi] * type_.channels

    def graph(self, outputs: tuple[str, ...]) -> Graph:
        """Return what was built so far as a graph."""
        try:
            return Graph(self.inputs, tuple(self.nodes), outputs)
        except GraphError as error:  # pragma: no cover - every node was typed when it was added
            raise ModelError(str(error)) from error

    def _unused(self, name: str) -> str:
        candidate, number = name, 1
        while candidate in self.types or not candidate:
            number += 1
            candidate = f"{name}.{number}"
        return candidate
