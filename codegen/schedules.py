"""What the loop of each process reads and writes, iteration by iteration: from its operator.

Said anew, apart from the kernels and the cycles that they state, so that one can be held against
the other; the C++ is held against both.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

from lutloom.codegen.kernels import line_buffer, pools, span, window
from lutloom.core.text import parameters_of
from lutloom.core.types import Const

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.kernels import Site
    from lutloom.codegen.kernels.convert import Converter
    from lutloom.core.plan import Folding
    from lutloom.core.types import IntArray

    Masks = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Schedule:
    """The iterations of a frame, a ``period`` as often as it ``repeats``.

    ``places [ports]`` are the iterations of a period, ascending, with a word read from or written
    to each port; the first ``reads`` ports are read.
    """

    reads: int
    period: int
    repeats: int
    places: tuple[IntArray, ...]

    @property
    def iterations(self) -> int:
        """How many iterations a frame has."""
        return self.period * self.repeats

    def positions(self, port: int) -> IntArray:
        """Return the iterations that have a word at ``port``, from 0, ascending."""
        import numpy as np

        starts = self.period * np.arange(self.repeats, dtype=np.int64)
        found: IntArray = (starts[:, None] + self.places[port]).reshape(-1)
        return found

    @cached_property
    def _masks(self) -> Masks:
        """The ports of the iterations of a period: bit ``p`` of a mask stands for port ``p``."""
        import numpy as np

        masks = np.zeros(self.period, np.uint32)
        for port, places in enumerate(self.places):
            masks[places] |= np.uint32(1 << port)
        return masks

    @cached_property
    def runs(self) -> tuple[Masks, Masks]:
        """The masks of runs of equal iterations in a period, and how many each run has."""
        import numpy as np

        starts = np.flatnonzero(np.diff(self._masks, prepend=~self._masks[:1]))
        counts = np.diff(starts, append=self.period)
        return self._masks[starts], counts.astype(np.uint32)

    @property
    def dense(self) -> Masks:
        """The masks of all iterations."""
        import numpy as np

        return np.tile(self._masks, self.repeats)


def likeness(site: Site, folding: Folding) -> Hashable:
    """Return what the schedule of a process follows from: not from any elements."""
    parameters = (value for _, value in parameters_of(site.op))
    shapes = (value.shape if isinstance(value, Const) else value for value in parameters)
    tensors = (tensor.shape for tensor in (*site.inputs, *site.outputs))
    return site.op.name, *shapes, *tensors, folding.pe, folding.simd, folding.pixels


def process_schedule(site: Site, folding: Folding) -> Schedule:
    """Return the schedule of a process; its ports are its inputs, then its outputs."""
    return SCHEDULES[site.op.name](site, folding)


def converter_schedule(converter: Converter) -> Schedule:
    """Return the schedule of a width converter."""
    return _CONVERTERS[converter.kernel](converter)


def reader_schedule(beats: int, tokens: int) -> Schedule:
    """Return the schedule of a unit's entry: AXI beats in; words, and tokens at the end, out."""
    import numpy as np

    every, last = np.arange(beats), np.arange(beats - 1, beats)
    return Schedule(1, beats, 1, (every, every, *[last] * tokens))


def writer_schedule(beats: int) -> Schedule:
    """Return the schedule of a unit's exit: words, and a token a frame, in; AXI beats out."""
    import numpy as np

    every = np.arange(beats)
    return Schedule(2, beats, 1, (every, every[-1:], every))


def _matvec(site: Site, folding: Folding) -> Schedule:
    # A group's vector is read while its first rows are computed; results come at the ends of rows.
    import numpy as np

    op = site.op
    rows, columns = op.matrix.shape
    folds = columns // folding.simd
    period = rows // op.groups // folding.pe * folds
    vectors = site.outputs[0].size // rows * op.groups // folding.pixels
    return Schedule(1, period, vectors, (np.arange(folds), np.arange(folds - 1, period, folds)))


