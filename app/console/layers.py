"""How quantizers compare with the float executor, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lutloom.console.terminal import say, show
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.streamline.layer_comparison import LayerComparison


def show_layers(layers: Sequence[LayerComparison]) -> None:
    """Print how the quantizers compare with the float executor, if any of them differs."""
    if not any(layer.differing for layer in layers):
        return
    numbers = ("equal", "explained", "at ties", "unexplained", "bound", "nearest")
    show(
        (Column("quantizer", Kind.NAME), *map(Column, numbers)),
        (
            (
                layer.value,
                f"{layer.elements - layer.differing:,}",
                f"{layer.explained:,}",
                f"{layer.structural:,}",
                f"{layer.unexplained:,}",
                "none" if layer.median_bound is None else f"{layer.median_bound:.2g}",
                f"{layer.largest_ratio:.2f}" if layer.explained else "",
            )
            for layer in layers
        ),
    )
    elements = sum(layer.elements for layer in layers)
    explained = sum(layer.explained for layer in layers)
    say(
        "explained",
        f"{explained:,} of {elements:,} ({explained / elements:.4%}) lie within the float32 error"
        " bound (its median above, in steps) of the executor's level, the nearest at that share"
        " of it",
    )
