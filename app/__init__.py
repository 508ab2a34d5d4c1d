"""Lutloom: low-bit neural networks, woven exactly into FPGA fabric.

Each command of the command line is one of these functions, under the same name and with the same
options. They load what they need when they are called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lutloom.boards import list_boards
    from lutloom.build import Build, load_build
    from lutloom.compilation import compile  # noqa: A004 - the name that users expect
    from lutloom.core.errors import LutloomError
    from lutloom.demonstration import demo
    from lutloom.engines import Engine
    from lutloom.exploration import Exploration, explore
    from lutloom.frame_rates import Throughput, throughput
    from lutloom.image_folder import Pixels
    from lutloom.inspection import Inspection, inspect
    from lutloom.reporting.writing import report
    from lutloom.simulation import Simulation, simulate
    from lutloom.simulator import Simulator, load_simulator
    from lutloom.training import check_recipe, find_rate, list_recipes, overfit_batch, train
    from lutloom.verification import Check, Stage, Verification, verify

__version__ = "0.1.0"

_HOMES = {
    "Build": "lutloom.build",
    "Check": "lutloom.verification",
    "Engine": "lutloom.engines",
    "Exploration": "lutloom.exploration",
    "Inspection": "lutloom.inspection",
    "LutloomError": "lutloom.core.errors",
    "Pixels": "lutloom.image_folder",
    "Simulation": "lutloom.simulation",
    "Simulator": "lutloom.simulator",
    "Stage": "lutloom.verification",
    "Throughput": "lutloom.frame_rates",
    "Verification": "lutloom.verification",
    "check_recipe": "lutloom.training",
    "compile": "lutloom.compilation",
    "demo": "lutloom.demonstration",
    "explore": "lutloom.exploration",
    "find_rate": "lutloom.training",
    "inspect": "lutloom.inspection",
    "list_boards": "lutloom.boards",
    "list_recipes": "lutloom.training",
    "load_build": "lutloom.build",
    "load_simulator": "lutloom.simulator",
    "overfit_batch": "lutloom.training",
    "report": "lutloom.reporting.writing",
    "simulate": "lutloom.simulation",
    "throughput": "lutloom.frame_rates",
    "train": "lutloom.training",
    "verify": "lutloom.verification",
}

__all__ = [
    "Build",
    "Check",
    "Engine",
    "Exploration",
    "Inspection",
    "LutloomError",
    "Pixels",
    "Simulation",
    "Simulator",
    "Stage",
    "Throughput",
    "Verification",
    "__version__",
    "check_recipe",
    "compile",
    "demo",
    "explore",
    "find_rate",
    "inspect",
    "list_boards",
    "list_recipes",
    "load_build",
    "load_simulator",
    "overfit_batch",
    "report",
    "simulate",
    "throughput",
    "train",
    "verify",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lutloom' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
