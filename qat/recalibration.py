"""Batch-norm re-calibration: statistics of the final weights, not of those on the way to them.

While weights move, the running statistics of a batch norm lag behind, and weigh the latest batches
most. Afterwards they are the plain mean over some batches (Hubara et al., Accelerating Neural
Networks by Post-training Quantization, 2020, call it batch normalization tuning).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)


def recalibrate(model: torch.nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Make the statistics of all batch norms of ``model`` the mean of those of ``batches``.

    Nothing else of the model changes but its mode, which is evaluation.
    """
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, _NORMS)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    with torch.no_grad():
        for pixels in batches:
            model(pixels)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
