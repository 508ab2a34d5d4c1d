"""``verify``: every stage of a build against the one before it, element by element.

the model in qonnx's executor   the quantizers' integers, layer by layer, and the output
the integer graph               its reference, fed the executor's integers
the graph of processes          its reference
the compiled C++                every stream of it, with unbounded and with bounded FIFOs
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.build import Build, load_build
from lutloom.data import load_array
from lutloom.simulation import classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.data import DataSource

SAMPLES = 100


class Stage(Enum):
    """What is compared with what: two neighbours of the pipeline."""

    EXPORT = "Brevitas and its QONNX export"
    MODEL = "qonnx and the integer graph"
    PROCESSES = "the integer graph and the processes"
    CSIM = "the processes and the compiled C++"
    BOUNDED = "the processes and the compiled C++ with bounded FIFOs"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: ``differing`` of ``elements`` numbers differ, ``explained`` of them by a
    proved bound on the float executor's own rounding. ``subject`` is a value of the graph, or
    what of the model's output is compared.
    """

    stage: Stage
    subject: str
    elements: int
    differing: int
    explained: int = 0
    remark: str = ""

    @property
    def passed(self) -> bool:
        """Whether all are equal, or explained."""
        return self.differing == self.explained


@dataclass(frozen=True, slots=True)
class Verification:
    """All comparisons of one run, over ``samples`` images."""

    checks: tuple[Check, ...]
    samples: int

    @property
    def passed(self) -> bool:
        """Whether every comparison passed."""
        return all(check.passed for check in self.checks)

    @property
    def first_failure(self) -> Check | None:
        """The first comparison that failed: the layer to look at."""
        return next((check for check in self.checks if not check.passed), None)


def verify(
    build: str | Path | Build,
    data: DataSource | None = None,
    *,
    samples: int = SAMPLES,
    csim: bool = True,
    seed: int = 0,
) -> Verification:
    """Compare every stage of ``build`` with the one before it.

    ``data [N, ...]`` are inputs of the model, of which the first ``samples`` are used; without
    them, the samples that ``compile`` was given, else random numbers from ``seed``. ``csim``
    compiles and runs the C++ as well, which needs a C++ compiler and the ap_types headers.

    Raises a ``LutloomError`` where a stage can't be run; a difference is a result, no error.
    """
    loaded = build if isinstance(build, Build) else load_build(build)
    images = _images(loaded, data, samples, seed)
    encoded = loaded.network.encode(images)
    checks = [*_model_checks(loaded, images, encoded), *_process_checks(loaded, encoded)]
    if csim:
        checks += _csim_checks(loaded, encoded)
    return Verification(tuple(checks), len(images))


def _images(build: Build, data: DataSource | None, samples: int, seed: int) -> NDArray[Any]:
    import numpy as np

    if data is not None:
        return load_array(data, "data")[:samples]
    kept = build.samples()
    if kept is not None:
        return kept[:samples]
    network, random = build.network, np.random.default_rng(seed)
    shape = (samples, *network.input_shape)
    if not network.raw_input:
        return random.uniform(-1, 1, shape).astype(np.float32)
    element = network.graph.inputs[network.input_value].element
    return random.integers(element.count, size=shape) * element.step + element.lo


def _model_checks(build: Build, images: NDArray[Any], encoded: IntArray) -> list[Check]:
    import numpy as np

    from lutloom.sim.reference import run
    from lutloom.streamline.comparison import compare
    from lutloom.streamline.executor import execute
    from lutloom.streamline.source import read_source

    network = build.network
    floats = images
    if network.raw_input:
        meaning = network.meaning[network.input_value]
        back = (0, *(int(axis) + 1 for axis in np.argsort(meaning.axes)))
        floats = meaning.to_real(encoded).transpose(back)
    source = read_source(build.model)
    tensors = execute(build.model, floats)
    checks = []
    comparison = compare(network, source, tensors, encoded)
    for layer in comparison.layers:
        remark = f"largest distance over bound {layer.nearest:.2g}" if layer.explained else ""
        if layer.off_grid:
            remark = f"{layer.off_grid} outputs of the executor are no multiples of its scale"
        checks.append(
            Check(
                Stage.MODEL,
                layer.value,
                layer.elements,
                layer.differing + layer.off_grid,
                layer.explained,
                remark,
            )
        )
    values = run(network.graph, {network.input_value: encoded})
    ours = network.decode(values[network.output_value])
    theirs = tensors[source.outputs[0].name].reshape(ours.shape)
    earlier = sum(check.differing for check in checks)
    if comparison.outside is not None:
        remark = "within the bounds on the host's float32 error" if network.tail else ""
        checks.append(
            Check(Stage.MODEL, "output", comparison.outputs, comparison.outside, remark=remark)
        )
    checks.append(_output_check(ours, theirs, earlier=earlier))
    return checks


def _output_check(ours: NDArray[Any], theirs: NDArray[Any], earlier: int) -> Check:
    """Compare classes; floats of the host's tail are reported, integers must be equal.

    Where earlier layers have explained differences, classes that follow from them count so.
    """
    import numpy as np

    if ours.dtype.kind == "i":
        differing = int((ours != theirs).sum())
        return Check(Stage.MODEL, "indices", ours.size, differing, differing if earlier else 0)
    ours_rows, theirs_rows = (x.reshape(len(x), -1) for x in (ours, theirs))
    differing = int((classes(ours_rows) != classes(theirs_rows)).sum())
    largest = float(np.abs(ours_rows - theirs_rows).max(initial=0.0))
    remark = (
        f"{int((ours_rows == theirs_rows).sum())} of {ours.size} floats equal,"
        f" largest difference {largest:.2g}; {_ties(theirs_rows)} ties"
    )
    return Check(Stage.MODEL, "classes", len(ours), differing, differing if earlier else 0, remark)


def _ties(rows: NDArray[Any]) -> int:
    """Return how many rows have their largest number more than once."""
    largest = rows.max(axis=1, keepdims=True)
    return int(((rows == largest).sum(axis=1) > 1).sum())


def _process_checks(build: Build, encoded: IntArray) -> list[Check]:
    from lutloom.sim.reference import run

    network = build.network
    integers = run(network.graph, {network.input_value: encoded})
    processes = run(build.processes, {network.input_value: encoded})
    (output,) = build.processes.outputs
    checks = []
    for name, value in processes.items():
        twin = integers.get(name)
        if name == output:
            twin = integers[network.output_value]
        if twin is None or name in build.processes.inputs:
            continue
        differing = int((value.reshape(twin.shape) != twin).sum())
        checks.append(Check(Stage.PROCESSES, name, twin.size, differing))
    return checks


def _csim_checks(build: Build, encoded: IntArray) -> list[Check]:
    from lutloom.sim.csim import build as build_simulation
    from lutloom.sim.reference import run

    reference = run(build.processes, {build.network.input_value: encoded})
    (output,) = build.processes.outputs
    simulation = build_simulation(build.directory)
    checks = [
        Check(
            Stage.CSIM,
            name,
            value.size,
            int((value.reshape(reference[name].shape) != reference[name]).sum()),
        )
        for name, value in simulation.trace(encoded).items()
        if name in reference and name not in build.processes.inputs
    ]
    got = build_simulation(build.directory, bounded=True).run(encoded)
    differing = int((got.reshape(reference[output].shape) != reference[output]).sum())
    return [*checks, Check(Stage.BOUNDED, output, got.size, differing)]
