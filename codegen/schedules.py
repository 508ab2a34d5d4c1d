"""What the loop of each process reads and writes, iteration by iteration: from its operator.

Said anew, apart from the kernels and the cycles that they state, so that one can be held against
the other; the C++ is held against both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lutloom.codegen.kernels import line_buffer, pools, span, window

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
    """The iterations of a frame: ``masks [n]``, each ``counts [n]`` times, ``repeats`` times all.

    Bit ``p`` of a mask stands for a word read from or written to port ``p``; the first ``reads``
    ports are read.
    """

    reads: int
    masks: Masks
    counts: Masks
    repeats: int

    @property
    def iterations(self) -> int:
        """How many iterations a frame has."""
        return int(self.counts.sum(dtype="int64")) * self.repeats

    def positions(self, port: int) -> IntArray:
        """Return the iterations that have a word at ``port``, from 0, ascending."""
        import numpy as np

        period = np.repeat(self.masks, self.counts)
        where = np.flatnonzero(period >> port & 1)
        starts = len(period) * np.arange(self.repeats, dtype=np.int64)
        found: IntArray = (starts[:, None] + where).reshape(-1)
        return found

    @property
    def dense(self) -> Masks:
        """The masks of all iterations."""
        import numpy as np

        return np.tile(np.repeat(self.masks, self.counts), self.repeats)


def process_schedule(site: Site, folding: Folding) -> Schedule:
    """Return the schedule of a process; its ports are its inputs, then its outputs."""
    return SCHEDULES[site.op.name](site, folding)


def converter_schedule(converter: Converter) -> Schedule:
    """Return the schedule of a width converter."""
    return _CONVERTERS[converter.kernel](converter)


def reader_schedule(beats: int, tokens: int) -> Schedule:
    """Return the schedule of a unit's entry: AXI beats in; words, and tokens at the end, out."""
    import numpy as np

    masks = np.full(beats, 0b011, np.uint32)
    masks[-1] |= np.uint32(((1 << tokens) - 1) << 2)
    return _schedule(1, masks)


def writer_schedule(beats: int) -> Schedule:
    """Return the schedule of a unit's exit: words, and a token a frame, in; AXI beats out."""
    import numpy as np

    masks = np.full(beats, 0b101, np.uint32)
    masks[-1] = 0b111
    return _schedule(2, masks)


def _schedule(reads: int, period: Masks, repeats: int = 1) -> Schedule:
    """Return ``period``, the masks of some iterations, ``repeats`` times, equal ones together."""
    import numpy as np

    starts = np.flatnonzero(np.diff(period, prepend=~period[:1]))
    counts = np.diff(starts, append=len(period))
    return Schedule(reads, period[starts].astype(np.uint32), counts.astype(np.uint32), repeats)


def _where(iterations: int, *ports: Any) -> Masks:  # noqa: ANN401 - indices or slices of arrays
    """Return the masks of ``iterations``, of which ``ports`` are where each port has a word."""
    import numpy as np

    masks = np.zeros(iterations, np.uint32)
    for port, where in enumerate(ports):
        masks[where] |= np.uint32(1 << port)
    return masks


