"""The operators, one module each; the registry that files and generators go by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lutloom.core.op import Op
from lutloom.core.ops.add import Add
from lutloom.core.ops.border_threshold import BorderThreshold
from lutloom.core.ops.conv import Conv
from lutloom.core.ops.depthwise import Depthwise
from lutloom.core.ops.duplicate import Duplicate
from lutloom.core.ops.linear import Linear
from lutloom.core.ops.matvec import MatVec
from lutloom.core.ops.max_pool import MaxPool
from lutloom.core.ops.permute import Permute
from lutloom.core.ops.requantize import Requantize
from lutloom.core.ops.reshape import Reshape
from lutloom.core.ops.sum_pool import SumPool
from lutloom.core.ops.threshold import Threshold
from lutloom.core.ops.top_k import TopK
from lutloom.core.ops.window import Window

OPERATORS: Mapping[str, type[Op]] = MappingProxyType(
    {
        op.name: op
        for op in (
            Add,
            BorderThreshold,
            Conv,
            Depthwise,
            Duplicate,
            Linear,
            MatVec,
            MaxPool,
            Permute,
            Requantize,
            Reshape,
            SumPool,
            Threshold,
            TopK,
            Window,
        )
    }
)

__all__ = [
    "OPERATORS",
    "Add",
    "BorderThreshold",
    "Conv",
    "Depthwise",
    "Duplicate",
    "Linear",
    "MatVec",
    "MaxPool",
    "Permute",
    "Requantize",
    "Reshape",
    "SumPool",
    "Threshold",
    "TopK",
    "Window",
]
