"""q(x) = s round(clip(x / s, l, h)) with a step size s that is learned.

The gradient of s is dq times round(x / s) - x / s inside of the range, l or h outside of it, and
divided by the root of h n, where n is the number of values with that step (of one image, for
activations). Weights have l = -2^(bits-1), h = 2^(bits-1) - 1 and begin with s = 2 mean|w| over the
root of h; activations have l = 0, h = 2^bits - 1 and begin with s = limit / h. A step is a whole
tensor's or a channel's, and the absolute value of its parameter.

Reference: Esser et al., Learned Step Size Quantization, ICLR 2020.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch

from lutloom.qat.brevitas_parts import (
    ActQuantSolver,
    ExtendedInjector,
    ParameterScaling,
    RestrictValueType,
    TensorClamp,
    WeightQuantSolver,
    value,
)
from lutloom.qat.quantizers.clipped import ClippedIntQuant
from lutloom.qat.quantizers.common import INTEGERS, LEAST_SCALE, One
from lutloom.qat.quantizers.straight_through import scaled_gradient


class LearnedStep(ParameterScaling):  # type: ignore[misc]
    """Steps as parameters of the shape ``scaling_shape``, with the gradient of the paper.

    ``largest_level`` is h; with ``of_images`` the first axis of what is quantized is of images.
    """

    def __init__(
        self,
        scaling_init: torch.Tensor,
        scaling_shape: tuple[int, ...],
        largest_level: int,
        *,
        of_images: bool,
    ) -> None:
        super().__init__(scaling_init, scaling_shape, scaling_min_val=LEAST_SCALE)
        self.largest_level = largest_level
        self.of_images = of_images

    def forward(self, x: torch.Tensor, _threshold: torch.Tensor | None = None) -> torch.Tensor:
        """Return the steps by which ``x`` is quantized."""
        images = x.shape[0] if self.of_images and x.dim() > 1 else 1
        values = x.numel() / (images * self.value.numel())
        step: torch.Tensor = super().forward(x)
        return scaled_gradient(step, 1 / sqrt(max(1.0, values) * self.largest_level))


_LEARNED: dict[str, object] = {
    **INTEGERS,
    "int_quant": ClippedIntQuant,
    "scaling_impl": LearnedStep,
    "int_scaling_impl": One,
    "narrow_range": False,
    "restrict_scaling_type": RestrictValueType.FP,
    "tensor_clamp_impl": TensorClamp,
}


class _WeightStart(ExtendedInjector):  # type: ignore[misc]
    """Where the steps of weights begin."""

    @value  # type: ignore[untyped-decorator]
    def scaling_init(
        tracked_parameter_list: list[torch.nn.Parameter],  # noqa: N805 (injected, no method)
        scaling_shape: tuple[int, ...],
        largest_level: int,
    ) -> torch.Tensor:
        (weights,) = tracked_parameter_list
        sizes = weights.detach().abs()
        axes = [axis for axis, size in enumerate(scaling_shape) if size == 1]
        mean = sizes.mean(axes, keepdim=True) if scaling_shape else sizes.mean()
        return 2 * mean / sqrt(largest_level)


def lsq_weights(bits: int, *, per_channel: bool) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    """Return the quantizer of weights whose steps are learned."""

    class Quantizer(_WeightStart, WeightQuantSolver):  # type: ignore[misc]
        pass

    return Quantizer.let(
        **_LEARNED,
        bit_width=bits,
        signed=True,
        of_images=False,
        largest_level=2 ** (bits - 1) - 1,
        scaling_per_output_channel=per_channel,
    )


def lsq_activations(bits: int, limit: float, channel_shape: tuple[int, ...]) -> Any:  # noqa: ANN401 (an injector)
    """Return the quantizer of activations whose steps are learned, one if there is no shape."""
    largest = 2**bits - 1
    shape = {"per_channel_broadcastable_shape": channel_shape} if channel_shape else {}
    return ActQuantSolver.let(
        **_LEARNED,
        **shape,
        bit_width=bits,
        signed=False,
        of_images=True,
        largest_level=largest,
        scaling_init=torch.tensor(limit / largest),
        scaling_per_output_channel=bool(channel_shape),
    )
