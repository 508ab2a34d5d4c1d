"""qonnx's executor, node by node; constants are computed once, which it does for every batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers.case import floats_of
from lutloom.streamline.executor import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.case import Bind, Case, Logits, Pixels


def load(case: Case, threads: int) -> Bind:  # noqa: ARG001 - its sessions take what they find
    """Return the peer for ``case``."""

    def bind(pixels: Pixels) -> Callable[[], Logits]:
        executor, x = prepare(case.qonnx, len(pixels)), floats_of(pixels)
        (output,) = executor.wrapper.graph.output

        def call() -> Logits:
            logits: Logits = executor.run(x)[output.name]
            return logits

        return call

    return bind
