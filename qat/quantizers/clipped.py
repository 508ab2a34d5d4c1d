"""q(x) = s round(clip(x / s, l, h)): clipped first, and rounded then.

Values are those of Brevitas' ``IntQuant``, which rounds first; gradients differ within half a step
outside of [l, h], where these are those of the clipping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.qat.brevitas_parts import IntQuant

if TYPE_CHECKING:
    import torch


class ClippedIntQuant(IntQuant):  # type: ignore[misc]
    """The integers of a quantizer with scale, zero point and bits, as in LSQ and DoReFa-Net."""

    def to_int(
        self,
        scale: torch.Tensor,
        zero_point: torch.Tensor,
        bit_width: torch.Tensor,
        x: torch.Tensor,
    ) -> torch.Tensor:
        """Return the integers of ``x``, of its shape."""
        steps = x / scale + zero_point
        clipped = self.tensor_clamp_impl(
            steps, min_val=self.min_int(bit_width), max_val=self.max_int(bit_width)
        )
        integers: torch.Tensor = self.float_to_int_impl(clipped)
        return integers
