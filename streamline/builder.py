"""The integer graph while it is being written: nodes are only ever added."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lutloom.core.errors import GraphError
from lutloom.core.graph import Graph, Node
from lutloom.core.meaning import ValueMeaning
from lutloom.core.ops import Concat, Conv, Linear, MaxPool
from lutloom.core.types import TensorType
from lutloom.streamline.deferred_sum import DeferredSum, unit_and_type
from lutloom.streamline.errors import ModelError
from lutloom.streamline.moves import Move
from lutloom.streamline.pending_pool import turning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from lutloom.core.op import Op
    from lutloom.core.rational import Rationals
    from lutloom.streamline.pending_concat import PendingConcat
    from lutloom.streamline.pending_pool import PendingPool
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Scaled


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
    deferred: dict[str, DeferredSum] = field(default_factory=dict)
    """Sums that the graph does not hold, by the names that stand for them."""
    pools: dict[str, PendingPool] = field(default_factory=dict)
    """Max pools that the graph does not hold yet, by the names of their results."""
    concats: dict[str, PendingConcat] = field(default_factory=dict)
    """Tensors one behind the other that the graph does not hold, by the names of the whole."""
    _bounds: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)

    def add_input(self, name: str, type_: TensorType) -> str:
        """Add an input; return its name, changed if another value has it."""
        name = self._unused(readable_name(name))
        self.inputs[name] = self.types[name] = type_
        return name

    def add(self, node: SourceNode, suffix: str, op: Op, inputs: Sequence[str]) -> str:
        """Add ``op`` on behalf of ``node`` of the model; return the name of its result.

        Raises ``ModelError`` if the result can't be typed: sums beyond 64 bits; and if it is to be
        computed from a sum that is deferred, or from what is no integer: of a pool, or joined.
        """
        for source in inputs:
            pool = self.pools.get(source)
            if pool is not None and pool.signs is None and isinstance(op, Move):
                return self._moved(source, pool, node, op)
            if pool is not None:
                self.settle(source, node)
            if source in self.deferred:
                return self._behind(source, node, suffix, op)
            if source in self.concats:
                return self._behind_concat(source, node, op)
        name = self._unused(readable_name(node.name) + suffix)
        self._append(node, name, op, inputs)
        return name

    def _type_of(self, node: SourceNode, op: Op, inputs: Sequence[str]) -> TensorType:
        try:
            (type_,) = op.infer(*(self.types[source] for source in inputs))
        except (TypeError, ValueError) as error:
            raise ModelError(f"{node}: {error}") from error
        return type_

    def _append(self, node: SourceNode, name: str, op: Op, inputs: Sequence[str]) -> None:
        type_ = self._type_of(node, op, inputs)
        x = self.types[inputs[0]]
        if isinstance(op, Linear):
            self._bounds[name] = op.sums.bounds(x.element)
        elif isinstance(op, Conv):
            masks = op.windows.borders(x.shape[:-1]).masks
            self._bounds[name] = op.sums.bounds(x.element, masks, op.fill)
        if isinstance(op, MaxPool) and inputs[0] in self._bounds:
            self._bounds[name] = self._bounds[inputs[0]]
        self.nodes.append(Node((name,), op, tuple(inputs)))
        self.types[name] = type_

    def pool(self, pool: PendingPool) -> str:
        """Return a name for the results of ``pool``, which is written when somebody needs them.

        Raises ``ModelError`` for a window that sees no pixel.
        """
        type_ = self._type_of(pool.node, pool.op, (pool.source.value,))
        name = self._unused(readable_name(pool.node.name))
        self.pools[name] = pool
        self.types[name] = type_
        return name

    def _moved(self, source: str, pool: PendingPool, node: SourceNode, op: Move) -> str:
        """Return the largest reals of ``pool``, called ``source``, behind ``op``."""
        name = self._unused(readable_name(node.name))
        self.types[name] = self._type_of(node, op, (source,))
        self.pools[name] = replace(pool, moves=(*pool.moves, op))
        return name

    def settle(self, name: str, reader: object) -> None:
        """Write the pool ``name`` into the graph, on behalf of ``reader``: integers as they are.

        Raises ``ModelError`` if its results are no integers.
        """
        pool = self.pools.pop(name)
        if pool.signs is None:
            raise pool.refusal(reader)
        falls, source = pool.signs < 0, pool.source.value
        if not falls.any():
            if source in self.pools:
                self.settle(source, pool.node)
            if source in self.deferred:
                raise self.deferred[source].refusal(str(pool.node))
            if source in self.concats:
                raise self.concats[source].refusal(pool.node)
            self._append(pool.node, name, pool.op, (source,))
            return
        element = self.types[source].element
        ends = element.lo + element.hi
        turn = turning(falls, ends, element)
        turned = self.add(pool.node, "/turned", turn, (source,))
        largest = self.add(pool.node, "/largest", pool.op, (turned,))
        back = turning(falls, ends, self.types[largest].element)
        self._append(pool.node, name, back, (largest,))

    def concat(self, concat: PendingConcat) -> str:
        """Return a name for ``concat``, which only a quantizer can read."""
        types = [self.types[branch.value] for branch in concat.branches]
        (type_,) = types if len(types) == 1 else Concat(concat.place).infer(*types)
        name = self._unused(readable_name(concat.node.name) + "/joined")
        self.types[name] = type_
        self.concats[name] = concat
        return name

    def _behind_concat(self, source: str, node: SourceNode, op: Op) -> str:
        """Return the branches of ``source`` behind ``op``, joined."""
        concat = self.concats[source]

        def add(own: Move, name: str) -> str:
            return self.add(node, "", own, (name,))

        shape = self.types[source].shape
        moved = concat.behind(op, shape, add) if isinstance(op, Move) else None
        if moved is None:
            raise concat.refusal(node)
        return self.concat(moved)

    def defer(
        self, node: SourceNode, factors: Mapping[str, Rationals], because: str
    ) -> tuple[str, Fraction]:
        """Return a name for ``sum(factors[name] * name)``, and in which unit: its type is that of
        the integers around it.
        """
        import numpy as np

        unit, type_ = unit_and_type(factors, self.types)
        in_units = {name: np.asarray(factor / unit) for name, factor in factors.items()}
        return self._deferred(node, type_, DeferredSum(in_units, node, because)), unit

    def defer_again(self, name: str, factors: Mapping[str, Rationals]) -> str:
        """Return a name for the deferred sum ``name`` of other terms: its own, moved about."""
        sum_, shape = self.deferred[name], self.types[next(iter(factors))].shape
        type_ = TensorType(self.types[name].element, shape)
        return self._deferred(sum_.node, type_, replace(sum_, factors=factors))

    def _deferred(self, node: SourceNode, type_: TensorType, sum_: DeferredSum) -> str:
        name = self._unused(readable_name(node.name) + "/deferred")
        self.types[name] = type_
        self.deferred[name] = sum_
        return name

    def _behind(self, source: str, node: SourceNode, suffix: str, op: Op) -> str:
        """Return the deferred sum ``source`` behind ``op``: that of its terms behind ``op``."""
        sum_ = self.deferred[source]
        moved = sum_.factors_behind(op, self.types[source].shape)
        if moved is None:
            raise sum_.refusal(str(node))
        names = [self.add(node, suffix, op, (name,)) for name in sum_.factors]
        (type_,) = op.infer(self.types[source])
        factors = dict(zip(names, moved, strict=True))
        return self._deferred(sum_.node, type_, replace(sum_, factors=factors))

    def record(self, x: Scaled, node: SourceNode, tensor: str, *, is_quantized: bool) -> None:
        """Remember that the value of ``x`` holds ``tensor``, a result of ``node``."""
        self.meaning[x.value] = ValueMeaning(
            tuple(x.slope.ravel().tolist()),
            tuple(x.offset.ravel().tolist()),
            tensor=tensor,
            node=node.name,
            axes=x.axes,
            is_quantized=is_quantized,
        )

    def bounds(self, value: str) -> tuple[list[int], list[int]]:
        """Return the smallest and largest integer of each channel (last axis) of ``value``."""
        known = self._bounds.get(value)
        if known is not None:
            return known
        type_ = self.types[value]
        return [type_.element.lo] * type_.channels, [type_.element.hi] * type_.channels

    def producer(self, value: str) -> Node | None:
        """Return the equation whose first result is ``value``; None where there is none yet."""
        return next((node for node in reversed(self.nodes) if node.name == value), None)

    def graph(self, outputs: tuple[str, ...]) -> Graph:
        """Return what was built so far as a graph.

        Raises ``ModelError`` where a sum that is deferred should be an output, or the largest of
        what is no integer.
        """
        for name in outputs:
            if name in self.pools:
                self.settle(name, "the output")
            if name in self.deferred:
                raise self.deferred[name].refusal("the output")
            if name in self.concats:
                raise self.concats[name].refusal("the output")
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
