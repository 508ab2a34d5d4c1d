"""What the engine does for each operator: the steps that it adds to a program."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lutloom.sim.engine.kernels.moves import lower_permute, lower_reshape
from lutloom.sim.engine.kernels.sums import lower_sums
from lutloom.sim.engine.kernels.threshold import lower_threshold

if TYPE_CHECKING:
    from lutloom.sim.engine.planner import Lower

LOWERINGS: Mapping[str, Lower] = MappingProxyType(
    {
        "border_threshold": lower_threshold,
        "conv": lower_sums,
        "linear": lower_sums,
        "matvec": lower_sums,
        "permute": lower_permute,
        "reshape": lower_reshape,
        "threshold": lower_threshold,
    }
)
"""By the operators' names."""
