"""One forward pass of a Brevitas model, with its slow layers replaced while it lasts.

The model stays what it is: parameters, buffers, modes, hooks and names are its own, and before and
after the pass every layer is Brevitas'. So a checkpoint, an export and a validation see no
difference, and weights that are trained here are the model's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutloom.qat.fused.layers import Kept, fuse, is_looked_at, state

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lutloom.qat.fused.layers import Forward


class Fused:
    """A model to be called as itself: same results, same gradients, in less time.

    ``kept`` has the layers of which something is still computed by Brevitas' modules, and why.
    """

    def __init__(self, model: nn.Module, *, channels_last: bool = True) -> None:
        self.model = model
        self._channels_last = channels_last
        self._layers = [
            (name, module) for name, module in model.named_modules() if is_looked_at(module)
        ]
        self._bind()

    def __call__(self, pixels: torch.Tensor) -> Any:  # noqa: ANN401 (whatever the model returns)
        """Return what the model does; gradients flow into its parameters."""
        # loading weights makes Brevitas build its quantizers anew
        if self._states != [state(layer) for _, layer in self._layers]:
            self._bind()
        for own, forward in self._forwards:
            own["forward"] = forward
        try:
            return self.model(pixels)
        finally:
            for own, _ in self._forwards:
                own.pop("forward", None)

    def _bind(self) -> None:
        self._states = [state(layer) for _, layer in self._layers]
        fusings = [
            (name, layer, fuse(layer, channels_last=self._channels_last))
            for name, layer in self._layers
        ]
        self._forwards: list[tuple[dict[str, Any], Forward]] = [
            (layer.__dict__, fusing.forward)
            for _, layer, fusing in fusings
            if fusing.forward is not None
        ]
        self.kept = tuple(
            Kept(name, fusing.kept) for name, _, fusing in fusings if fusing.kept is not None
        )


def fused(model: nn.Module, *, channels_last: bool = True) -> Fused:
    """Return ``model`` with a faster forward and backward pass.

    With ``channels_last`` images are convolved with their channels next to one another in memory.
    That is faster, and sums are added up in another order: exact ones, those of low-bit weights
    and activations with constant scales, are the same, gradients and batch statistics are within
    rounding. Without it all are the very numbers that the model computes itself.
    """
    return Fused(model, channels_last=channels_last)
