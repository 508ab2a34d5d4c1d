"""A threshold process: ``pe`` channels at a time, in one of four forms with the same results.

``parallel`` (``lutloom::threshold``) compares with all thresholds of a channel at once. ``search``
(``lutloom::threshold_search``) finds the step by bisection, one comparison a pipeline stage, each
stage with a table of its own. ``multiply`` (``lutloom::requantize``) is a product, a sum, a shift
and a clamp; it exists only where such a product gives every level (``slopes``). ``table``
(``lutloom::threshold_table``) looks the level of every code up; it exists for few codes only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.codegen.kernels import level_table, requantize
from lutloom.codegen.kernels.kernel import (
    CONSTANTS,
    NO_CONTENTS,
    PRODUCTS,
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    Table,
    beside,
    bound,
    by_lane,
    divisors,
    no_weights,
    number_table,
    unless_shared,
)
from lutloom.codegen.kernels.pixels import in_wide_pixels
from lutloom.codegen.kernels.slopes import slope_of
from lutloom.codegen.kernels.stairs import staircases, stairs_of, steps_of
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier
from lutloom.core.types import IntType

if TYPE_CHECKING:
    from lutloom.codegen.kernels.stairs import Stairs
    from lutloom.core.types import IntArray

MOST_PARALLEL = 15
"""Thresholds a channel up to which all of them are compared at once, if a plan leaves it open."""

DSP_LUTS = 60
"""Look-up tables that a DSP slice is about worth."""

# A look-up table is a memory of so many bits.
_LUT_BITS = 64

_WITH_MEMORIES = (Comparison.SEARCH, Comparison.TABLE)

NO_SLOPE = (
    "no (m * x + b) >> s with integers m and b for each channel, one s and sums below 2^62 gives"
    " these levels"
)


def form_of(site: Site, folding: Folding) -> Comparison:
    """Return the form that ``folding`` asks for; of those that it leaves open, the cheapest."""
    if folding.comparison is not Comparison.AUTO:
        return folding.comparison
    forms = [Comparison.PARALLEL]
    if steps_of(site) > MOST_PARALLEL:
        forms = [Comparison.SEARCH]
        if slope_of(site) is not None:
            forms.append(Comparison.MULTIPLY)
    if level_table.has_table(site):
        forms.append(Comparison.TABLE)
    return min(forms, key=lambda form: look_up_tables(site, replace(folding, comparison=form)))


def look_up_tables(site: Site, folding: Folding) -> int:
    """Return a rough size of a form in look-up tables, to compare forms with one another.

    A comparison or sum is one for each bit, constants are ``64`` bits each, and of a product the
    cheaper of look-up tables and DSP slices counts. It has not been held against Vitis.
    """
    steps = steps_of(site)
    rows, bits, pe = staircases(site), site.inputs[0].element.bits, folding.pe
    match form_of(site, folding):
        case Comparison.PARALLEL:
            return steps * (bits * pe + bits * rows // _LUT_BITS)
        case Comparison.SEARCH:
            stages = max(steps.bit_length(), 1)
            # Lanes look in different places, so that each has a table of its own.
            copies = pe if rows == 1 else rows
            return stages * bits * pe + (bits * copies << stages) // _LUT_BITS
        case Comparison.TABLE:
            return level_table.look_up_tables(site, folding)
        case _:
            slope = slope_of(site)
            assert slope is not None
            wide = int(abs(slope.line.multipliers).max()).bit_length() + 1
            slices = -(-wide // 18) * -(-bits // 25)
            product = min(wide * bits, slices * DSP_LUTS)
            sum_bits = slope.largest.bit_length() + 1
            return (product + sum_bits) * pe + (wide + sum_bits) * rows // _LUT_BITS


def _legal(site: Site, folding: Folding) -> Legal:
    form = form_of(site, folding)
    because: dict[object, str] = {**NO_CONTENTS}
    if slope_of(site) is None:
        because[Comparison.MULTIPLY] = NO_SLOPE
    if not level_table.has_table(site):
        because[Comparison.TABLE] = level_table.NO_TABLE
    return Legal(
        divisors(site.inputs[0].channels),
        memory=CONSTANTS if form in _WITH_MEMORIES else (Memory.AUTO,),
        multiplier=PRODUCTS if form is Comparison.MULTIPLY else (Multiplier.AUTO,),
        comparison=tuple(form for form in Comparison if form not in because),
        because=because,
    )


def _settled(site: Site, folding: Folding) -> Folding:
    return replace(folding, comparison=form_of(site, folding))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.inputs[0].size // folding.pe


def _operators(site: Site, folding: Folding) -> int:
    steps = steps_of(site)
    match form_of(site, folding):
        case Comparison.PARALLEL:
            return folding.pe * max(steps, 1)
        case Comparison.SEARCH:
            return folding.pe * max(steps.bit_length(), 1)
        case _:
            return folding.pe


def _code(site: Site, folding: Folding) -> Code:
    match form_of(site, folding):
        case Comparison.PARALLEL:
            return parallel(site, stairs_of(site), _layout(site, folding))
        case Comparison.SEARCH:
            return search(site, stairs_of(site), _layout(site, folding), folding)
        case Comparison.TABLE:
            return level_table.table(site, folding, _layout(site, folding))
        case _:
            slope = slope_of(site)
            assert slope is not None
            code = requantize.slope_code(site, folding, slope)
            return replace(code, facts={**code.facts, "form": "multiply"})


def _limit_type(site: Site, largest: int) -> str:
    """Return the C++ type of thresholds up to the code ``largest``, and of all codes of ``x``."""
    x = site.inputs[0].element
    limit = IntType(min(x.lo, largest), largest) if x.is_signed else IntType(0, largest)
    return f"ap_{'' if limit.is_signed else 'u'}int<{limit.bits}>"


def _layout(site: Site, folding: Folding) -> tuple[int, int]:
    """Return ``folds, lanes`` of the tables: one of each where all channels share a staircase."""
    channels = site.inputs[0].channels
    return (1, 1) if staircases(site) == 1 else (channels // folding.pe, folding.pe)


def _filled(stairs: Stairs, width: int, filler: int) -> IntArray:
    """Return the thresholds in ``width`` columns, those that are no steps being ``filler``."""
    import numpy as np

    filled = np.full((len(stairs.counts), width), filler, np.int64)
    filled[:, : stairs.steps][stairs.live] = stairs.thresholds[stairs.live]
    return filled


def parallel(site: Site, stairs: Stairs, layout: tuple[int, int]) -> Code:
    """Return tables of all thresholds of ``stairs``, of ``folds * lanes`` rows as in ``layout``."""
    import numpy as np

    tensor = site.inputs[0]
    count = max(1, stairs.steps)
    never = stairs.final + 1
    lowest = int(stairs.levels[0, 0])
    heights = np.diff(stairs.levels, axis=1)
    counts_steps = stairs.counts_up
    # A step of height 0 may stand anywhere.
    filler = never if counts_steps else never - 1
    thresholds = _filled(stairs, count, filler).reshape(*layout, count)
    note = "Thresholds of each channel, in codes of the input."
    tables = [number_table("thresholds", thresholds, note, (2, 3))]
    if not counts_steps:
        bases = stairs.levels[:, 0].reshape(layout)
        filled = np.zeros((len(heights), count), np.int64)
        filled[:, : stairs.steps] = heights
        steps = filled.reshape(*layout, count)
        level = number_table("levels", np.concatenate([bases.ravel(), steps.ravel()]), "")
        for name, data, what, complete in (
            ("bases", bases, "Codes of the lowest levels.", (2,)),
            ("heights", steps, "What each step adds to the code.", (2, 3)),
        ):
            # Both are of one type in C++.
            table = Table(name, data, level.signed, level.bits, what, complete)
            tables.append(beside(table))
    return Code(
        tables=tuple(tables),
        facts={
            "form": "parallel",
            "channels": tensor.channels,
            "vectors": tensor.size // tensor.channels,
            "counts_steps": counts_steps,
            "base": lowest,
            "limit_type": _limit_type(site, filler),
        },
        widest=count,
    )


def search(site: Site, stairs: Stairs, layout: tuple[int, int], folding: Folding) -> Code:
    """Return a table for each stage of a search in ``stairs``, rows as in ``layout``."""
    import numpy as np

    tensor = site.inputs[0]
    stages = max(stairs.steps.bit_length(), 1)
    never = stairs.final + 1
    counts_steps = stairs.counts_either_way
    # Where levels are looked up, all that lie behind the last step are the same.
    filler = never if counts_steps else never - 1
    filled = _filled(stairs, (1 << stages) - 1, filler)

    def stored(name: str, rows: IntArray, note: str) -> Table:
        table = number_table(name, by_lane(rows, layout, folding.pe), note, (1,))
        return bound(table, folding.memory)

    tables = []
    if counts_steps:
        bases = unless_shared(stairs.levels[:, 0].reshape(layout))
        downs = unless_shared(stairs.falls.astype(np.int64).reshape(layout))
        tables += [
            number_table("bases", bases, "Codes of the levels below all thresholds.", (2,)),
            number_table("falls", downs, "Whether steps go down.", (2,)),
        ]
    else:
        last = np.minimum(np.arange(1 << stages), stairs.steps)
        note = "Codes of the levels between thresholds."
        tables.append(stored("levels", stairs.levels[:, last], note))
    for stage in range(stages):
        middle = ((2 * np.arange(1 << stage) + 1) << (stages - 1 - stage)) - 1
        note = f"What stage {stage} compares with, by the bits that were found before."
        tables.append(stored(f"thresholds{stage}", filled[:, middle], note))
    return Code(
        tables=tuple(tables),
        facts={
            "form": "search",
            "channels": tensor.channels,
            "vectors": tensor.size // tensor.channels,
            "counts_steps": counts_steps,
            "limit_type": _limit_type(site, filler),
        },
        widest=stages + 1,
    )


KERNEL = in_wide_pixels(Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code, _settled))
