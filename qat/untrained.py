"""A model as it is before training, as QONNX: what hardware it will need is known from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lutloom.qat.calibration import calibrate
from lutloom.qat.export import export_qonnx
from lutloom.qat.recipe_model import build_recipe_model

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.qat.trainer import Prepared

_IMAGES = 16


def export_untrained(prepared: Prepared, path: Path) -> Path:
    """Write the model of a run to ``path`` with random weights, which is not the run's own copy.

    A trained model has the same layers, widths and shapes. Its batch norms are those of a few
    images, as all thresholds of an untrained one would lie beside what reaches them.
    """
    dataset = prepared.dataset
    model = build_recipe_model(prepared.run.recipe, dataset.input_shape, dataset.classes)
    pixels = dataset.pixels(dataset.train_x[:_IMAGES])
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        # scales that follow data have seen none yet
        model.train()(torch.from_numpy(pixels))
    calibrate(model, pixels)
    return export_qonnx(model, path, dataset.input_shape, input_scale=dataset.input_scale)
