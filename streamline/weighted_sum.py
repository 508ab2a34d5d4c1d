"""``y[m] = sum over k of x[k] * w[k, m]`` of integers in disguise: integers, and scales outside.

With ``x[k] = a[k] * q[k] + b[k]`` and ``w[k, m] = s[k] * t[m] * i[k, m]`` the sum is
``t[m] * u * sum(n[k] * i[k, m] * q[k]) + t[m] * sum(s[k] * i[k, m] * b[k])``, where ``u`` is the
greatest common divisor of the rationals ``a[k] * s[k]`` and ``n[k]`` their integer quotients: 1
where all inputs share one scale, as the single channel of a depthwise convolution does. The groups
of a convolution have a ``u`` each. Exact: rational arithmetic; sums of integers that int64 might
not hold are Python's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

from lutloom.core.exact import matmul
from lutloom.core.rational import common_divisor
from lutloom.core.types import INT64_MAX
from lutloom.streamline.align import by_channel, compact, varies_in_place, varying_axes
from lutloom.streamline.errors import ModelError
from lutloom.streamline.weights import grid_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.rational import Rationals
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Constant, Grid, Scaled

_MOST_MULTIPLIER_BITS = 32


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """Quantized weights ``integers [*kernel, K, M]``, ``K`` being the channels of a group.

    ``rows [K]`` and ``columns [M]`` are the scales ``s`` and ``t``, of which one is all ones.
    """

    node: SourceNode
    integers: NDArray[Any]
    rows: list[Fraction]
    columns: list[Fraction]
    groups: int

    def scaled(self, x: Scaled) -> tuple[NDArray[np.int64], Rationals]:
        """Return the weights for the integers of ``x``, and what a unit of each sum stands for.

        Raises ``ModelError`` where the scales of ``x`` vary along another axis than the last, its
        channels, or meet in wide multipliers.
        """
        import numpy as np

        if varies_in_place(x.slope):
            raise ModelError(
                f"{self.node}: the scale of its input varies along another dimension than that of"
                " the sum; use one scale for the tensor, or put a quantizer between"
            )
        fan_in = len(self.rows)
        slopes = by_channel(x.slope, fan_in * self.groups)
        units, multipliers = [], []
        for start in range(0, len(slopes), fan_in):
            group = slopes[start : start + fan_in]
            factors = [a * s for a, s in zip(group, self.rows, strict=True)]
            unit = common_divisor(set(factors)) or Fraction(1)
            if factors[0] and all(factor == factors[0] for factor in factors):
                unit = factors[0]
            units.append(unit)
            multipliers.append([int(factor / unit) for factor in factors])
        outputs = len(self.columns) // self.groups
        slope = np.array(
            [units[index // outputs] * t for index, t in enumerate(self.columns)], dtype=object
        )
        if all(multiplier == 1 for group in multipliers for multiplier in group):
            return self.integers, slope
        self._check(max(abs(m) for group in multipliers for m in group))
        wide = np.array(multipliers, dtype=np.int64).T.repeat(outputs, axis=1)
        return np.asarray(self.integers * wide), slope

    def _check(self, widest: int) -> None:
        largest = max(-int(self.integers.min()), int(self.integers.max()))
        bits = widest.bit_length()
        if bits > _MOST_MULTIPLIER_BITS or largest * widest > INT64_MAX:
            raise ModelError(
                f"{self.node}: the scales of its input channels meet in multipliers of {bits} bits;"
                " use one scale for the tensor, or powers of two, or put a quantizer between"
            )

    def offset(self, shifts: Rationals) -> Rationals:
        """Return what the biases of the input add up to, ``[..., M]``.

        ``shifts [*kernel, ..., C]`` are the biases that each tap sees, zeros where it sees none;
        the last axis is of size 1 where all channels have the same one.
        """
        import numpy as np

        kernel = self.integers.shape[:-2]
        places = shifts.shape[len(kernel) : -1]
        if not any(shifts.ravel().tolist()):
            return np.full((*[1] * len(places), 1), Fraction(0), dtype=object)
        taps = prod(kernel)
        fan_in, outputs = self.integers.shape[-2:]
        matrices = self.integers.reshape(taps, fan_in, outputs)
        if shifts.shape[-1] == 1 and all(row == 1 for row in self.rows):
            terms = shifts.reshape(taps, -1, 1, 1)
            matrices = matrices.sum(axis=1, keepdims=True, dtype=np.int64)
        else:
            whole = np.broadcast_to(shifts, (*shifts.shape[:-1], fan_in * self.groups))
            rows = np.array(self.rows, dtype=object)
            terms = np.asarray(whole.reshape(taps, -1, self.groups, fan_in) * rows)
        unit = common_divisor(set(terms.ravel().tolist())) or Fraction(1)
        total = _products(_integers(terms / unit), matrices)
        columns = np.array(self.columns, dtype=object)
        return compact((total.astype(object) * unit * columns).reshape(*places, outputs))


def weighted_sum(node: SourceNode, weights: Constant, groups: int, *, layer: str) -> WeightedSum:
    """Return the constant ``weights [*kernel, K, M]`` as integers and scales.

    Raises ``ModelError`` if they are not quantized, or have a scale for more than each output.
    """
    grid = grid_of(weights)
    if grid is None:
        raise ModelError(
            f"{node}: its weights are not quantized; train the layer with a weight quantizer"
            f" (brevitas.nn.{layer}), or remove it"
        )
    rows, columns = _split_scale(node, grid)
    return WeightedSum(node, grid.integers, rows, columns, groups)


def _split_scale(node: SourceNode, grid: Grid) -> tuple[list[Fraction], list[Fraction]]:
    """Return the scale of each channel (input) and of each output, one of the two ones."""
    import numpy as np

    *_, inputs, outputs = grid.integers.shape
    scale = compact(np.broadcast_to(grid.scale, grid.integers.shape))
    match [axis - scale.ndim for axis in varying_axes(scale)]:
        case [] | [-1]:
            return [Fraction(1)] * inputs, by_channel(scale, outputs)
        case [-2]:
            return by_channel(scale, inputs), [Fraction(1)] * outputs
    raise ModelError(
        f"{node}: every weight has a scale of its own; use one for the tensor, or one an output"
    )


def _integers(quotients: Rationals) -> NDArray[Any]:
    """Return integer Fractions as int64, or as Python's integers where they are wide."""
    import numpy as np

    numbers = np.array([value.numerator for value in quotients.ravel().tolist()], dtype=object)
    largest = max(abs(value) for value in numbers.tolist())
    return numbers.astype(np.int64 if largest <= INT64_MAX else object).reshape(quotients.shape)


def _products(x: NDArray[Any], matrices: NDArray[Any]) -> NDArray[Any]:
    """Return the sum over taps of ``x [taps, places, groups, K]`` times ``matrices [taps, K, M]``.

    Each group has its share of ``M``.
    """
    import numpy as np

    _, places, groups, fan_in = x.shape
    largest = max(abs(int(value)) for value in x.ravel().tolist())
    bound = largest * float(np.abs(matrices.astype(np.float64)).sum(axis=(0, 1)).max())
    exact = np.int64 if bound < INT64_MAX / 2 else object
    total = np.zeros((places, matrices.shape[-1]), dtype=exact)
    for tap, matrix in zip(x.astype(exact), matrices, strict=True):
        if groups == 1 and exact is np.int64:
            total += matmul(tap[:, 0], matrix)
            continue
        split = matrix.astype(exact).reshape(fan_in, groups, -1).swapaxes(0, 1)
        total += (tap[:, :, np.newaxis] @ split).reshape(total.shape)
    return total
