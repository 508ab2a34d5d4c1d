"""The graph: equations ``results = op(inputs)`` in topological order, typed on construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.errors import GraphError

if TYPE_CHECKING:
    from lutloom.core.op import Op
    from lutloom.core.types import TensorType


@dataclass(frozen=True, slots=True)
class Node:
    """One equation, ``results = op(inputs)``."""

    results: tuple[str, ...]
    op: Op
    inputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the node: that of its first result."""
        return self.results[0]

    def __str__(self) -> str:
        return f"{', '.join(self.results)} = {self.op.name}({', '.join(self.inputs)})"


@dataclass(frozen=True)
class Graph:
    """Inputs, equations and outputs; a graph that exists is well typed.

    ``types`` holds the type of every value. It is derived here and can't be passed in, so
    that no pass can leave a stale one behind.

    Raises ``GraphError`` for names that are defined twice or used before they are defined,
    and for inputs that an operator refuses.
    """

    inputs: Mapping[str, TensorType]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    types: Mapping[str, TensorType] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        types = dict(self.inputs)
        for node in self.nodes:
            for name in node.inputs:
                if name not in types:
                    raise GraphError(f"{node}: no earlier node defines {name}")
            for name, type_ in zip(node.results, result_types(node, types), strict=True):
                if name in types:
                    raise GraphError(f"{node}: {name} is defined twice")
                types[name] = type_
        for name in self.outputs:
            if name not in types:
                raise GraphError(f"the output {name} is not defined")
        object.__setattr__(self, "inputs", MappingProxyType(dict(self.inputs)))
        object.__setattr__(self, "types", MappingProxyType(types))

    def __reduce__(self) -> tuple[type[Graph], tuple[object, ...]]:
        return Graph, (dict(self.inputs), self.nodes, self.outputs)

    def __hash__(self) -> int:
        return hash((frozenset(self.inputs.items()), self.nodes, self.outputs))

    @cached_property
    def users(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes that read each value; one that reads it twice stands there twice."""
        users: dict[str, list[Node]] = {name: [] for name in self.types}
        for node in self.nodes:
            for name in node.inputs:
                users[name].append(node)
        return MappingProxyType({name: tuple(nodes) for name, nodes in users.items()})

    @cached_property
    def producers(self) -> Mapping[str, Node]:
        """The node that computes each value; the graph's inputs have none."""
        return MappingProxyType({name: node for node in self.nodes for name in node.results})


Pass: TypeAlias = Callable[[Graph], Graph]
"""It returns a graph with the same outputs; the same object if it has nothing to do."""


def fresh_name(wanted: str, names: set[str]) -> str:
    """Return ``wanted``, with primes where one of ``names`` is equal, and add it to them.

    >>> fresh_name("x", {"x", "y"})
    "x'"
    """
    name = wanted
    while name in names:
        name += "'"
    names.add(name)
    return name


def result_types(node: Node, types: Mapping[str, TensorType]) -> tuple[TensorType, ...]:
    """Return the types of what ``node`` computes of values of ``types``.

    Raises ``GraphError`` for types that its operator refuses.
    """
    try:
        results = node.op.infer(*(types[name] for name in node.inputs))
    except (TypeError, ValueError) as error:
        raise GraphError(f"{node}: {error}") from error
    if len(results) != len(node.results):
        raise GraphError(f"{node}: the operator has {len(results)} results")
    return results
