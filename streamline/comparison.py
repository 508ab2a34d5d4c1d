"""Compare the integer graph with a float executor of the source model, layer by layer.

Teacher-forced: each layer is fed the executor's own integers, so that a difference is counted
where it arises and nowhere else. A difference of a quantizer's output is explained if and only if
the exact value before the quantizer belongs to our level, and lies within a bound on the executor's
float32 error from the executor's own level. Where float32 is error-free the bound is zero: nothing
is explained. Where the float64 value is too near to the edge of a level to tell, rational
arithmetic decides: a tie on the wrong side is never excused.

An element of a layer that is such a tie for at least one in a hundred images is a structural one:
the executor's rounding then decides over and over again. Its differences, explained all the same,
are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.bounded import FLOAT64_MARGIN, Bounded
from lutloom.streamline.comparison_parts import (
    Beyond,
    Comparison,
    OutputComparison,
    Part,
    merge,
)
from lutloom.streamline.differences import explain, nothing_known
from lutloom.streamline.error_bound import follow
from lutloom.streamline.errors import ModelError, show
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.index_comparison import unexplained_indices
from lutloom.streamline.layer_comparison import (
    LayerPart,
    counted,
    counted_ties,
)
from lutloom.streamline.level_edges import edges_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.meaning import ValueMeaning
    from lutloom.core.network import Network
    from lutloom.core.ports import OutputPort
    from lutloom.core.types import IntArray
    from lutloom.streamline.bounded import Bools, Floats, Tensors
    from lutloom.streamline.error_bound import Followed
    from lutloom.streamline.exact_model import Given, Index
    from lutloom.streamline.folded_constants import FoldedConstant
    from lutloom.streamline.source import Source, SourceNode

    Values: TypeAlias = Mapping[str, IntArray]

# An executor's float counts as an integer of the grid if it is this near to it, in steps.
_ON_GRID = 2.0**-16


def compare(
    network: Network, source: Source, tensors: Tensors, encoded: IntArray | Values
) -> Comparison:
    """Compare every quantizer of ``network`` with the executor's ``tensors`` of ``source``.

    ``tensors`` are all tensors of one run on a batch, by name; ``encoded`` is what the network
    makes of the same batch as the graph's input, or inputs by name: a quantizer on the host is
    compared too.
    """
    return merge([compare_batch(network, source, tensors, encoded, fold_constants(source))])


def compare_batch(
    network: Network,
    source: Source,
    tensors: Tensors,
    encoded: IntArray | Values,
    constants: Mapping[str, FoldedConstant],
    *,
    own_floats: bool = True,
) -> Part:
    """Compare one batch of images, as ``compare`` does; ``constants`` are those of ``source``.

    ``own_floats`` says that all of ``tensors`` come from one run, so that its floats between the
    quantizers can be held against their bounds.
    """
    import numpy as np

    if isinstance(encoded, np.ndarray):
        encoded = {network.input_value: encoded}
    with np.errstate(all="ignore"):  # an executor's infinities are compared like numbers
        return _compare_batch(network, source, tensors, encoded, constants, own_floats)


def _compare_batch(
    network: Network,
    source: Source,
    tensors: Tensors,
    encoded: Values,
    constants: Mapping[str, FoldedConstant],
    own_floats: bool,  # noqa: FBT001 - as above
) -> Part:
    import numpy as np

    images = len(encoded[network.inputs[0].value])
    _check_shapes(network, source, tensors, images)
    producers = {node.outputs[0]: node for node in source.nodes if node.outputs}
    followed = follow(
        source,
        tensors,
        _inputs(network, tensors, encoded),
        constants,
        given=_given(network, encoded),
        forced=frozenset(m.tensor for m in network.meaning.values() if m.is_quantized),
    )
    # Images whose integers so far can occur. The graph is proved for those that can: what it makes
    # of another integer, which an executor's rounding brought about, means nothing.
    possible = np.ones(images, dtype=bool)
    layers: list[LayerPart] = []
    values = dict(encoded)
    of_host = {port.value for port in network.inputs if not port.is_raw}
    for name in (*network.graph.inputs, *(n for e in network.graph.nodes for n in e.results)):
        if name not in values:
            producer = network.graph.producers[name]
            results = producer.op.reference(*(values[source] for source in producer.inputs))
            values.update(zip(producer.results, results, strict=True))
        meaning = network.meaning.get(name)
        if meaning is None or not meaning.is_quantized or meaning.tensor not in tensors:
            continue
        ours = values[name]
        values[name], off_grid = _integers(meaning, tensors[meaning.tensor])
        node = producers.get(meaning.tensor)
        is_host = name in of_host
        layers.append(
            _layer(name, meaning, node, ours, values[name], off_grid, followed, possible, is_host)
        )
        never = (values[name] != ours) & ~network.graph.types[name].element.holds(values[name])
        possible &= ~never.reshape(images, -1).any(axis=1)
    outputs = tuple(
        _output(port, source, values[port.value], followed, possible) for port in network.outputs
    )
    beyond = _beyond(source, followed, constants) if own_floats else ()
    return Part(images, tuple(layers), outputs, beyond)


def _output(
    port: OutputPort, source: Source, integers: IntArray, followed: Followed, possible: Bools
) -> OutputComparison:
    """Compare an output of the model with what the host makes of ``integers`` of the graph."""
    import numpy as np

    output, theirs = port.decode(integers), followed.exact.tensors[port.name]
    if theirs.size != output.size:
        raise ModelError(
            f"{source.path}: qonnx's executor can't run the model: it gives its output"
            f" {show(port.name)} the shape {list(theirs.shape)} instead of {list(output.shape)}"
        )
    theirs = theirs.reshape(output.shape)
    if output.dtype.kind == "i":
        wrong: Bools | None = unexplained_indices(output, theirs, source, port.name, followed)
    else:
        own = _own_error(port, integers, output.shape)
        wrong = _outside(output, theirs, followed.known.get(port.name), own)
    if wrong is None:
        return OutputComparison(port.name, output.size, None, np.zeros(len(output), dtype=bool))
    wrong = wrong & _of_images(possible, wrong.ndim)
    agreeing = np.asarray(~wrong.reshape(len(output), -1).any(axis=1))
    return OutputComparison(port.name, output.size, int(wrong.sum()), agreeing)


def _check_shapes(network: Network, source: Source, tensors: Tensors, images: int) -> None:
    """Raise ``ModelError`` where the executor's windows lie elsewhere than the standard says."""
    import numpy as np

    for name, meaning in network.meaning.items():
        if not meaning.is_quantized or meaning.tensor not in tensors:
            continue
        shape = (images, *network.graph.types[name].shape)
        wanted = meaning.in_model_order(np.broadcast_to(np.int64(0), shape)).shape
        found = tensors[meaning.tensor].shape
        if found != wanted:
            raise ModelError(
                f"{source.path}: qonnx's executor can't run the model: it gives"
                f" {show(meaning.tensor)} the shape {list(found)} instead of {list(wanted)}"
            )


