"""``evidence.json``: what synthesis and a board gave, for the report; docs/report.md describes it.

People or scripts write it into a build; nothing of it is made up here, so it is empty at first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lutloom.codegen.costs.resources import Resources
from lutloom.core.counts import counted
from lutloom.core.errors import LutloomError
from lutloom.core.files import read_text, reason
from lutloom.core.strict_json import excerpt, parse_json, quoted

EVIDENCE = "evidence.json"
FORMAT = 1

_MOST = 10**15
"""More of anything than evidence can be of."""

_STAGES = ("synthesis", "implementation")
_RESOURCES = ("lut", "ff", "bram18", "uram", "dsp")


class EvidenceError(LutloomError, ValueError):
    """An evidence file that can't be read, or that says something else than it should."""


@dataclass(frozen=True)
class Synthesis:
    """What a tool made of the design: of the whole, and of each unit by the name of its top.

    ``stage`` is ``synthesis``, or ``implementation`` if it was placed and routed. ``achieved_mhz``
    is the clock that timing allows, None if nobody looked.
    """

    tool: str
    stage: str
    clock_mhz: float
    achieved_mhz: float | None
    resources: Resources
    units: Mapping[str, Resources]


@dataclass(frozen=True)
class Measurement:
    """What was measured on a board; None for what was not. Of ``images``, ``equal`` gave the very
    numbers of the simulator.
    """

    name: str
    clock_mhz: float
    images: int
    equal: int
    images_per_second: float | None
    latency_ms: float | None
    power_w: float | None


@dataclass(frozen=True)
class Evidence:
    """What is known beyond the estimates: all or nothing of either."""

    synthesis: Synthesis | None = None
    board: Measurement | None = None


def read_evidence(directory: Path) -> Evidence:
    """Return what ``evidence.json`` in ``directory`` says; nothing is known where there is none.

    Raises ``EvidenceError`` for a file that says anything else than it should.
    """
    path = directory / EVIDENCE
    if not path.exists():
        return Evidence()
    try:
        document = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{path} can't be read as evidence: {reason(error)}") from error
    top = _Entry(path, "", document)
    top.check({"format", "synthesis", "board"})
    found = top.values.get("format")
    if found != FORMAT or not isinstance(found, int) or isinstance(found, bool):
        raise EvidenceError(f"{path}: its format is {excerpt(found)}: this version reads {FORMAT}")
    return Evidence(
        _synthesis(top.part("synthesis")) if "synthesis" in top.values else None,
        _measurement(top.part("board")) if "board" in top.values else None,
    )


@dataclass(frozen=True)
class _Entry:
    """An object in the file, and where it stands."""

    path: Path
    name: str
    values: Any

    def check(self, known: set[str]) -> None:
        """Raise unless it is an object with ``known`` keys only."""
        if not isinstance(self.values, dict):
            raise self._error(self.name or "it", "an object", self.values)
        unknown = sorted(set(self.values) - known)
        if unknown:
            place = self._place(quoted(unknown[0]))
            raise EvidenceError(
                f"{self.path}: '{place}' is no entry of evidence: there may be"
                f" {', '.join(sorted(known))}"
            )

    def part(self, key: str) -> _Entry:
        return _Entry(self.path, self._place(key), self.values[key])

    def text(self, key: str, among: tuple[str, ...] = ()) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or (among and value not in among):
            raise self._error(key, f"one of {', '.join(among)}" if among else "a text", value)
        return value

    def count(self, key: str, default: int | None = None) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
            raise self._error(key, "a number of things", value)
        return value

    def number(self, key: str) -> float:
        value = self.values.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._error(key, "a number above 0", value)
        if not 0 < value < _MOST:
            raise self._error(key, "a number above 0", value)
        return float(value)

    def number_if_there(self, key: str) -> float | None:
        return self.number(key) if key in self.values else None

    def _place(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def _error(self, key: str, wanted: str, found: object) -> EvidenceError:
        place = self._place(key) if key != self.name else key
        shown = "missing" if found is None else excerpt(found)
        return EvidenceError(
            f"{self.path}: '{place}' should be {wanted} of evidence, but is {shown}"
        )


def _synthesis(entry: _Entry) -> Synthesis:
    entry.check({"tool", "stage", "clock_mhz", "achieved_mhz", "units", *_RESOURCES})
    units: dict[str, Resources] = {}
    if "units" in entry.values:
        given = entry.part("units")
        given.check(set(given.values) if isinstance(given.values, dict) else set())
        for name in given.values:
            unit = given.part(name)
            unit.check(set(_RESOURCES))
            units[name] = _resources(unit)
    return Synthesis(
        entry.text("tool"),
        entry.text("stage", _STAGES),
        entry.number("clock_mhz"),
        entry.number_if_there("achieved_mhz"),
        _resources(entry),
        units,
    )


def _resources(entry: _Entry) -> Resources:
    return Resources(**{name: entry.count(name) for name in _RESOURCES})


def _measurement(entry: _Entry) -> Measurement:
    keys = {"name", "clock_mhz", "images", "equal"}
    entry.check({*keys, "images_per_second", "latency_ms", "power_w"})
    images, equal = entry.count("images"), entry.count("equal")
    if equal > images:
        raise EvidenceError(
            f"{entry.path}: 'board.equal' is {equal:,} of {counted(images, 'image')}: it"
            " should be some of them"
        )
    return Measurement(
        entry.text("name"),
        entry.number("clock_mhz"),
        images,
        equal,
        entry.number_if_there("images_per_second"),
        entry.number_if_there("latency_ms"),
        entry.number_if_there("power_w"),
    )
