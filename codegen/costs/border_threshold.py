"""A ``border_threshold`` process: as ``threshold``, with staircases for each class of places."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import counters, loop
from lutloom.codegen.costs.parts import Parts
from lutloom.codegen.costs.staircases import Staircases
from lutloom.codegen.costs.starts import place_parts
from lutloom.codegen.kernels import border_threshold
from lutloom.codegen.kernels.stairs import Outline
from lutloom.core.plan import Comparison, Folding

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site


@lru_cache(maxsize=1024)
def _facts(site: Site) -> tuple[Staircases, tuple[int, int, int], Comparison, bool]:
    stairs, by_place = border_threshold.stairs_by_place(site)
    rows, columns, rows_of_table = by_place.values.shape[:3]
    places = rows * columns, len(by_place.rows), len(by_place.columns)
    open_form = border_threshold.form_of(site, Folding())
    is_shared = rows_of_table != site.inputs[0].channels
    # Classes are words of the tables, whether or not channels share them.
    stairs_parts = Staircases.of(site, Outline.of(stairs), is_shared=False)
    return stairs_parts, places, open_form, is_shared


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``border_threshold`` or ``border_threshold_search``."""
    stairs, places, open_form, is_shared = _facts(site)
    x, y, pe = site.inputs[0], site.outputs[0].element, folding.pe
    folds = 1 if is_shared else x.channels // pe
    words = folds * places[0]
    form = open_form if folding.comparison is Comparison.AUTO else folding.comparison
    lanes = 1 if is_shared else pe
    if form is Comparison.PARALLEL:
        compared = stairs.parallel(pe, words, lanes)
    else:
        compared = stairs.search(pe, words, lanes, folding.memory)
    return (
        *loop("border_threshold", x.size // pe, pe * x.element.bits, pe * y.bits),
        *counters(x.channels // pe),
        *place_parts(*places, folds),
        *compared,
    )