def _matmul(site: Site, folding: Folding) -> Schedule:
    # The second matrix is read, then each row of the first one as matvec reads a vector.
    import numpy as np

    a, b = (x.shape for x in site.inputs)
    folds = a[-1] // folding.simd
    loads, beats = b[-2] * folds, b[-2] // folding.pe * folds
    period = loads + beats * a[-2]
    rows = (np.arange(loads, period, beats)[:, None] + np.arange(folds)).reshape(-1)
    results = np.arange(loads + folds - 1, period, folds)
    return Schedule(2, period, prod(a[:-2]), (rows, np.arange(loads), results))


def _every_word(site: Site, folding: Folding) -> Schedule:
    # A word from every input and a word to every output in each iteration.
    import numpy as np

    words = site.inputs[0].size // (folding.pe * folding.pixels)
    ports = (np.arange(1),) * (len(site.inputs) + len(site.outputs))
    return Schedule(len(site.inputs), 1, words, ports)


def _concat(site: Site, folding: Folding) -> Schedule:
    # A round: words of the first input, then of the second, ...; each is written at once.
    import numpy as np

    axis = site.op.axis
    ends = np.cumsum([0, *(prod(x.shape[axis:]) // folding.pe for x in site.inputs)])
    parts = (np.arange(start, end) for start, end in pairwise(ends))
    period = int(ends[-1])
    rounds = prod(site.outputs[0].shape[:axis])
    return Schedule(len(site.inputs), period, rounds, (*parts, np.arange(period)))


def _lookup(site: Site, folding: Folding) -> Schedule:
    # An integer is read with the first word of its row.
    import numpy as np

    folds = site.op.table.shape[1] // folding.pe
    return Schedule(1, folds, site.inputs[0].size, (np.arange(1), np.arange(folds)))


def _split(site: Site, folding: Folding) -> Schedule:
    # A round: every word is read, and written to the part that it lies in, if it lies in one.
    import numpy as np

    x, axis = site.inputs[0], site.op.axis
    inner = prod(x.shape[axis + 1 :])
    period = -(-x.shape[axis] * inner // folding.pe)
    parts = (
        np.arange(-(-part.start * inner // folding.pe), -(-part.stop * inner // folding.pe))
        for part in site.op.parts
    )
    return Schedule(1, period, prod(x.shape[:axis]), (np.arange(period), *parts))


def _permute(site: Site, folding: Folding) -> Schedule:
    # All words come, and leave in their order as soon as none of them is late: two beats behind
    # their coming, where any changes its place.
    import numpy as np

    x = site.inputs[0]
    order = np.arange(x.size).reshape(x.shape).transpose(site.op.axes).reshape(-1)
    words = x.size // folding.pe
    ahead = order[:: folding.pe] // folding.pe - np.arange(words)
    lag = int(ahead.max()) + 2 if ahead.any() else 0
    return Schedule(1, words + lag, 1, (np.arange(words), np.arange(lag, words + lag)))


def _top_k(site: Site, folding: Folding) -> Schedule:
    # A vector is read; its last word gives the first result, then come the others.
    import numpy as np

    channels, k = site.inputs[0].channels, site.op.k
    folds = channels // folding.pe
    period = folds + k - 1
    ports = np.arange(folds), np.arange(folds - 1, period)
    return Schedule(1, period, site.inputs[0].size // channels, ports)


def _upsample(site: Site, folding: Folding) -> Schedule:
    # A word with an element that has not come before is read when it is written.
    import numpy as np

    shape, factors = site.inputs[0].shape, site.op.factors
    is_new = np.ones(1, bool)
    for size, factor in zip(shape, factors, strict=True):
        is_first = np.arange(size * factor) % factor == 0
        is_new = (is_new[:, None] & is_first).reshape(-1)
    words = is_new.size // folding.pe
    is_read = is_new.reshape(words, -1).any(axis=1)
    return Schedule(1, words, 1, (np.flatnonzero(is_read), np.arange(words)))


def _from_line_buffer(steps: line_buffer.WalkSchedule, gives_a_word: slice) -> Schedule:
    """Return the schedule of a walk over windows that writes a word with some of its taps."""
    return Schedule(1, steps.beats, 1, (steps.takes, steps.gives[gives_a_word]))


def _window(site: Site, folding: Folding) -> Schedule:
    return _from_line_buffer(window.schedule_of(site, folding), slice(None))


def _channelwise(site: Site, folding: Folding) -> Schedule:
    # All taps of a word follow one another; with the last comes the result. Or come at once.
    if pools.is_whole(site, folding):
        return _from_line_buffer(span.span_of(site, folding).schedule, slice(None))
    taps = site.op.windows.taps
    steps = line_buffer.schedule(pools.walk(site, folding))
    return _from_line_buffer(steps, slice(taps - 1, None, taps))


def _pool(site: Site, folding: Folding) -> Schedule:
    if pools.is_disjoint(site) and not pools.is_whole(site, folding):
        return _disjoint_pool(site, folding)
    return _channelwise(site, folding)


def _disjoint_pool(site: Site, folding: Folding) -> Schedule:
    # A result comes with the last pixel that its window sees.
    import numpy as np

    windows, image = site.op.windows, site.inputs[0].shape[:-1]
    ends = np.ones(1, bool)
    for axis, size in enumerate(image):
        taps = range(windows.kernel[axis])
        last = np.max([windows.pixels(image, axis, tap) for tap in taps], axis=0)
        is_last = np.zeros(size, bool)
        is_last[last] = True
        ends = (ends[:, None] & is_last).reshape(-1)
    folds = site.inputs[0].channels // folding.pe
    words = folds * len(ends)
    given = (folds * np.flatnonzero(ends)[:, None] + np.arange(folds)).reshape(-1)
    return Schedule(1, words, 1, (np.arange(words), given))


def _narrow(converter: Converter) -> Schedule:
    import numpy as np

    ratio = converter.in_bits // converter.out_bits
    words = -(-converter.frame_bits // converter.out_bits)
    period = ratio if words % ratio == 0 else words
    return Schedule(1, period, words // period, (np.arange(0, period, ratio), np.arange(period)))


def _widen(converter: Converter) -> Schedule:
    import numpy as np

    ratio = converter.out_bits // converter.in_bits
    words = converter.frame_bits // converter.in_bits
    outs = -(-words // ratio)
    repeats = outs if words == outs * ratio else 1
    period = outs * ratio // repeats
    ports = np.arange(words // repeats), np.arange(ratio - 1, period, ratio)
    return Schedule(1, period, repeats, ports)


def _gearbox(converter: Converter) -> Schedule:
    # Reads when less than an output word is there; writes when one is, or the frame's rest.
    import numpy as np

    left = -(-converter.frame_bits // converter.in_bits)
    wanted = -(-converter.frame_bits // converter.out_bits)
    taken, given = [], []
    held = iteration = 0
    while wanted:
        if held < converter.out_bits and left:
            taken.append(iteration)
            held += converter.in_bits
            left -= 1
        if held >= converter.out_bits or not left:
            given.append(iteration)
            held = max(held - converter.out_bits, 0)
            wanted -= 1
        iteration += 1
    return Schedule(1, iteration, 1, (np.array(taken), np.array(given)))


SCHEDULES: Mapping[str, Callable[[Site, Folding], Schedule]] = MappingProxyType(
    {
        "add": _every_word,
        "border_threshold": _every_word,
        "concat": _concat,
        "depthwise": _channelwise,
        "duplicate": _every_word,
        "lookup": _lookup,
        "matmul": _matmul,
        "matvec": _matvec,
        "max_pool": _pool,
        "multiply": _every_word,
        "permute": _permute,
        "requantize": _every_word,
        "split": _split,
        "sum_pool": _pool,
        "threshold": _every_word,
        "top_k": _top_k,
        "upsample": _upsample,
        "window": _window,
    }
)

_CONVERTERS: Mapping[str, Callable[[Converter], Schedule]] = MappingProxyType(
    {"gearbox": _gearbox, "narrow": _narrow, "widen": _widen}
)
