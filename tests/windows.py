"""Windows over images: random ones, and what they see, cut out of the image by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lutloom.core.ops import BorderThreshold, Conv, Depthwise, MatVec, MaxPool, SumPool, Window
from lutloom.core.types import BIPOLAR, Const, IntType
from lutloom.core.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.op import Op
    from lutloom.core.types import TensorType

    Array: TypeAlias = NDArray[Any]

ELEMENTS = (BIPOLAR, IntType(0, 1), IntType(-1, 1), IntType(-3, 6, 3), IntType(2, 3), IntType(4, 4))
"""Types with few values: all tensors of a type can be tried."""

WEIGHTS = ((-1, 1), (-3, 2), (0, 1, -2), (2, 4), (0,), (-128, 127))


def random_image(rng: np.random.Generator, most: int = 8) -> tuple[int, ...]:
    """Return one or two sizes, each at most ``most``."""
    return tuple(int(size) for size in rng.integers(1, most + 1, rng.integers(1, 3)))


def random_windows(
    rng: np.random.Generator, image: tuple[int, ...], *, spaced: bool = True, most: int = 3
) -> Windows:
    """Return windows that fit: of any stride, dilation, padding, cropping and spacing."""
    rank = len(image)

    def draw(*weights: int) -> tuple[int, ...]:
        chances = np.array(weights) / sum(weights)
        return tuple(int(entry) for entry in 1 + rng.choice(len(weights), rank, p=chances))

    while True:
        kernel = tuple(int(size) for size in rng.integers(1, most + 1, rank))
        spacing = draw(3, 1, 1) if spaced and rng.integers(3) == 0 else (1,) * rank
        pads = tuple(int(pad) for pad in rng.choice([0, 0, 1, 2, 3, -1], 2 * rank))
        windows = Windows(kernel, draw(3, 2, 1), draw(4, 1, 1), pads, spacing)
        try:
            windows.results(image)
        except TypeError:
            continue
        return windows


def growing_windows(rng: np.random.Generator, image: tuple[int, ...]) -> Windows:
    """Return windows of which there are more than pixels, as a transposed convolution has."""
    rank = len(image)
    ones = (1,) * rank
    kernel = tuple(int(size) for size in rng.integers(1, 4, rank))
    dilation = tuple(int(step) for step in rng.integers(1, 3, rank))
    spacing = tuple(int(gap) for gap in rng.integers(2, 4, rank))
    reach = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
    pads = (*reach, *(int(r + rng.integers(3)) for r in reach))
    return Windows(kernel, ones, dilation, pads, spacing)


def seen(x: Array, windows: Windows, outside: int) -> Array:
    """Return what each window of ``x [batch, *image, C]`` sees, ``[batch, *results, taps, C]``.

    By hand: the pixels are laid out with gaps, framed or cropped, and cut up.
    """
    rank = windows.rank
    image = x.shape[1:-1]
    spread = [(size - 1) * gap + 1 for size, gap in zip(image, windows.spacing, strict=True)]
    canvas = np.full((len(x), *spread, x.shape[-1]), outside, x.dtype)
    canvas[(slice(None), *(slice(None, None, gap) for gap in windows.spacing))] = x
    for axis, (before, after) in enumerate(
        zip(windows.pads[:rank], windows.pads[rank:], strict=True), start=1
    ):
        widths = [(0, 0)] * canvas.ndim
        widths[axis] = (max(before, 0), max(after, 0))
        canvas = np.pad(canvas, widths, constant_values=outside)
        canvas = np.take(canvas, range(max(-before, 0), canvas.shape[axis] - max(-after, 0)), axis)
    extents = [d * (k - 1) + 1 for k, d in zip(windows.kernel, windows.dilation, strict=True)]
    starts = [
        range(0, size - extent + 1, stride)
        for size, extent, stride in zip(canvas.shape[1:-1], extents, windows.stride, strict=True)
    ]
    shape = tuple(map(len, starts))
    found = np.empty((len(x), *shape, windows.taps, x.shape[-1]), x.dtype)
    for place in np.ndindex(*shape):
        cut = tuple(
            slice(starts[axis][index], starts[axis][index] + extents[axis], windows.dilation[axis])
            for axis, index in enumerate(place)
        )
        window = canvas[(slice(None), *cut)]
        found[(slice(None), *place)] = window.reshape(len(x), windows.taps, -1)
    return found


def random_conv(
    rng: np.random.Generator, windows: Windows, channels: int, groups: int, fill: int
) -> Conv:
    """Return a convolution of so many channels in so many groups."""
    outputs = groups * int(rng.integers(1, 4))
    values = WEIGHTS[rng.integers(len(WEIGHTS))]
    weights = rng.choice(values, (*windows.kernel, channels // groups, outputs))
    places = (windows.stride, windows.dilation, windows.pads, windows.spacing)
    return Conv(Const(weights), *places, groups, fill)


def random_depthwise(
    rng: np.random.Generator, windows: Windows, channels: int, fill: int
) -> Depthwise:
    """Return a convolution of every channel by itself."""
    weights = rng.choice(WEIGHTS[rng.integers(len(WEIGHTS))], (*windows.kernel, channels))
    places = (windows.stride, windows.dilation, windows.pads, windows.spacing)
    return Depthwise(Const(weights), *places, fill)


def random_pool(
    rng: np.random.Generator, image: tuple[int, ...], kind: type[MaxPool | SumPool]
) -> MaxPool | SumPool:
    """Return a pool that fits; of the largest, each window sees a pixel."""
    while True:
        windows = random_windows(rng, image, spaced=False)
        if kind is SumPool or windows.borders(image).masks.any(axis=-1).all():
            return kind(windows.kernel, windows.stride, windows.dilation, windows.pads)


def random_classes(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> tuple[tuple[int, int], tuple[Const, Const]]:
    """Return how many classes of rows and of columns there are, and which: each occurs."""
    height, width = (1, 1, *shape[:-1])[-2:]
    kinds = (int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1)))
    rows, columns = (
        Const(rng.permutation(np.arange(size) % kind))
        for size, kind in zip((height, width), kinds, strict=True)
    )
    if kinds[0] == 1 and rng.integers(2):
        rows = Const([0])
    return kinds, (rows, columns)


def random_matvec(
    rng: np.random.Generator, shape: tuple[int, ...], groups: int, *, has_border: bool
) -> MatVec:
    """Return a product for data of that shape, with an addend for each class of places."""
    columns, rows = shape[-1] // groups, groups * int(rng.integers(1, 4))
    matrix = Const(rng.choice(WEIGHTS[rng.integers(len(WEIGHTS))], (rows, columns)))
    if not has_border:
        return MatVec(matrix, groups)
    kinds, classes = random_classes(rng, shape)
    border = rng.integers(-5, 6, (*kinds, int(rng.choice([1, rows]))))
    return MatVec(matrix, groups, Const(border), *classes)


def random_border_threshold(
    rng: np.random.Generator, element: IntType, shape: tuple[int, ...]
) -> BorderThreshold:
    """Return staircases up and down, for each class of places."""
    kinds, classes = random_classes(rng, shape)
    channels, steps = int(rng.choice([1, shape[-1]])), int(rng.integers(0, 4))
    table = rng.integers(element.lo - 2, element.hi + 3, (*kinds, channels, steps))
    base = rng.integers(-4, 5, (*kinds, channels))
    deltas = rng.integers(-2, 3, (*kinds, channels, int(rng.choice([1, steps])) if steps else 1))
    return BorderThreshold(Const(np.sort(table)), Const(base), Const(deltas), *classes)


def random_image_op(rng: np.random.Generator, x: TensorType, *, grows: bool = False) -> Op:
    """Return an operator on images, for a tensor of two or three dimensions.

    It ``grows``: its result has more pixels.
    """
    image, channels = x.shape[:-1], x.channels
    draw = growing_windows if grows else random_windows
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    groups = int(rng.choice([1, *divisors]))
    fill = int(rng.choice([0, 0, x.element.lo, x.element.hi, int(rng.integers(-4, 5))]))
    match int(rng.integers(3 if grows else 7)):
        case 0:
            return random_conv(rng, draw(rng, image), channels, groups, fill)
        case 1:
            return random_depthwise(rng, draw(rng, image), channels, fill)
        case 2:
            w = draw(rng, image)
            return Window(w.kernel, w.stride, w.dilation, w.pads, w.spacing, groups, fill)
        case 3:
            return random_pool(rng, image, MaxPool)
        case 4:
            return random_pool(rng, image, SumPool)
        case 5:
            return random_matvec(rng, x.shape, groups, has_border=True)
        case _:
            return random_border_threshold(rng, x.element, x.shape)


SIDE_BY_SIDE = [
    # Kernel, stride, dilation, pads; pixels.
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 2),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 4),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 8),
    ((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), 2),
    ((5, 5), (1, 1), (1, 1), (2, 2, 2, 2), 4),
    ((3, 3), (2, 2), (1, 1), (1, 1, 1, 1), 2),
    ((3, 3), (2, 2), (1, 1), (1, 1, 1, 1), 4),
    ((3, 3), (2, 2), (1, 1), (0, 0, 1, 1), 8),
    ((2, 2), (1, 4), (1, 1), (0, 0, 0, 0), 2),
    ((3, 2), (1, 1), (1, 3), (1, 3, 0, 0), 4),
    ((3, 3), (1, 1), (2, 2), (2, 2, 2, 2), 2),
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0), 4),
    ((2, 3), (3, 1), (1, 1), (0, 3, 1, -1), 2),
    ((1, 9), (1, 1), (1, 1), (0, 4, 0, 4), 4),
    ((2, 2), (1, 2), (1, 1), (0, -2, 0, -2), 2),
    ((6, 1), (1, 1), (1, 1), (2, 0, 3, 0), 4),
]
"""Windows, and how many pixels of an image ``[5, 8, C]`` come at once where all taps are shown."""
