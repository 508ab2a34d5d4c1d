"""q(w) = s clip(trunc(w / p), -m, m), m = 2^(bits-1) - 1, and sum|q(w)| / s <= T for each channel.

``p = sum|w| / min(g / s, T)`` bounds the sum of the absolute integers of a channel by
``T = (2^(P-1) - 1) 2^(signed - N)``, where N bits are those of the layer's input and P those of the
accumulator; a sum of products with such an input stays within P bits whatever the input is. g, the
norm of a channel, and s are learned in the logarithm.

N and whether the input is signed are read from the input, a tensor of Brevitas that knows its
quantizer: in front of a layer there has to be a quantizer (or a pooling or a reshape behind one),
and one without scales of channels, which would be multiplied into the weights.

Reference: Colbert et al., A2Q: Accumulator-Aware Quantization with Guaranteed Overflow Avoidance,
ICCV 2023.
"""

from __future__ import annotations

from typing import Any

import torch

from lutloom.qat.brevitas_parts import (
    AccumulatorAwarePerChannelPreNorm,
    AccumulatorAwareWeightQuant,
    DecoupledRescalingIntQuantWithInput,
    DecoupledWeightQuantWithInputProxyFromInjector,
    ScalingPerOutputType,
)
from lutloom.qat.errors import TrainingError
from lutloom.qat.quantizers.common import One


class _Norm(AccumulatorAwarePerChannelPreNorm):  # type: ignore[misc]
    # Brevitas says so one level too high: a channel of zeros would be divided by zero
    pre_scaling_min_val = 1e-10


class BoundedWeights(DecoupledRescalingIntQuantWithInput):  # type: ignore[misc]
    """The core of a quantizer: weights with the bits and the sign of their input to their values.

    Brevitas makes a scale for the bound, and another one behind it; here they are the same.
    """

    def __init__(
        self,
        decoupled_int_quant: torch.nn.Module,
        pre_scaling_impl: torch.nn.Module,
        scaling_impl: torch.nn.Module,
        int_scaling_impl: torch.nn.Module,
        pre_zero_point_impl: torch.nn.Module,
        zero_point_impl: torch.nn.Module,
        bit_width_impl: torch.nn.Module,
    ) -> None:
        pre_scaling_impl.scaling_impl = scaling_impl
        super().__init__(
            decoupled_int_quant,
            pre_scaling_impl,
            scaling_impl,
            int_scaling_impl,
            pre_zero_point_impl,
            zero_point_impl,
            bit_width_impl,
        )


def _proxy(layer: torch.nn.Module, injector: Any) -> torch.nn.Module:  # noqa: ANN401 (of Brevitas)
    # Brevitas exports proxies of its own classes only, so that this is no class of ours
    proxy: torch.nn.Module = DecoupledWeightQuantWithInputProxyFromInjector(layer, injector)
    proxy.register_forward_pre_hook(_check_input)
    return proxy


def _check_input(proxy: Any, inputs: tuple[Any, ...]) -> None:  # noqa: ANN401 (of Brevitas)
    # while exporting, Brevitas remembers the bits of the last input
    if len(inputs) > 1 and isinstance(inputs[1], torch.Tensor) and not proxy.export_mode:
        raise TrainingError(
            "a layer with weights of kind a2q has an input of unknown bits: "
            "put a quantizer with one scale in front of it, or choose another kind for this layer"
        )


def a2q_weights(bits: int, accumulator_bits: int, *, per_channel: bool) -> Any:  # noqa: ANN401 (an injector)
    """Return the quantizer for accumulators of ``accumulator_bits`` bits.

    The scale s is a channel's, or with ``per_channel`` false the whole tensor's.
    """
    scaled = ScalingPerOutputType.CHANNEL if per_channel else ScalingPerOutputType.TENSOR
    return AccumulatorAwareWeightQuant.let(
        proxy_class=_proxy,
        int_scaling_impl=One,
        per_channel_pre_norm=_Norm,
        tensor_quant=BoundedWeights,
        bit_width=bits,
        accumulator_bit_width=accumulator_bits,
        scaling_per_output_type=scaled,
    )
