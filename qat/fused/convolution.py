"""y = w * x of integers times powers of two, summed up as 8-bit integers in 32-bit sums.

Both ways of computing it are exact, so they give the same bits: in single precision every product
and every sum is an integer below 2^24 times a power of two, and the integers of a processor don't
round at all. They are four times as fast. Gradients are real numbers, and stay in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import frexp, prod
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd import Function
from torch.nn.functional import conv2d

if TYPE_CHECKING:
    from torch import Tensor

    from lutloom.qat.fused.quantizers import Levels

_MARK = "_lutloom_levels"
# sums up to here are exact in single precision
_LARGEST_SUM = 2**24


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution of images goes over them, as in torch."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @staticmethod
    def of(layer: Any) -> Window | None:  # noqa: ANN401 (a QuantConv2d)
        """Return the window of ``layer``, or None if it isn't a plain one without a bias."""
        is_plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        if not is_plain or layer.is_same_padded_strided or layer.bias is not None:
            return None
        return Window(layer.stride, layer.padding, layer.dilation, layer.groups)


def mark(values: Tensor, levels: Levels | None) -> None:
    """Note that all of ``values``, as they are now, are among ``levels``."""
    if levels is not None and not values.is_inference():
        setattr(values, _MARK, (levels, values._version))  # noqa: SLF001 (what changes it counts up)


def marked(values: Tensor) -> Levels | None:
    """Return the levels that ``values`` are among, if that was noted and nothing changed them."""
    noted: tuple[Levels, int] | None = getattr(values, _MARK, None)
    is_valid = noted is not None and noted[1] == values._version  # noqa: SLF001
    return noted[0] if noted is not None and is_valid else None


def integer_convolution(
    x: Tensor, weights: Tensor, window: Window, of_weights: Levels | None
) -> Tensor | None:
    """Return the convolution of ``x``, (N, C, H, W) with channels last, or None if it isn't of
    integers, or not faster as one.
    """
    of_x = marked(x)
    if of_x is None or of_weights is None or x.dtype != torch.float32 or x.device.type != "cpu":
        return None
    addends = prod(weights.shape[1:])
    largest = addends * _largest(of_x) * _largest(of_weights)
    fits = of_x.high - of_x.low <= 255 and of_weights.low >= -128 and of_weights.high <= 127
    is_exact = largest <= _LARGEST_SUM and _is_shift(of_x.scale) and _is_shift(of_weights.scale)
    if not (fits and is_exact and _is_fast()):
        return None
    sums: Tensor = _IntegerConvolution.apply(x, weights, window, of_x, of_weights)  # type: ignore[no-untyped-call]
    return sums


def _largest(levels: Levels) -> int:
    return max(-levels.low, levels.high)


def _is_shift(scale: float) -> bool:
    return frexp(scale)[0] == 0.5


@cache
def _is_fast() -> bool:
    """Tell whether this processor adds up four products of bytes at once, and torch does so."""
    try:
        if not torch.cpu._is_vnni_supported():  # noqa: SLF001
            return False
        x = torch.arange(-3.0, 47.0).reshape(1, 5, 5, 2).permute(0, 3, 1, 2)
        weights = torch.arange(-18.0, 18.0).reshape(2, 2, 3, 3)
        window = Window((1, 1), (1, 1), (1, 1), 1)
        sums = _sums(x.to(torch.int8).add_(3).view(torch.uint8), 3, weights, window, (1.0, 1.0))
        return torch.equal(sums, conv2d(x, weights, padding=1))
    except (AttributeError, RuntimeError, TypeError):
        # an operator that Inductor uses, which other builds of torch may have in another form
        return False


def _sums(
    levels: Tensor, zero: int, weights: Tensor, window: Window, scales: tuple[float, float]
) -> Tensor:
    """Return the convolution of bytes less ``zero`` with integer ``weights``, times both scales."""
    of_x, of_weights = scales
    shape = (list(window.stride), list(window.padding), list(window.dilation), window.groups)
    of_channels = torch.full((len(weights),), of_weights)
    zeros = torch.zeros(len(weights), dtype=torch.int64)
    packed = torch.ops.onednn.qconv_prepack(
        weights.to(torch.int8), of_channels, of_x, zero, *shape, list(levels.shape)
    )
    sums: Tensor = torch.ops.onednn.qconv2d_pointwise(
        *(levels, of_x, zero, packed, of_channels, zeros, None),
        *shape,
        *(1.0, 0, torch.float32, "none", [], ""),
    )
    return sums


class _IntegerConvolution(Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 (torch's own)
        x: Tensor,
        weights: Tensor,
        window: Window,
        of_x: Levels,
        of_weights: Levels,
    ) -> Tensor:
        ctx.save_for_backward(x, weights)
        ctx.window = window
        integers = x if of_x.scale == 1 else x / of_x.scale
        levels = integers.to(torch.int8 if of_x.low < 0 else torch.uint8)
        if of_x.low < 0:
            # modulo 256, which is what the bytes mean again without a sign
            levels = levels.add_(-of_x.low).view(torch.uint8)
        scales = of_x.scale, of_weights.scale
        return _sums(levels, -of_x.low, weights / of_weights.scale, window, scales)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weights = ctx.saved_tensors
        window: Window = ctx.window
        for_x, for_weights, _ = torch.ops.aten.convolution_backward(
            *(g, x, weights, None, window.stride, window.padding, window.dilation),
            *(False, (0, 0), window.groups, (*ctx.needs_input_grad[:2], False)),
        )
        return for_x, for_weights, None, None, None
