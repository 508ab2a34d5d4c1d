"""The FIFOs of a design, beside those that hold whole tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lutloom.codegen.design import Design


@dataclass(frozen=True)
class FifoRow:
    """A FIFO of ``unit``: ``depth`` words of ``bits`` bits of ``value``, in ``memory``.

    A whole tensor is ``words`` of them. The plan gives its depth if it ``is_planned``; else it has
    the default, on the other side of a converter or of a border.
    """

    value: str
    identifier: str
    unit: str
    bits: int
    depth: int
    words: int
    memory: str
    is_planned: bool

    @property
    def total_bits(self) -> int:
        """What it holds."""
        return self.bits * self.depth

    @property
    def naive_bits(self) -> int:
        """What it would hold if it held a whole tensor."""
        return self.bits * (self.words if self.is_planned else self.depth)


def fifo_rows(design: Design) -> tuple[FifoRow, ...]:
    """Return the FIFOs of ``design``, in its order."""
    return tuple(
        FifoRow(
            fifo.value,
            fifo.identifier,
            unit.top,
            fifo.bits,
            fifo.depth,
            fifo.words,
            fifo.memory.value,
            is_planned=fifo.planned_bits > 0,
        )
        for unit in design.units
        for fifo in unit.fifos
    )
