"""A build: the directory that ``compile`` makes, and what the other commands read from it.

build.json               what was built from what, for which board; digests of all files
model.onnx               the model, as it was read
network.json, model.*    the integer graph, what it means, the host's parts
processes.*              the graph of processes, one C++ function call each
plan.json                how the processes are folded
golden.npz               integers at the inputs and outputs of the graph, for the testbench
samples.npz              the model's inputs behind them, where compile was given data
hls/, scripts/, ...      the HLS project
report.*                 what it is and takes: written anew by ``report``
verification.json        what ``verify`` found last
evidence.json            what synthesis and a board gave, if somebody wrote it down
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import GraphFileError, LutloomError, PlanError
from lutloom.core.files import OutputError, check_regular, read_text, reason
from lutloom.core.network import load_network
from lutloom.core.plan import parse_plan, print_plan
from lutloom.core.store import load_graph
from lutloom.data import load_data

if TYPE_CHECKING:
    from lutloom.boards import Board
    from lutloom.core.graph import Graph
    from lutloom.core.network import Network
    from lutloom.core.plan import Plan
    from lutloom.data import Arrays

FORMAT = 3
MODEL, MANIFEST, PLAN, GOLDEN, SAMPLES = (
    "model.onnx",
    "build.json",
    "plan.json",
    "golden.npz",
    "samples.npz",
)


CACHE = ".cache"
"""Where compiled C++ is kept: no part of the build, and safe to delete."""


_LARGEST_FILE = 2**32

_FASTEST = 10_000
"""More MHz than any board has."""


class BuildError(LutloomError, ValueError):
    """A directory that is no build, or a damaged one."""


@dataclass(frozen=True, eq=False)
class Build:
    """A compiled model: its network, its graph of processes and its plan.

    ``board`` is the one that it was compiled for, or a part alone, as it was known then, and
    ``clock_mhz`` the fabric clock that is asked for there.
    """

    directory: Path
    name: str
    board: Board
    clock_mhz: float
    network: Network
    processes: Graph
    plan: Plan

    @property
    def model(self) -> Path:
        """The model that was compiled."""
        return self.directory / MODEL

    @cached_property
    def port_names(self) -> dict[str, str]:
        """The model's names of the inputs and outputs of the graph of processes.

        Of several outputs of the model that are made of one, the first one's.
        """
        first = {port.value: port.name for port in reversed(self.network.outputs)}
        inputs = {port.value: port.name for port in self.network.inputs}
        twins = zip(self.processes.outputs, self.network.graph.outputs, strict=True)
        return {**inputs, **{name: first[twin] for name, twin in twins}}

    def samples(self) -> Arrays | None:
        """Return the model's inputs that ``compile`` was given, by name, if it was.

        Raises ``DataFileError`` if their file is damaged.
        """
        path = self.directory / SAMPLES
        return load_data(path) if path.exists() else None


@dataclass(frozen=True)
class Changes:
    """Files of a build that are no longer as ``compile`` wrote them.

    ``data`` are those that lutloom reads, ``sources`` the C++ and scripts, which may be edited by
    hand; ``is_replanned`` says that plan.json is another plan than that of the C++.
    """

    count: int
    """Number of files in the build."""
    missing: tuple[str, ...]
    """Those that are not there at all, scripts and texts apart."""
    data: tuple[str, ...]
    sources: tuple[str, ...]
    is_replanned: bool


def load_build(directory: str | Path, *, strict: bool = True) -> Build:
    """Return the build in ``directory``.

    Raises ``BuildError`` if there is none, and ``GraphFileError`` or ``PlanError`` if one of its
    files is missing or damaged. If ``strict``, any change at all of the data that lutloom reads
    is an error.
    """
    directory = Path(directory)
    manifest = _manifest(directory)
    if strict:
        for name in changes(directory).data:
            state = (
                "not as `lutloom compile` wrote it" if (directory / name).exists() else "missing"
            )
            raise BuildError(f"{directory / name} is {state}: compile the model again")
    plan = directory / PLAN
    try:
        folding = parse_plan(read_text(plan))
    except PlanError as error:
        raise PlanError(f"{plan}: {error}") from error
    except (OSError, ValueError) as error:
        raise GraphFileError(f"{plan} can't be read: {reason(error)}") from error
    return Build(
        directory=directory,
        name=str(manifest.get("name")),
        board=_board(manifest, directory / MANIFEST),
        clock_mhz=manifest["clock_mhz"],
        network=load_network(directory),
        processes=load_graph(directory / "processes"),
        plan=folding,
    )


def changes(directory: Path) -> Changes:
    """Compare the files of the build in ``directory`` with those that ``compile`` wrote.

    Raises ``BuildError`` if there is no build.
    """
    manifest = _manifest(directory)
    written = manifest["files"]
    changed = [name for name, digest in written.items() if _digest(directory / name) != digest]
    try:
        is_replanned = plan_digest(read_text(directory / PLAN)) != manifest["plan"]
    except (OSError, ValueError):
        is_replanned = True
    missing = [name for name in changed if not (directory / name).is_file()]
    return Changes(
        len(written),
        tuple(name for name in missing if name.startswith("hls/") or not _may_be_edited(name)),
        tuple(name for name in changed if not _may_be_edited(name)),
        tuple(name for name in changed if _may_be_edited(name)),
        is_replanned,
    )


def check_planned(directory: Path, changed: Changes) -> None:
    """Check that the plan in ``directory`` is the one that its C++ was written for.

    Raises ``BuildError`` otherwise.
    """
    if changed.is_replanned:
        path = directory / PLAN
        raise BuildError(
            f"{path} is not the plan that the C++ was written for: compile the model again with"
            f" --plan {path}"
        )


def check_output(path: Path, directory: Path) -> None:
    """Check that ``path``, where something else goes, is no file of the build in ``directory``.

    Raises ``OutputError`` otherwise.
    """
    place = path.resolve()
    names = (MANIFEST, PLAN, *_manifest(directory)["files"])
    if any(place == (directory / name).resolve() for name in names):
        raise OutputError(f"{path} belongs to the build: write to another file")


def manifest_text(build: Build, directory: Path) -> bytes:
    """Return build.json's text for ``build``, whose other files are all in ``directory``."""
    from lutloom import __version__
    from lutloom.boards import board_record

    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    files = {path.relative_to(directory).as_posix(): _digest(path) for path in paths}
    document = {
        "format": FORMAT,
        "lutloom": __version__,
        "name": build.name,
        "board": board_record(build.board),
        "clock_mhz": build.clock_mhz,
        "inputs": {port.name: list(port.shape) for port in build.network.inputs},
        "outputs": {port.name: list(port.shape) for port in build.network.outputs},
        "plan": plan_digest(print_plan(build.plan)),
        "files": {name: digest for name, digest in files.items() if name != PLAN},
    }
    return sealed(document)


