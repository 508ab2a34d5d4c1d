"""What the taps of windows see of the numbers around an integer, padding among it.

An offset that every pixel has adds up to less where windows are cut off. Along each axis results
are of one class whose taps see the same: the same classes of pixels, and padding at the same
places. Such classes are few, however large the image is.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from lutloom.streamline.border_classes import check_elements

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntType
    from lutloom.core.windows import Windows
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Classes, Scaled


def integer_of(real: Fraction, x: Scaled, element: IntType) -> int | None:
    """Return the integer that stands for ``real`` in every channel of ``x``, if there is one.

    It need not be of the type ``element``, but it is None if it lies so far outside that sums of
    it and of the others would be wider.
    """
    import numpy as np

    slopes, offsets = np.broadcast_arrays(x.slope, x.offset)
    pairs = set(zip(slopes.ravel().tolist(), offsets.ravel().tolist(), strict=True))
    if all(offset == real for _, offset in pairs):
        return 0
    if any(slope == 0 for slope, _ in pairs):
        return None
    found = {(real - offset) / slope for slope, offset in pairs}
    integer = found.pop()
    reach = element.hi - element.lo
    is_near = element.lo - reach <= integer <= element.hi + reach
    return int(integer) if not found and integer.denominator == 1 and is_near else None


def seen_by_taps(
    node: SourceNode,
    x: Scaled,
    windows: Windows,
    image: tuple[int, ...],
    padding: Rationals | None,
) -> tuple[Rationals, Classes]:
    """Return the offsets of ``x [*image, C]`` that each tap sees, ``[*kernel, *classes, C]``.

    ``padding [C]`` (of one entry for all channels) is what masked taps see; None, if it has the
    offset of the pixels, which then is the same for all of them. The second result is the class
    of each result along each axis of the image, and none of its channels.

    Raises ``ModelError`` for more classes than anybody has thresholds for.
    """
    import numpy as np

    rank = windows.rank
    borders = windows.borders(image)
    offset = x.offset
    if padding is not None:
        # One row and column more, of what masked taps see: index -1 is the last one.
        channels = max(offset.shape[-1], padding.shape[-1])
        grown = np.full(
            (*(size + 1 for size in offset.shape[:-1]), channels), padding, dtype=object
        )
        grown[tuple(slice(size) for size in offset.shape[:-1])] = offset
        offset = grown
    outside = -1 if padding is not None else 0
    patterns, classes = [], []
    for axis in range(rank):
        of_results = borders.classes[axis]
        pattern = np.where(borders.patterns[axis], 0, outside)
        if x.offset.shape[axis] > 1:
            taps = range(windows.kernel[axis])
            table = np.stack([windows.pixels(image, axis, tap) for tap in taps], axis=1)
            known = x.classes[axis] if x.classes else None
            of_pixels = np.arange(image[axis]) if known is None else known
            rows = np.where(table < 0, outside, of_pixels[table])
            pattern, of_results = np.unique(rows, axis=0, return_inverse=True)
        elif outside == 0:
            pattern = pattern[:1]
        patterns.append(pattern)
        classes.append(None if len(pattern) == 1 else of_results.reshape(-1))
    counts = [len(pattern) for pattern in patterns]
    check_elements(node, prod(counts) * offset.shape[-1])
    places = []
    for axis, pattern in enumerate(patterns):
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = pattern.shape[1], pattern.shape[0]
        places.append(pattern.T.reshape(shape))
    return offset[tuple(places)], (*classes, None) if any(c is not None for c in classes) else ()
