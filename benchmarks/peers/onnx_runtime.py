"""ONNX Runtime: the model in float32 with exact quantizers, or Brevitas' QCDQ export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime

from benchmarks.peers.case import Case, NotForThis, floats_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.peers.case import Bind, Logits, Pixels


def load(case: Case, threads: int) -> Bind:
    """Return the peer for ``case`` in float32."""
    return _session(case.standard, threads)


def load_qcdq(case: Case, threads: int) -> Bind:
    """Return the peer for ``case`` in int8. Raises ``NotForThis`` where there is no export."""
    if not case.qcdq.is_file():
        reason = case.qcdq.with_suffix(".txt").read_text(encoding="utf-8")
        raise NotForThis(f"Brevitas exports no QCDQ: {reason}")
    return _session(case.qcdq, threads)


def _session(path: Path, threads: int) -> Bind:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def bind(pixels: Pixels) -> Callable[[], Logits]:
        inputs = {given.name: floats_of(pixels)}

        def call() -> Logits:
            logits: Logits = session.run(None, inputs)[0]
            return logits

        return call

    return bind
