"""The optimizer of a recipe, and its learning rate from step to step."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi

import torch

from lutloom.qat.recipe import TrainingSection

# Where one cycle begins and ends, as shares of its highest rate.
_CYCLE_START, _CYCLE_END = 1 / 25, 1 / 250_000


def optimizer_of(
    training: TrainingSection, parameters: Iterable[torch.nn.Parameter], lr: float
) -> torch.optim.Optimizer:
    """Return the optimizer of a recipe for some parameters, with the highest learning rate."""
    # gradients that were scaled up are scaled down by others before they are clipped
    fused = training.precision != "16-mixed"
    decay = training.weight_decay
    if training.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=lr, momentum=training.momentum, weight_decay=decay, fused=fused
        )
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=lr, weight_decay=decay, fused=fused)


def rate(training: TrainingSection, step: int, steps: int, epoch_steps: int) -> float:
    """Return the learning rate at a step of ``steps``, as a share of the highest.

    It rises along a line over the warm-up, then stays (``constant``), falls along a cosine to zero
    (``cosine``) or by a factor every so many epochs (``step``); of ``one-cycle`` (Smith 2018) it
    rises along a cosine from a 25th, and falls along one to a 250,000th.
    """
    warm_up = max(1, int(training.warm_up * steps))
    later = (step - warm_up) / max(1, steps - warm_up)
    match training.schedule:
        case "one-cycle" if step < warm_up:
            return _along_cosine(step / warm_up, _CYCLE_START, 1.0)
        case "one-cycle":
            return _along_cosine(later, 1.0, _CYCLE_END)
        case _ if step < warm_up:
            return (step + 1) / warm_up
        case "cosine":
            return 0.5 * (1 + cos(pi * later))
        case "step":
            return training.step_factor ** (step // (epoch_steps * training.step_epochs))
        case _:
            return 1.0


def _along_cosine(share: float, start: float, end: float) -> float:
    """Return what lies between two values after a share of half a period."""
    return end + (start - end) * 0.5 * (1 + cos(pi * share))
