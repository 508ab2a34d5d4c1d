"""Where buffers lie: those that are needed at different times share memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from lutloom.sim.engine.program import ALIGNMENT, SLACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.sim.engine.program import Program, Step


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps ``first`` up to ``last``, run for ``images`` of a block at a time."""

    first: int
    last: int
    images: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a buffer begins in a thread's memory, and whether it holds a whole block of images."""

    offset: int
    is_whole: bool


def stages_of(steps: Sequence[Step]) -> tuple[Stage, ...]:
    """Return the runs of ``steps`` that take as many images at a time."""
    stages = []
    first = 0
    for images, run in groupby(steps, key=lambda step: step.images):
        last = first + len([*run])
        stages.append(Stage(first, last, images))
        first = last
    return tuple(stages)


def places_of(program: Program) -> tuple[tuple[Place | None, ...], int]:
    """Return the place of each buffer, None for inputs and outputs, and the bytes of them all.

    A buffer that two stages share holds a block; one within a stage what that takes at a time.
    """
    outer = {port.buffer for port in (*program.inputs, *program.outputs)}
    stages = stages_of(program.steps)
    stage_of = [number for number, s in enumerate(stages) for _ in range(s.last - s.first)]
    users: dict[int, list[int]] = {}
    for number, step in enumerate(program.steps):
        for buffer in (*step.reads, *step.writes):
            users.setdefault(buffer, []).append(number)
    places: list[Place | None] = [None] * len(program.buffers)
    taken: list[tuple[int, int, int, int]] = []  # first and last use, begin and end
    end = 0
    for buffer, uses in sorted(users.items(), key=lambda entry: -_size(program, entry[0])):
        if buffer in outer:
            continue
        touched = {stage_of[use] for use in uses}
        is_whole = len(touched) > 1
        first, last = min(uses), max(uses)
        if is_whole:
            # Its stages run through all their steps again and again.
            first, last = stages[min(touched)].first, stages[max(touched)].last - 1
        images = program.block if is_whole else stages[touched.pop()].images
        made = program.buffers[buffer]
        size = made.bytes * (1 if made.is_planes else images) + SLACK
        size += -size % ALIGNMENT
        offset = _free(taken, first, last, size)
        taken.append((first, last, offset, offset + size))
        places[buffer] = Place(offset, is_whole)
        end = max(end, offset + size)
    return tuple(places), end


def _size(program: Program, buffer: int) -> int:
    return program.buffers[buffer].bytes


def _free(taken: Sequence[tuple[int, int, int, int]], first: int, last: int, size: int) -> int:
    """Return the lowest offset where ``size`` bytes are free from step ``first`` to ``last``."""
    offset = 0
    for begin, end in sorted((b, e) for f, to, b, e in taken if f <= last and first <= to):
        if offset + size <= begin:
            break
        offset = max(offset, end)
    return offset
