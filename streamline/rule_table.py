"""One function for each operator of the file, by domain and name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lutloom.streamline.expression import Function
from lutloom.streamline.rules.affine import add, div, mean, mul, neg, sub, sum_
from lutloom.streamline.rules.average_pool import average_pool, global_average_pool, reduce_sum
from lutloom.streamline.rules.batch_norm import batch_norm
from lutloom.streamline.rules.clamp import clip, extreme, relu
from lutloom.streamline.rules.concat import concat
from lutloom.streamline.rules.conv import conv
from lutloom.streamline.rules.conv_transpose import conv_transpose
from lutloom.streamline.rules.depth_to_space import depth_to_space, space_to_depth
from lutloom.streamline.rules.expand import expand, tile
from lutloom.streamline.rules.functions import (
    celu,
    elu,
    gelu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    mish,
    power,
    prelu,
    primitive,
    reciprocal,
    selu,
    softsign,
    square_root,
    swish,
    thresholded_relu,
)
from lutloom.streamline.rules.gather import gather
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.rules.identity import identity
from lutloom.streamline.rules.linear import gemm, matmul, xnor_popcount
from lutloom.streamline.rules.linear_quantizers import dequantize_linear, quantize_linear
from lutloom.streamline.rules.max_pool import global_max_pool, max_pool, reduce_max
from lutloom.streamline.rules.multi_threshold import multi_threshold
from lutloom.streamline.rules.pad import im2col, pad
from lutloom.streamline.rules.quant import OTHER_QUANTIZERS, bipolar_quant, other_quantizer, quant
from lutloom.streamline.rules.resize import resize
from lutloom.streamline.rules.shape import flatten, reshape, squeeze, transpose, unsqueeze
from lutloom.streamline.rules.shape_arithmetic import shape
from lutloom.streamline.rules.slice import slice_
from lutloom.streamline.rules.split import split
from lutloom.streamline.rules.top_k import arg_max, top_k
from lutloom.streamline.rules.trunc import quant_avg_pool, trunc
from lutloom.streamline.source import QUANTIZER_DOMAINS, RUNTIME_DOMAINS, STANDARD_DOMAINS
from lutloom.streamline.window_attributes import CHANNELS_LAST_DOMAIN

if TYPE_CHECKING:
    from lutloom.streamline.context import Rule

_STANDARD: Mapping[str, Rule] = {
    "Add": add,
    "ArgMax": arg_max,
    "ArgMin": arg_max,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Cast": identity,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DequantizeLinear": dequantize_linear,
    "DepthToSpace": depth_to_space,
    "Div": div,
    "Dropout": identity,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "Identity": identity,
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": mul,
    "Neg": neg,
    "Pad": pad,
    "QuantizeLinear": quantize_linear,
    "ReduceMax": reduce_max,
    "ReduceMean": reduce_sum,
    "ReduceSum": reduce_sum,
    "Relu": relu,
    "Reshape": reshape,
    "Resize": resize,
    "Shape": shape,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Sub": sub,
    "Sum": sum_,
    "Tile": tile,
    "TopK": top_k,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
    "Upsample": resize,
    "Abs": primitive(Function.ABSOLUTE),
    "Celu": celu,
    "Elu": elu,
    "Erf": primitive(Function.ERF),
    "Exp": primitive(Function.EXP),
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "LeakyRelu": leaky_relu,
    "Log": primitive(Function.LOG),
    "LogSoftmax": host_only,
    "Max": extreme,
    "Mean": mean,
    "Min": extreme,
    "Mish": mish,
    "PRelu": prelu,
    "Pow": power,
    "Reciprocal": reciprocal,
    "Selu": selu,
    "Sigmoid": primitive(Function.SIGMOID),
    "Softmax": host_only,
    "Softplus": primitive(Function.SOFTPLUS),
    "Softsign": softsign,
    "Sqrt": square_root,
    "Swish": swish,
    "Tanh": primitive(Function.TANH),
    "ThresholdedRelu": thresholded_relu,
}

_QUANTIZERS: Mapping[str, Rule] = {
    "BipolarQuant": bipolar_quant,
    "Im2Col": im2col,
    "IntQuant": quant,
    "MaxPoolNHWC": max_pool,
    "MultiThreshold": multi_threshold,
    "Quant": quant,
    "QuantAvgPool2d": quant_avg_pool,
    "Trunc": trunc,
    "XnorPopcountMatMul": xnor_popcount,
}

_CHANNELS_LAST: Mapping[str, Rule] = {
    "BatchNormalization": batch_norm,
    "Conv": conv,
    "MaxPool": max_pool,
}

RULES: Mapping[tuple[str, str], Rule] = MappingProxyType(
    {(CHANNELS_LAST_DOMAIN, name): rule for name, rule in _CHANNELS_LAST.items()}
    | {(domain, name): rule for domain in STANDARD_DOMAINS for name, rule in _STANDARD.items()}
    | {(domain, name): rule for domain in QUANTIZER_DOMAINS for name, rule in _QUANTIZERS.items()}
    | {
        (domain, name): other_quantizer
        for domain in STANDARD_DOMAINS | QUANTIZER_DOMAINS | RUNTIME_DOMAINS
        for name in OTHER_QUANTIZERS
    }
)
