"""``simulate``: what the hardware computes, over a data set.

The data are read a batch at a time, the next batch while this one is computed, and outputs go to
their file at once: what a data set takes of the memory does not grow with it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.ahead import ahead
from lutloom.build import Build, load_build
from lutloom.cluster import cluster, shard_images
from lutloom.collectors import Comparer, Keeper, Scorer
from lutloom.core.errors import DataFileError, RangeError
from lutloom.core.files import OutputError
from lutloom.data import load_labels
from lutloom.data_set import open_data
from lutloom.engines import Engine, computation, default_engine
from lutloom.expectation import expected_batches, open_expected
from lutloom.output_files import check_files, npy_files, npz_file
from lutloom.scores import Scores, check_labels, told_apart, write_confusion
from lutloom.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.network import Network
    from lutloom.data import ArraySource, DataSource
    from lutloom.data_set import DataSet
    from lutloom.expectation import Difference
    from lutloom.image_folder import Pixels
    from lutloom.output_files import Append

    Arrays: TypeAlias = Mapping[str, NDArray[Any]]

BATCH, COMPILED_BATCH = 1000, 4096
MOST_NUMBERS = 2**26
"""Integers of 8 bytes that a batch may take."""
# Of the compiled engine: what inputs and outputs of a batch may take, and how many images it
# computes at once at the most.
_BATCH_BYTES, _BLOCK = 2**27, 512


@dataclass(frozen=True, eq=False)
class Simulation:
    """What ``images`` images gave: the model's outputs ``[images, ...]`` by name, if they are kept.

    ``seconds`` went by while they were read and computed; what is compiled once does not count.

    ``traces`` are the integers of the layers that were asked for, by their names, with the axes of
    the model. ``scores`` say how labels were met, whose classes have ``class_names`` if these are
    known: the largest number of the first output is the class. ``difference`` is the first one
    from what was expected, and ``min_accuracy`` what the accuracy should be at least.
    """

    images: int
    arrays: Mapping[str, NDArray[Any]]
    seconds: float
    traces: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    scores: Scores | None = None
    class_names: tuple[str, ...] = ()
    classes: int = 0
    """How many the model tells apart; 0 if it does not say."""
    difference: Difference | None = None
    min_accuracy: float | None = None

    @property
    def outputs(self) -> NDArray[Any]:
        """The only output. Raises ``RangeError``, naming them, if there are several, or if they
        were not kept.
        """
        if len(self.arrays) > 1:
            raise RangeError(f"the model has the outputs {[*self.arrays]}: take one by its name")
        return self.first

    @property
    def first(self) -> NDArray[Any]:
        """The first output. Raises ``RangeError`` if the outputs were not kept."""
        if not self.arrays:
            raise RangeError("the outputs were not kept: simulate with keep=True")
        return next(iter(self.arrays.values()))

    @property
    def correct(self) -> int | None:
        """How many labels were met; None without any."""
        return None if self.scores is None else self.scores.correct

    @property
    def accuracy(self) -> float | None:
        """Share of the images whose label was met, 0 to 1; None without labels or images."""
        if self.scores is None or not self.images:
            return None
        return self.scores.correct / self.images

    @property
    def confusion(self) -> NDArray[Any]:
        """The images by label (rows) and by class that the model told (columns).

        Raises ``RangeError`` without labels, and ``DataFileError`` for too many classes.
        """
        if self.scores is None:
            raise RangeError("there is no confusion matrix without labels: simulate with some")
        return self.scores.confusion(max(self.classes, len(self.class_names)))

    @property
    def is_good_enough(self) -> bool:
        """Whether the accuracy is what it should be at least."""
        return self.min_accuracy is None or (self.accuracy or 0.0) >= self.min_accuracy

    @property
    def passed(self) -> bool:
        """Whether the outputs are as expected, and the accuracy is what it should be."""
        return self.difference is None and self.is_good_enough


def simulate(  # noqa: PLR0913 - each is an option of the command
    build: str | Path | Build,
    data: DataSource,
    *,
    labels: ArraySource | None = None,
    output: str | Path | None = None,
    engine: Engine | None = None,
    seed: int | None = None,
    limit: int | None = None,
    batch: int | None = None,
    threads: int | None = None,
    instructions: str | None = None,
    dask: str | None = None,
    trace: str | Sequence[str] | Mapping[str, str | Path] = (),
    expect: DataSource | None = None,
    min_accuracy: float | None = None,
    confusion: str | Path | None = None,
    pixels: Pixels | None = None,
    keep: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Run ``build`` over ``data [N, ...]``: what the QONNX model takes; its outputs come back.

    ``data`` are an array, a .npy file, or a folder of images, whose sub-folders are the classes;
    ``pixels`` says what numbers stand for the bytes of these. ``labels`` are the N classes, an
    array or a .npy file, and ``output`` is where the outputs go, a .npy file. Several inputs or
    outputs are .npz files, by the model's names; the data may be a mapping, too.

    ``engine`` says what computes: by default the compiled one, or the reference, with a warning,
    where there is no C++ compiler. ``seed`` is for the adversarial one alone. ``limit`` is how many
    images are used, and ``batch`` how many at a time; ``threads`` and ``instructions`` (their name)
    are how many cores and which vectors the compiled engine uses. ``dask`` is the address of a Dask
    scheduler, whose workers compute; a batch then is what one of them gets at once.

    ``trace`` names layers whose integers are wanted: they come back, or go to .npy files if it
    maps each layer to one. ``expect`` are the outputs that there should be, ``min_accuracy`` is the
    share of the labels that should be met, and ``confusion`` a CSV file for the images by label and
    class. ``keep=False`` leaves outputs out of the result: memory then does not grow with N.
    ``on_progress`` is called with the images done and all of them.

    Raises a ``LutloomError`` for a directory that is no build, for data that do not fit, and for a
    design that stops because its FIFOs are too short.
    """
    loaded = build if isinstance(build, Build) else load_build(build)
    network = loaded.network
    for option, number in (("limit", limit), ("batch", batch), ("threads", threads)):
        if number is not None and number < 1:
            raise RangeError(f"{option} is {number}: it should be at least 1")
    if seed is not None and engine is not Engine.ADVERSARIAL:
        raise RangeError(
            "the seed is for the adversarial engine: use that one, or leave the seed out"
        )
    # What does not fit is named before anything is compiled.
    data_set = open_data(data, network, pixels=pixels, threads=threads)
    total = data_set.count
    count = total if limit is None else min(limit, total)
    truth = _truth(labels, data_set, network)
    _check_wishes(truth, count, min_accuracy, confusion)
    wanted = None if expect is None else open_expected(expect, network, count, total)
    tracing = traced(network, [trace] if isinstance(trace, str) else trace)
    if tracing.ports and engine in {Engine.CSIM, Engine.ADVERSARIAL}:
        raise RangeError(
            f"the {engine.value} engine computes processes, not layers: its traces are those of"
            " another engine"
        )
    files = {name: Path(path) for name, path in trace.items()} if isinstance(trace, Mapping) else {}
    _check_kind(output, network)
    paths = [Path(path) for path in (output, confusion, *files.values()) if path is not None]
    check_files(paths, _sources(data, labels, expect), loaded.directory)
    engine = engine or default_engine(instructions)
    size = batch or _batch(data_set, tracing.network, engine, dask)
    computing = _computing(
        replace(loaded, network=tracing.network),
        data_set.first(0),
        engine,
        dask,
        seed=seed or 0,
        threads=threads,
        instructions=instructions,
    )
    kept, kept_traces = Keeper(keep), Keeper(not files)
    scorer = Scorer(network.outputs[0].name, truth)
    comparer = Comparer(None if wanted is None else expected_batches(wanted, count, size))
    done = 0
    with ExitStack() as stack:
        compute = stack.enter_context(computing)
        started = time.perf_counter()
        write = stack.enter_context(_output(output, network, count))
        write_traces = stack.enter_context(npy_files(files, count))
        for found in compute(ahead(data_set.batches(count, size))):
            outputs, traces = tracing.parted(found)
            for take in (scorer.take, comparer.take, write, kept.take):
                take(outputs)
            for take in (write_traces, kept_traces.take):
                take(traces)
            done = min(done + size, count)
            if on_progress is not None:
                on_progress(done, count)
        result = Simulation(
            images=count,
            arrays=kept.joined(),
            seconds=time.perf_counter() - started,
            traces=kept_traces.joined(),
            scores=scorer.scores,
            class_names=data_set.class_names,
            classes=told_apart(network.outputs[0]) or 0,
            difference=comparer.difference,
            min_accuracy=min_accuracy,
        )
        if confusion is not None:
            write_confusion(Path(confusion), result.confusion, result.class_names)
    return result


