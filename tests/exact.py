"""The integer graph of a model beside the oracle: every number that both hold, compared with ==."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from onnx import ModelProto, NodeProto, helper

from lutloom.sim.reference import run
from lutloom.streamline.errors import ModelError
from lutloom.streamline.exact_comparison import differences, oracle_input
from lutloom.streamline.importer import RawInput, import_model
from lutloom.streamline.oracle import data_of, interpret
from lutloom.streamline.oracle_reals import Number, Real
from lutloom.streamline.oracle_values import Known, Value, each
from lutloom.streamline.pipeline import run_passes, streamline
from lutloom.streamline.source import QUANTIZER_DOMAINS, read_source
from tests.models import write
from tests.random_networks import Sample, random_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.network import Data, Network
    from lutloom.core.ports import OutputPort

    Array: TypeAlias = NDArray[Any]
    Raw: TypeAlias = RawInput | Mapping[str, RawInput] | None


@dataclass
class Tally:
    """What was compared."""

    networks: int = 0
    inputs: int = 0
    numbers: int = 0
    quantized: int = 0
    """Of the numbers, those that a quantizer made."""
    ties: int = 0
    """Numbers exactly on a border between two levels of the quantizer that reads them."""

    def add(self, other: Tally) -> None:
        self.networks += other.networks
        self.inputs += other.inputs
        self.numbers += other.numbers
        self.quantized += other.quantized
        self.ties += other.ties


def compare(
    model: ModelProto, directory: Path, data: Data, raw: Raw = None
) -> tuple[Network, Tally]:
    """Check that lowering changed no number of ``model`` on ``data``; return what it became.

    ``data`` is in the form of the model's input: integers for a raw input, else floats; of several
    inputs by their names.
    """
    path = write(model, directory)
    network = streamline(path, raw)
    inputs = network.encode_all(data)
    values = run(network.graph, inputs)
    x, given = oracle_input(network, data, values)
    tensors = interpret(model, x, given=given)
    exact = data_of(tensors)

    samples = len(next(iter(inputs.values())))
    tally = Tally(networks=1, inputs=samples, ties=_ties(model, tensors, given))
    comparisons = differences(network, exact, values)
    assert {entry.value for entry in comparisons} == set(network.meaning)
    for comparison in comparisons:
        assert comparison.differing == 0, comparison
        tally.numbers += comparison.elements
        is_input = comparison.value in network.graph.inputs
        if network.meaning[comparison.value].is_quantized and not is_input:
            tally.quantized += comparison.elements
    for port in network.outputs:
        _compare_output(port, values[port.value], exact, model)
    _passes_keep_outputs(path, raw, data, network, values)
    return network, tally


REASONS = (
    "adds up pixels that have scales of their own",
    "and no smaller ones are proved",
    "can't be told from a boundary between two levels",
    "can't run on the host: put it out of the model",
    "inputs: write it as several of two inputs",
    "is not known to rise only, or to fall only",
    "joins a constant and what is no integer yet",
    "joins what is no integer yet",
    "its scale varies along several dimensions; use one a channel",
    "no layer lies between the first quantizer and the output",
    "reads it; put a quantizer in front of the pool",
    "takes the last of equal values",
    "the output's scales and biases vary along several dimensions",
    "the scale of its input varies along another dimension",
    "the scales of its input channels meet in multipliers of",
)
"""What a random network may be refused for: parts of the messages that docs/refusals.md lists."""


def compare_networks(
    seeds: Iterable[int],
    directory: Path,
    *,
    powers_of_two: bool,
    functions: bool,
    draw: Callable[..., Sample] = random_network,
) -> tuple[Tally, Counter[str]]:
    """Compare the random networks of ``seeds``; count what is refused, by its reason."""
    tally, refusals = Tally(), Counter[str]()
    for seed in seeds:
        sample = draw(seed, powers_of_two=powers_of_two, functions=functions)
        try:
            _, one = compare(sample.model, directory, sample.data, sample.raw)
        except ModelError as error:
            refusals[reason_of(error)] += 1
        except Exception as error:
            error.add_note(f"seed {seed}, powers of two: {powers_of_two}, functions: {functions}")
            raise
        else:
            tally.add(one)
    return tally, refusals


def compare_block(
    seeds: range,
    directory: Path,
    *,
    most_refused: int,
    powers_of_two: bool,
    functions: bool,
    draw: Callable[..., Sample] = random_network,
) -> Tally:
    """Compare a block of networks; what is refused has a reason, and must stay rare."""
    tally, refusals = compare_networks(
        seeds, directory, powers_of_two=powers_of_two, functions=functions, draw=draw
    )
    assert refusals.total() <= most_refused
    assert tally.networks == len(seeds) - refusals.total()
    return tally


def reason_of(error: ModelError) -> str:
    """Return which of ``REASONS`` it is. Raises the error where it is none."""
    for reason in REASONS:
        if reason in str(error):
            return reason
    raise error


def _compare_output(
    port: OutputPort, integers: Array, exact: dict[str, Array], model: ModelProto
) -> None:
    """Check an output: indices equal, floats within the rounding of the host's float32.

    Each of the tail's few steps rounds by at most a few units in the last place of the largest
    number that it touches, the two terms of ``scale * integer + bias`` among them.
    """
    wanted = exact[port.name]
    output = port.decode(integers)
    assert output.shape == wanted.shape
    if output.dtype.kind == "i":
        assert (output == wanted).all()
        return
    entry = port.meaning
    names = [name for node in model.graph.node for name in node.output]
    touched = [exact[name] for name in names[names.index(entry.tensor) :] if name in exact]
    largest = max(
        *(abs(end) for array in touched for x in array.ravel() for end in _ends(x)),
        *(abs(bias) for bias in entry.bias),
    )
    differences = [
        abs(Fraction(found) - end)
        for found, x in zip(output.ravel().tolist(), wanted.ravel(), strict=True)
        for end in _ends(x)
    ]
    assert max(differences) <= largest * Fraction(1, 2 ** (20 if port.tail else 24))


def _ends(x: Number) -> tuple[Fraction, Fraction]:
    """Return two rationals between which ``x`` lies."""
    return x.enclosure(100) if isinstance(x, Real) else (x, x)


def _passes_keep_outputs(
    path: Path, raw: Raw, data: Data, network: Network, values: dict[str, Array]
) -> None:
    """Check that no pass changes what the graph computes."""
    imported = import_model(read_source(path), raw)
    inputs = imported.encode_all(data)

    def outputs_of(graph: Graph) -> list[Array]:
        found = run(graph, inputs)
        return [found[name] for name in graph.outputs]

    def observe(name: str, before: Graph, after: Graph) -> None:
        if after is not before:
            for found, before_it in zip(outputs_of(after), wanted, strict=True):
                assert (found == before_it).all(), name

    wanted = outputs_of(imported.graph)
    first = dict(zip(imported.graph.outputs, wanted, strict=True))
    for one, other in zip(imported.outputs, network.outputs, strict=True):
        ours = other.meaning.in_model_order(values[other.value])
        assert (one.meaning.in_model_order(first[one.value]) == ours).all()
    run_passes(imported.graph, observe=observe)


def _ties(model: ModelProto, tensors: Mapping[str, Value], given: Mapping[str, Array]) -> int:
    """Return how many numbers lie exactly on a border between two levels of their quantizer."""
    found = 0
    for node in model.graph.node:
        if node.domain not in QUANTIZER_DOMAINS or node.output[0] in given:
            continue
        if node.op_type not in {"BipolarQuant", "IntQuant", "MultiThreshold", "Quant"}:
            continue  # no quantizer, or one that rounds integers
        x = tensors[node.input[0]]
        if isinstance(x, np.ndarray):
            rational = each(lambda number: number if isinstance(number, Fraction) else None, x)
            found += _ties_of(node, rational, [tensors[name] for name in node.input[1:]])
    return found


def _ties_of(node: NodeProto, x: Array, parameters: list[Value]) -> int:
    if node.op_type == "BipolarQuant":
        return int((x == 0).sum())
    if node.op_type == "MultiThreshold":
        (table,) = (value for value in parameters if isinstance(value, Known))
        finite = table.array[np.isfinite(table.array)]
        return sum(int((x == Fraction(t)).sum()) for t in finite.ravel().tolist())
    scale, zero, bits = (value.reals() for value in parameters if isinstance(value, Known))
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    is_signed, width = bool(attributes["signed"]), int(bits.item())
    low = -(2 ** (width - 1)) if is_signed else 0
    high = low + 2**width - 1
    mode = attributes.get("rounding_mode", b"ROUND").decode().upper()
    shift = Fraction(1, 2) if mode == "ROUND" or mode.startswith("HALF") else Fraction(0)

    def is_tie(number: Fraction | None, s: Fraction, z: Fraction) -> bool:
        if number is None:
            return False
        y = number / s + z
        if is_signed and width == 1:
            return y == 0
        return low < y < high and (y - shift).denominator == 1

    return int(each(is_tie, x, scale, zero).sum())
