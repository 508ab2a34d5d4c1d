"""The integer graph of a model beside the oracle: every number that both hold, compared with ==."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from onnx import ModelProto, numpy_helper

from lutloom.sim.reference import run
from lutloom.streamline.exact_comparison import compare_exactly, meant
from lutloom.streamline.importer import RawInput, import_model
from lutloom.streamline.oracle import evaluate
from lutloom.streamline.oracle_reals import Number, Real
from lutloom.streamline.pipeline import run_passes, streamline
from lutloom.streamline.source import QUANTIZER_DOMAINS, read_source
from tests.models import write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.network import Network

    Array: TypeAlias = NDArray[Any]


@dataclass
class Tally:
    """What was compared."""

    networks: int = 0
    numbers: int = 0
    ties: int = 0

    def add(self, other: Tally) -> None:
        self.networks += other.networks
        self.numbers += other.numbers
        self.ties += other.ties


def compare(
    model: ModelProto, directory: Path, data: Array, raw: RawInput | None = None
) -> tuple[Network, Tally]:
    """Check that lowering changed no number of ``model`` on ``data``; return what it became.

    ``data`` is in the form of the model's input: integers for a raw input, else floats.
    """
    path = write(model, directory)
    network = streamline(path, raw)
    integers = network.encode(data)
    values = run(network.graph, {network.input_value: integers})
    start = network.meaning[network.input_value]
    reals = meant(start, integers)
    given = {} if start.tensor == network.input_name else {start.tensor: reals}
    exact = evaluate(model, data if given else reals, given=given)

    tally = Tally(networks=1, ties=_ties(model, exact))
    comparisons = compare_exactly(network, path, data, values)
    assert {entry.value for entry in comparisons} == set(network.meaning)
    for comparison in comparisons:
        assert comparison.differing == 0, comparison
        tally.numbers += comparison.elements
    _compare_output(network, values, exact, model)
    _passes_keep_outputs(path, raw, integers, values[network.output_value])
    return network, tally


def _compare_output(
    network: Network, values: dict[str, Array], exact: dict[str, Array], model: ModelProto
) -> None:
    """Check the model's output: indices equal, floats within the rounding of the host's float32.

    Each of the tail's few steps rounds by at most a few units in the last place of the largest
    number that it touches.
    """
    wanted = exact[model.graph.output[0].name]
    output = network.decode(values[network.output_value])
    assert output.shape == wanted.shape
    if output.dtype.kind == "i":
        assert (output == wanted).all()
        return
    tensor = network.meaning[network.output_value].tensor
    names = [name for node in model.graph.node for name in node.output]
    touched = [exact[name] for name in names[names.index(tensor) :] if name in exact]
    largest = max(abs(end) for array in touched for x in array.ravel() for end in _ends(x))
    differences = [
        abs(Fraction(found) - end)
        for found, x in zip(output.ravel().tolist(), wanted.ravel(), strict=True)
        for end in _ends(x)
    ]
    assert max(differences) <= largest * Fraction(1, 2 ** (20 if network.tail else 24))


def _ends(x: Number) -> tuple[Fraction, Fraction]:
    """Return two rationals between which ``x`` lies."""
    return x.enclosure(100) if isinstance(x, Real) else (x, x)


def _passes_keep_outputs(path: Path, raw: RawInput | None, integers: Array, outputs: Array) -> None:
    """Check that no pass changes what the graph computes."""
    imported = import_model(read_source(path), raw).graph

    def outputs_of(graph: Graph) -> Array:
        return run(graph, {next(iter(graph.inputs)): integers})[graph.outputs[0]]

    def observe(name: str, before: Graph, after: Graph) -> None:
        if after is not before:
            assert (outputs_of(after) == outputs).all(), name

    assert (outputs_of(imported) == outputs).all()
    run_passes(imported, observe=observe)


def _ties(model: ModelProto, exact: dict[str, Array]) -> int:
    """Return how many numbers lie exactly on a border between two levels of their quantizer."""
    constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    found = 0
    for node in model.graph.node:
        x = exact.get(node.input[0]) if node.domain in QUANTIZER_DOMAINS else None
        if x is None:
            continue
        if node.op_type == "BipolarQuant":
            found += int((x == 0).sum())
        elif node.op_type == "MultiThreshold":
            found += sum(int((x == t).sum()) for t in constants[node.input[1]].ravel().tolist())
        else:
            scale, zero = (
                np.vectorize(Fraction, otypes=[object])(constants[name]) for name in node.input[1:3]
            )
            doubled = np.asarray(2 * (x / scale + zero))
            found += sum(value.denominator == 1 and value % 2 == 1 for value in doubled.ravel())
    return found
