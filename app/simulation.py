"""``simulate``: what the hardware computes, over a data set."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.build import Build, check_output, load_build
from lutloom.core.errors import RangeError
from lutloom.core.files import OutputError
from lutloom.data import count_of, load_data, load_labels, samples_of, save_array, save_arrays
from lutloom.engines import Engine, computation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.network import Network
    from lutloom.data import ArraySource, DataSource

BATCH = 1000
MOST_NUMBERS = 2**26
"""Integers of 8 bytes that a batch may take."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """The model's outputs ``[N, ...]`` by name, and how many of ``N`` labels were met.

    The largest number of the first output is the class.
    """

    arrays: Mapping[str, NDArray[Any]]
    correct: int | None
    seconds: float

    @property
    def outputs(self) -> NDArray[Any]:
        """The only output. Raises ``RangeError``, naming them, if there are several."""
        if len(self.arrays) > 1:
            raise RangeError(f"the model has the outputs {[*self.arrays]}: take one by its name")
        return self.first

    @property
    def first(self) -> NDArray[Any]:
        """The first output."""
        return next(iter(self.arrays.values()))

    @property
    def accuracy(self) -> float | None:
        """Share of the images whose label was met, 0 to 1; None without labels or images."""
        if self.correct is None or len(self.first) == 0:
            return None
        return self.correct / len(self.first)


def simulate(
    build: str | Path | Build,
    data: DataSource,
    *,
    labels: ArraySource | None = None,
    output: str | Path | None = None,
    engine: Engine = Engine.REFERENCE,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Run ``build`` over ``data [N, ...]``: what the QONNX model takes; its outputs come back.

    ``data``, ``labels`` and ``output`` are .npy files; the first two may be arrays. Several inputs
    or outputs are .npz files, by the model's names; the data may be a mapping, too. ``engine`` says
    what computes; ``seed`` is for the adversarial one. ``on_progress`` is called with the images
    done and all of them.

    Raises a ``LutloomError`` for a directory that is no build, for data that do not fit, and for a
    design that stops because its FIFOs are too short.
    """
    import numpy as np

    started = time.perf_counter()
    loaded = build if isinstance(build, Build) else load_build(build)
    network = loaded.network
    # Data of a wrong shape are named before anything is compiled.
    images = network.named(load_data(data))
    count = count_of(images)
    truth = None if labels is None else load_labels(labels, count)
    if output is not None:
        _check_output(Path(output), network, data, labels)
        check_output(Path(output), loaded.directory)
    compute = computation(loaded, engine, seed=seed)
    parts = []
    size = images_at_once(network.graph, most=BATCH)
    for start in range(0, max(count, 1), size):
        parts.append(compute(samples_of(images, slice(start, start + size))))
        if on_progress is not None:
            on_progress(min(start + size, count), count)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    result = Simulation(arrays, None, 0.0)
    if output is not None and Path(output).suffix == ".npz":
        save_arrays(Path(output), arrays)
    elif output is not None:
        save_array(Path(output), result.outputs)
    correct = None if truth is None else int((classes(result.first) == truth).sum())
    return Simulation(arrays, correct, time.perf_counter() - started)


def _check_output(
    output: Path, network: Network, data: DataSource, labels: ArraySource | None
) -> None:
    """Raise ``OutputError`` if the outputs of ``network`` can't go to ``output``."""
    if not output.parent.is_dir():
        raise OutputError(f"{output} can't be written: {output.parent} is no directory")
    sources = [*(data.values() if isinstance(data, Mapping) else (data,)), labels]
    for source in sources:
        # By whatever path.
        is_file = isinstance(source, str | Path) and output.exists() and Path(source).exists()
        if is_file and output.samefile(source):
            raise OutputError(f"{output} is the input itself: write the outputs to another file")
    if len(network.outputs) > 1 and output.suffix != ".npz":
        names = ", ".join(f"'{port.name}'" for port in network.outputs)
        raise OutputError(f"{output} should be a .npz file: the model has the outputs {names}")


def images_at_once(*graphs: Graph, most: int) -> int:
    """Return for how many images all values of ``graphs`` fit in memory: from 1 to ``most``."""
    numbers = sum(type_.size for graph in graphs for type_ in graph.types.values())
    return max(1, min(most, MOST_NUMBERS // max(numbers, 1)))


def classes(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the class of each image: the largest output (the lowest of equal ones), or the index
    that the model itself gives.
    """
    import numpy as np

    rows = outputs.reshape(len(outputs), math.prod(outputs.shape[1:]))
    if outputs.dtype.kind == "i":
        return np.asarray(rows[:, 0])
    return np.asarray(rows.argmax(axis=1))
