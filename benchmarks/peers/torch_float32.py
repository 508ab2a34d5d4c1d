"""torch in float32: the integer graph, channels last, with staircases as rounded lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it

from benchmarks.peers.torch_graph import (
    Function,
    Translation,
    bias_of,
    bind_to,
    padding_of,
    staircase,
    weights_of,
)

if TYPE_CHECKING:
    from benchmarks.peers.case import Bind, Case
    from lutloom.sim.engine.products import Products


class _Float32(Translation):
    def is_coded(self, value: str) -> bool:  # noqa: ARG002 - of the interface
        return False

    def products(self, made: Products) -> Function:
        weights = torch.from_numpy(weights_of(made)).float()
        bias = torch.from_numpy(bias_of(made)).float()
        summed: Function
        if made.windows is None:
            summed = lambda x: F.linear(x, weights, bias)  # noqa: E731
        else:
            kernel = weights.to(memory_format=torch.channels_last)
            stride, dilation = made.windows.stride, made.windows.dilation
            padding, groups = padding_of(made), made.groups
            summed = lambda x: F.conv2d(x, kernel, bias, stride, padding, dilation, groups)  # noqa: E731
        if made.stairs is None:
            return summed
        codes = staircase(made.stairs.thresholds[0], self.sums(made))
        held = self.held(made.y)
        return lambda x: held(codes(summed(x)))


def load(case: Case, threads: int) -> Bind:
    """Return the peer for ``case``."""
    return bind_to(case, threads, _Float32)
