"""Arithmetic and layout of quantized constants: their integers and scales, exactly.

``(s p) (t q) = (s t) (p q)``, and ``s p + t q = g ((s / g) p + (t / g) q)`` with the greatest
common divisor ``g`` of the rationals ``s`` and ``t``. A constant that no quantizer made is taken as
the numbers that its floats encode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.core.rational import common_divisor, rationals
from lutloom.streamline.align import compact, varying_axes
from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Constant, Grid
from lutloom.streamline.weights import grid_of

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from lutloom.core.rational import Rationals
    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]

_MOST_BITS = 62


def moved(constant: Constant, move: Callable[[Array], Array]) -> Constant:
    """Return ``move(constant)``: NumPy's change of places, which takes elements of any kind."""
    import numpy as np

    array, grid = move(constant.array), constant.grid
    if grid is None:
        return Constant(array)
    scale = grid.scale.reshape(()) if grid.scale.size == 1 else grid.scale
    if scale.ndim:
        # Which scale an element has: places are compared faster than fractions.
        places: Any = np.arange(scale.size).reshape(scale.shape)
        places = compact(move(np.broadcast_to(places, grid.integers.shape)))
        scale = compact(scale.ravel()[places])
    return Constant(array, Grid(move(grid.integers), scale))


def picked(constants: Sequence[Constant], pick: Callable[[Sequence[Array]], Array]) -> Constant:
    """Return ``pick(constants)``, which takes numbers to other places, whatever they are."""
    import numpy as np

    arrays = [constant.array for constant in constants]
    array = pick(arrays)
    if all(constant.grid is None for constant in constants):
        return Constant(array)
    # Where every element of the result comes from, in all the constants one after another.
    starts = np.cumsum([0, *(x.size for x in arrays)]).tolist()
    places = pick(
        [
            np.arange(start, start + x.size).reshape(x.shape)
            for x, start in zip(arrays, starts, strict=False)
        ]
    )
    grids = [_grid(constant) for constant in constants]
    scales = [np.broadcast_to(grid.scale, grid.integers.shape).ravel() for grid in grids]
    integers = np.concatenate([grid.integers.ravel() for grid in grids])
    return Constant(array, Grid(integers[places], compact(np.concatenate(scales)[places])))


def transposed(constant: Constant) -> Constant:
    """Return a matrix with its axes exchanged."""
    return moved(constant, lambda array: array.T)


def combined(node: SourceNode, constants: Sequence[Constant], array: Array) -> Constant:
    """Return the result of an Add, Sub, Mul, Div or Neg, whose float32 form is ``array``.

    Raises ``ModelError`` where the integers would be too wide, and for a division by zero.
    """
    import numpy as np

    left, right = (_grid(constants[0]), _grid(constants[-1]))
    match node.op_type:
        case "Neg":
            grid = Grid(left.integers, np.asarray(-left.scale, dtype=object))
        case "Mul":
            grid = _product(node, left, right)
        case "Div":
            reals = np.asarray(right.integers * right.scale, dtype=object)
            if 0 in reals.ravel().tolist():
                raise ModelError(f"{node} divides by zero: train or export the model again")
            inverse = np.frompyfunc(lambda value: 1 / value, 1, 1)(reals)
            grid = _product(node, left, _ungridded(np.asarray(inverse, dtype=object)))
        case "Sub":
            grid = _sum(node, left, Grid(right.integers, np.asarray(-right.scale, dtype=object)))
        case _:
            grid = _sum(node, left, right)
    return Constant(array, grid)


def _grid(constant: Constant) -> Grid:
    return grid_of(constant) or _ungridded(rationals(constant.array))


def _ungridded(reals: Rationals) -> Grid:
    """Return any numbers as ones, each times a scale of its own."""
    import numpy as np

    return Grid(np.ones(reals.shape, dtype=np.int64), compact(reals))


def _product(node: SourceNode, left: Grid, right: Grid) -> Grid:
    import numpy as np

    _check(node, _widest(left.integers) * _widest(right.integers))
    integers = np.asarray(left.integers * right.integers)
    scale = _whole(left, integers.ndim) * _whole(right, integers.ndim)
    return _gathered(node, integers, np.asarray(scale, dtype=object))


def _sum(node: SourceNode, left: Grid, right: Grid) -> Grid:
    import numpy as np

    rank = max(left.integers.ndim, right.integers.ndim)
    scales = _whole(left, rank), _whole(right, rank)
    unit = np.asarray(np.frompyfunc(_divisor, 2, 1)(*scales), dtype=object)
    factors = [np.asarray(scale / unit, dtype=object) for scale in scales]
    widest = [
        _widest(grid.integers) * max(abs(int(factor)) for factor in factors_of.ravel())
        for grid, factors_of in zip((left, right), factors, strict=True)
    ]
    _check(node, sum(widest))
    terms = [
        grid.integers * factors_of.astype(np.int64)
        for grid, factors_of in zip((left, right), factors, strict=True)
    ]
    return _gathered(node, np.asarray(terms[0] + terms[1]), unit)


def _divisor(left: Fraction, right: Fraction) -> Fraction:
    return common_divisor((left, right)) or left + 1


def _whole(grid: Grid, rank: int) -> Rationals:
    """Return the scale with ``rank`` axes."""
    return grid.scale.reshape((1,) * (rank - grid.scale.ndim) + grid.scale.shape)


def _gathered(node: SourceNode, integers: Array, scale: Rationals) -> Grid:
    """Return a grid whose scale varies along one axis at most: any number is made of one unit."""
    import numpy as np

    scale = compact(scale)
    if len(varying_axes(scale)) <= 1:
        return Grid(integers, scale)
    unit = common_divisor(scale.ravel().tolist())
    if unit == 0:
        return Grid(integers * 0, rationals(1))
    factors = np.asarray(scale / unit, dtype=object)
    _check(node, _widest(integers) * max(abs(int(factor)) for factor in factors.ravel()))
    return Grid(np.asarray(integers * factors.astype(np.int64)), np.asarray(unit, dtype=object))


def _widest(integers: Array) -> int:
    return max(abs(int(integers.min(initial=0))), abs(int(integers.max(initial=0))))


def _check(node: SourceNode, largest: int) -> None:
    if largest.bit_length() > _MOST_BITS:
        raise ModelError(
            f"{node}: the scales of its constants meet in integers of {largest.bit_length()} bits;"
            " quantize its result instead of its operands"
        )
