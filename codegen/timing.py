"""What the loops of processes don't say about time: constants that only synthesis would know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PIPELINE_DEPTH: Mapping[str, int] = MappingProxyType(
    {
        "add": 6,
        "border_threshold": 16,
        "concat": 4,
        "depthwise": 16,
        "duplicate": 2,
        "gearbox": 4,
        "lookup": 6,
        "matmul": 16,
        "matvec": 16,
        "max_pool": 8,
        "multiply": 12,
        "narrow": 2,
        "permute": 6,
        "read_axis": 2,
        "requantize": 16,
        "split": 2,
        "sum_pool": 8,
        "threshold": 16,
        "top_k": 6,
        "upsample": 6,
        "widen": 2,
        "window": 8,
        "write_axis": 2,
    }
)
"""Cycles between the reads and the writes of an iteration: on the safe side, not measured."""

RESTART_GAP = 4
"""Cycles between the end of a frame in a process and the beginning of the next one."""

FIFO_LATENCY = 2
"""Cycles that a word takes through a FIFO, beyond the one after it was written."""


@dataclass(frozen=True)
class Timing:
    """The pipeline ``stages`` of each kind of process, and delays, in cycles.

    A pipeline that ``stalls`` keeps what is in it when it has to wait; otherwise it flushes.
    """

    stages: Mapping[str, int]
    restart_gap: int
    fifo_latency: int
    stalls: bool = False


IDEAL = Timing(MappingProxyType(dict.fromkeys(PIPELINE_DEPTH, 0)), 0, 0)
"""No pipeline, no restart, no delay."""

PESSIMISTIC = Timing(PIPELINE_DEPTH, RESTART_GAP, FIFO_LATENCY)

STALLING = Timing(PIPELINE_DEPTH, RESTART_GAP, 0, stalls=True)
"""Pipelines that keep their last results until more words come, and FIFOs without registers of
their own: what needs the deepest FIFOs to go on at all.
"""
