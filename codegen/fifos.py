"""How deep the FIFOs of a plan are: where processes read or write in bursts, and branches meet.

A process *holds back* what it has to read before it can write: with ``need(m)`` the elements that
it has read when it writes element ``m``, ``need(m) / inputs - m / outputs`` of a frame, which adds
up along a path. Where branches meet again, the FIFO of an input holds what the other branches hold
back at most, less what its own holds back at least, from the process on that all of them pass.
That is enough for any interleaving, whatever else is buffered on the way. To that come the words
that are under way in pipelines on the longer branch.

A matvec of several row folds reads a vector, then nothing until all rows are computed: meanwhile
the next vector waits in the FIFO in front of it.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING

from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.streams import Stream, Wiring, site_of
from lutloom.core.ops import Depthwise, MatVec, MaxPool, Permute, SumPool, TopK, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.codegen.kernels import Site
    from lutloom.core.windows import Windows

DEFAULT_DEPTH = 2
"""Words in a FIFO that a plan does not name: what the tools default to."""

HOP_CYCLES = 20
"""Cycles that a word takes through a process and the FIFO behind it, on the safe side."""


def fifo_depths(wiring: Wiring) -> Mapping[str, int]:
    """Return the depths of the FIFOs that should be deeper than the default, by their values."""
    depths: dict[str, int] = {}
    for stream in wiring.streams:
        if stream.target is not None and (words := _vector_words(wiring, stream)) > DEFAULT_DEPTH:
            depths[stream.value] = words
    interval = max(_cycles(wiring, name) for name in wiring.processes)
    for stream, frames, hops in _meeting(wiring):
        words = _words(wiring, stream)
        needed = ceil(frames * words) + ceil(Fraction(hops * HOP_CYCLES, interval) * words)
        depths[stream.value] = max(depths.get(stream.value, 0), needed + DEFAULT_DEPTH)
    return depths


def held_back(site: Site) -> tuple[Fraction, Fraction]:
    """Return what a process holds back, as a share of a frame: at least, and at most."""
    match site.op:
        case Permute():
            return Fraction(0), Fraction(1)
        case MatVec(matrix=matrix):
            return Fraction(0), Fraction(matrix.shape[0], site.outputs[0].size)
        case TopK():
            return Fraction(0), Fraction(site.inputs[0].channels, site.inputs[0].size)
        case Window() | Depthwise() | MaxPool() | SumPool():
            return _held_by_windows(site.op.windows, site.inputs[0].shape[:-1])
        case _:
            return Fraction(0), Fraction(0)


def _held_by_windows(windows: Windows, image: tuple[int, ...]) -> tuple[Fraction, Fraction]:
    import numpy as np

    # The last pixel that each window sees, in row-major order, counted from 1.
    last = np.zeros((1,), np.int64)
    sees = np.ones((1,), bool)
    for axis, size in enumerate(image):
        taps = range(windows.kernel[axis])
        ends = np.max([windows.pixels(image, axis, tap) for tap in taps], axis=0)
        last = (last[:, None] * size + np.maximum(ends, 0)).reshape(-1)
        sees = (sees[:, None] & (ends >= 0)).reshape(-1)
    needed = np.maximum.accumulate(np.where(sees, last + 1, 0))
    pixels, count = int(np.prod(image)), len(needed)
    index = np.arange(count)
    most = int((needed * count - index * pixels).max())
    least = int((needed * count - (index + 1) * pixels).min())
    return Fraction(least, pixels * count), Fraction(most, pixels * count)


def _words(wiring: Wiring, stream: Stream) -> int:
    """Return the words of a frame, as they are written."""
    return -(-stream.tensor.size * stream.tensor.element.bits // wiring.written_bits(stream))


def _cycles(wiring: Wiring, name: str) -> int:
    node = wiring.processes[name]
    site = site_of(wiring.graph, node)
    return KERNELS[node.op.name].cycles(site, wiring.plan.foldings[name])


def _vector_words(wiring: Wiring, stream: Stream) -> int:
    """Return the words of the vectors that a matvec of several row folds reads, else 0."""
    assert stream.target is not None
    op = wiring.processes[stream.target].op
    is_window = stream.source is not None and isinstance(wiring.processes[stream.source].op, Window)
    if not isinstance(op, MatVec) or is_window:
        return 0
    rows, columns = op.matrix.shape
    if rows // op.groups == wiring.plan.foldings[stream.target].pe:
        return 0
    return -(-columns * op.groups * stream.tensor.element.bits // wiring.written_bits(stream))


def _meeting(wiring: Wiring) -> list[tuple[Stream, Fraction, int]]:
    """Return the inputs of processes where branches meet: each with the share of a frame that the
    others hold back longer, and the number of processes on the longest of these.
    """
    incoming: dict[str | None, list[Stream]] = {}
    for stream in wiring.streams:
        incoming.setdefault(stream.target, []).append(stream)
    names = list(wiring.processes)
    dominators: dict[str | None, tuple[str | None, ...]] = {None: (None,)}
    found = []
    for position, name in enumerate(names):
        sources = [stream.source for stream in incoming[name]]
        common = dominators[sources[0]]
        for source in sources[1:]:
            others = set(dominators[source])
            common = tuple(node for node in common if node in others)
        dominators[name] = (*common, name)
        if len(sources) > 1:
            within = _since(wiring, common[-1], names[:position], incoming)
            for stream in incoming[name]:
                others_held = [within[s.source] for s in incoming[name] if s is not stream]
                longest = max(most for _, most, _ in others_held)
                hops = max(hops for _, _, hops in others_held)
                ahead = longest - within[stream.source][0]
                if ahead > 0:
                    found.append((stream, ahead, hops))
    return found


def _since(
    wiring: Wiring,
    start: str | None,
    names: list[str],
    incoming: Mapping[str | None, list[Stream]],
) -> dict[str | None, tuple[Fraction, Fraction, int]]:
    """Return what is held back from ``start`` up to each process: least, most, and its distance."""
    held: dict[str | None, tuple[Fraction, Fraction, int]] = {start: (Fraction(0), Fraction(0), 0)}
    for name in names[0 if start is None else names.index(start) + 1 :]:
        before = [held[s.source] for s in incoming[name] if s.source in held]
        if not before:
            continue
        site = site_of(wiring.graph, wiring.processes[name])
        least, most = held_back(site)
        lanes = KERNELS[site.op.name].lanes(site, wiring.plan.foldings[name])
        # Words are read and written as a whole, in front of a converter and behind it.
        words = zip(chain(*lanes), (*site.inputs, *site.outputs), strict=True)
        most += sum(Fraction(2 * count, tensor.size) for count, tensor in words)
        if any(_vector_words(wiring, stream) for stream in incoming[name]):
            most += held_back(site)[1]
        held[name] = (
            min(low for low, _, _ in before) + least,
            max(high for _, high, _ in before) + most,
            max(hops for _, _, hops in before) + 1,
        )
    return held
