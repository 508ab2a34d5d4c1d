"""Staircases as parts: what compares, searches or looks up in each of ``pe`` lanes.

``threshold_search.hpp`` and ``border_threshold.hpp`` for all places alike or by class.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import constants, spanning_bits
from lutloom.codegen.costs.parts import (
    Adder,
    AdderTree,
    Comparator,
    Group,
    Parts,
    Popcount,
    Registers,
)
from lutloom.codegen.kernels.kernel import memory_of
from lutloom.core.plan import Memory

if TYPE_CHECKING:
    from lutloom.codegen.kernels import Site
    from lutloom.codegen.kernels.stairs import Outline


@dataclass(frozen=True, slots=True)
class Staircases:
    """Staircases of up to ``steps`` steps, ``is_shared`` by all channels.

    Codes of ``in_bits`` bits are compared with limits of ``limit_bits``; levels have ``out_bits``,
    and the lowest are the code ``base``, or differ.
    """

    steps: int
    is_shared: bool
    in_bits: int
    limit_bits: int
    out_bits: int
    height_bits: int
    base: int | None
    has_rises: bool
    has_falls: bool
    counts_up: bool
    counts_either_way: bool

    @classmethod
    def of(cls, site: Site, outline: Outline, *, is_shared: bool) -> Staircases:
        """Return what there is of staircases in the process ``site``."""
        x, y = site.inputs[0].element, site.outputs[0].element
        # The limit that no code reaches lies one above the largest.
        limit = spanning_bits(x.lo if x.is_signed else 0, outline.final + 1)
        return cls(
            outline.steps,
            is_shared,
            x.bits,
            limit,
            y.bits,
            min(spanning_bits(*outline.heights), y.bits),
            outline.lowest,
            outline.has_rises,
            outline.has_falls,
            outline.counts_up,
            outline.counts_either_way,
        )

    def parallel(self, pe: int, folds: int, lanes: int) -> Parts:
        """Return a comparison for each step; with constants where a lane has one channel.

        There are tables for so many ``lanes``: one for all where they share them.
        """
        words = 1 if self.is_shared else folds
        compare: Parts = (
            *constants(lanes * self.steps, words, self.limit_bits),
            (pe * self.steps, Comparator(self.limit_bits, is_constant=words == 1)),
            (1, Registers(pe * self.steps)),
        )
        if self.counts_up:
            return (*compare, (pe, Popcount(self.steps)), *self._base(pe))
        return (
            *compare,
            *constants(lanes * self.steps, words, self.height_bits),
            *constants(lanes, words, self.out_bits),
            (pe, AdderTree(self.steps + 1, self.height_bits)),
        )

    def _base(self, pe: int) -> Parts:
        return ((pe, Adder(self.out_bits)),) if self.base else ()

    def search(self, pe: int, folds: int, lanes: int, memory: Memory) -> Parts:
        """Return a comparison and a table for each stage of the pipeline, in every lane.

        The lowest levels, and which way steps go, are tables for so many ``lanes``.
        """
        stages = max(self.steps.bit_length(), 1)
        words = 1 if self.is_shared else folds
        parts: Parts = (
            (pe, _stages(stages, self.in_bits, self.limit_bits, words == 1)),
            (pe, _limits(stages, words, self.limit_bits, memory)),
        )
        if not self.counts_either_way:
            size = words << stages
            return (*parts, *constants(pe, size, self.out_bits, memory_of(memory, size)))
        if self.base is None:
            parts = (*parts, *constants(lanes, words, self.out_bits))
        if self.has_rises and self.has_falls:
            parts = (*parts, *constants(lanes, words, 1))
        if self.base != 0 or self.has_falls:
            parts = (*parts, (pe, Adder(self.out_bits)))
        return parts


@lru_cache(maxsize=1024)
def _stages(
    stages: int,
    in_bits: int,
    limit_bits: int,
    is_constant: bool,  # noqa: FBT001 - a key
) -> Group:
    """Return what compares in a lane; the first stage may do that with a constant."""
    first, other = (
        Comparator(limit_bits, is_constant=constant) for constant in (is_constant, False)
    )
    # A number, and what was found of its level, wait for the next stage.
    waiting = (Registers(in_bits + stage) for stage in range(1, stages + 1))
    return Group(((1, first), (stages - 1, other), *((1, registers) for registers in waiting)))


@lru_cache(maxsize=4096)
def _limits(stages: int, words: int, bits: int, memory: Memory) -> Group:
    """Return the tables of a lane: each stage has twice as many words as the one before."""
    sizes = (words << stage for stage in range(stages))
    tables = (constants(1, size, bits, memory_of(memory, size)) for size in sizes)
    return Group(tuple(part for table in tables for part in table))
