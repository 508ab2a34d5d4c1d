"""The one door to Brevitas: the parts of it that are used, imported without its noise.

Importing Brevitas warns that its own ``brevitas.fx`` is deprecated and that an optional kernel is
missing; neither is of use to anybody who trains a network.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "brevitas.fx is deprecated", DeprecationWarning)
    warnings.filterwarnings("ignore", "fast_hadamard_transform package not found", UserWarning)
    from brevitas.core.function_wrapper import CeilSte, TensorClamp
    from brevitas.core.quant import BinaryQuant, IntQuant
    from brevitas.core.scaling import ParameterScaling
    from brevitas.core.utils import SingleArgStatelessBuffer
    from brevitas.core.zero_point import ZeroZeroPoint
    from brevitas.export import export_qonnx
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
    from brevitas.proxy import DecoupledWeightQuantWithInputProxyFromInjector
    from brevitas.quant import Int32Bias, Uint8ActPerTensorFloat
    from brevitas.quant.base import AccumulatorAwareWeightQuant
    from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
    from brevitas.quant_tensor import IntQuantTensor

__all__ = [
    "AccumulatorAwareWeightQuant",
    "ActQuantSolver",
    "BinaryQuant",
    "BitWidthImplType",
    "CeilSte",
    "DecoupledWeightQuantWithInputProxyFromInjector",
    "ExtendedInjector",
    "FloatToIntImplType",
    "Int32Bias",
    "IntQuant",
    "IntQuantTensor",
    "ParameterScaling",
    "QuantConv1d",
    "QuantConv2d",
    "QuantConvTranspose2d",
    "QuantIdentity",
    "QuantLinear",
    "QuantReLU",
    "QuantSigmoid",
    "QuantType",
    "RestrictValueType",
    "ScalingImplType",
    "ScalingPerOutputType",
    "SingleArgStatelessBuffer",
    "StatsOp",
    "TensorClamp",
    "TruncAdaptiveAvgPool2d",
    "TruncAvgPool2d",
    "Uint8ActPerTensorFloat",
    "WeightQuantSolver",
    "ZeroZeroPoint",
    "export_qonnx",
    "round_ste",
    "value",
]