def _truth(
    labels: ArraySource | None, data_set: DataSet, network: Network
) -> NDArray[np.int64] | None:
    """Return the classes of all images, if they are known."""
    if labels is not None and data_set.labels is not None:
        raise DataFileError("the folders of the images are their labels: leave the others out")
    found = data_set.labels if labels is None else load_labels(labels, data_set.count)
    if found is not None:
        check_labels(found, network.outputs[0])
    return found


def _sources(*given: DataSource | None) -> list[object]:
    """Return what data come from: files, as a rule."""
    return [
        source
        for item in given
        for source in (item.values() if isinstance(item, Mapping) else (item,))
    ]


def _check_wishes(truth: object, count: int, min_accuracy: float | None, confusion: object) -> None:
    """Raise ``RangeError`` if an accuracy or a matrix is wanted of what has none."""
    if truth is None and (min_accuracy is not None or confusion is not None):
        raise RangeError(
            "there are no labels, of which an accuracy or a confusion matrix could be made: give"
            " some, or a folder with a folder of images for each class"
        )
    if min_accuracy is None:
        return
    if not 0 <= min_accuracy <= 1:
        raise RangeError(f"the least accuracy is {min_accuracy}: it should be a share from 0 to 1")
    if not count:
        raise RangeError("there are no images, of which an accuracy could be said")


