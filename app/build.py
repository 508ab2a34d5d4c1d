"""A build: the directory that ``compile`` makes, and what the other commands read from it.

build.json               what was built from what, for which board
model.onnx               the model, as it was read
network.json, model.*    the integer graph, what it means, the host's parts
processes.*              the graph of processes, one C++ function call each
plan.json                how the processes are folded
golden.npz               integers at the input and output of the graph, for the testbench
samples.npy              the model's inputs behind them, where compile was given data
hls/, scripts/, ...      the HLS project
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import GraphFileError, LutloomError
from lutloom.core.network import load_network
from lutloom.core.plan import parse_plan
from lutloom.core.store import load_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.network import Network
    from lutloom.core.plan import Plan

FORMAT = 1
MODEL, MANIFEST, PLAN, GOLDEN, SAMPLES = (
    "model.onnx",
    "build.json",
    "plan.json",
    "golden.npz",
    "samples.npy",
)


class BuildError(LutloomError, ValueError):
    """A directory that is no build, or a damaged one."""


@dataclass(frozen=True, eq=False)
class Build:
    """A compiled model: its network, its graph of processes and its plan."""

    directory: Path
    name: str
    board: str
    part: str
    network: Network
    processes: Graph
    plan: Plan

    @property
    def model(self) -> Path:
        """The model that was compiled."""
        return self.directory / MODEL

    def samples(self) -> NDArray[Any] | None:
        """Return the model inputs that ``compile`` was given, if it was."""
        import numpy as np

        path = self.directory / SAMPLES
        return np.load(path, allow_pickle=False) if path.exists() else None


def load_build(directory: str | Path) -> Build:
    """Return the build in ``directory``.

    Raises ``BuildError`` if there is none, and ``GraphFileError`` if one of its files is missing
    or damaged.
    """
    directory = Path(directory)
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BuildError(
            f"{directory} is no build: it has no {MANIFEST}; make one with `lutloom compile`"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(f"{path} can't be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BuildError(f"{path} is of another format: compile the model again")
    try:
        plan_text = (directory / PLAN).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise GraphFileError(f"{directory / PLAN} can't be read: {error}") from error
    return Build(
        directory=directory,
        name=str(manifest.get("name")),
        board=str(manifest.get("board")),
        part=str(manifest.get("part")),
        network=load_network(directory),
        processes=load_graph(directory / "processes"),
        plan=parse_plan(plan_text),
    )
