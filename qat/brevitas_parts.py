"""The one door to Brevitas: the parts of it that are used, imported without its noise.

Importing Brevitas warns that its own ``brevitas.fx`` is deprecated and that an optional kernel is
missing; neither is of use to anybody who trains a network.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "brevitas.fx is deprecated", DeprecationWarning)
    warnings.filterwarnings("ignore", "fast_hadamard_transform package not found", UserWarning)
    from brevitas.core.zero_point import ZeroZeroPoint
    from brevitas.export import export_qonnx
    from brevitas.inject.enum import (
        BitWidthImplType,
        FloatToIntImplType,
        QuantType,
        RestrictValueType,
        ScalingImplType,
    )
    from brevitas.nn import QuantIdentity, QuantLinear
    from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver

__all__ = [
    "ActQuantSolver",
    "BitWidthImplType",
    "FloatToIntImplType",
    "QuantIdentity",
    "QuantLinear",
    "QuantType",
    "RestrictValueType",
    "ScalingImplType",
    "WeightQuantSolver",
    "ZeroZeroPoint",
    "export_qonnx",
]
