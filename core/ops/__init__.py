"""The operators, one module each; the registry that files and generators go by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lutloom.core.op import Op
from lutloom.core.ops.add import Add
from lutloom.core.ops.border_threshold import BorderThreshold
from lutloom.core.ops.concat import Concat
from lutloom.core.ops.conv import Conv
from lutloom.core.ops.depthwise import Depthwise
from lutloom.core.ops.duplicate import Duplicate
from lutloom.core.ops.linear import Linear
from lutloom.core.ops.lookup import Lookup
from lutloom.core.ops.matmul import MatMul
from lutloom.core.ops.matvec import MatVec
from lutloom.core.ops.max_pool import MaxPool
from lutloom.core.ops.multiply import Multiply
from lutloom.core.ops.permute import Permute
from lutloom.core.ops.requantize import Requantize
from lutloom.core.ops.reshape import Reshape
from lutloom.core.ops.slice import Slice
from lutloom.core.ops.split import Split
from lutloom.core.ops.sum_pool import SumPool
from lutloom.core.ops.threshold import Threshold
from lutloom.core.ops.top_k import TopK
from lutloom.core.ops.upsample import Upsample
from lutloom.core.ops.window import Window

OPERATORS: Mapping[str, type[Op]] = MappingProxyType(
    {
        op.name: op
        for op in (
            Add,
            BorderThreshold,
            Concat,
            Conv,
            Depthwise,
            Duplicate,
            Linear,
            Lookup,
            MatMul,
            MatVec,
            MaxPool,
            Multiply,
            Permute,
            Requantize,
            Reshape,
            Slice,
            Split,
            SumPool,
            Threshold,
            TopK,
            Upsample,
            Window,
        )
    }
)

__all__ = [
    "OPERATORS",
    "Add",
    "BorderThreshold",
    "Concat",
    "Conv",
    "Depthwise",
    "Duplicate",
    "Linear",
    "Lookup",
    "MatMul",
    "MatVec",
    "MaxPool",
    "Multiply",
    "Permute",
    "Requantize",
    "Reshape",
    "Slice",
    "Split",
    "SumPool",
    "Threshold",
    "TopK",
    "Upsample",
    "Window",
]
