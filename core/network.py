"""A streamlined model: the integer graph, what its integers mean, and the host parts around it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import GraphFileError, RangeError
from lutloom.core.files import write_file
from lutloom.core.host import HostProgram, run_host
from lutloom.core.host_json import program_from_json, program_to_json
from lutloom.core.meaning import Meaning, ValueMeaning, meaning_from_json, meaning_to_json
from lutloom.core.store import load_graph, save_graph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray, TensorType

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Network:
    """``output = tail(graph(head(input)))``, for graphs with one input and one output.

    ``input_shape`` and ``output_shape`` are the model's, without the batch. ``raw_input`` says
    that the model's input is a quantized tensor itself: then there is no head, and data may be
    given as those integers or as the reals they stand for.
    """

    graph: Graph
    meaning: Meaning
    head: HostProgram
    tail: HostProgram
    input_name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    raw_input: bool
    integer_output: bool
    """Whether the model's output holds integers (indices of classes), and not floats."""

    @property
    def input_value(self) -> str:
        """The name of the graph's input."""
        return next(iter(self.graph.inputs))

    @property
    def output_value(self) -> str:
        """The name of the graph's output."""
        return self.graph.outputs[0]

    def encode(self, data: NDArray[Any]) -> IntArray:
        """Return the graph's input ``[batch, *shape]`` for the model's input ``data``.

        Raises ``RangeError`` for another shape or type of numbers, and for values that a raw
        input does not have.
        """
        import numpy as np

        if data.ndim != len(self.input_shape) + 1 or data.shape[1:] != self.input_shape:
            raise RangeError(
                f"the data should have the shape {['N', *self.input_shape]},"
                f" as the model's input '{self.input_name}', not {list(data.shape)}"
            )
        if data.dtype.kind not in "fiub":
            raise RangeError(f"the data should be numbers, not {data.dtype}")
        meaning = self.meaning[self.input_value]
        order = (0, *(axis + 1 for axis in meaning.axes))
        if self.raw_input:
            integers = data if data.dtype.kind in "iu" else _nearest(data.transpose(order), meaning)
            if data.dtype.kind in "iu":
                integers = data.transpose(order)
            return _checked(integers.astype(np.int64), self.graph.inputs[self.input_value])
        if data.dtype.kind == "f" and not np.isfinite(data).all():
            raise RangeError("the data hold NaN or infinity: clean them first")
        integers = run_host(self.head, data.astype(np.float32)).transpose(order)
        return np.ascontiguousarray(integers.astype(np.int64))

    def decode(self, integers: IntArray) -> NDArray[Any]:
        """Return the model's output for the graph's output ``[batch, *shape]``."""
        import numpy as np

        meaning = self.meaning[self.output_value]
        back = tuple(int(axis) + 1 for axis in np.argsort(meaning.axes))
        if self.integer_output and not self.tail:
            return integers.transpose(0, *back).reshape(-1, *self.output_shape)
        reals = meaning.to_real(integers).transpose(0, *back)
        return run_host(self.tail, reals).reshape(-1, *self.output_shape)


def _nearest(reals: NDArray[Any], meaning: ValueMeaning) -> IntArray:
    """Return the integers that stand for ``reals``, which must be those numbers in float32."""
    import numpy as np

    scale = np.array([float(value) for value in meaning.scale])
    bias = np.array([float(value) for value in meaning.bias])
    integers = np.round((reals.astype(np.float64) - bias) / scale)
    if not np.isfinite(integers).all():
        raise RangeError("the data hold NaN or infinity: clean them first")
    back = meaning.to_real(integers.astype(np.int64))
    wrong = np.abs(back.view(np.int32) - reals.astype(np.float32).view(np.int32)) > 1
    wrong &= back != reals
    if wrong.any():
        found = float(reals[tuple(np.argwhere(wrong)[0])])
        raise RangeError(
            f"the data hold {found}, which is no multiple of the input's scale"
            f" {meaning.scale[0]}: pass the raw integers, or compile with another --input-scale"
        )
    return np.asarray(integers, dtype=np.int64)


def _checked(integers: IntArray, type_: TensorType) -> IntArray:
    import numpy as np

    element = type_.element
    if integers.size and (integers.min() < element.lo or integers.max() > element.hi):
        raise RangeError(
            f"the data hold {int(integers.min())} to {int(integers.max())}, but the input takes"
            f" {element.lo} to {element.hi}"
        )
    return np.ascontiguousarray(integers)


def save_network(network: Network, directory: Path) -> None:
    """Write ``network.json``, ``model.graph`` and ``model.npz`` into ``directory``."""
    document = {
        "format": FORMAT,
        "input_name": network.input_name,
        "input_shape": list(network.input_shape),
        "output_shape": list(network.output_shape),
        "raw_input": network.raw_input,
        "integer_output": network.integer_output,
        "head": program_to_json(network.head),
        "tail": program_to_json(network.tail),
        "meaning": meaning_to_json(network.meaning),
    }
    save_graph(network.graph, directory / "model")
    write_file(directory / "network.json", (json.dumps(document, indent=1) + "\n").encode())


def load_network(directory: Path) -> Network:
    """Read what ``save_network`` wrote.

    Raises ``GraphFileError``, naming the file, if it is missing, damaged or of another format.
    """
    path = directory / "network.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise GraphFileError(f"{path} is missing: is {directory} a compiled build?") from error
    except (OSError, ValueError, RecursionError) as error:
        raise GraphFileError(f"{path} can't be read: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise GraphFileError(f"{path} is of another format: compile the model again")
    graph = load_graph(directory / "model")
    try:
        network = Network(
            graph=graph,
            meaning=meaning_from_json(document["meaning"]),
            head=program_from_json(document["head"]),
            tail=program_from_json(document["tail"]),
            input_name=str(document["input_name"]),
            input_shape=tuple(int(size) for size in document["input_shape"]),
            output_shape=tuple(int(size) for size in document["output_shape"]),
            raw_input=bool(document["raw_input"]),
            integer_output=bool(document["integer_output"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise GraphFileError(f"{path} is damaged: {error!r}") from error
    for value in (network.input_value, network.output_value):
        if value not in network.meaning:
            raise GraphFileError(f"{path} is damaged: it does not say what {value} means")
    return network
