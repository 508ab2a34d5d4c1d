"""A trained model, back from its checkpoint: what the exported file is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.qat.checkpoint import read_checkpoint, read_run
from lutloom.qat.recipe_model import build_recipe_model
from lutloom.qat.run import trace_model

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from lutloom.qat.data import Dataset

_PREFIX = "model."


def trace_trained(
    checkpoint: Path, dataset: Dataset, pixels: NDArray[np.float32]
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Return the logits (N, classes) that Brevitas computes for ``pixels`` (N, C, H, W), and what
    each of its quantizers of data gave, by module.

    All is as for :func:`load_trained`.
    """
    return trace_model(load_trained(checkpoint, dataset), pixels)


def load_trained(checkpoint: Path, dataset: Dataset) -> nn.Module:
    """Return the model of a checkpoint.

    ``dataset`` is the one that it was trained on. Raises
    :class:`~lutloom.qat.errors.TrainingError` for what is no checkpoint, and RuntimeError for data
    of another shape.
    """
    recipe = read_run(checkpoint).recipe
    model = build_recipe_model(recipe, dataset.input_shape, dataset.classes)
    state = read_checkpoint(checkpoint)["state_dict"]
    own = {key.removeprefix(_PREFIX): value for key, value in state.items()}
    model.load_state_dict({key: value for key, value in own.items() if key in model.state_dict()})
    return model
