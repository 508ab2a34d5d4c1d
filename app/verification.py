"""``verify``: every stage of a build against the one before it, element by element.

the model, read exactly         every value's exact numbers, if asked for
the trained model in Brevitas   the quantizers' integers, layer by layer (``demo`` only)
the model in qonnx's executor   the quantizers' integers, layer by layer, and the output
the integer graph               its reference, fed the executor's integers
the graph of processes          its reference
the compiled C++                every stream of it, with unbounded and with bounded FIFOs
the files of the build          as compile wrote them; the C++ may have been edited since
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.build import PLAN, Build, BuildError, Changes, changes, load_build
from lutloom.core.errors import LutloomError
from lutloom.data import load_images
from lutloom.simulation import COMPILED_BATCH, cache_of, classes, in_batches
from lutloom.verification_report import drop_report, write_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.data import DataSource
    from lutloom.sim.csim import CSim, CSimError
    from lutloom.streamline.comparison import Beyond
    from lutloom.streamline.layer_comparison import LayerComparison

    Values: TypeAlias = Mapping[str, IntArray]

SAMPLES = 100
# What one batch of float64 tensors and bounds takes stays small this way.
_EXECUTOR_BATCH = 500


class Stage(Enum):
    """What is compared with what: two neighbours of the pipeline."""

    EXPORT = "Brevitas and its QONNX export"
    BREVITAS = "Brevitas and the integer graph"
    EXACT = "the exact interpreter of the model and the integer graph"
    MODEL = "qonnx and the integer graph"
    PROCESSES = "the integer graph and the processes"
    CSIM = "the processes and the compiled C++"
    BOUNDED = "the processes and the compiled C++ with bounded FIFOs"
    FILES = "the files and what compile wrote"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: ``differing`` of ``elements`` numbers differ, ``explained`` of them by a
    bound on the float executor's own rounding, and ``structural`` ones besides: explained too, in
    elements that are ties for at least 1 % of the images. ``subject`` is a value of the graph, or
    what of the model's output is compared; of the files, those are explained that may be edited.
    """

    stage: Stage
    subject: str
    elements: int
    differing: int
    explained: int = 0
    remark: str = ""
    structural: int = 0

    @property
    def unexplained(self) -> int:
        """How many differ without an excuse."""
        return self.differing - self.explained - self.structural

    @property
    def passed(self) -> bool:
        """Whether all are equal, or explained."""
        return self.unexplained == 0


@dataclass(frozen=True, slots=True)
class Verification:
    """All comparisons of one run, over ``samples`` images.

    ``layers`` says more of the quantizers in the float executor, in the order of the data.
    """

    checks: tuple[Check, ...]
    samples: int
    layers: tuple[LayerComparison, ...] = ()

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
    exact: int = 0,
    csim: bool = True,
    seed: int = 0,
    on_step: Callable[[str], None] | None = None,
) -> Verification:
    """Compare every stage of ``build`` with the one before it.

    ``data [N, ...]`` are inputs of the model, of which the first ``samples`` are used; without
    them, the samples that ``compile`` was given, else random numbers from ``seed``. The first
    ``exact`` of them are interpreted in exact numbers as well, which is slow. ``csim``
    compiles and runs the C++ as well, which needs a C++ compiler and the ap_types headers.
    ``on_step`` is called with a sentence before each step.

    What was found is also written into the build as ``verification.json``, if files can be written
    there; one of an earlier run is gone from the start.

    Raises a ``LutloomError`` where a stage can't be run; a difference is a result, no error.
    """
    tell = on_step or (lambda _: None)
    loaded = build if isinstance(build, Build) else load_build(build, strict=False)
    drop_report(loaded.directory)
    changed = changes(loaded.directory)
    if changed.is_replanned:
        path = loaded.directory / PLAN
        raise BuildError(
            f"{path} is not the plan that the C++ was written for: compile the model again with"
            f" --plan {path}"
        )
    for name in changed.missing:
        raise BuildError(f"{loaded.directory / name} is missing: compile the model again")
    files = (*changed.data, *changed.sources)
    if files:
        # Said before anything of it runs: damaged C++ may crash.
        tell(f"Changed since it was compiled: {_listed(files)}")
    try:
        images = _images(loaded, data, samples, seed)
        checks, layers = _checks(loaded, images, exact=exact, csim=csim, tell=tell)
    except LutloomError:
        raise
    except Exception as error:
        if not files:
            raise
        raise BuildError(
            f"{loaded.directory / files[0]} is damaged ({type(error).__name__}: {error}):"
            " compile the model again"
        ) from error
    result = Verification((*checks, _file_check(changed)), len(images), layers)
    write_report(result, loaded.directory)
    return result


