"""The kernels, one module each; the registry by the operator's name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lutloom.codegen.kernels import (
    add,
    border_threshold,
    concat,
    depthwise,
    duplicate,
    lookup,
    matmul,
    matvec,
    max_pool,
    multiply,
    permute,
    requantize,
    split,
    sum_pool,
    threshold,
    top_k,
    upsample,
    window,
)
from lutloom.codegen.kernels.kernel import Code, Kernel, Legal, Site, Table

KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {
        "add": add.KERNEL,
        "border_threshold": border_threshold.KERNEL,
        "concat": concat.KERNEL,
        "depthwise": depthwise.KERNEL,
        "duplicate": duplicate.KERNEL,
        "lookup": lookup.KERNEL,
        "matmul": matmul.KERNEL,
        "matvec": matvec.KERNEL,
        "max_pool": max_pool.KERNEL,
        "multiply": multiply.KERNEL,
        "permute": permute.KERNEL,
        "requantize": requantize.KERNEL,
        "split": split.KERNEL,
        "sum_pool": sum_pool.KERNEL,
        "threshold": threshold.KERNEL,
        "top_k": top_k.KERNEL,
        "upsample": upsample.KERNEL,
        "window": window.KERNEL,
    }
)

# Operators that are no process: linear, conv and slice are lowered to others, and a reshape is
# a wire, since a stream has no shape.
NO_PROCESS = frozenset({"conv", "linear", "reshape", "slice"})

__all__ = ["KERNELS", "NO_PROCESS", "Code", "Kernel", "Legal", "Site", "Table"]
