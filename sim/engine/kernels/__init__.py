"""What the engine does for each operator: the steps that it adds to a program."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lutloom.sim.engine.kernels.elementwise import lower_add, lower_multiply
from lutloom.sim.engine.kernels.lookup import lower_lookup
from lutloom.sim.engine.kernels.matmul import lower_matmul
from lutloom.sim.engine.kernels.moves import (
    lower_alias,
    lower_concat,
    lower_parts,
    lower_permute,
    lower_upsample,
)
from lutloom.sim.engine.kernels.pools import lower_max_pool
from lutloom.sim.engine.kernels.requantize import lower_requantize
from lutloom.sim.engine.kernels.sums import lower_sums
from lutloom.sim.engine.kernels.threshold import lower_threshold
from lutloom.sim.engine.kernels.top_k import lower_top_k
from lutloom.sim.engine.kernels.window import lower_window

if TYPE_CHECKING:
    from lutloom.sim.engine.planner import Lower

LOWERINGS: Mapping[str, Lower] = MappingProxyType(
    {
        "add": lower_add,
        "border_threshold": lower_threshold,
        "concat": lower_concat,
        "conv": lower_sums,
        "depthwise": lower_sums,
        "duplicate": lower_alias,
        "linear": lower_sums,
        "lookup": lower_lookup,
        "matmul": lower_matmul,
        "matvec": lower_sums,
        "max_pool": lower_max_pool,
        "multiply": lower_multiply,
        "permute": lower_permute,
        "requantize": lower_requantize,
        "reshape": lower_alias,
        "slice": lower_parts,
        "split": lower_parts,
        "sum_pool": lower_sums,
        "threshold": lower_threshold,
        "top_k": lower_top_k,
        "upsample": lower_upsample,
        "window": lower_window,
    }
)
"""By the operators' names."""
