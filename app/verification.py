"""``verify``: every stage of a build against the one before it, element by element.

the model, read exactly         every value's exact numbers, if asked for
the trained model in Brevitas   the quantizers' integers, layer by layer (``demo`` only)
the model in qonnx's executor   the quantizers' integers, layer by layer, and the output
the integer graph               its reference, fed the executor's integers
the compiled engine             the graph's outputs, where a compiler makes its kernels
the graph of processes          its reference
the compiled C++                every stream of it; its output with bounded FIFOs, whose processes
                                keep words back
the files of the build          as compile wrote them; the C++ may have been edited since
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.build import Build, BuildError, Changes, changes, check_planned, load_build
from lutloom.core.counts import counted
from lutloom.core.errors import LutloomError, LutloomWarning
from lutloom.core.files import OutputError
from lutloom.data import count_of, samples_of
from lutloom.data_set import open_data
from lutloom.random_images import random_images
from lutloom.verification_report import drop_report, write_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lutloom.data import DataSource
    from lutloom.streamline.layer_comparison import LayerComparison

SAMPLES = 100


class Stage(Enum):
    """What is compared with what: two neighbours of the pipeline."""

    EXPORT = "Brevitas and its QONNX export"
    BREVITAS = "Brevitas and the integer graph"
    EXACT = "the exact interpreter of the model and the integer graph"
    MODEL = "qonnx and the integer graph"
    ENGINE = "the integer graph and the compiled engine"
    PROCESSES = "the integer graph and the processes"
    CSIM = "the processes and the compiled C++"
    BOUNDED = "the processes and the compiled C++ with bounded FIFOs"
    FILES = "the files and what compile wrote"


TITLES = {
    Stage.EXPORT: "export",
    Stage.BREVITAS: "Brevitas",
    Stage.EXACT: "exact",
    Stage.MODEL: "integers",
    Stage.ENGINE: "engine",
    Stage.PROCESSES: "processes",
    Stage.CSIM: "C++",
    Stage.BOUNDED: "FIFOs",
}
"""The stages that compare numbers, each by what is compared with the stage before."""

COLUMNS = tuple(stage for stage in TITLES if stage is not Stage.ENGINE)
"""Those that compare value by value: the compiled engine has no values but its outputs."""


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

    @property
    def verdict(self) -> str:
        """What came of it, in a word or two."""
        if self.differing == 0:
            return "equal"
        return f"{self.differing:,} explained" if self.passed else f"{self.unexplained:,} differ"


@dataclass(frozen=True, slots=True)
class Verification:
    """All comparisons of one run, over ``samples`` images.

    ``layers`` says more of the quantizers in the float executor, in the order of the data.
    ``page`` is the build's report, if it could be written anew with all this in it.
    """

    checks: tuple[Check, ...]
    samples: int
    layers: tuple[LayerComparison, ...] = ()
    page: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether every comparison passed."""
        return all(check.passed for check in self.checks)

    @property
    def first_failure(self) -> Check | None:
        """The first comparison that failed: the layer to look at."""
        return next((check for check in self.checks if not check.passed), None)


def stages_of(result: Verification) -> tuple[Stage, ...]:
    """Return the stages that compared numbers, in their order."""
    ran = {check.stage for check in result.checks}
    return tuple(stage for stage in TITLES if stage in ran)


@dataclass(frozen=True, slots=True)
class Row:
    """The comparisons of one value, by the stages of its table; None where there was none."""

    subject: str
    checks: tuple[Check | None, ...]

    @property
    def numbers(self) -> int:
        """How many were compared, by the stage that compared most."""
        return max(check.elements for check in self.checks if check is not None)


def table_of(result: Verification) -> tuple[tuple[Stage, ...], tuple[Row, ...]]:
    """Return the stages that compared value by value, and what they found of each value.

    The values are in the order of the data: input, processes, output.
    """
    stages = tuple(stage for stage in stages_of(result) if stage in COLUMNS)
    found = {(check.subject, check.stage): check for check in result.checks}
    rows = (
        Row(subject, tuple(found.get((subject, stage)) for stage in stages))
        for subject in _subjects(result)
    )
    return stages, tuple(rows)


def _subjects(result: Verification) -> tuple[str, ...]:
    subjects = dict.fromkeys(check.subject for check in result.checks if check.stage in COLUMNS)
    inner = [check.subject for check in result.checks if check.stage is Stage.PROCESSES]
    outer = [subject for subject in subjects if subject not in inner]
    behind = [name for name in outer if name.partition(" ")[0] in ("output", "classes", "indices")]
    return (*(subject for subject in outer if subject not in behind), *inner, *behind)


