"""Compare the integer graph with the exact interpreter of its model: equality, and nothing else.

The interpreter (``oracle``) reads the file by itself, in exact numbers, and shares no code with the
lowering. It is fed the graph's own input, so that the comparison runs between the borders of the
host. A network of 60,000 weights takes seconds, and hundredths of a second an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lutloom.streamline.errors import ModelError
from lutloom.streamline.oracle import evaluate
from lutloom.streamline.oracle_values import OracleError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.meaning import ValueMeaning
    from lutloom.core.network import Data, Network
    from lutloom.core.types import IntArray


@dataclass(frozen=True, slots=True)
class ExactComparison:
    """One value of the graph: how many of its numbers do not stand for the exact ones."""

    value: str
    elements: int
    differing: int


def compare_exactly(
    network: Network, path: Path, data: Data, values: Mapping[str, IntArray]
) -> tuple[ExactComparison, ...]:
    """Compare every value of ``network`` that stands for a tensor of the model at ``path``.

    ``values`` are those of the graph on the batch ``data`` of the model's input, or inputs by name.

    Raises ``ModelError`` where the model holds what has no exact reading.
    """
    x, given = oracle_input(network, data, values)
    try:
        exact = evaluate(path, x, given=given)
        return differences(network, exact, values)
    except OracleError as error:
        raise ModelError(f"{path} can't be interpreted exactly: {error}") from error


def oracle_input(
    network: Network, data: Data, values: Mapping[str, IntArray]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return the model's inputs and the tensors to fix, for the oracle to begin where we do."""
    import numpy as np

    inputs, given = {}, {}
    for port in network.inputs:
        start = network.meaning[port.value]
        reals = meant(start, values[port.value])
        if start.tensor == port.name:
            inputs[port.name] = reals
            continue
        # A quantizer on the host rounds floats: what it gave is where the comparison begins.
        inputs[port.name] = network.named(data)[port.name].astype(np.float32)
        given[start.tensor] = reals
    return inputs, given


def differences(
    network: Network, exact: Mapping[str, NDArray[Any]], values: Mapping[str, IntArray]
) -> tuple[ExactComparison, ...]:
    """Compare ``values`` of the graph with the ``exact`` tensors of the model."""
    comparisons = []
    indices = {port.value for port in network.outputs if port.is_integer}
    # An output may stand for another tensor than a value inside whose integers are equal.
    others = [
        (port.value, port.meaning)
        for port in network.outputs
        if network.meaning.get(port.value) != port.meaning
    ]
    for name, entry in (*network.meaning.items(), *others):
        if name not in values:
            continue
        found, wanted = meant(entry, values[name]), exact[entry.tensor]
        if entry.kept:
            found, wanted = (entry.in_value_order(tensor) for tensor in (found, wanted))
        if name in indices:
            found = found.reshape(wanted.shape)  # the axis that was searched may be dropped
        differing = int((found != wanted).sum())
        comparisons.append(ExactComparison(name, found.size, differing))
    return tuple(comparisons)


def meant(entry: ValueMeaning, integers: IntArray) -> NDArray[Any]:
    """Return the exact reals that ``integers [batch, *shape]`` stand for, in the model's order."""
    import numpy as np

    scale, bias = (np.array(numbers, dtype=object) for numbers in (entry.scale, entry.bias))
    return entry.in_model_order(integers.astype(object) * scale + bias)
