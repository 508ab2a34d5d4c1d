"""Functions that a model defines for itself, put in the places where it calls them.

Some exporters write a module as a function of the file, and some give their quantizers a body of
standard operators. The former are inlined; a quantizer is known here, so that its body is dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from lutloom.streamline.errors import ModelError, show

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    Key: TypeAlias = tuple[str, str]

# A few kilobytes of functions that call one another twice make any number of nodes.
_MOST_NODES = 100_000


def without_functions(
    model: onnx.ModelProto, path: Path, known: Collection[str]
) -> onnx.ModelProto:
    """Return ``model`` with its functions inlined, but for those of the ``known`` domains.

    Raises ``ModelError`` for functions that call themselves, or make too many nodes.
    """
    if not model.functions:
        return model
    from onnx import inliner

    kept = [function for function in model.functions if function.domain not in known]
    del model.functions[:]
    model.functions.extend(kept)
    if not kept:
        return model
    _check(model, path)
    try:
        inlined = inliner.inline_local_functions(model)
    except Exception as error:  # onnx raises unrelated classes here
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ModelError(f"{path}: its functions can't be inlined: {reason}") from error
    if inlined.functions:
        raise ModelError(
            f"{path}: its function {show(inlined.functions[0].name)} is written for another opset"
            " than the model; export both for one"
        )
    return inlined


def _check(model: onnx.ModelProto, path: Path) -> None:
    bodies = {(function.domain, function.name): function.node for function in model.functions}
    entered: set[Key] = set()

    @cache
    def size(key: Key) -> int:
        if key in entered:
            raise ModelError(f"{path}: its function {show(key[1])} calls itself: export it without")
        entered.add(key)
        return min(sum(count(node) for node in bodies[key]), _MOST_NODES + 1)

    def count(node: onnx.NodeProto) -> int:
        key = (node.domain, node.op_type)
        inside = sum(count(inner) for inner in _subgraph_nodes(node))
        return inside + (size(key) if key in bodies else 1)

    try:
        total = sum(count(node) for node in model.graph.node)
    except RecursionError as error:
        raise ModelError(f"{path}: its functions are nested too deeply: inline them") from error
    if total > _MOST_NODES:
        raise ModelError(
            f"{path}: its functions make more than {_MOST_NODES} nodes; export it without functions"
        )


def _subgraph_nodes(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from graph.node
