"""How good a trained model is, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from lutloom.console.terminal import console, say
from lutloom.core.counts import counted

if TYPE_CHECKING:
    from lutloom.qat.trainer import TrainResult


def show_training(result: TrainResult) -> None:
    """Print how good a trained model is and where it lies."""
    console.print(
        f"{escape(result.model)} on {escape(result.dataset)}: {result.correct} of"
        f" {counted(result.images, 'test image')} right ({result.accuracy:.2%}),"
        f" {f'epoch {result.epoch + 1}' if result.history else 'not trained'},"
        f" {result.seconds:.1f} s"
    )
    say("model", str(result.onnx))
    say("checkpoint", str(result.checkpoint))
