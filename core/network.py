"""A streamlined model: the integer graph, what its integers mean, and the host parts around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from lutloom.core.errors import GraphFileError, RangeError
from lutloom.core.files import read_text, write_file
from lutloom.core.meaning import Meaning, meaning_from_json, meaning_to_json
from lutloom.core.ports import (
    InputPort,
    OutputPort,
    input_from_json,
    input_to_json,
    output_from_json,
    output_to_json,
)
from lutloom.core.store import load_graph, save_graph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray

    Data: TypeAlias = NDArray[Any] | Mapping[str, NDArray[Any]]
    _Port = TypeVar("_Port", InputPort, OutputPort)

FORMAT = 2


@dataclass(frozen=True, eq=False)
class Network:
    """``outputs = tails(graph(heads(inputs)))``.

    ``inputs`` are in the order of the graph's, and there is one for each. A value of the graph's
    outputs, which are all different, may be what several of ``outputs`` are made of.
    """

    graph: Graph
    meaning: Meaning
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]

    @property
    def input(self) -> InputPort:
        """The only input. Raises ``RangeError``, naming them, if there are several."""
        return _only(self.inputs, "inputs")

    @property
    def output(self) -> OutputPort:
        """The only output. Raises ``RangeError``, naming them, if there are several."""
        return _only(self.outputs, "outputs")

    @property
    def input_value(self) -> str:
        """The name of the graph's only input; raises as ``input`` does."""
        return self.input.value

    @property
    def output_value(self) -> str:
        """The name of the graph's only output; raises as ``output`` does."""
        return self.output.value

    def named(self, data: Data) -> dict[str, NDArray[Any]]:
        """Return ``data`` by the names of the model's inputs, in their order.

        A single array is that of the only input.

        Raises ``RangeError`` unless there is one array for each input, of its shape ``[N, ...]``,
        all for as many samples ``N``.
        """
        if not isinstance(data, Mapping):
            data = {self.input.name: data}
        self.check_names(data)
        for port in self.inputs:
            port.check(data[port.name])
        names = [port.name for port in self.inputs]
        counts = {name: len(data[name]) for name in names}
        if len(set(counts.values())) > 1:
            raise RangeError(
                f"the data hold different numbers of samples for the model's inputs, {counts}:"
                " there should be as many for each"
            )
        return {name: data[name] for name in names}

    def check_names(self, data: Mapping[str, object]) -> None:
        """Raise ``RangeError`` unless ``data`` has an entry for each input of the model."""
        names = [port.name for port in self.inputs]
        if set(data) != set(names):
            raise RangeError(
                f"the data are for {_listed(data)}, but the model's inputs are {_listed(names)}:"
                " give an array for each of them, by its name"
            )

    def encode_all(self, data: Data) -> dict[str, IntArray]:
        """Return the graph's inputs ``[batch, *shape]``, by name, for those of the model.

        Raises ``RangeError`` as ``named`` and ``InputPort.encode`` do.
        """
        arrays = self.named(data)
        return {port.value: self._encoded(port, arrays[port.name]) for port in self.inputs}

    def _encoded(self, port: InputPort, data: NDArray[Any]) -> IntArray:
        try:
            return port.encode(data, self.meaning[port.value], self.graph.inputs[port.value])
        except RangeError as error:
            if len(self.inputs) == 1:
                raise
            raise RangeError(f"the model's input '{port.name}': {error}") from error

    def decode_all(self, values: Mapping[str, IntArray]) -> dict[str, NDArray[Any]]:
        """Return the model's outputs, by name, for ``values`` of the graph ``[batch, *shape]``."""
        return {port.name: port.decode(values[port.value]) for port in self.outputs}

    def encode(self, data: NDArray[Any]) -> IntArray:
        """Return the graph's only input for the model's; raises as ``input``, ``encode_all``."""
        return self.encode_all(data)[self.input_value]

    def decode(self, integers: IntArray) -> NDArray[Any]:
        """Return the model's only output for the graph's; raises as ``output`` does."""
        return self.output.decode(integers)


def _only(ports: Sequence[_Port], what: str) -> _Port:
    if len(ports) != 1:
        names = [port.name for port in ports]
        raise RangeError(
            f"the model has the {what} {_listed(names)}: say by name what is for which of them"
        )
    return ports[0]


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"


def save_network(network: Network, directory: Path) -> None:
    """Write ``network.json``, ``model.graph`` and ``model.npz`` into ``directory``."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "inputs": [input_to_json(port) for port in network.inputs],
        "outputs": [output_to_json(port) for port in network.outputs],
        "meaning": meaning_to_json(network.meaning),
    }
    document["digest"] = _digest(document)
    save_graph(network.graph, directory / "model")
    write_file(directory / "network.json", (json.dumps(document, indent=1) + "\n").encode())


def _digest(document: dict[str, Any]) -> str:
    """Return a digest of everything but the digest: a scale that lost a bit looks like a scale."""
    rest = {key: value for key, value in document.items() if key != "digest"}
    return blake2b(json.dumps(rest).encode(), digest_size=10).hexdigest()


def load_network(directory: Path) -> Network:
    """Read what ``save_network`` wrote.

    Raises ``GraphFileError``, naming the file, if it is missing, damaged or of another format.
    """
    path = directory / "network.json"
    try:
        document = json.loads(read_text(path))
    except FileNotFoundError as error:
        raise GraphFileError(f"{path} is missing: is {directory} a compiled build?") from error
    except (OSError, ValueError, RecursionError) as error:
        raise GraphFileError(f"{path} can't be read: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise GraphFileError(f"{path} is of another format: compile the model again")
    if document.get("digest") != _digest(document):
        raise GraphFileError(f"{path} is damaged, or was edited: compile the model again")
    graph = load_graph(directory / "model")
    try:
        network = Network(
            graph=graph,
            meaning=meaning_from_json(document["meaning"]),
            inputs=tuple(map(input_from_json, document["inputs"])),
            outputs=tuple(map(output_from_json, document["outputs"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise GraphFileError(f"{path} is damaged: {error!r}") from error
    _check_ports(network, path)
    return network


def _check_ports(network: Network, path: Path) -> None:
    graph = network.graph
    made = [port.value for port in network.inputs]
    read = dict.fromkeys(port.value for port in network.outputs)
    if not made or not read or made != list(graph.inputs) or set(read) != set(graph.outputs):
        raise GraphFileError(
            f"{path}: its inputs {made} and outputs {[*read]} should be those of its graph:"
            " compile the model again"
        )
    if len(set(graph.outputs)) < len(graph.outputs):
        raise GraphFileError(f"{path}: its graph should have no output twice")
    for value in (*made, *read):
        if value not in network.meaning:
            raise GraphFileError(f"{path} is damaged: it does not say what {value} means")