def _check_kind(output: str | Path | None, network: Network) -> None:
    """Raise ``OutputError`` for several outputs that should go to a file of one array."""
    if output is not None and len(network.outputs) > 1 and Path(output).suffix != ".npz":
        names = ", ".join(f"'{port.name}'" for port in network.outputs)
        raise OutputError(f"{output} should be a .npz file: the model has the outputs {names}")


@contextmanager
def _output(output: str | Path | None, network: Network, count: int) -> Iterator[Append]:
    """Yield the function that writes the outputs of ``network`` to their file, if there is one."""
    names = [port.name for port in network.outputs]
    if output is None:
        yield lambda _: None
    elif Path(output).suffix == ".npz":
        with npz_file(Path(output), names, count) as append:
            yield append
    else:
        with npy_files({names[0]: Path(output)}, count) as append:
            yield append


@contextmanager
def _computing(
    build: Build,
    nothing: Arrays,
    engine: Engine,
    dask: str | None,
    *,
    seed: int,
    threads: int | None,
    instructions: str | None,
) -> Iterator[Callable[[Iterable[Arrays]], Iterator[Arrays]]]:
    """Yield the function from batches of the model's inputs to those of its outputs."""
    if dask is None:
        compute = computation(build, engine, seed=seed, threads=threads, instructions=instructions)
        compute(nothing)  # what is compiled only once takes no time of the images
        yield lambda batches: map(compute, batches)
        return
    with cluster(
        dask, build, engine, seed=seed, threads=threads, instructions=instructions
    ) as compute_there:
        yield compute_there


def _batch(data_set: DataSet, network: Network, engine: Engine, dask: str | None) -> int:
    """Return how many images of ``data_set`` are computed at a time."""
    graph = network.graph
    if dask is not None and engine is Engine.COMPILED:
        return shard_images(graph)
    if engine is not Engine.COMPILED:
        return images_at_once(graph, most=BATCH)
    # It keeps what is between inputs and outputs for a few images only, and likes whole blocks.
    taken = data_set.bytes_a_sample + 8 * sum(graph.types[name].size for name in graph.outputs)
    size = min(COMPILED_BATCH, _BATCH_BYTES // taken)
    return max(1, size if size < _BLOCK else size - size % _BLOCK)


def images_at_once(*graphs: Graph, most: int) -> int:
    """Return for how many images all values of ``graphs`` fit in memory: from 1 to ``most``."""
    numbers = sum(type_.size for graph in graphs for type_ in graph.types.values())
    return max(1, min(most, MOST_NUMBERS // max(numbers, 1)))
