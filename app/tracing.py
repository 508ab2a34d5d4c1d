"""The values between the layers of a network: traced as if they were outputs of the model, too."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import RangeError
from lutloom.core.graph import Graph, fresh_name
from lutloom.core.meaning import ValueMeaning
from lutloom.core.ports import OutputPort

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from lutloom.core.network import Network

    Arrays = Mapping[str, NDArray[Any]]

_NEAR = 5


@dataclass(frozen=True, eq=False)
class Tracing:
    """A network with further outputs, the integers of layers: ``ports`` by the layers' names."""

    network: Network
    ports: Mapping[str, OutputPort]

    def parted(self, found: Arrays) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Return the model's outputs by name, and the integers by layer, as narrow as can be."""
        traces = {
            layer: found[port.name].astype(self._dtype(port)) for layer, port in self.ports.items()
        }
        names = {port.name for port in self.ports.values()}
        return {name: array for name, array in found.items() if name not in names}, traces

    def _dtype(self, port: OutputPort) -> str:
        """Return the narrowest type of NumPy that holds the integers of ``port``."""
        element = self.network.graph.types[port.value].element
        low, sign = (-element.lo - 1, "") if element.lo < 0 else (0, "u")
        bits = max(low.bit_length(), element.hi.bit_length()) + (not sign)
        return f"{sign}int{max(8, 1 << (bits - 1).bit_length())}"


def traced(network: Network, layers: Iterable[str]) -> Tracing:
    """Return ``network`` with further outputs: the integers of ``layers``.

    A layer is what ``lutloom inspect`` and ``lutloom verify`` call it, or the model's tensor that
    holds the same numbers. Its integers have the axes of that tensor, or, where there is none, the
    channels last.

    Raises ``RangeError`` for a name that is none, with those that are near to it.
    """
    names = {port.name for port in network.outputs}
    values = {layer: _value(network, layer) for layer in layers}
    ports = {
        layer: _port(network, value, fresh_name(layer, names)) for layer, value in values.items()
    }
    graph = network.graph
    outputs = tuple(dict.fromkeys((*graph.outputs, *values.values())))
    wider = replace(
        network,
        graph=Graph(graph.inputs, graph.nodes, outputs),
        outputs=(*network.outputs, *ports.values()),
    )
    return Tracing(wider, ports)


def named_files(items: Sequence[str]) -> dict[str, Path]:
    """Return the file of each layer that ``--trace`` names: ``LAYER=FILE``, or ``LAYER`` alone.

    Then its file is ``LAYER.npy`` in the current directory, with ``_`` for what is no part of a
    name there.
    """
    found = {}
    for item in items:
        layer, sign, path = item.rpartition("=")
        if sign:
            found[layer] = Path(path)
        else:
            found[item] = Path(re.sub(r"[^\w.-]+", "_", item).strip("_.") + ".npy")
    return found


def _value(network: Network, layer: str) -> str:
    """Return the value of the graph that ``layer`` names."""
    if layer in network.graph.types:
        return layer
    tensors = {meaning.tensor: value for value, meaning in network.meaning.items()}
    if layer in tensors:
        return tensors[layer]
    names = [*network.graph.types]
    near = difflib.get_close_matches(layer, names, _NEAR, cutoff=0.5) or names[:_NEAR]
    listed = ", ".join(f"'{name}'" for name in near)
    raise RangeError(
        f"there is no layer '{layer}': near to it are {listed};"
        " `lutloom inspect` and `lutloom verify` list all of them"
    )


def _port(network: Network, value: str, name: str) -> OutputPort:
    """Return the output that is the integers of ``value``."""
    import numpy as np

    shape = network.graph.types[value].shape
    as_it_is = ValueMeaning((), (), value, value, tuple(range(len(shape))), is_quantized=False)
    meaning = network.meaning.get(value, as_it_is)
    in_order = meaning.in_model_order(np.broadcast_to(np.zeros((), np.int64), (1, *shape)))
    return OutputPort(name, value, meaning, in_order.shape[1:], (), is_integer=True)
