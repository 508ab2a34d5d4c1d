"""Brevitas in evaluation mode, as it was trained: the model itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from benchmarks.peers.case import floats_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.case import Bind, Case, Logits, Pixels


def load(case: Case, threads: int) -> Bind:
    """Return the peer for ``case``."""
    torch.set_num_threads(threads)
    model = case.brevitas()

    def bind(pixels: Pixels) -> Callable[[], Logits]:
        x = torch.from_numpy(floats_of(pixels))

        def call() -> Logits:
            with torch.inference_mode():
                logits: Logits = model(x).numpy()
            return logits

        return call

    return bind
