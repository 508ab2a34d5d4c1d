"""What a recipe's model would be on its board, before any time goes into training it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lutloom.build import Build
from lutloom.core.errors import LutloomError
from lutloom.estimation import estimate_of
from lutloom.planning import UTILIZATION, make_plan, wish_of
from lutloom.targets import target_of

if TYPE_CHECKING:
    from lutloom.core.network import Network
    from lutloom.estimation import Estimate
    from lutloom.qat.trainer import Prepared


class ReadinessError(LutloomError, ValueError):
    """A model that could be trained, but not built for its board."""


@dataclass(frozen=True)
class Readiness:
    """An untrained model as an integer graph, and what its plan takes of the recipe's board.

    Its plan is the one of least resources for the rate that is asked for, or the fastest. Without
    a board there is no ``estimate``: the model has hardware, and how much is not said.
    """

    model: str
    network: Network
    estimate: Estimate | None


def readiness_of(prepared: Prepared) -> Readiness:
    """Return what the model of a run would be as hardware, with the bytes of images as its input.

    Raises :class:`ReadinessError` if it can't be built, or has no such plan.
    """
    from lutloom.codegen.lower import lower
    from lutloom.qat.untrained import export_untrained
    from lutloom.streamline.pipeline import streamline

    name, board = prepared.run.recipe.model.name, prepared.run.recipe.board
    # what is wrong with the board alone is not the model's
    target = None if board is None else target_of(board.name, None, board.clock_mhz)
    try:
        with TemporaryDirectory() as folder:
            model = export_untrained(prepared, Path(folder) / "untrained.onnx")
            network = streamline(model)
        processes = lower(network.graph)
        if target is None:
            return Readiness(name, network, None)
        assert board is not None
        wish = wish_of(
            target_fps=board.target_fps,
            fastest=board.target_fps is None,
            max_utilization=UTILIZATION,
            word_bits=None,
        )
        plan = make_plan(processes, target, wish)
        build = Build(Path(), name, target.board, target.clock_mhz, network, processes, plan)
        return Readiness(name, network, estimate_of(build))
    except LutloomError as error:
        raise ReadinessError(f"{name} is not trained, as it can't be built: {error}") from error
