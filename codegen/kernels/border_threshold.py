"""``lutloom::border_threshold``: ``pe`` channels at a time, as in a process ``threshold``.

Its tables have the staircases of one class of places after those of the other. Of the forms it has
``parallel`` and ``search``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from lutloom.codegen.kernels.kernel import (
    CONSTANTS,
    NO_CONTENTS,
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    no_weights,
)
from lutloom.codegen.kernels.pixels import in_wide_pixels, widened
from lutloom.codegen.kernels.places import ByPlace
from lutloom.codegen.kernels.stairs import Stairs, stairs_of
from lutloom.codegen.kernels.threshold import MOST_PARALLEL, parallel, search
from lutloom.core.plan import Comparison, Folding, Memory
from lutloom.core.types import TensorType

NO_FORM = "staircases that differ along a border are compared with, or searched"


@lru_cache(maxsize=16)
def stairs_by_place(site: Site) -> tuple[Stairs, ByPlace]:
    """Return the staircases of all classes and channels, row by row, and where they are."""
    import numpy as np

    op = site.op
    classes, channels = op.base.shape[:2], op.base.shape[2]
    flat = (op.base.int64.size,)
    element = site.outputs[0].element
    all_stairs = stairs_of(
        Site(
            op.shared,
            (TensorType(site.inputs[0].element, flat),),
            (TensorType(element, flat),),
        )
    )
    steps = all_stairs.steps
    columns = [all_stairs.thresholds, all_stairs.levels, all_stairs.counts[:, np.newaxis]]
    values = np.concatenate(columns, axis=1).reshape(*classes, channels, -1)
    by_place = ByPlace.of(values, op.rows.int64, op.columns.int64, site.inputs[0].shape)
    table = by_place.values.reshape(-1, values.shape[-1])
    thresholds, levels, counts = np.split(table, [steps, 2 * steps + 1], axis=1)
    stairs = Stairs(thresholds, levels, counts[:, 0], all_stairs.first, all_stairs.final)
    return stairs, by_place


def form_of(site: Site, folding: Folding) -> Comparison:
    """Return the form that ``folding`` asks for, or by how many thresholds there are."""
    if folding.comparison is not Comparison.AUTO:
        return folding.comparison
    few = stairs_by_place(site)[0].steps <= MOST_PARALLEL
    return Comparison.PARALLEL if few else Comparison.SEARCH


def _legal(site: Site, folding: Folding) -> Legal:
    is_search = form_of(site, folding) is Comparison.SEARCH
    return Legal(
        divisors(site.inputs[0].channels),
        memory=CONSTANTS if is_search else (Memory.AUTO,),
        comparison=(Comparison.AUTO, Comparison.PARALLEL, Comparison.SEARCH),
        because={Comparison.MULTIPLY: NO_FORM, Comparison.TABLE: NO_FORM, **NO_CONTENTS},
    )


def _settled(site: Site, folding: Folding) -> Folding:
    return replace(folding, comparison=form_of(site, folding))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.inputs[0].size // folding.pe


def _operators(site: Site, folding: Folding) -> int:
    steps = stairs_by_place(site)[0].steps
    parallel_ones = form_of(site, folding) is Comparison.PARALLEL
    return folding.pe * max(steps if parallel_ones else steps.bit_length(), 1)


def _code(site: Site, folding: Folding) -> Code:
    stairs, by_place = stairs_by_place(site)
    channels = site.inputs[0].channels
    is_shared = by_place.values.shape[2] != channels
    folds, lanes = (1, 1) if is_shared else (channels // folding.pe, folding.pe)
    layout = (len(stairs.counts) // lanes, lanes)
    if form_of(site, folding) is Comparison.PARALLEL:
        code = parallel(site, stairs, layout)
    else:
        code = search(site, stairs, layout, folding)
    return replace(
        code,
        tables=(*by_place.start_tables(folds), *code.tables),
        facts={**code.facts, "is_shared": "true" if is_shared else "false"},
    )


_ALONE = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code, _settled)
# Which classes of places there are depends on what stands side by side.
KERNEL = in_wide_pixels(_ALONE, widened)
