"""``lutloom::window``: every tap of every window, ``simd`` channels a word.

In codes a value ``x = x0 + s * code`` of the input is ``(x - y0) / u`` in the result, whose type
includes what masked taps show; so the code of the result is

    code_y = (x0 - y0) / u + (s / u) * code_x

where both quotients are integers: all of the input's values are values of the result's type.
"""

from __future__ import annotations

from lutloom.codegen.kernels.kernel import Code, Kernel, Lanes, Legal, Site, divisors, no_weights
from lutloom.codegen.kernels.line_buffer import Walk, axes_of
from lutloom.core.plan import Folding, Memory
from lutloom.core.types import IntType


def walk_of(site: Site, folding: Folding) -> Walk:
    """Return how the line buffer is walked: taps of one window a word each."""
    x, op = site.inputs[0], site.op
    rows, columns = axes_of(op.windows, x.shape[:-1])
    # A window of one tap has its channels in order whatever the groups: as one of them, its words
    # are free one by one.
    groups = op.groups if op.windows.taps > 1 else 1
    return Walk(rows, columns, x.channels // folding.simd, groups)


def recoding(x: IntType, y: IntType) -> tuple[int, int]:
    """Return ``base`` and ``factor``: the code of y is ``base + factor * (code of x)``."""
    start, step = (x.lo, x.step) if x.is_offset_coded else (0, 1)
    origin, unit = (y.lo, y.step) if y.is_offset_coded else (0, 1)
    if x.count == 1:
        return (x.lo - origin) // unit, 0
    return (start - origin) // unit, step // unit


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal((1,), divisors(site.inputs[0].channels // site.op.groups), tuple(Memory))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.simd,), (folding.simd,)


def _cycles(site: Site, folding: Folding) -> int:
    return walk_of(site, folding).beats


def _operators(_site: Site, folding: Folding) -> int:
    return folding.simd


def _code(site: Site, folding: Folding) -> Code:
    import numpy as np

    x, y = site.inputs[0].element, site.outputs[0].element
    walk = walk_of(site, folding)
    base, factor = recoding(x, y)
    is_masking = site.op.windows.borders(site.inputs[0].shape[:-1]).is_masking
    fill = int(y.encode(np.array(site.op.fill, np.int64))) if is_masking else 0
    memory = folding.memory
    return Code(
        facts={
            "rows": walk.rows.arguments,
            "columns": walk.columns.arguments,
            "buffer": walk.arguments,
            "base": base,
            "factor": factor,
            "fill": fill,
            "word_bits": folding.simd * x.bits,
            "storage": "" if memory is Memory.AUTO else f" impl={memory.value}",
        }
    )


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
