"""The comparisons of ``verify``, batch by batch: as many images as fit in memory with their values.

A design of millions of values an image is compared a few images at a time; what the batches found
is added up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.core.counts import counted
from lutloom.data import count_of, samples_of
from lutloom.engines import COMPILED_BATCH, Engine, cache_of, runner
from lutloom.scores import classes
from lutloom.simulation import images_at_once
from lutloom.verification import Check, Stage, layer_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.build import Build
    from lutloom.core.types import IntArray
    from lutloom.engines import Runner
    from lutloom.sim.csim import CSim
    from lutloom.streamline.comparison_parts import Beyond, Part
    from lutloom.streamline.executor import Executor
    from lutloom.streamline.folded_constants import FoldedConstant
    from lutloom.streamline.layer_comparison import LayerComparison
    from lutloom.streamline.source import Source

    Arrays: TypeAlias = Mapping[str, NDArray[Any]]
    Values: TypeAlias = Mapping[str, IntArray]
    Tell: TypeAlias = Callable[[str], None]

_MOST_IMAGES = 500
# Numbers of all tensors of a batch in the float executor: each takes 4 bytes there, and 16 for its
# value and bound.
_MOST_FLOATS = 2**25


def compare_stages(
    build: Build, images: Arrays, *, exact: int, csim: bool, seed: int, tell: Tell
) -> tuple[list[Check], tuple[LayerComparison, ...]]:
    """Return all comparisons of ``build`` on ``images``, by input, but that of its files.

    The first ``exact`` images are interpreted exactly; ``seed`` is that of the adversary of bounded
    FIFOs. Raises as ``verify`` does.
    """
    from lutloom.sim.reference import run

    if csim:
        from lutloom.sim.toolchain import find_ap_headers, find_compiler

        find_compiler()  # what is missing is said before minutes are spent
        find_ap_headers()
    network, total = build.network, count_of(images)
    encoded = network.encode_all(images)
    model = _ModelComparison.of(build, total)
    engine = _engine_of(build)
    compiled = [_Compiled(build, adversary) for adversary in (None, seed)] if csim else []
    checks: list[Check] = []
    size = images_at_once(network.graph, build.processes, most=_MOST_IMAGES)
    for first in range(0, total, size):
        batch = slice(first, first + size)
        inputs = samples_of(encoded, batch)
        integers = run(network.graph, inputs)
        processed = run(build.processes, inputs)
        if first < exact:
            few = samples_of(images, slice(first, min(exact, first + size)))
            tell(f"Interpreting the model exactly, {counted(count_of(few), 'image')}")
            checks += _exact_checks(build, few, integers)
        if not first:
            tell(f"Running the model in qonnx's executor, {counted(total, 'image')}")
        model.compare(samples_of(images, batch), integers)
        if engine is not None:
            checks += [
                _compare(Stage.ENGINE, name, value, integers[name], first)
                for name, value in engine(inputs).items()
            ]
        checks += _process_checks(build, integers, processed, first)
        for design in compiled:
            if not first:
                tell(design.announcement)
            checks += design.compare(processed, first)
        if total > size:
            tell(f"Compared {min(first + size, total):,} of {counted(total, 'image')}")
    model_checks, layers = model.result()
    whole: list[Check] = []
    for stage in Stage:
        found = (check for check in checks if check.stage is stage)
        whole += model_checks if stage is Stage.MODEL else _together(found)
    return whole, layers


def _engine_of(build: Build) -> Runner | None:
    """Return what `simulate` computes with by default; None without a compiler for it."""
    from lutloom.sim.toolchain import CSimError

    try:
        return runner(build, Engine.COMPILED, 0)
    except CSimError:
        return None


def _together(checks: Iterable[Check]) -> Iterator[Check]:
    """Yield the checks of one stage, those of one subject as one."""
    found: dict[str, Check] = {}
    for check in checks:
        earlier = found.get(check.subject, replace(check, elements=0, differing=0, explained=0))
        found[check.subject] = replace(
            earlier,
            elements=earlier.elements + check.elements,
            differing=earlier.differing + check.differing,
            explained=earlier.explained + check.explained,
            remark=earlier.remark or check.remark,
        )
    yield from found.values()


def _compare(
    stage: Stage, subject: str, found: IntArray, wanted: IntArray, first_image: int
) -> Check:
    """Compare ``found`` with ``wanted``; say where they first differ."""
    import numpy as np

    found = found.reshape(wanted.shape)
    differs = np.argwhere(found != wanted)
    remark = ""
    if len(differs):
        at = tuple(int(index) for index in differs[0])
        place = [at[0] + first_image, *at[1:]]
        remark = f"first at {place}: {int(found[at])} instead of {int(wanted[at])}"
    return Check(stage, subject, wanted.size, len(differs), remark=remark)


def _exact_checks(build: Build, images: Arrays, integers: Values) -> list[Check]:
    from lutloom.streamline.exact_comparison import compare_exactly

    few = samples_of(integers, slice(count_of(images)))
    return [
        Check(Stage.EXACT, entry.value, entry.elements, entry.differing)
        for entry in compare_exactly(build.network, build.model, images, few)
    ]


@dataclass(eq=False)
class _ModelComparison:
    """The integer graph beside the model in qonnx's executor, of as many images at a time as that
    has memory for.
    """

    build: Build
    source: Source
    constants: Mapping[str, FoldedConstant]
    executor: Executor
    size: int
    parts: list[Part] = field(default_factory=list)
    ours: list[Arrays] = field(default_factory=list)
    theirs: list[Arrays] = field(default_factory=list)

    @classmethod
    def of(cls, build: Build, images: int) -> _ModelComparison:
        from lutloom.streamline.executor import prepare
        from lutloom.streamline.folded_constants import fold_constants
        from lutloom.streamline.source import read_source

        source = read_source(build.model)
        executor = prepare(build.model, 1)
        size = max(1, min(images, _MOST_IMAGES, _MOST_FLOATS // max(executor.elements, 1)))
        return cls(build, source, fold_constants(source), executor, size)

    def compare(self, images: Arrays, integers: Values) -> None:
        """Compare one batch, by input, whose values in the graph are ``integers``."""
        from lutloom.streamline.comparison import compare_batch
        from lutloom.streamline.executor import prepare

        network = self.build.network
        encoded = {port.value: integers[port.value] for port in network.inputs}
        floats = dict(images)
        for port in network.inputs:
            if port.is_raw:
                meaning = network.meaning[port.value]
                floats[port.name] = meaning.in_model_order(meaning.to_real(encoded[port.value]))
        for start in range(0, count_of(floats), self.size):
            part = slice(start, start + self.size)
            batch = samples_of(floats, part)
            if count_of(batch) != self.executor.batch:  # the first one, and what is left over
                self.executor = prepare(self.build.model, count_of(batch))
            tensors, own = self.executor.run(batch), samples_of(encoded, part)
            self.parts.append(compare_batch(network, self.source, tensors, own, self.constants))
            self.theirs.append({port.name: tensors[port.name] for port in network.outputs})
        self.ours.append(network.decode_all(integers))

    def result(self) -> tuple[list[Check], tuple[LayerComparison, ...]]:
        """Return what all batches found."""
        import numpy as np

        from lutloom.streamline.comparison_parts import merge

        comparison = merge(self.parts)
        checks = [layer_check(Stage.MODEL, layer) for layer in comparison.layers]
        checks += [_beyond_check(entry) for entry in comparison.beyond]
        ports = self.build.network.outputs
        for port, found in zip(ports, comparison.outputs, strict=True):
            of = f" {port.name}" if len(ports) > 1 else ""
            ours = np.concatenate([part[port.name] for part in self.ours])
            parts = [part[port.name].reshape(-1, *ours.shape[1:]) for part in self.theirs]
            if found.outside is not None:
                remark = "within the bounds on the host's float32 error" if port.tail else ""
                counts = found.elements, found.outside
                checks.append(Check(Stage.MODEL, f"output{of}", *counts, remark=remark))
            check = _output_check(ours, np.concatenate(parts), found.excused)
            checks.append(replace(check, subject=f"{check.subject}{of}"))
        return checks, comparison.layers


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
        f"{int((ours_rows == theirs_rows).sum())} of {counted(ours.size, 'float')} equal,"
        f" largest difference {largest:.2g}; {counted(_ties(theirs_rows), 'tie')}"
    )
    explained = int((differs & excused).sum())
    return Check(Stage.MODEL, "classes", len(ours), int(differs.sum()), explained, remark)


def _ties(rows: NDArray[Any]) -> int:
    """Return how many rows have their largest number more than once."""
    largest = rows.max(axis=1, keepdims=True)
    return int(((rows == largest).sum(axis=1) > 1).sum())


def _process_checks(
    build: Build, integers: Values, processed: Values, first_image: int
) -> list[Check]:
    twins = dict(zip(build.processes.outputs, build.network.graph.outputs, strict=True))
    checks = []
    for name, value in processed.items():
        twin = integers.get(twins.get(name, name))
        if twin is None or name in build.processes.inputs:
            continue
        checks.append(_compare(Stage.PROCESSES, name, value, twin, first_image))
    return checks


@dataclass(eq=False)
class _Compiled:
    """The processes beside the compiled C++: every stream, or with bounded FIFOs the outputs.

    ``adversary`` is the seed of the one that FIFOs are bounded for.
    """

    build: Build
    adversary: int | None
    simulation: CSim | None = None
    is_broken: bool = False
    """It deadlocked, or gave too few words: it is not run again."""

    @property
    def announcement(self) -> str:
        how = "" if self.adversary is None else " with bounded FIFOs"
        return f"Compiling and running the C++{how}"

    def compare(self, processed: Values, first_image: int) -> list[Check]:
        """Compare one batch, whose values in the processes are ``processed``."""
        from lutloom.sim.csim import CSimError
        from lutloom.sim.csim import build as build_simulation
        from lutloom.sim.deadlock import DeadlockError

        if self.is_broken:
            return []
        if self.simulation is None:
            self.simulation = build_simulation(
                self.build.directory, bounded=self.adversary is not None, cache=cache_of(self.build)
            )
        output = self.build.processes.outputs[0]
        stage = Stage.CSIM if self.adversary is None else Stage.BOUNDED
        checks: list[Check] = []
        images = len(processed[output])
        for start in range(0, images, COMPILED_BATCH):  # C++ that runs can't be interrupted
            batch = slice(start, start + COMPILED_BATCH)
            try:
                found = self._values(self.simulation, processed, batch)
            except (CSimError, DeadlockError) as error:
                self.is_broken = True
                return [*checks, _misbehaved(stage, output, processed[output][batch], error)]
            checks += [
                _compare(stage, name, value, processed[name][batch], first_image + start)
                for name, value in found.items()
                if name in processed and name not in self.build.processes.inputs
            ]
        return checks

    def _values(self, simulation: CSim, processed: Values, batch: slice) -> Values:
        inputs = {name: processed[name] for name in self.build.processes.inputs}
        if self.adversary is not None:
            return simulation.run_all(samples_of(inputs, batch), adversary=self.adversary)
        return simulation.trace(samples_of(inputs, batch))


def _misbehaved(stage: Stage, subject: str, wanted: IntArray, error: Exception) -> Check:
    """Return the check of a design that gave no numbers: a deadlock, or words too few."""
    return Check(stage, subject, wanted.size, wanted.size, remark=str(error))
