"""The steps of a quantizer as one function each: what it gives, and what gradient passes back.

``sign(x)`` is +1 from zero on and -1 below; its gradient goes straight through, and in
``clamped_sign`` only where ``|x| <= limit``. ``rounded`` is ``s * clip(round(x / s), low, high)``
with ties to even, whose gradient for ``x`` is ``(g * s) / s`` where nothing was clipped and 0
elsewhere.

These are the operations of Brevitas' modules, the same ones in the same order, so that every number
is the same; what is saved are passes over memory: masks, copies, and products with 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd import Function

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """The integers of a quantizer: from ``low`` to ``high``, behind a ReLU if it is ``rectified``.

    Gradients stop where a value was clipped, unless they are ``unstopped``: after rounding, or in
    front of it if values are ``clipped_first``, which gives the same values.
    """

    low: float
    high: float
    rectified: bool = False
    unstopped: bool = False
    clipped_first: bool = False


def sign(x: Tensor) -> Tensor:
    """Return the signs of ``x``; their gradient is that of ``x``."""
    signs: Tensor = _Sign.apply(x)  # type: ignore[no-untyped-call]
    return signs


def clamped_sign(x: Tensor, limit: float) -> Tensor:
    """Return ``limit * sign(x)``, whose gradient stops outside of ``[-limit, limit]``."""
    signs: Tensor = _ClampedSign.apply(x, limit)  # type: ignore[no-untyped-call]
    return signs


def rounded(x: Tensor, scale: Tensor, grid: Grid) -> Tensor:
    """Return the multiples of ``scale`` next to ``x``, as far as they are on the grid.

    ``scale`` is positive, of one element or of any shape that broadcasts to that of ``x``; it gets
    its gradient as well.
    """
    levels: Tensor = _Rounded.apply(x, scale, grid)  # type: ignore[no-untyped-call]
    return levels


def _signs(x: Tensor) -> Tensor:
    return torch.ge(x, 0, out=torch.empty_like(x, requires_grad=False)).mul_(2).sub_(1)


class _Sign(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        return _signs(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        return g


class _ClampedSign(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x)
        ctx.limit = limit
        signs = _signs(x)
        return signs if limit == 1 else signs.mul_(limit)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (x,) = ctx.saved_tensors
        if ctx.limit != 1:
            g = g * ctx.limit
        return _inside(g, x, -ctx.limit, ctx.limit), None


class _Rounded(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, grid: Grid) -> Tensor:  # noqa: ANN401
        steps = torch.div(x.relu() if grid.rectified else x, scale)
        if not grid.clipped_first:
            steps.round_()
        needs_x = grid.rectified or ctx.needs_input_grad[1]
        ctx.save_for_backward(steps, scale, x if needs_x else None)
        ctx.grid = grid
        return _levels(steps, grid).mul_(scale)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor | None, None]:  # noqa: ANN401
        steps, scale, x = ctx.saved_tensors
        grid: Grid = ctx.grid
        passing = g * scale
        if not grid.unstopped:
            passing = _inside(passing, steps, grid.low, grid.high)
        for_scale = None
        if ctx.needs_input_grad[1]:
            # what autograd makes of the product and of the quotient, summed up separately
            product = (g * _levels(steps, grid)).sum_to_size(scale.shape)
            quotients = (x.relu() if grid.rectified else x) / scale / scale
            for_scale = product + (-passing * quotients).sum_to_size(scale.shape)
        for_x = passing.div_(scale)
        if grid.rectified:
            for_x = torch.ops.aten.threshold_backward(for_x, x, 0)
        return for_x, for_scale, None


def _levels(steps: Tensor, grid: Grid) -> Tensor:
    levels = steps.clamp(grid.low, grid.high)
    return levels.round_() if grid.clipped_first else levels


def _inside(g: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """Return ``g`` where ``low <= x <= high`` and 0 elsewhere."""
    if x.dtype in (torch.float32, torch.float64):
        # one pass; it leaves out its borders, so these are the numbers next to ours
        inside: Tensor = torch.ops.aten.hardtanh_backward(g, x, *_around(low, high, x.dtype))
        return inside
    return g.masked_fill((x < low) | (x > high), 0)


@cache
def _around(low: float, high: float, dtype: torch.dtype) -> tuple[float, float]:
    ends = torch.tensor([low, high], dtype=dtype)
    below, above = torch.nextafter(ends, torch.tensor([-inf, inf], dtype=dtype)).tolist()
    return below, above
