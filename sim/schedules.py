"""What the loop of each process reads and writes, iteration by iteration: from its operator.

Said anew, apart from the kernels and the cycles that they state, so that one can be held against
the other; the C++ is held against both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.design import Border, Process
    from lutloom.codegen.kernels.convert import Converter

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

    @property
    def dense(self) -> Masks:
        """The masks of all iterations."""
        import numpy as np

        return np.tile(np.repeat(self.masks, self.counts), self.repeats)


def process_schedule(process: Process) -> Schedule:
    """Return the schedule of a process; its ports are its inputs, then its outputs."""
    return SCHEDULES[process.kernel](process)


def converter_schedule(converter: Converter) -> Schedule:
    """Return the schedule of a width converter."""
    return _CONVERTERS[converter.kernel](converter)


def reader_schedule(border: Border) -> Schedule:
    """Return the schedule of a unit's entry: AXI beats in; words, and a token a frame, out."""
    import numpy as np

    masks = np.full(border.beats, 0b011, np.uint32)
    masks[-1] = 0b111
    return _schedule(1, masks)


def writer_schedule(border: Border) -> Schedule:
    """Return the schedule of a unit's exit: words, and a token a frame, in; AXI beats out."""
    import numpy as np

    masks = np.full(border.beats, 0b101, np.uint32)
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


def _matvec(process: Process) -> Schedule:
    # A group's vector is read while its first rows are computed; results come at the ends of rows.
    op, folding = process.site.op, process.folding
    rows, columns = op.matrix.shape
    folds = columns // folding.simd
    iterations = rows // op.groups // folding.pe * folds
    period = _where(iterations, slice(folds), slice(folds - 1, None, folds))
    return _schedule(1, period, process.site.outputs[0].size // rows * op.groups)


def _every_word(process: Process) -> Schedule:
    # A word from every input and a word to every output in each iteration.
    import numpy as np

    ports = len(process.site.inputs) + len(process.site.outputs)
    words = process.site.inputs[0].size // process.folding.pe
    period = np.full(1, (1 << ports) - 1, np.uint32)
    return _schedule(len(process.site.inputs), period, words)


def _permute(process: Process) -> Schedule:
    # A whole frame is read, then written.
    words = process.site.inputs[0].size // process.folding.pe
    return _schedule(1, _where(2 * words, slice(words), slice(words, None)))


def _top_k(process: Process) -> Schedule:
    # A vector is read; its last word gives the first result, then come the others.
    channels, k = process.site.inputs[0].channels, process.site.op.k
    folds = channels // process.folding.pe
    period = _where(folds + k - 1, slice(folds), slice(folds - 1, None))
    return _schedule(1, period, process.site.inputs[0].size // channels)


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


SCHEDULES: Mapping[str, Callable[[Process], Schedule]] = MappingProxyType(
    {
        "add": _every_word,
        "border_threshold": _every_word,
        "duplicate": _every_word,
        "matvec": _matvec,
        "permute": _permute,
        "requantize": _every_word,
        "threshold": _every_word,
        "top_k": _top_k,
    }
)

_CONVERTERS: Mapping[str, Callable[[Converter], Schedule]] = MappingProxyType(
    {"gearbox": _gearbox, "narrow": _narrow, "widen": _widen}
)