def _matvec(site: Site, folding: Folding) -> Schedule:
    # A group's vector is read while its first rows are computed; results come at the ends of rows.
    op = site.op
    rows, columns = op.matrix.shape
    folds = columns // folding.simd
    iterations = rows // op.groups // folding.pe * folds
    period = _where(iterations, slice(folds), slice(folds - 1, None, folds))
    return _schedule(1, period, site.outputs[0].size // rows * op.groups // folding.pixels)


def _matmul(site: Site, folding: Folding) -> Schedule:
    # The second matrix is read, then each row of the first one as matvec reads a vector.
    import numpy as np

    a, b = (x.shape for x in site.inputs)
    folds = a[-1] // folding.simd
    loads, beats = b[-2] * folds, b[-2] // folding.pe * folds
    load = _where(loads, slice(0), slice(None))
    row = _where(beats, slice(folds), slice(0), slice(folds - 1, None, folds))
    return _schedule(2, np.concatenate([load, np.tile(row, a[-2])]), prod(a[:-2]))


def _every_word(site: Site, folding: Folding) -> Schedule:
    # A word from every input and a word to every output in each iteration.
    import numpy as np

    ports = len(site.inputs) + len(site.outputs)
    words = site.inputs[0].size // (folding.pe * folding.pixels)
    period = np.full(1, (1 << ports) - 1, np.uint32)
    return _schedule(len(site.inputs), period, words)


def _concat(site: Site, folding: Folding) -> Schedule:
    # A round: words of the first input, then of the second, ...; each is written at once.
    import numpy as np

    axis, written = site.op.axis, 1 << len(site.inputs)
    words = [prod(x.shape[axis:]) // folding.pe for x in site.inputs]
    period = np.repeat([written | 1 << port for port in range(len(words))], words)
    return _schedule(len(words), period.astype(np.uint32), prod(site.outputs[0].shape[:axis]))


def _lookup(site: Site, folding: Folding) -> Schedule:
    # An integer is read with the first word of its row.
    folds = site.op.table.shape[1] // folding.pe
    return _schedule(1, _where(folds, slice(1), slice(None)), site.inputs[0].size)


def _split(site: Site, folding: Folding) -> Schedule:
    # A round: every word is read, and written to the part that it lies in, if it lies in one.
    import numpy as np

    x, axis = site.inputs[0], site.op.axis
    places = np.arange(x.shape[axis])
    masks = np.ones(len(places), np.uint32)
    for port, part in enumerate(site.op.parts, 1):
        masks[(places >= part.start) & (places < part.stop)] |= np.uint32(1 << port)
    period = masks.repeat(prod(x.shape[axis + 1 :]))[:: folding.pe]
    return _schedule(1, period, prod(x.shape[:axis]))


def _permute(site: Site, folding: Folding) -> Schedule:
    # All words come, and leave in their order as soon as none of them is late: two beats behind
    # their coming, where any changes its place.
    import numpy as np

    x = site.inputs[0]
    order = np.arange(x.size).reshape(x.shape).transpose(site.op.axes).reshape(-1)
    words = x.size // folding.pe
    ahead = order[:: folding.pe] // folding.pe - np.arange(words)
    lag = int(ahead.max()) + 2 if ahead.any() else 0
    return _schedule(1, _where(words + lag, slice(words), slice(lag, None)))


def _top_k(site: Site, folding: Folding) -> Schedule:
    # A vector is read; its last word gives the first result, then come the others.
    channels, k = site.inputs[0].channels, site.op.k
    folds = channels // folding.pe
    period = _where(folds + k - 1, slice(folds), slice(folds - 1, None))
    return _schedule(1, period, site.inputs[0].size // channels)


def _upsample(site: Site, folding: Folding) -> Schedule:
    # A word with an element that has not come before is read when it is written.
    import numpy as np

    shape, factors = site.inputs[0].shape, site.op.factors
    is_new = np.ones(1, bool)
    for size, factor in zip(shape, factors, strict=True):
        is_first = np.arange(size * factor) % factor == 0
        is_new = (is_new[:, None] & is_first).reshape(-1)
    is_read = is_new.reshape(-1, folding.pe).any(axis=1)
    return _schedule(1, np.where(is_read, 0b11, 0b10).astype(np.uint32))


def _from_line_buffer(steps: line_buffer.WalkSchedule, gives_a_word: slice) -> Schedule:
    """Return the schedule of a walk over windows that writes a word with some of its taps."""
    import numpy as np

    masks = np.zeros(steps.beats, np.uint32)
    masks[steps.takes] |= 1
    masks[steps.gives[gives_a_word]] |= 2
    return _schedule(1, masks)


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
    masks = np.where(ends, 0b11, 0b01).astype(np.uint32)
    return _schedule(1, np.repeat(masks, site.inputs[0].channels // folding.pe))


def _narrow(converter: Converter) -> Schedule:
    ratio = converter.in_bits // converter.out_bits
    words = -(-converter.frame_bits // converter.out_bits)
    return _schedule(1, _where(words, slice(None, None, ratio), slice(None)))


def _widen(converter: Converter) -> Schedule:
    ratio = converter.out_bits // converter.in_bits
    words = converter.frame_bits // converter.in_bits
    outs = -(-words // ratio)
    return _schedule(1, _where(outs * ratio, slice(words), slice(ratio - 1, None, ratio)))


def _gearbox(converter: Converter) -> Schedule:
    # Reads when less than an output word is there; writes when one is, or the frame's rest.
    import numpy as np

    left = -(-converter.frame_bits // converter.in_bits)
    wanted = -(-converter.frame_bits // converter.out_bits)
    masks = []
    held = 0
    while wanted:
        mask = 0
        if held < converter.out_bits and left:
            mask |= 1
            held += converter.in_bits
            left -= 1
        if held >= converter.out_bits or not left:
            mask |= 2
            held = max(held - converter.out_bits, 0)
            wanted -= 1
        masks.append(mask)
    return _schedule(1, np.array(masks, np.uint32))


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
