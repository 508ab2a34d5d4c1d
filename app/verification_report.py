"""``verification.json``: what ``verify`` found, for programs to read.

docs/verification.md says what it holds. It is the same, byte for byte, for the same build and data.
"""

from __future__ import annotations

import json
import math
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from lutloom.core.files import read_text, write_file
from lutloom.core.strict_json import excerpt, parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.streamline.differences import Difference
    from lutloom.streamline.layer_comparison import LayerComparison
    from lutloom.verification import Check, Verification

FORMAT = 1
REPORT = "verification.json"

_MOST = 10**18

_EXECUTORS = ("qonnx", "onnxruntime", "numpy")


def drop_report(directory: Path) -> bool:
    """Remove the report of an earlier run: what ends early must not look like a verdict.

    Return whether there was one.
    """
    path = directory / REPORT
    if not (path.exists() and os.access(directory, os.W_OK)):
        return False
    path.unlink()
    return True


def write_report(result: Verification, directory: Path) -> Path | None:
    """Write the report of ``result`` into ``directory``, whole or not at all; return its path.

    None, and nothing is written, where ``directory`` is not to be written.
    """
    if not os.access(directory, os.W_OK):
        return None
    path = directory / REPORT
    text = json.dumps(report(result), indent=1, allow_nan=False)
    write_file(path, (text + "\n").encode())
    return path


def read_report(directory: Path) -> Verification | None:
    """Return what ``verify`` found in the build in ``directory``, its layers' details apart.

    None if it has not run, or did not end. Raises ``BuildError`` for a report that is damaged.
    """
    from lutloom.build import BuildError
    from lutloom.verification import Check, Stage, Verification

    path = directory / REPORT
    if not path.exists():
        return None
    try:
        document: Any = parse_json(read_text(path))
        checks = tuple(
            Check(
                stage=Stage[str(entry["stage"]).upper()],
                subject=str(entry["subject"]),
                elements=_count(entry["elements"]),
                differing=_count(entry["differing"]),
                explained=_count(entry["explained"]),
                remark=str(entry["remark"]),
                structural=_count(entry["structural"]),
            )
            for entry in document["checks"]
        )
        if not checks:
            raise ValueError("nothing was compared")
        return Verification(checks, _count(document["samples"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} is not as `lutloom verify` wrote it: verify the build again"
        ) from error


def _count(value: object) -> int:
    if not isinstance(value, int) or value is True or not 0 <= value < _MOST:
        raise ValueError(f"{excerpt(value)} is no number of things")
    return value


def report(result: Verification) -> dict[str, Any]:
    """Return ``result`` as JSON values."""
    from lutloom import __version__

    failure = result.first_failure
    return {
        "format": FORMAT,
        "lutloom": __version__,
        "executors": {name: version_of(name) for name in _EXECUTORS},
        "samples": result.samples,
        "passed": result.passed,
        "first_failure": None if failure is None else _check(failure),
        "checks": [_check(check) for check in result.checks],
        "quantizers": totals(result.layers),
        "layers": [_layer(layer) for layer in result.layers],
    }


def totals(layers: tuple[LayerComparison, ...]) -> dict[str, int | float]:
    """Return the sums over all quantizers that were compared with the float executor."""
    elements = sum(layer.elements for layer in layers)
    explained = sum(layer.explained for layer in layers)
    return {
        "elements": elements,
        "equal": elements - sum(layer.differing for layer in layers),
        "explained": explained,
        "structural": sum(layer.structural for layer in layers),
        "unexplained": sum(layer.unexplained for layer in layers),
        "explained_share": explained / elements if elements else 0.0,
        "largest_ratio": max((layer.largest_ratio for layer in layers), default=0.0),
    }


@cache
def version_of(package: str) -> str | None:
    """Return the version of an installed package; None if there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _check(check: Check) -> dict[str, Any]:
    return {
        "stage": check.stage.name.lower(),
        "subject": check.subject,
        "elements": check.elements,
        "differing": check.differing,
        "explained": check.explained,
        "structural": check.structural,
        "passed": check.passed,
        "remark": check.remark,
    }


def _layer(layer: LayerComparison) -> dict[str, Any]:
    return {
        "value": layer.value,
        "node": layer.node,
        "elements": layer.elements,
        "skipped": layer.skipped,
        "equal": layer.elements - layer.differing,
        "explained": layer.explained,
        "structural": layer.structural,
        "unexplained": layer.unexplained,
        "off_grid": layer.off_grid,
        "passed": layer.is_equal,
        "median_bound": None if layer.median_bound is None else _finite(layer.median_bound),
        "largest_bound": None if layer.largest_bound is None else _finite(layer.largest_bound),
        "largest_ratio": layer.largest_ratio,
        "nearest": [_difference(entry) for entry in layer.nearest],
        "first_unexplained": [_difference(entry) for entry in layer.first_unexplained],
        "ties": [
            {"element": list(tie.element), "tied": tie.tied, "differing": tie.differing}
            for tie in layer.ties
        ],
    }


def _difference(entry: Difference) -> dict[str, Any]:
    return {
        "image": entry.image,
        "element": list(entry.element),
        "ours": entry.ours,
        "theirs": entry.theirs,
        "distance": _finite(entry.distance),
        "bound": _finite(entry.bound),
    }


def _finite(number: float) -> float | None:
    """Return ``number``, which JSON can say only if it is finite; None for no bound at all."""
    return number if math.isfinite(number) else None