def _beyond(
    source: Source, followed: Followed, constants: Mapping[str, FoldedConstant]
) -> tuple[Beyond, ...]:
    names = {output: node.name for node in source.nodes for output in node.outputs}
    found = []
    for tensor, count in followed.beyond.items():
        is_constant = tensor in constants
        elements = (
            constants[tensor].value.size if is_constant else followed.known[tensor].value.size
        )
        found.append(Beyond(tensor, names.get(tensor, tensor), elements, count, is_constant))
    return tuple(found)


def _own_error(port: OutputPort, integers: IntArray, shape: tuple[int, ...]) -> Floats:
    """Return how far float64 is from the reals that ``integers`` of the output stand for.

    It is nothing beside a rounding to float32, but where the bias takes the rest away, and float32
    had no error. Behind steps of the host it is left out.
    """
    import numpy as np

    if port.tail:
        return np.zeros(shape)
    meaning = port.meaning
    terms = np.abs(integers * _numbers(meaning.scale)) + np.abs(_numbers(meaning.bias))
    return np.asarray(meaning.in_model_order(2.0**-50 * terms).reshape(shape))


def _outside(
    ours: NDArray[Any], theirs: NDArray[Any], bounded: Bounded | None, own: Floats
) -> Bools | None:
    import numpy as np

    if bounded is None:
        return None
    distance = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    # Not a number is outside, but for equal infinities.
    allowed = 2 * bounded.error.reshape(ours.shape) + own
    return np.asarray(~((distance <= allowed) | (ours == theirs)))


