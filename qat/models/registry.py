"""Names of models and what they stand for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from lutloom.qat.errors import TrainingError
from lutloom.qat.models.fc import FcSpec, FullyConnected

if TYPE_CHECKING:
    from torch import nn

_HIDDEN = {"TFC": (64, 64, 64), "SFC": (256, 256, 256), "LFC": (1024, 1024, 1024)}
# wide nets have capacity to spare, the tiny one has not
_DROPOUT = {"TFC": 0.0, "SFC": 0.1, "LFC": 0.2}
_BITS = {"1W1A": (1, 1), "1W2A": (1, 2), "2W2A": (2, 2)}

_SPECS = {
    f"{size}_{bits}": FcSpec(_HIDDEN[size], weights, activations, _DROPOUT[size])
    for size in _HIDDEN
    for bits, (weights, activations) in _BITS.items()
}


def model_names() -> tuple[str, ...]:
    """Return the names that :func:`build_model` knows."""
    return tuple(_SPECS)


def canonical_name(name: str) -> str:
    """Return the registered spelling of ``name``: ``tfc-1w1a`` is ``TFC_1W1A``.

    Raises :class:`TrainingError` if there is no such model.
    """
    spelled = name.strip().upper().replace("-", "_")
    if spelled in _SPECS:
        return spelled
    close = get_close_matches(spelled, _SPECS, n=1)
    nearest = f" (did you mean {close[0]}?)" if close else ""
    raise TrainingError(f"there is no model {name!r}{nearest}: use one of {', '.join(_SPECS)}")


def build_model(name: str, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return the untrained model ``name`` for images of ``input_shape`` (C, H, W).

    It takes (N, C, H, W) float pixels in [0, 1] and returns (N, classes) logits. Its weights are
    drawn from torch's global generator. Raises :class:`TrainingError` if there is no such model.
    """
    return FullyConnected(_SPECS[canonical_name(name)], input_shape, classes)
