"""y = weight * (x - mean) / sqrt(var + eps) + bias, all four scalars: a batch norm of one channel.

For logits: it brings integer sums to a range in which a loss works, with one positive factor for
all classes unless training turns it round.
"""

from __future__ import annotations

import torch
from torch import nn


class TensorNorm(nn.Module):
    """Normalize a tensor of any shape by one mean and one variance.

    While training by those of the batch, which also move the running ones by ``momentum``.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, eps: float = 1e-4, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))
        self.register_buffer("running_mean", torch.zeros(1))
        self.register_buffer("running_var", torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized tensor, of the shape of ``x``."""
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(), x.var(unbiased=False)
            with torch.no_grad():
                # in mixed precision, of which the running ones are kept in the higher one
                moments = torch.stack((mean.detach(), x.detach().var(unbiased=True)))
                batch_mean, batch_var = moments.to(self.running_mean.dtype)
                self.running_mean.lerp_(batch_mean.reshape(1), self.momentum)
                self.running_var.lerp_(batch_var.reshape(1), self.momentum)
        return (x - mean) / (var + self.eps).sqrt() * self.weight + self.bias