def _layer(  # noqa: PLR0913, PLR0917 - the two sides of the comparison, and what is known of them
    value: str,
    meaning: ValueMeaning,
    node: SourceNode | None,
    ours: IntArray,
    theirs: IntArray,
    off_grid: int,
    followed: Followed,
    possible: Bools,
    is_host: bool,  # noqa: FBT001 - as above
) -> LayerPart:
    import numpy as np

    exact, bounded = followed.exact, followed.before.get(meaning.tensor)
    compared = int(possible.sum()) * (ours.size // len(ours))
    skipped = ours.size - compared
    differs = (ours != theirs) & _of_images(possible, ours.ndim)
    places = np.argwhere(meaning.in_model_order(differs))
    if node is None or bounded is None:
        own, other = (meaning.in_model_order(x)[tuple(places.T)] for x in (ours, theirs))
        found = nothing_known(places, own, other)
        return LayerPart(value, meaning.node, compared, skipped, off_grid, found, None, None)
    edges = edges_of(node, exact.tensors)
    reals = meaning.in_model_order(ours * _numbers(meaning.scale) + _numbers(meaning.bias))
    own = edges.levels(reals)[tuple(places.T)]
    other = edges.levels(exact.tensors[meaning.tensor].astype(np.float64))[tuple(places.T)]
    near = edges.distance(bounded.value) <= bounded.error * FLOAT64_MARGIN
    found = explain(places, own, other, node, edges, bounded, exact, is_host=is_host)
    bounds, ties = counted(bounded.error), counted_ties(near)
    return LayerPart(value, meaning.node, compared, skipped, off_grid, found, bounds, ties)


def _of_images(flags: Bools, rank: int) -> Bools:
    """Return ``flags [images]`` so that they broadcast to a tensor of ``rank`` axes."""
    return flags.reshape(-1, *[1] * (rank - 1))


def _numbers(rationals: Iterable[Fraction]) -> Floats:
    import numpy as np

    return np.array([float(value) for value in rationals])


def _inputs(network: Network, tensors: Tensors, encoded: Values) -> dict[str, Bounded]:
    """Return the model's inputs: exact where they hold integers, else the executor's floats."""
    import numpy as np

    inputs = {}
    for port in network.inputs:
        floats = tensors[port.name].astype(np.float64)
        if not port.is_raw:
            inputs[port.name] = Bounded(floats, np.zeros_like(floats), is_exact=True)
            continue
        meaning = network.meaning[port.value]
        integers = encoded[port.value]
        exact = meaning.in_model_order(integers * _numbers(meaning.scale) + _numbers(meaning.bias))
        # The last term covers the float64 roundings of `exact` itself.
        error = np.abs(floats - exact) + 2.0**-50 * np.abs(exact)
        inputs[port.name] = Bounded(exact, error)
    return inputs


def _given(network: Network, encoded: Values) -> Given:
    """Return what elements of raw inputs are, exactly."""
    return {
        port.name: _elements(network.meaning[port.value], encoded[port.value])
        for port in network.inputs
        if port.is_raw
    }


def _elements(meaning: ValueMeaning, encoded: IntArray) -> Callable[[Index], Fraction]:
    integers = meaning.in_model_order(encoded)
    channel = meaning.axes[-1] if meaning.axes else 0

    def real(index: Index) -> Fraction:
        scale, bias = (
            numbers[index[1 + channel]] if len(numbers) > 1 else numbers[0]
            for numbers in (meaning.scale, meaning.bias)
        )
        return int(integers[index]) * scale + bias

    return real


def _integers(meaning: ValueMeaning, tensor: NDArray[Any]) -> tuple[IntArray, int]:
    """Return the integers that an executor's floats stand for, in the value's axes."""
    import numpy as np

    moved = meaning.in_value_order(tensor.astype(np.float64))
    quotients = (moved - _numbers(meaning.bias)) / _numbers(meaning.scale)
    integers = np.round(quotients)
    off_grid = int((~(np.abs(quotients - integers) <= _ON_GRID * (1 + np.abs(integers)))).sum())
    return np.nan_to_num(integers, nan=0.0).astype(np.int64), off_grid
