"""q(w) = s clip(trunc(w / p), -m, m), m = 2^(bits-1) - 1, and sum|q(w)| / s <= T for each channel.

``p = sum|w| / min(g / s, T)`` bounds the sum of the absolute integers of a channel by
``T = (2^(P-1) - 1) 2^(signed - N)``, where N bits are those of the layer's input and P those of the
accumulator; a sum of products with such an input stays within P bits whatever the input is. g, the
norm of a channel, and s are learned in the logarithm.

N and whether the input is signed are read from the input, a tensor of Brevitas that knows its
quantizer: in front of a layer there has to be a quantizer (or a pooling or a reshape behind one).

Reference: Colbert et al., A2Q: Accumulator-Aware Quantization with Guaranteed Overflow Avoidance,
ICCV 2023.
"""

from __future__ import annotations

from typing import Any

import torch

from lutloom.qat.brevitas_parts import (
    AccumulatorAwareWeightQuant,
    DecoupledWeightQuantWithInputProxyFromInjector,
    IntQuantTensor,
    ScalingPerOutputType,
)
from lutloom.qat.errors import TrainingError


class A2qProxy(DecoupledWeightQuantWithInputProxyFromInjector):  # type: ignore[misc]
    """Weights with the input that they are for."""

    def forward(self, x: torch.Tensor, quant_input: Any = None) -> Any:  # noqa: ANN401 (tensors of Brevitas)
        """Return the quantized weights for an input with the bits and the sign of ``quant_input``.

        Raises :class:`TrainingError` for an input whose bits are not known.
        """
        if isinstance(quant_input, torch.Tensor) and not isinstance(quant_input, IntQuantTensor):
            raise TrainingError(
                "a layer with weights of kind a2q has an input of unknown bits: "
                "put a quantizer in front of it, or choose another kind for this layer"
            )
        return super().forward(x, quant_input)


def a2q_weights(bits: int, accumulator_bits: int, *, per_channel: bool) -> Any:  # noqa: ANN401 (an injector)
    """Return the quantizer for accumulators of ``accumulator_bits`` bits.

    The scale s is a channel's, or with ``per_channel`` false the whole tensor's.
    """
    scaled = ScalingPerOutputType.CHANNEL if per_channel else ScalingPerOutputType.TENSOR
    return AccumulatorAwareWeightQuant.let(
        proxy_class=A2qProxy,
        bit_width=bits,
        accumulator_bit_width=accumulator_bits,
        scaling_per_output_type=scaled,
    )
