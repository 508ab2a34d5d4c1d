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


# in which the next number is found; half ones are computed with in single precision
_EXACT = (torch.float32, torch.float64)


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


def rounded(x: Tensor, scale: Tensor, grid: Grid, *, constant: float | None = None) -> Tensor:
    """Return the multiples of ``scale`` next to ``x``, as far as they are on the grid.

    ``scale`` is positive, of one element or of any shape that broadcasts to that of ``x``; it gets
    its gradient as well. ``constant`` is its value where it is one number that never changes.
    """
    levels: Tensor
    if constant is None or x.dtype not in _EXACT:
        x = x.relu() if grid.rectified else x
        levels = _Rounded.apply(x, scale, grid)  # type: ignore[no-untyped-call]
    else:
        levels = _RoundedByConstant.apply(x, scale, grid, constant)  # type: ignore[no-untyped-call]
    return levels


def _signs(x: Tensor) -> Tensor:
    # 2 for what is not negative, less 1: whole passes, each vectorized, unlike those of a mask
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
        steps = torch.div(x, scale)
        if not grid.clipped_first:
            steps.round_()
        ctx.save_for_backward(steps, scale, x if ctx.needs_input_grad[1] else None)
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
            for_scale = product + (-passing * (x / scale / scale)).sum_to_size(scale.shape)
        return passing.div_(scale), for_scale, None


def _levels(steps: Tensor, grid: Grid) -> Tensor:
    levels = steps.clamp(grid.low, grid.high)
    return levels.round_() if grid.clipped_first else levels


class _RoundedByConstant(Function):
    """The same with less to keep: which ``x`` pass a gradient is known beforehand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, grid: Grid, constant: float) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x, scale)
        ctx.grid, ctx.constant = grid, constant
        steps = x if constant == 1 else torch.div(x, scale)
        if not grid.clipped_first:
            steps = x.round() if steps is x else steps.round_()
        clip = torch.clamp if steps is x else torch.clamp_
        levels: Tensor = clip(steps, grid.low, grid.high)
        if grid.clipped_first:
            levels.round_()
        return levels if constant == 1 else levels.mul_(scale)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401
        x, scale = ctx.saved_tensors
        is_one = ctx.constant == 1
        low, high = _passing(ctx.constant, ctx.grid, x.dtype)
        g = g if is_one else g * scale
        if (low, high) != (-inf, inf):
            g = torch.ops.aten.hardtanh_backward(_arranged(g, x), x, low, high)
        return g if is_one else g.div_(scale), None, None, None


@cache
def _passing(scale: float, grid: Grid, dtype: torch.dtype) -> tuple[float, float]:
    """Return the numbers next to the least and to the largest ``x`` that passes a gradient."""

    def passes(x: Tensor) -> bool:
        steps = torch.div(x, torch.tensor(scale, dtype=dtype))
        steps = steps if grid.clipped_first else steps.round()
        return bool(grid.low <= steps <= grid.high)

    def beyond(level: float, outwards: float) -> float:
        # starts within a few numbers of the edge
        x, out = torch.tensor([level * scale, outwards], dtype=dtype)
        while passes(x):
            x = torch.nextafter(x, out)
        while not passes(torch.nextafter(x, -out)):
            x = torch.nextafter(x, -out)
        return float(x)

    half = 0.0 if grid.clipped_first else 0.5
    ends = (-inf, inf)
    if not grid.unstopped:
        ends = beyond(grid.low - half, -inf), beyond(grid.high + half, inf)
    return (0.0 if grid.rectified else ends[0]), ends[1]


def _inside(g: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """Return ``g`` where ``low <= x <= high`` and 0 elsewhere."""
    if x.dtype in _EXACT:
        # one pass; it leaves out its borders, so these are the numbers next to ours
        ends = _around(low, high, x.dtype)
        inside: Tensor = torch.ops.aten.hardtanh_backward(_arranged(g, x), x, *ends)
        return inside
    return _arranged(g, x).masked_fill((x < low) | (x > high), 0)


def _arranged(g: Tensor, x: Tensor) -> Tensor:
    """Return ``g`` in the memory order of ``x``, as a mask of ``x`` leaves it.

    Sums of it are then made in the same order, too.
    """
    same = g.stride() == x.stride()
    return g if same else torch.empty_like(x, dtype=g.dtype, requires_grad=False).copy_(g)


@cache
def _around(low: float, high: float, dtype: torch.dtype) -> tuple[float, float]:
    ends = torch.tensor([low, high], dtype=dtype)
    below, above = torch.nextafter(ends, torch.tensor([-inf, inf], dtype=dtype)).tolist()
    return below, above