def _checks(
    build: Build,
    images: NDArray[Any],
    *,
    exact: int,
    csim: bool,
    tell: Callable[[str], None],
) -> tuple[list[Check], tuple[LayerComparison, ...]]:
    from lutloom.sim.reference import run

    encoded = build.network.encode(images)
    if csim:
        from lutloom.sim.toolchain import find_ap_headers, find_compiler

        find_compiler()  # what is missing is said before minutes are spent
        find_ap_headers()
    integers = run(build.network.graph, {build.network.input_value: encoded})
    processed = run(build.processes, {build.network.input_value: encoded})
    checks = []
    if exact > 0:
        tell(f"Interpreting the model exactly, {len(images[:exact]):,} images")
        few = {name: value[:exact] for name, value in integers.items()}
        checks += _exact_checks(build, images[:exact], few)
    tell(f"Running the model in qonnx's executor, {len(images):,} images")
    model_checks, layers = _model_checks(build, images, integers)
    checks += model_checks
    checks += _process_checks(build, integers, processed)
    if csim:
        checks += _csim_checks(build, processed, tell)
    return checks, layers


def _exact_checks(build: Build, images: NDArray[Any], values: Values) -> list[Check]:
    from lutloom.streamline.exact_comparison import compare_exactly

    return [
        Check(Stage.EXACT, entry.value, entry.elements, entry.differing)
        for entry in compare_exactly(build.network, build.model, images, values)
    ]


def _file_check(changed: Changes) -> Check:
    files = (*changed.data, *changed.sources)
    remark = f"changed since it was compiled: {_listed(files)}" if files else ""
    return Check(Stage.FILES, "files", changed.count, len(files), len(changed.sources), remark)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _images(build: Build, data: DataSource | None, samples: int, seed: int) -> NDArray[Any]:
    import numpy as np

    if samples < 1:
        raise BuildError(f"samples is {samples}: verify at least 1")
    if data is not None:
        return load_images(data)[:samples]
    kept = build.samples()
    if kept is not None:
        return kept[:samples]
    network, random = build.network, np.random.default_rng(seed)
    shape = (samples, *network.input_shape)
    if not network.raw_input:
        return random.uniform(-1, 1, shape).astype(np.float32)
    element = network.graph.inputs[network.input_value].element
    return random.integers(element.count, size=shape) * element.step + element.lo


def _compare(stage: Stage, subject: str, found: IntArray, wanted: IntArray) -> Check:
    """Compare ``found`` with ``wanted``; say where they first differ."""
    import numpy as np

    found = found.reshape(wanted.shape)
    differs = np.argwhere(found != wanted)
    remark = ""
    if len(differs):
        first = tuple(int(index) for index in differs[0])
        remark = f"first at {list(first)}: {int(found[first])} instead of {int(wanted[first])}"
    return Check(stage, subject, wanted.size, len(differs), remark=remark)


def _model_checks(
    build: Build, images: NDArray[Any], integers: Values
) -> tuple[list[Check], tuple[LayerComparison, ...]]:
    import numpy as np

    from lutloom.streamline.comparison import compare_batch, merge
    from lutloom.streamline.executor import prepare
    from lutloom.streamline.folded_constants import fold_constants
    from lutloom.streamline.source import read_source

    network = build.network
    encoded = integers[network.input_value]
    floats = images
    if network.raw_input:
        meaning = network.meaning[network.input_value]
        floats = meaning.in_model_order(meaning.to_real(encoded))
    source = read_source(build.model)
    constants = fold_constants(source)
    parts, outputs = [], []
    executor = prepare(build.model, min(len(floats), _EXECUTOR_BATCH))
    for start in range(0, len(floats), _EXECUTOR_BATCH):
        batch = floats[start : start + _EXECUTOR_BATCH]
        if len(batch) != executor.batch:  # what is left over at the end
            executor = prepare(build.model, len(batch))
        tensors = executor.run(batch)
        parts.append(
            compare_batch(network, source, tensors, encoded[start : start + len(batch)], constants)
        )
        outputs.append(tensors[source.outputs[0].name])
    comparison = merge(parts)
    checks = [layer_check(Stage.MODEL, layer) for layer in comparison.layers]
    checks += [_beyond_check(entry) for entry in comparison.beyond]
    ours = network.decode(integers[network.output_value])
    theirs = np.concatenate([part.reshape(-1, *ours.shape[1:]) for part in outputs])
    if comparison.outside is not None:
        remark = "within the bounds on the host's float32 error" if network.tail else ""
        checks.append(
            Check(Stage.MODEL, "output", comparison.outputs, comparison.outside, remark=remark)
        )
    checks.append(_output_check(ours, theirs, comparison.excused))
    return checks, comparison.layers