def plan_digest(text: str) -> str:
    """Return the digest of the plan that ``text`` says, however it is laid out."""
    return blake2b(print_plan(parse_plan(text)).encode(), digest_size=16).hexdigest()


def _manifest(directory: Path) -> Mapping[str, Any]:
    path = directory / MANIFEST
    try:
        text = read_text(path).encode()
        document = json.loads(text)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BuildError(
            f"{directory} is no build: it has no {MANIFEST}; make one with `lutloom compile`"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(f"{path} can't be read: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BuildError(f"{path} is of another format: compile the model again")
    clock = document.get("clock_mhz")
    # True is 1 in Python, and NaN is no number.
    if not isinstance(clock, int | float) or clock is True or not 0 < clock < _FASTEST:
        raise BuildError(f"{path} is of another format: compile the model again")
    document.pop("digest", None)
    if text != sealed(document):
        raise BuildError(f"{path} is not as `lutloom compile` wrote it: compile the model again")
    return document


def _board(manifest: Mapping[str, Any], path: Path) -> Board:
    from lutloom.boards import board_of_record

    try:
        return board_of_record(manifest.get("board", {}))
    except (TypeError, ValueError):
        raise BuildError(f"{path} is of another format: compile the model again") from None


def sealed(document: Mapping[str, Any]) -> bytes:
    """Return ``document`` as JSON that holds its own digest."""
    digest = blake2b(json.dumps(document).encode(), digest_size=16).hexdigest()
    return (json.dumps({**document, "digest": digest}, indent=2) + "\n").encode()


def _digest(path: Path) -> str:
    try:
        check_regular(path, _LARGEST_FILE)
        return blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return ""


def _may_be_edited(name: str) -> bool:
    return name.endswith((".cpp", ".hpp", ".h", ".sh", ".tcl", ".cfg", ".md", "Makefile"))
