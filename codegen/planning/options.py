"""What a process may be folded to within a number of cycles, and what that takes of a device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.folding import over_limit
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.kernels.kernel import WIDEST_WORD
from lutloom.codegen.kernels.packed import packed_multiplier
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lutloom.boards.device import Device
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


def shapes(site: Site) -> Iterator[tuple[Folding, tuple[int, ...], int]]:
    """Yield every shape (``pe``, ``simd``, ``pixels``) within limits, widths of words, cycles."""
    kernel = KERNELS[site.op.name]
    legal = kernel.legal(site, Folding())
    elements = [tensor.element.bits for tensor in (*site.inputs, *site.outputs)]
    for pe in legal.pe:
        for simd in legal.simd:
            for pixels in kernel.legal(site, Folding(pe, simd)).pixels:
                folding = Folding(pe, simd, pixels=pixels)
                ins, outs = kernel.lanes(site, folding)
                widths = tuple(n * bits for n, bits in zip((*ins, *outs), elements, strict=True))
                if max(widths) <= WIDEST_WORD and _is_within_limits(site, folding):
                    yield folding, widths, kernel.cycles(site, folding)


def _is_within_limits(site: Site, shape: Folding) -> bool:
    comparisons = KERNELS[site.op.name].legal(site, shape).comparison
    forms = (replace(shape, comparison=comparison) for comparison in comparisons)
    return any(over_limit(site, form) is None for form in forms)


def options(site: Site, device: Device, cycles: int) -> Iterator[Option]:
    """Yield the foldings that take ``cycles`` or less.

    All that may be left open is decided: how products are made, how levels are found, and where
    memories lie, if a plan may say.
    """
    for shape, widths, taken in shapes(site):
        if taken > cycles:
            continue
        for folding in _forms(site, device, shape):
            if over_limit(site, folding) is not None:
                continue
            cost = process_cost(site, folding, device)
            yield Option(folding, widths, taken, cost.resources.figures)


def _forms(site: Site, device: Device, shape: Folding) -> Iterator[Folding]:
    """Yield ``shape`` in each form that it may have on ``device``, with nothing left open."""
    kernel = KERNELS[site.op.name]
    packed = {Multiplier.PACKED, Multiplier.PACKED_25} - {packed_multiplier(device.dsp_type)}
    for comparison in _decided(kernel.legal(site, shape).comparison, Comparison.AUTO):
        folding = replace(shape, comparison=comparison)
        legal = kernel.legal(site, folding)
        for memory in _decided(legal.memory, Memory.AUTO):
            for multiplier in _decided(legal.multiplier, Multiplier.AUTO):
                if multiplier not in packed:
                    yield replace(folding, memory=memory, multiplier=multiplier)


def _decided(choices: tuple[_T, ...], left_open: _T) -> tuple[_T, ...]:
    """Return the choices that leave nothing open, if there are any."""
    return tuple(choice for choice in choices if choice is not left_open) or choices