def layer_check(stage: Stage, layer: LayerComparison) -> Check:
    """Return the check of one quantizer in a float executor."""
    remarks = []
    if layer.skipped:
        remarks.append(
            f"{layer.skipped:,} outputs not compared: the executor's rounding made an integer that"
            " can't occur of their image"
        )
    if layer.off_grid:
        remarks.append(f"{layer.off_grid} outputs of the executor are no multiples of its scale")
    if layer.ties:
        tied = max(layer.ties, key=lambda tie: tie.tied)
        remarks.append(
            f"{layer.structural:,} differences at exact ties of {len(layer.ties):,} elements, such"
            f" as {list(tied.element)}, tied in {tied.tied:,} images"
        )
    return Check(
        stage,
        layer.value,
        layer.elements,
        layer.differing + layer.off_grid,
        layer.explained,
        "; ".join(remarks),
        layer.structural,
    )


def _beyond_check(found: Beyond) -> Check:
    """Return the check of a bound that does not hold, for whatever reason."""
    remark = (
        "this constant is another one in the executor, which folds it in a way of its own"
        if found.is_constant
        else "floats of the executor are further from the exact numbers than the bound of this"
        " operator allows: measure it again with benchmarks/function_errors.py"
    )
    return Check(Stage.MODEL, found.node, found.elements, found.beyond, remark=remark)


def _output_check(ours: NDArray[Any], theirs: NDArray[Any], excused: NDArray[np.bool_]) -> Check:
    """Compare classes end to end, image by image; the floats of the host's tail are reported.

    ``excused`` are the images in which they may differ: see ``Comparison``.
    """
    import numpy as np

    if ours.dtype.kind == "i":
        differs = (ours != theirs).reshape(len(ours), -1)
        explained = int(differs[excused].sum())
        return Check(Stage.MODEL, "indices", ours.size, int(differs.sum()), explained)
    ours_rows, theirs_rows = (x.reshape(len(x), -1) for x in (ours, theirs))
    differs = classes(ours_rows) != classes(theirs_rows)
    with np.errstate(invalid="ignore"):
        largest = float(np.abs(ours_rows - theirs_rows).max(initial=0.0))
    remark = (
        f"{int((ours_rows == theirs_rows).sum())} of {ours.size} floats equal,"
        f" largest difference {largest:.2g}; {_ties(theirs_rows)} ties"
    )
    explained = int((differs & excused).sum())
    return Check(Stage.MODEL, "classes", len(ours), int(differs.sum()), explained, remark)


def _ties(rows: NDArray[Any]) -> int:
    """Return how many rows have their largest number more than once."""
    largest = rows.max(axis=1, keepdims=True)
    return int(((rows == largest).sum(axis=1) > 1).sum())


def _process_checks(build: Build, integers: Values, processed: Values) -> list[Check]:
    (output,) = build.processes.outputs
    checks = []
    for name, value in processed.items():
        twin = integers.get(name)
        if name == output:
            twin = integers[build.network.output_value]
        if twin is None or name in build.processes.inputs:
            continue
        checks.append(_compare(Stage.PROCESSES, name, value, twin))
    return checks


def _csim_checks(build: Build, reference: Values, tell: Callable[[str], None]) -> list[Check]:
    from lutloom.sim.csim import CSimError
    from lutloom.sim.csim import build as build_simulation

    encoded = reference[build.network.input_value]
    (output,) = build.processes.outputs
    tell("Compiling and running the C++")
    simulation = build_simulation(build.directory, cache=cache_of(build))
    try:
        traces = _trace(simulation, encoded)
    except CSimError as error:
        checks = [_misbehaved(Stage.CSIM, output, reference[output], error)]
    else:
        checks = [
            _compare(Stage.CSIM, name, value, reference[name])
            for name, value in traces.items()
            if name in reference and name not in build.processes.inputs
        ]
    tell("Compiling and running the C++ with bounded FIFOs")
    bounded = build_simulation(build.directory, bounded=True, cache=cache_of(build))
    try:
        found = in_batches(bounded.run)(encoded)
    except CSimError as error:
        return [*checks, _misbehaved(Stage.BOUNDED, output, reference[output], error)]
    return [*checks, _compare(Stage.BOUNDED, output, found, reference[output])]


def _misbehaved(stage: Stage, subject: str, wanted: IntArray, error: CSimError) -> Check:
    """Return the check of a design that gave no numbers: a deadlock, or words too few."""
    return Check(stage, subject, wanted.size, wanted.size, remark=str(error))


def _trace(simulation: CSim, encoded: IntArray) -> dict[str, IntArray]:
    import numpy as np

    starts = range(0, len(encoded), COMPILED_BATCH)
    parts = [simulation.trace(encoded[start : start + COMPILED_BATCH]) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
