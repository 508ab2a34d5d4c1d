"""``s p + a`` and ``t q + b`` as ``u (m p + k) + a`` and ``u (n q + l) + a``: one scale and bias.

Exact: two rationals are integer multiples of their greatest common divisor ``u``; a difference of
biases is ``k`` or ``l`` times ``u``, or stays outside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.ops import Requantize
from lutloom.core.rational import common_divisor
from lutloom.core.types import INT64_MAX, Const

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Scaled

_MOST_BITS = 8
"""By which integers may become wider, so that sums behind them are sums of integers."""


def with_one_scale(
    build: GraphBuilder, node: SourceNode, branches: Sequence[Scaled]
) -> list[Scaled]:
    """Return ``branches`` with one scale, and one bias if that can be; as they are if not.

    They are not clamped, nor do they hold reals for a quantizer alone.
    """
    import numpy as np

    if any(x.slope.size > 1 or x.offset.size > 1 or not x.slope.item() for x in branches):
        return list(branches)
    unit = common_divisor([x.slope.item() for x in branches])
    multipliers = [int(x.slope.item() / unit) for x in branches]
    shifts = [(x.offset.item() - branches[0].offset.item()) / unit for x in branches]
    if any(shift.denominator > 1 for shift in shifts):
        shifts = [shift * 0 for shift in shifts]
    if all(m == 1 for m in multipliers) and not any(shifts):
        return list(branches)
    found = []
    for x, m, shift in zip(branches, multipliers, shifts, strict=True):
        element = build.types[x.value].element
        ends = sorted(m * end + int(shift) for end in (element.lo, element.hi))
        most = max(abs(element.lo), abs(element.hi), 1) << _MOST_BITS
        if max(-ends[0], ends[1]) > min(most, INT64_MAX):
            return list(branches)
        value = x.value
        if (m, shift) != (1, 0):
            lowest, highest = (Const(np.array([end])) for end in ends)
            factor, addend = (Const(np.array([[number]])) for number in (m, int(shift)))
            op = Requantize(factor, addend, 0, lowest, highest)
            value = build.add(node, "/scaled", op, (x.value,))
        slope = np.full_like(x.slope, unit)
        offset = np.asarray(x.offset - unit * shift, dtype=object)
        found.append(replace(x, value=value, slope=slope, offset=offset))
    return found
