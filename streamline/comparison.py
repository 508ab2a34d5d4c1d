"""Compare the integer graph with a float executor of the source model, layer by layer.

Teacher-forced: each layer is fed the executor's own integers, so that a difference is counted
where it arises and nowhere else. A difference of a quantizer's output is explained if and only if
the exact value before the quantizer lies within a rigorous bound on the executor's float32 error
from the executor's own level. Where float32 is error-free the bound is zero: nothing is explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.error_bound import FLOAT64_MARGIN, Bounded, follow
from lutloom.streamline.index_comparison import unexplained_indices
from lutloom.streamline.rounding import rounding_named, step_up

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.meaning import ValueMeaning
    from lutloom.core.network import Network
    from lutloom.core.types import IntArray
    from lutloom.streamline.source import Source, SourceNode

    Tensors: TypeAlias = Mapping[str, NDArray[Any]]

# An executor's float counts as an integer of the grid if it is this near to it, in steps.
_ON_GRID = 2.0**-16


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """One quantizer: how many of its outputs were compared, and how they differ."""

    value: str
    node: str
    elements: int
    differing: int
    explained: int
    nearest: float
    """Of the explained differences, the largest distance over bound: at most 1; 0 for none."""
    off_grid: int
    """Outputs of the executor that stand for no integer at all."""

    @property
    def is_equal(self) -> bool:
        """Whether every output is equal, or differs for a reason that was proved."""
        return self.off_grid == 0 and self.differing == self.explained


@dataclass(frozen=True, slots=True)
class Comparison:
    """All quantizers, and the model's output behind the executor's own last integers.

    ``outside`` of ``outputs`` numbers of the output differ by more than twice the bound on the
    float32 error of the host's part: ours and the executor's; of indices, by more than the bounds
    of the values that they choose from. None where the host's part holds an operator without a
    bound.
    """

    layers: tuple[LayerComparison, ...]
    outputs: int
    outside: int | None


def compare(network: Network, source: Source, tensors: Tensors, encoded: IntArray) -> Comparison:
    """Compare every quantizer of ``network`` with the executor's ``tensors`` of ``source``.

    ``tensors`` are all tensors of one run on a batch, by name; ``encoded`` is what the network
    makes of the same batch as the graph's input: a quantizer on the host is compared too.
    """
    import numpy as np

    nodes = {node.outputs[0]: node for node in source.nodes if node.outputs}
    before, known = follow(source, tensors, _inputs(network, tensors, encoded))
    layers: list[LayerComparison] = []
    values: dict[str, IntArray] = {network.input_value: encoded}
    for name in (*network.graph.inputs, *(n for e in network.graph.nodes for n in e.results)):
        if name not in values:
            producer = network.graph.producers[name]
            results = producer.op.reference(*(values[source] for source in producer.inputs))
            values.update(zip(producer.results, results, strict=True))
        meaning = network.meaning.get(name)
        if meaning is None or not meaning.is_quantized or meaning.tensor not in tensors:
            continue
        ours = values[name]
        theirs, off_grid = _integers(meaning, tensors[meaning.tensor])
        values[name] = theirs
        differs = np.argwhere(ours != theirs)
        explained, nearest = 0, 0.0
        if len(differs):
            node = nodes.get(meaning.tensor)
            explained, nearest = _explained(
                differs, ours, theirs, meaning, node, before.get(meaning.tensor), tensors
            )
        layers.append(
            LayerComparison(
                name, meaning.node, ours.size, len(differs), explained, nearest, off_grid
            )
        )
    output = network.decode(values[network.output_value])
    theirs = tensors[source.outputs[0].name].reshape(output.shape)
    if output.dtype.kind == "i":
        outside: int | None = unexplained_indices(output, theirs, source, known)
    else:
        outside = _outside(output, theirs, known.get(source.outputs[0].name))
    return Comparison(tuple(layers), output.size, outside)


def _outside(ours: NDArray[Any], theirs: NDArray[Any], bounded: Bounded | None) -> int | None:
    import numpy as np

    if bounded is None:
        return None
    distance = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    return int((distance > 2 * bounded.error.reshape(ours.shape)).sum())


def _inputs(network: Network, tensors: Tensors, encoded: IntArray) -> dict[str, Bounded]:
    """Return the model's input: exact where it holds integers, the executor's floats otherwise."""
    import numpy as np

    floats = tensors[network.input_name].astype(np.float64)
    if not network.raw_input:
        return {network.input_name: Bounded(floats, np.zeros_like(floats))}
    meaning = network.meaning[network.input_value]
    scale = np.array([float(value) for value in meaning.scale])
    bias = np.array([float(value) for value in meaning.bias])
    exact = meaning.in_model_order(encoded * scale + bias)
    # The last term covers the float64 roundings of `exact` itself.
    return {network.input_name: Bounded(exact, np.abs(floats - exact) + 2.0**-50 * np.abs(exact))}


def _integers(meaning: ValueMeaning, tensor: NDArray[Any]) -> tuple[IntArray, int]:
    """Return the integers that an executor's floats stand for, in the value's axes."""
    import numpy as np

    moved = meaning.in_value_order(tensor.astype(np.float64))
    scale = np.array([float(value) for value in meaning.scale])
    bias = np.array([float(value) for value in meaning.bias])
    quotients = (moved - bias) / scale
    integers = np.round(quotients)
    off_grid = int((np.abs(quotients - integers) > _ON_GRID * (1 + np.abs(integers))).sum())
    return integers.astype(np.int64), off_grid


def _explained(
    differs: NDArray[Any],
    ours: IntArray,
    theirs: IntArray,
    meaning: ValueMeaning,
    node: SourceNode | None,
    bounded: Bounded | None,
    tensors: Tensors,
) -> tuple[int, float]:
    """Return how many of the differing elements are explained, and the worst ratio of those."""
    if bounded is None or node is None:
        return 0, 0.0
    value, error = (meaning.in_value_order(x) for x in (bounded.value, bounded.error))
    explained, worst = 0, 0.0
    for index in map(tuple, differs):
        rises = int(theirs[index]) > int(ours[index])
        # The ends of both intervals that face each other; the value lies in ours if ours is right.
        own_end = _boundary(node, meaning, index, ours[index], tensors, is_lower_end=not rises)
        their_end = _boundary(node, meaning, index, theirs[index], tensors, is_lower_end=rises)
        sign, bound = (1 if rises else -1), float(error[index])
        room = sign * (own_end - value[index])
        gap = max(0.0, float(sign * (their_end - value[index])))
        if bound > 0 and room >= -bound * FLOAT64_MARGIN and gap <= bound:
            explained += 1
            worst = max(worst, gap / bound)
    return explained, worst


def _boundary(
    node: SourceNode,
    meaning: ValueMeaning,
    index: tuple[int, ...],
    level: np.int64,
    tensors: Tensors,
    *,
    is_lower_end: bool,
) -> float:
    """Return an end of the interval of ``y`` that the quantizer takes to ``level``."""
    if node.op_type == "MultiThreshold":
        return _table_boundary(node, meaning, index, level, tensors, is_lower_end=is_lower_end)
    if node.op_type == "BipolarQuant" or _is_one_signed_bit(node, tensors):
        return 0.0
    boundary, _ = step_up(rounding_named(node.text("rounding_mode", "ROUND")))(
        int(level) - 1 if is_lower_end else int(level)
    )
    return float(boundary)


def _is_one_signed_bit(node: SourceNode, tensors: Tensors) -> bool:
    return bool(node.integer("signed", 1)) and float(tensors[node.inputs[3]].reshape(-1)[0]) == 1


def _table_boundary(
    node: SourceNode,
    meaning: ValueMeaning,
    index: tuple[int, ...],
    level: np.int64,
    tensors: Tensors,
    *,
    is_lower_end: bool,
) -> float:
    import numpy as np

    table = np.sort(tensors[node.inputs[1]].astype(np.float64), axis=1)
    layout = node.text("data_layout", "NCHW")
    axis = len(meaning.axes) - 1 if layout.endswith("C") and len(layout) > 1 else 0
    channel = index[1 + meaning.axes.index(axis)] if table.shape[0] > 1 else 0
    real = int(level) * meaning.scale[0] + meaning.bias[0]
    count = round((float(real) - node.number("out_bias", 0.0)) / node.number("out_scale", 1.0))
    return float(table[channel, count - 1 if is_lower_end else count])
