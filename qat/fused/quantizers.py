"""From Brevitas' quantizers of tensors to the functions that compute the same.

What a quantizer *is* decides, not what it was asked for by: its arithmetic has to be one of those
of :mod:`~lutloom.qat.fused.functions`. Whatever gives its scale stays Brevitas' own, a module that
works on a few numbers, unless it is constant: then it is asked once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from lutloom.qat.brevitas_parts import (
    BinaryQuant,
    BitWidthConst,
    ClampedBinaryQuant,
    ConstScaling,
    Identity,
    IntQuant,
    NoDelay,
    RescalingIntQuant,
    RoundSte,
    TensorClamp,
    TensorClampSte,
    ZeroZeroPoint,
)
from lutloom.qat.fused.functions import Grid, clamped_sign, rounded, sign
from lutloom.qat.quantizers.clipped import ClippedIntQuant

if TYPE_CHECKING:
    Description = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    Quantized = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Levels:
    """All that a quantizer may give: ``scale`` times the integers from ``low`` to ``high``."""

    scale: float
    low: int
    high: int


class Quantize(Protocol):
    """What a quantizer computes."""

    @property
    def levels(self) -> Levels | None:
        """What it may give, where its scale is one constant number."""

    def __call__(self, x: torch.Tensor) -> Quantized:
        """Return values, scale, zero point and bit width."""


def fused_quantizer(quantizer: Any, *, rectified: bool = False) -> Quantize | None:  # noqa: ANN401
    """Return what computes values, scale, zero point and bit width as ``quantizer`` does.

    ``quantizer`` is the ``tensor_quant`` of a proxy of Brevitas, behind a ReLU if ``rectified``.
    None says that its arithmetic is another one.
    """
    if type(quantizer) is RescalingIntQuant:
        return _Integers(quantizer, rectified=rectified) if _rounds(quantizer) else None
    if rectified or not _is_immediate(quantizer):
        return None
    if type(quantizer) is BinaryQuant:
        return _Signs(quantizer)
    return _ClampedSigns(quantizer) if _clamps_at_a_constant(quantizer) else None


def _is_immediate(quantizer: Any) -> bool:  # noqa: ANN401
    # otherwise the first so many steps are not quantized
    wrapper = getattr(quantizer, "delay_wrapper", None)
    return wrapper is not None and type(wrapper.delay_impl) is NoDelay


def _rounds(quantizer: Any) -> bool:  # noqa: ANN401
    integers = quantizer.int_quant
    return (
        type(integers) in (IntQuant, ClippedIntQuant)
        and type(integers.float_to_int_impl) is RoundSte
        and type(integers.tensor_clamp_impl) in (TensorClamp, TensorClampSte)
        and type(integers.input_view_impl) is Identity
        and _is_immediate(integers)
        and type(quantizer.zero_point_impl) is ZeroZeroPoint
        and type(quantizer.msb_clamp_bit_width_impl) is BitWidthConst
        and not quantizer.observer_only
    )


def _clamps_at_a_constant(quantizer: Any) -> bool:  # noqa: ANN401
    return (
        type(quantizer) is ClampedBinaryQuant
        and type(quantizer.tensor_clamp_impl) is TensorClamp
        and type(quantizer.scaling_impl) is ConstScaling
        and quantizer.scaling_impl.value().numel() == 1
        and float(quantizer.scaling_impl(torch.zeros(1))) > 0
    )


class _Scaled:
    """What a quantizer says of its values: asked for at each call, or once if it is constant."""

    def __init__(self, quantizer: Any) -> None:  # noqa: ANN401
        self._quantizer = quantizer
        self._known: tuple[object, Description] | None = None
        self._is_constant = type(quantizer.scaling_impl) is ConstScaling
        self.constant: float | None = None
        if self._is_constant:
            scale = self._describe(quantizer.scaling_impl.value())[0]
            self.constant = float(scale) if scale.numel() == 1 else None

    def described(self, x: torch.Tensor) -> Description:
        """Return scale, zero point and bit width for ``x``."""
        where = x.device, x.dtype
        if self._known is not None and self._known[0] == where:
            return self._known[1]
        description = self._describe(x)
        if self._is_constant:
            self._known = where, description
        return description

    def _describe(self, x: torch.Tensor) -> Description:
        quantizer = self._quantizer
        return quantizer.scaling_impl(x), quantizer.zero_point(), quantizer.bit_width()


class _Signs(_Scaled):
    def __call__(self, x: torch.Tensor) -> Quantized:
        scale, zero_point, bits = self.described(x)
        is_one = self.constant == 1 and scale.dtype == x.dtype
        return sign(x) if is_one else sign(x) * scale, scale, zero_point, bits

    @property
    def levels(self) -> Levels | None:
        return None if self.constant is None else Levels(self.constant, -1, 1)


class _ClampedSigns(_Signs):
    def __call__(self, x: torch.Tensor) -> Quantized:
        assert self.constant is not None
        scale, zero_point, bits = self.described(x)
        return clamped_sign(x, self.constant), scale, zero_point, bits


class _Integers(_Scaled):
    def __init__(self, quantizer: Any, *, rectified: bool) -> None:  # noqa: ANN401
        super().__init__(quantizer)
        self._rectified = rectified
        integers, bits = quantizer.int_quant, quantizer.msb_clamp_bit_width_impl()
        low, high = float(integers.min_int(bits)), float(integers.max_int(bits))
        self._grid = Grid(
            low,
            high,
            # a scale may follow the values, those behind the ReLU
            rectified=rectified and self.constant is not None,
            unstopped=type(integers.tensor_clamp_impl) is TensorClampSte,
            clipped_first=type(integers) is ClippedIntQuant,
        )

    def _describe(self, x: torch.Tensor) -> Description:
        quantizer = self._quantizer
        bits = quantizer.msb_clamp_bit_width_impl()
        scale = quantizer.scaling_impl(x, quantizer.int_scaling_impl(bits))
        return scale, quantizer.zero_point_impl(x, scale, bits), bits

    def __call__(self, x: torch.Tensor) -> Quantized:
        if self._rectified and not self._grid.rectified:
            x = x.relu()
        scale, zero_point, bits = self.described(x)
        return rounded(x, scale, self._grid, constant=self.constant), scale, zero_point, bits

    @property
    def levels(self) -> Levels | None:
        if self.constant is None:
            return None
        return Levels(self.constant, int(self._grid.low), int(self._grid.high))
