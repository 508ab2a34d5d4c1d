"""What a process may be folded to within a number of cycles, and what that takes of a device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.folding import over_limit_inside
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.kernels.kernel import WIDEST_WORD
from lutloom.codegen.kernels.packed import packed_multiplier
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lutloom.boards.device import Device, Family
    from lutloom.codegen.kernels import Site

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Option:
    """A folding, the bits of the words it reads and writes, its cycles, and what it takes.

    ``costs`` are in the order of ``Resources``.
    """

    folding: Folding
    widths: tuple[int, ...]
    cycles: int
    costs: tuple[int, ...]


@lru_cache(maxsize=1024)
def shapes(site: Site) -> tuple[tuple[Folding, tuple[int, ...], int], ...]:
    """Return every shape (``pe``, ``simd``, ``pixels``) within limits, widths of words, cycles."""
    return tuple(_shapes(site))


def _shapes(site: Site) -> Iterator[tuple[Folding, tuple[int, ...], int]]:
    kernel = KERNELS[site.op.name]
    elements = [tensor.element.bits for tensor in (*site.inputs, *site.outputs)]
    for pe in kernel.legal(site, Folding()).pe:
        alone = kernel.legal(site, Folding(pe))
        for simd in alone.simd:
            of_one = alone if simd == 1 else kernel.legal(site, Folding(pe, simd))
            for pixels in of_one.pixels:
                folding = Folding(pe, simd, pixels=pixels)
                ins, outs = kernel.lanes(site, folding)
                widths = tuple(n * bits for n, bits in zip((*ins, *outs), elements, strict=True))
                if max(widths) > WIDEST_WORD:
                    continue
                legal = of_one if pixels == 1 else kernel.legal(site, folding)
                forms = (
                    Folding(pe, simd, comparison=form, pixels=pixels) for form in legal.comparison
                )
                if any(over_limit_inside(site, form) is None for form in forms):
                    yield folding, widths, kernel.cycles(site, folding)


def options(site: Site, device: Device, cycles: int) -> Iterator[Option]:
    """Yield the foldings that take ``cycles`` or less.

    All that may be left open is decided: how products are made, how levels are found, and where
    memories lie, if a plan may say.
    """
    known = _known(site, device.family)
    for shape, widths, taken in shapes(site):
        if taken > cycles:
            continue
        if shape not in known:
            costs = ((f, process_cost(site, f, device)) for f in _forms(site, device, shape))
            known[shape] = tuple(Option(f, widths, taken, c.resources.figures) for f, c in costs)
        yield from known[shape]


# What a process takes does not depend on how large a device is.
@lru_cache(maxsize=1024)
def _known(_site: Site, _family: Family) -> dict[Folding, tuple[Option, ...]]:
    """Return what ``options`` found before: for each shape."""
    return {}


def _forms(site: Site, device: Device, shape: Folding) -> Iterator[Folding]:
    """Yield ``shape`` in each form within limits on ``device``, with nothing left open.

    Its words are within them.
    """
    kernel = KERNELS[site.op.name]
    packed = {Multiplier.PACKED, Multiplier.PACKED_25} - {packed_multiplier(device.dsp_type)}
    pe, simd, pixels = shape.pe, shape.simd, shape.pixels
    for comparison in _decided(kernel.legal(site, shape).comparison, Comparison.AUTO):
        legal = kernel.legal(site, Folding(pe, simd, comparison=comparison, pixels=pixels))
        memories = _decided(legal.memory, Memory.AUTO)
        for multiplier in _decided(legal.multiplier, Multiplier.AUTO):
            form = Folding(pe, simd, Memory.AUTO, multiplier, comparison, pixels)
            if multiplier in packed or over_limit_inside(site, form) is not None:
                continue
            for memory in memories:
                yield Folding(pe, simd, memory, multiplier, comparison, pixels)


def _decided(choices: tuple[_T, ...], left_open: _T) -> tuple[_T, ...]:
    """Return the choices that leave nothing open, if there are any."""
    return tuple(choice for choice in choices if choice is not left_open) or choices