def meaning_of(stage: Stage, result: Verification) -> str:
    """Return what a stage compared; of one without a column, with what came of it."""
    if stage in COLUMNS:
        return str(stage.value)
    checks = [check for check in result.checks if check.stage is stage]
    numbers = sum(check.elements for check in checks)
    differing = sum(check.differing for check in checks)
    outputs = counted(numbers, "output")
    equal = f"{'all ' * (numbers > 1)}{outputs} equal"
    found = f"{differing:,} of {outputs} {'differs' if differing == 1 else 'differ'}"
    return f"{stage.value}: {found if differing else equal}"


def left_out(result: Verification) -> str:
    """Return what a reader may take for verified, and is not; "" for nothing."""
    if Stage.CSIM in stages_of(result):
        return ""
    return "The C++ was left out: verify without --no-csim compiles and runs it."


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

    ``data [N, ...]`` are inputs of the model, several by their names, of which the first
    ``samples`` are used; without them, the samples that ``compile`` was given, else random numbers
    from ``seed``. The first ``exact`` of them are interpreted in exact numbers as well, which is
    slow. ``csim`` compiles and runs the C++ as well, which needs a C++ compiler and the ap_types
    headers; with bounded FIFOs, in the adversarial mode of ``Engine.ADVERSARIAL``, also from
    ``seed``.
    ``on_step`` is called with a sentence before each step, and after every batch of images: as many
    as fit in memory with all their values.

    What was found is also written into the build, as ``verification.json`` and in its report, if
    files can be written there, else a warning says why not; what an earlier run found is gone from
    the start.

    Raises a ``LutloomError`` where a stage can't be run; a difference is a result, no error.
    """
    from lutloom.stages import compare_stages

    tell = on_step or (lambda _: None)
    loaded = build if isinstance(build, Build) else load_build(build, strict=False)
    changed = changes(loaded.directory)
    if drop_report(loaded.directory):
        _renew_page(loaded, changed)
    check_planned(loaded.directory, changed)
    for name in changed.missing:
        raise BuildError(f"{loaded.directory / name} is missing: compile the model again")
    files = (*changed.data, *changed.sources)
    if files:
        # Said before anything of it runs: damaged C++ may crash.
        tell(f"Changed since it was compiled: {_listed(files)}")
    try:
        images = _images(loaded, data, samples, seed)
        checks, layers = compare_stages(
            loaded, images, exact=exact, csim=csim, seed=seed, tell=tell
        )
    except LutloomError:
        raise
    except Exception as error:
        if not files:
            raise
        raise BuildError(
            f"{loaded.directory / files[0]} is damaged ({type(error).__name__}: {error}):"
            " compile the model again"
        ) from error
    result = Verification((*checks, _file_check(changed)), count_of(images), layers)
    try:
        if write_report(result, loaded.directory) is None:
            return result
    except OutputError as error:  # what was found must not be lost with it
        warnings.warn(str(error), LutloomWarning, stacklevel=2)
        return result
    return replace(result, page=_renew_page(loaded, changed))


def _renew_page(build: Build, changed: Changes) -> Path | None:
    """Write the report in ``build`` anew, and return its path; None, with a warning, if it can't.

    A build without a report, or of files that no report can be made of, is verified all the same.
    """
    from lutloom.reporting.writing import PAGE, write_build_report

    page = build.directory / PAGE
    if not page.exists():
        return None
    try:
        write_build_report(build, build.directory)
    except Exception as error:  # of data that were changed it may be any
        if not (changed.data or isinstance(error, LutloomError)):
            raise
        warnings.warn(f"{page} stays as it was: {error}", LutloomWarning, stacklevel=3)
        return None
    return page


def _file_check(changed: Changes) -> Check:
    files = (*changed.data, *changed.sources)
    remark = f"changed since it was compiled: {_listed(files)}" if files else ""
    return Check(Stage.FILES, "files", changed.count, len(files), len(changed.sources), remark)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _images(
    build: Build, data: DataSource | None, samples: int, seed: int
) -> dict[str, NDArray[Any]]:
    """Return the model's inputs, by name."""
    if samples < 1:
        raise BuildError(f"samples is {samples}: verify at least 1")
    if data is not None:
        return open_data(data, build.network, least=1).first(samples)
    given = build.samples()
    if given is None:
        return random_images(build.network, samples, seed)
    return samples_of(build.network.named(given), slice(samples))


def layer_check(stage: Stage, layer: LayerComparison) -> Check:
    """Return the check of one quantizer in a float executor."""
    remarks = []
    if layer.skipped:
        remarks.append(
            f"{counted(layer.skipped, 'output')} not compared: the executor's rounding made an"
            " integer that can't occur of their image"
        )
    if layer.off_grid:
        remarks.append(
            f"{counted(layer.off_grid, 'output')} of the executor off the grid of its scale"
        )
    if layer.ties:
        tied = max(layer.ties, key=lambda tie: tie.tied)
        remarks.append(
            f"{counted(layer.structural, 'difference')} at exact ties of"
            f" {counted(len(layer.ties), 'element')}, such as {list(tied.element)}, tied in"
            f" {counted(tied.tied, 'image')}"
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
