"""``lutloom::sum_pool``: ``pe`` channels at a time, added in codes.

A sum of ``n`` values is one of products with weights of 1 (see ``sums``), where masked taps are
codes of 0: it starts from a constant that goes with ``n``.
"""

from __future__ import annotations

from lutloom.codegen.kernels import pools
from lutloom.codegen.kernels.kernel import Code, Kernel, Site, no_weights, number_table
from lutloom.codegen.kernels.places import ByPlace
from lutloom.codegen.kernels.span import span_of
from lutloom.codegen.kernels.sums import Sums
from lutloom.core.plan import Folding
from lutloom.core.types import Const


def sums_of(site: Site, windows: int = 1) -> tuple[Sums, ByPlace]:
    """Return the sums of codes, and what they start from, by place: of so many windows a word."""
    import numpy as np

    image = site.inputs[0].shape[:-1]
    borders = site.op.windows.borders(image)
    seen = borders.masks.sum(axis=-1).reshape(*[1] * (2 - len(image)), *borders.masks.shape[:-1])
    x, y = site.inputs[0].element, site.outputs[0].element
    sums = Sums(x, y, Const([1]), 1, is_constant=not seen.any())
    values = sums.starts(seen, np.zeros(1, np.int64))
    rows, columns = (np.zeros(1, np.int64), *borders.classes)[-2:]
    return sums, ByPlace.of(values[..., np.newaxis], rows, columns, site.outputs[0].shape, windows)


def _code(site: Site, folding: Folding) -> Code:
    note = "What sums start from."
    if pools.is_whole(site, folding):
        windows = span_of(site, folding).windows
        sums, starts = sums_of(site, windows)
        tables = starts.lane_tables(note, 1, windows)
    else:
        sums, starts = sums_of(site)
        tables = (number_table("starts", starts.values.reshape(-1), note, (1,)),)
        if not starts.is_uniform:
            tables += starts.start_tables(1)
    return Code(
        tables=tables,
        facts={
            **pools.facts(site, folding),
            "factor": sums.factor if sums.step else 0,
            "is_uniform": starts.is_uniform,
        },
        widest=pools.widest(site, folding),
    )


KERNEL = Kernel(pools.legal, pools.lanes, pools.cycles, pools.operators, no_weights, _code)
