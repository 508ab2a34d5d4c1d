"""From a file to the network that hardware is made of: import, then passes to a fixpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.graph import Graph
from lutloom.streamline.importer import (
    InputForm,
    import_model,
    passed_through,
    without_influence,
)
from lutloom.streamline.passes.absorb_pad import absorb_pad
from lutloom.streamline.passes.cancel_moves import cancel_moves
from lutloom.streamline.passes.join_window import join_window
from lutloom.streamline.passes.levels_first import levels_first
from lutloom.streamline.passes.merge_equal import merge_equal
from lutloom.streamline.passes.merge_parallel import merge_parallel
from lutloom.streamline.passes.narrow_sums import narrow_sums
from lutloom.streamline.passes.remove_dead import remove_dead
from lutloom.streamline.passes.remove_dead_channels import without_dead_channels
from lutloom.streamline.passes.remove_identity import remove_identity
from lutloom.streamline.source import read_source
from lutloom.streamline.value_order import in_reading_order

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.graph import Pass
    from lutloom.core.network import Network

PASSES: tuple[Pass, ...] = (
    remove_dead,
    merge_equal,
    remove_identity,
    cancel_moves,
    levels_first,
    join_window,
    absorb_pad,
)


# Channels are left in multiples of it, where they are now: of 63 there would be few foldings.
_FOLDED_BY = 8


def ignore(name: str, before: Graph, after: Graph) -> None:
    """Observe nothing."""


def run_passes(
    graph: Graph,
    passes: Iterable[Pass] = PASSES,
    *,
    observe: Callable[[str, Graph, Graph], None] = ignore,
) -> Graph:
    """Apply ``passes`` in turn until none has anything to do; show every step to ``observe``."""
    passes = tuple(passes)
    changed = True
    while changed:
        changed = False
        for pass_ in passes:
            after = pass_(graph)
            observe(pass_.__name__, graph, after)
            changed |= after is not graph
            graph = after
    return graph


def streamline(path: Path, raw_input: InputForm | Mapping[str, InputForm] | None = None) -> Network:
    """Return the integer network of the model at ``path``.

    Raises ``ModelFileError`` and ``ModelError``, as ``read_source`` and ``import_model`` do.
    """
    network = _in_order(import_model(read_source(path), raw_input))
    network = _with_live_channels(network)
    # Narrowing looks at every sum anew, and finds the smallest at once: it is no part of the loop.
    network = _with_graph(network, run_passes(narrow_sums(network.graph)))
    # Merged sums are wider: nothing is proved of them any more.
    network = _with_graph(network, merge_parallel(network.graph))
    for output in network.outputs:
        if output.value in network.graph.inputs:
            raise passed_through(path, output.name)
    for port in network.inputs:
        if not network.graph.users[port.value]:
            raise without_influence(path, port.name)
    return network


def _in_order(network: Network) -> Network:
    """Return ``network`` after all passes, its values in the order in which they are read."""
    while True:
        network = _with_graph(network, run_passes(network.graph))
        after = in_reading_order(network)
        if after is network:
            return network
        network = after


def _with_live_channels(network: Network) -> Network:
    """Return ``network`` without dead channels; the rest of a value means what it meant."""
    graph, kept = without_dead_channels(network.graph, _FOLDED_BY)
    if graph is network.graph:
        return network
    meaning = {
        name: entry.of_channels(kept[name].tolist(), network.graph.types[name].channels)
        for name, entry in network.meaning.items()
        if name in kept
    }
    return _with_graph(replace(network, meaning=meaning), run_passes(graph))


def _with_graph(network: Network, graph: Graph) -> Network:
    """Return ``network`` with ``graph``, what became of its own."""
    meaning = {name: entry for name, entry in network.meaning.items() if name in graph.types}
    became = dict(zip(network.graph.outputs, graph.outputs, strict=True))
    outputs = tuple(replace(port, value=became[port.value]) for port in network.outputs)
    for port in outputs:
        meaning.setdefault(port.value, port.meaning)
    # Passes may find two outputs equal.
    distinct = tuple(dict.fromkeys(graph.outputs))
    if len(distinct) < len(graph.outputs):
        graph = Graph(graph.inputs, graph.nodes, distinct)
    return replace(network, graph=graph, meaning=meaning, outputs=outputs)
