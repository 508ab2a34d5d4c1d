"""oneDNN's int8 convolutions through torch, with thresholds fused behind the accumulation.

Activations are bytes, weights signed bytes, sums 32 bits. A staircase is the scale and the bias of
an output channel, the rounding to a byte and the clamp (``hardtanh``) that oneDNN applies to sums
anyway; of one threshold ``T`` that is ``clamp(sum + 1 - T, 0, 1)``. Where no line is proved, sums
come out in float32 and are compared in torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.peers.case import NotForThis
from benchmarks.peers.lines import lines_of
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
    from lutloom.core.types import IntArray
    from lutloom.sim.engine.products import Products

_BYTE = 2**8


class _OneDnn(Translation):
    def is_coded(self, value: str) -> bool:
        return self.element(value).count <= _BYTE and value not in self.graph.outputs

    def products(self, made: Products) -> Function:
        """Return ``sum w (c - zero)`` and what is fused with it; ``c`` are the codes.

        Where the number 0 has no code, there is no padding, and ``sum w x = step * sum w c + lo *
        sum w`` is the line of each output.
        """
        x = self.element(made.x)
        if not self.is_coded(made.x):
            raise NotForThis(f"the input of {made.y} does not fit a byte")
        weights = weights_of(made)
        if np.abs(weights).max() >= _BYTE // 2:
            raise NotForThis(f"the weights of {made.y} do not fit a byte")
        whole = weights.reshape(len(weights), -1).sum(axis=1)
        zero = -x.lo // x.step if x.lo <= 0 and x.lo % x.step == 0 else 0
        scale, bias = x.step, bias_of(made) + (x.lo + zero * x.step) * whole
        # What it pads with is the code `zero`: the number 0, where windows are padded.
        if made.windows is not None and any(padding_of(made)) and x.lo + zero * x.step:
            raise NotForThis(f"0 is no code of the input of {made.y}")
        lines = made.stairs and lines_of(made.stairs.thresholds[0], self.sums(made))
        if lines:
            slopes = lines.slope.astype(np.float64)

            scales, offset = slopes * scale, slopes * bias + lines.offset
            summed = _summed(made, weights, zero, scales, offset, torch.uint8, lines.levels)
            held = self.held(made.y)
            if self.is_coded(made.y):
                return summed
            return lambda c: held(summed(c).float())
        plain = _summed(made, weights, zero, np.full(len(weights), scale), bias, torch.float32, 0)
        if made.stairs is None:
            return plain
        codes, held = staircase(made.stairs.thresholds[0], self.sums(made)), self.held(made.y)
        return lambda c: held(codes(plain(c)))


def _summed(
    made: Products,
    weights: IntArray,
    zero: int,
    scale: object,
    bias: object,
    result: torch.dtype,
    levels: int,
) -> Function:
    """Return the call of oneDNN: ``scale * sum + bias``, rounded to bytes up to ``levels``."""
    ops = torch.ops.onednn
    packed = torch.from_numpy(weights.astype(np.int8))
    scales = torch.from_numpy(np.asarray(scale, np.float32))
    biases = torch.from_numpy(np.asarray(bias, np.float32))
    zeros = torch.zeros(len(weights), dtype=torch.int64)
    post = ["none", []] if result is torch.float32 else ["hardtanh", [0.0, float(levels)]]
    if made.windows is None:
        packed = ops.qlinear_prepack(packed, None)
        return lambda c: ops.qlinear_pointwise(
            c, 1.0, zero, packed, scales, zeros, biases, 1.0, 0, result, *post, ""
        )
    windows = (list(made.windows.stride), padding_of(made), list(made.windows.dilation))
    packed = ops.qconv_prepack(packed, scales, 1.0, zero, *windows, made.groups, None)
    return lambda c: ops.qconv_pointwise(
        c,
        1.0,
        zero,
        packed,
        scales,
        zeros,
        biases,
        *windows,
        made.groups,
        1.0,
        0,
        result,
        *post,
        "",
    )


def load(case: Case, threads: int) -> Bind:
    """Return the peer for ``case``."""
    return bind_to(case, threads, _OneDnn)
