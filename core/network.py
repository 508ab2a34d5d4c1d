"""A streamlined model: the integer graph, what its integers mean, and the host parts around it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import GraphFileError, RangeError
from lutloom.core.files import read_text, write_file
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

    def check(self, data: NDArray[Any]) -> None:
        """Raise ``RangeError`` unless ``data`` has the shape of the model's input, ``[N, ...]``,
        and holds numbers.
        """
        if data.ndim != len(self.input_shape) + 1 or data.shape[1:] != self.input_shape:
            raise RangeError(
                f"the data should have the shape {['N', *self.input_shape]},"
                f" as the model's input '{self.input_name}', not {list(data.shape)}"
            )
        if data.dtype.kind not in "fiub":
            raise RangeError(f"the data should be numbers, not {data.dtype}")

    def encode(self, data: NDArray[Any]) -> IntArray:
        """Return the graph's input ``[batch, *shape]`` for the model's input ``data``.

        Raises ``RangeError`` for another shape or type of numbers, and for values that a raw
        input does not have.
        """
        import numpy as np

        self.check(data)
        meaning, type_ = self.meaning[self.input_value], self.graph.inputs[self.input_value]
        if self.raw_input:
            moved = meaning.in_value_order(data)
            return (
                _checked(moved, type_)
                if data.dtype.kind in "iu"
                else _nearest(moved, meaning, type_)
            )
        with np.errstate(over="ignore"):
            floats = data.astype(np.float32)
        if not np.isfinite(data).all():
            raise RangeError("the data hold NaN or infinity: clean them first")
        if not np.isfinite(floats).all():
            raise RangeError(
                "the data hold numbers beyond float32, which the model's input holds: scale them"
                " as for training"
            )
        integers = meaning.in_value_order(run_host(self.head, floats))
        return np.ascontiguousarray(integers, dtype=np.int64)

    def decode(self, integers: IntArray) -> NDArray[Any]:
        """Return the model's output for the graph's output ``[batch, *shape]``."""
        meaning = self.meaning[self.output_value]
        if self.integer_output and not self.tail:
            return meaning.in_model_order(integers).reshape(-1, *self.output_shape)
        reals = meaning.in_model_order(meaning.to_real(integers))
        return run_host(self.tail, reals).reshape(-1, *self.output_shape)


def _nearest(reals: NDArray[Any], meaning: ValueMeaning, type_: TensorType) -> IntArray:
    """Return the integers that stand for ``reals``, which must be those numbers in float32."""
    import numpy as np

    scale = np.array([float(value) for value in meaning.scale])
    bias = np.array([float(value) for value in meaning.bias])
    wide = reals.astype(np.float64)
    if not np.isfinite(wide).all():
        raise RangeError("the data hold NaN or infinity: clean them first")
    rounded = np.round((wide - bias) / scale)
    element = type_.element
    outside = (rounded < element.lo) | (rounded > element.hi)
    if outside.any():
        channel = np.nonzero(outside)[-1][0]
        raise RangeError(
            f"the data hold {float(wide[outside][0])}, but the input takes the integers"
            f" {element.lo} to {element.hi} times {meaning.scale[channel % len(scale)]} plus"
            f" {meaning.bias[channel % len(bias)]}"
        )
    back = meaning.to_real(rounded.astype(np.int64))
    with np.errstate(over="ignore"):
        near = wide.astype(np.float32)
    wrong = (back != near) & (back != np.nextafter(near, back))
    if wrong.any():
        channel = np.nonzero(wrong)[-1][0]
        raise RangeError(
            f"the data hold {float(wide[wrong][0])}, which is no multiple of the input's scale"
            f" {meaning.scale[channel % len(scale)]}: pass the raw integers, or compile with"
            " another --input-scale"
        )
    return _checked(rounded.astype(np.int64), type_)


def _checked(integers: NDArray[Any], type_: TensorType) -> IntArray:
    """Return ``integers``, of any integer type, as int64 if they belong to ``type_``."""
    import numpy as np

    element = type_.element
    if integers.size and not element.lo <= int(integers.min()) <= int(integers.max()) <= element.hi:
        raise RangeError(
            f"the data hold {int(integers.min())} to {int(integers.max())}, but the input takes"
            f" {element.lo} to {element.hi}"
        )
    wide = np.ascontiguousarray(integers, dtype=np.int64)
    if element.step != 1 and ((wide - element.lo) % element.step).any():
        raise RangeError(
            f"the data hold numbers between {element.lo} and {element.hi} that the input does not"
            f" take: it takes every {element.step}th"
        )
    return wide


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
            head=program_from_json(document["head"]),
            tail=program_from_json(document["tail"]),
            input_name=str(document["input_name"]),
            input_shape=tuple(int(size) for size in document["input_shape"]),
            output_shape=tuple(int(size) for size in document["output_shape"]),
            raw_input=bool(document["raw_input"]),
            integer_output=bool(document["integer_output"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise GraphFileError(f"{path} is damaged: {error!r}") from error
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise GraphFileError(f"{path}: its graph should have one input and one output")
    for value in (network.input_value, network.output_value):
        if value not in network.meaning:
            raise GraphFileError(f"{path} is damaged: it does not say what {value} means")
    return network
