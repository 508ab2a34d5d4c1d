"""The one door to Brevitas: the parts of it that are used, imported without its noise.

Importing Brevitas warns that its own ``brevitas.fx`` is deprecated and that an optional kernel is
missing; neither is of use to anybody who trains a network.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "brevitas.fx is deprecated", DeprecationWarning)
    warnings.filterwarnings("ignore", "fast_hadamard_transform package not found", UserWarning)
    from brevitas.config import JIT_ENABLED
    from brevitas.core.bit_width import BitWidthConst
    from brevitas.core.function_wrapper import (
        CeilSte,
        Identity,
        RoundSte,
        TensorClamp,
        TensorClampSte,
    )
    from brevitas.core.quant import BinaryQuant, ClampedBinaryQuant, IntQuant, RescalingIntQuant
    from brevitas.core.quant.delay import _NoDelay as NoDelay
    from brevitas.core.quant.int import DecoupledRescalingIntQuantWithInput
    from brevitas.core.scaling import ConstScaling, ParameterScaling
    from brevitas.core.utils import SingleArgStatelessBuffer
    from brevitas.core.zero_point import ZeroZeroPoint
    from brevitas.export import QONNXDynamoManager, QONNXManager
    from brevitas.export.onnx.qonnx.handler import BrevitasQuantOp
    from brevitas.function.ops_ste import round_ste
    from brevitas.inject import ExtendedInjector, value
    from brevitas.inject.enum import (
        BitWidthImplType,
        FloatToIntImplType,
        QuantType,
        RestrictValueType,
        ScalingImplType,
        ScalingPerOutputType,
        StatsOp,
    )
    from brevitas.nn import (
        QuantConv1d,
        QuantConv2d,
        QuantConvTranspose2d,
        QuantIdentity,
        QuantLinear,
        QuantReLU,
        QuantSigmoid,
        TruncAdaptiveAvgPool2d,
        TruncAvgPool2d,
    )
    from brevitas.proxy import (
        ActQuantProxyFromInjector,
        DecoupledWeightQuantWithInputProxyFromInjector,
        WeightQuantProxyFromInjector,
    )
    from brevitas.quant import Int32Bias, Uint8ActPerTensorFloat
    from brevitas.quant.base import (
        AccumulatorAwarePerChannelPreNorm,
        AccumulatorAwareWeightQuant,
    )
    from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
    from brevitas.quant_tensor import IntQuantTensor

__all__ = [
    "JIT_ENABLED",
    "AccumulatorAwarePerChannelPreNorm",
    "AccumulatorAwareWeightQuant",
    "ActQuantProxyFromInjector",
    "ActQuantSolver",
    "BinaryQuant",
    "BitWidthConst",
    "BitWidthImplType",
    "BrevitasQuantOp",
    "CeilSte",
    "ClampedBinaryQuant",
    "ConstScaling",
    "DecoupledRescalingIntQuantWithInput",
    "DecoupledWeightQuantWithInputProxyFromInjector",
    "ExtendedInjector",
    "FloatToIntImplType",
    "Identity",
    "Int32Bias",
    "IntQuant",
    "IntQuantTensor",
    "NoDelay",
    "ParameterScaling",
    "QONNXDynamoManager",
    "QONNXManager",
    "QuantConv1d",
    "QuantConv2d",
    "QuantConvTranspose2d",
    "QuantIdentity",
    "QuantLinear",
    "QuantReLU",
    "QuantSigmoid",
    "QuantType",
    "RescalingIntQuant",
    "RestrictValueType",
    "RoundSte",
    "ScalingImplType",
    "ScalingPerOutputType",
    "SingleArgStatelessBuffer",
    "StatsOp",
    "TensorClamp",
    "TensorClampSte",
    "TruncAdaptiveAvgPool2d",
    "TruncAvgPool2d",
    "Uint8ActPerTensorFloat",
    "WeightQuantProxyFromInjector",
    "WeightQuantSolver",
    "ZeroZeroPoint",
    "round_ste",
    "value",
]
