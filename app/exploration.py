"""``explore``: what a board can do with a model: rates, and the least that each of them takes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.core.files import OutputError, check_writable, whole_directory, write_file, write_files
from lutloom.estimation import shell_of, usages_of
from lutloom.input_type import raw_input
from lutloom.output_files import check_files
from lutloom.planning import UTILIZATION, budget_of, frontier_of, wish_of
from lutloom.targets import TargetError, target_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lutloom.codegen.planning.budget import Budget, Planned
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan
    from lutloom.estimation import Usage
    from lutloom.input_type import ByInput
    from lutloom.targets import Target

POINTS, MOST_POINTS = 16, 200
FORMAT = 1


@dataclass(frozen=True)
class Point:
    """A plan that no other one beats: what is faster takes more of the board, or does not fit.

    It takes an image every ``cycles`` clock cycles, ``fps`` a second, for which ``bottleneck`` is
    the reason. ``fits`` says whether that is within the board and the utilization asked for.
    ``path`` is the file of the plan, if it was saved.
    """

    plan: Plan
    fps: float
    cycles: int
    bottleneck: str
    usages: tuple[Usage, ...]
    fits: bool
    path: Path | None = None

    @property
    def scarcest(self) -> Usage:
        """The resource of which the largest share is taken."""
        return max(self.usages, key=lambda usage: usage.share)


@dataclass(frozen=True)
class Exploration:
    """The frontier of ``model`` on a board: ``points`` from the slowest to the fastest.

    ``utilization`` is the share of the look-up tables that a design may take to fit. ``files`` are
    those that were written.
    """

    model: Path
    target: Target
    utilization: float
    points: tuple[Point, ...]
    files: tuple[Path, ...] = ()

    @property
    def fastest(self) -> Point | None:
        """The fastest point that fits, if any does."""
        return next((point for point in reversed(self.points) if point.fits), None)


def explore(  # noqa: PLR0913 - options
    model: str | Path,
    *,
    board: str | None = None,
    part: str | None = None,
    clock_mhz: float | None = None,
    max_utilization: float = UTILIZATION,
    word_bits: int | None = None,
    points: int = POINTS,
    input_type: ByInput = None,
    input_scale: ByInput = None,
    input_bias: ByInput = None,
    output: str | Path | None = None,
    csv: str | Path | None = None,
    json: str | Path | None = None,
    save_plans: str | Path | None = None,
) -> Exploration:
    """Return how fast a board can be with the QONNX file ``model``, and what that takes of it.

    The options are those of ``compile``. ``points`` is how many plans there are at most, from the
    slowest to the fastest of all, whether they fit or not. ``output`` is an HTML page for the
    frontier as a plot, ``csv`` and ``json`` are files for the same figures, and ``save_plans`` is
    a directory to be made, for the plans: each can be given to ``compile``.

    Raises a ``LutloomError`` for what can't be compiled, and for files that can't be written.
    """
    from lutloom.codegen.lower import lower
    from lutloom.streamline.pipeline import streamline

    files = {
        kind: Path(path)
        for kind, path in (("html", output), ("csv", csv), ("json", json))
        if path is not None
    }
    directory = None if save_plans is None else Path(save_plans)
    _check_outputs(files.values(), directory, Path(model))
    if not 2 <= points <= MOST_POINTS:
        raise TargetError(f"there should be 2 to {MOST_POINTS} points, not {points}")
    target = target_of(board, part, clock_mhz)
    wish = wish_of(max_utilization=max_utilization, word_bits=word_bits)
    network = streamline(Path(model), raw_input(input_type, input_scale, input_bias))
    processes = lower(network.graph)
    planned = frontier_of(processes, target, wish, points)
    budget = budget_of(processes, target, wish)
    found = Exploration(
        Path(model),
        target,
        max_utilization,
        tuple(_point(processes, entry, target, budget) for entry in planned),
    )
    return _written(found, files, directory)


def _point(processes: Graph, planned: Planned, target: Target, budget: Budget) -> Point:
    from lutloom.codegen.planning.rates import rate_of

    cost, board = planned.cost.total, target.board
    return Point(
        planned.plan,
        float(rate_of(planned.cycles, target.clock)),
        planned.cycles,
        planned.cost.slowest.name,
        usages_of(cost, shell_of(processes, board, planned.plan.word_bits), board),
        budget.exceeded(cost.resources) is None,
    )


def _check_outputs(files: Iterable[Path], directory: Path | None, model: Path) -> None:
    check_files(files, [model])
    if directory is None:
        return
    check_writable(directory)
    if directory.exists() or directory.is_symlink():
        raise OutputError(f"{directory} exists: choose another directory for the plans")


def _written(found: Exploration, files: dict[str, Path], directory: Path | None) -> Exploration:
    """Write what was asked for, all or nothing, and return the exploration with the paths in it."""
    from lutloom.core.plan import print_plan

    texts = {"html": _html, "csv": _csv, "json": _json}
    if directory is None:
        write_files({path: texts[kind](found).encode() for kind, path in files.items()})
        return replace(found, files=tuple(files.values()))
    names = [f"plan-{point.cycles}-cycles.json" for point in found.points]
    pairs = zip(found.points, names, strict=True)
    saved = tuple(replace(point, path=directory / name) for point, name in pairs)
    found = replace(found, points=saved, files=tuple(files.values()))
    with whole_directory(directory) as building:
        for name, point in zip(names, saved, strict=True):
            write_file(building / name, print_plan(point.plan).encode())
        write_files({path: texts[kind](found).encode() for kind, path in files.items()})
    return found


def _html(found: Exploration) -> str:
    from lutloom.reporting.frontiers import frontier_page

    return frontier_page(found)


def _rows(found: Exploration) -> list[dict[str, Any]]:
    return [
        {
            "images_per_second": point.fps,
            "cycles": point.cycles,
            "fits": point.fits,
            "word_bits": point.plan.word_bits,
            "bottleneck": point.bottleneck,
            **{usage.resource: usage.needed for usage in point.usages},
            "scarcest": point.scarcest.resource,
            "utilization": float(point.scarcest.share),
            "plan": "" if point.path is None else str(point.path),
        }
        for point in found.points
    ]


def _csv(found: Exploration) -> str:
    text = io.StringIO()
    rows = _rows(found)
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json(found: Exploration) -> str:
    board = found.target.board
    document = {
        "format": FORMAT,
        "model": found.model.name,
        "board": board.name,
        "part": board.part,
        "clock_mhz": found.target.clock_mhz,
        "max_utilization": found.utilization,
        "available": {usage.resource: usage.there for usage in found.points[0].usages},
        "points": _rows(found),
    }
    return json.dumps(document, indent=2) + "\n"
