"""A tensor with a bound on how far a float32 executor's is from it, and what one rounding adds.

The standard model of rounding: fl(a op b) = (a op b)(1 + d), |d| <= u = 2^-24 (Higham, Accuracy and
Stability of Numerical Algorithms, chapters 2 and 3); and, for results that underflow, another
2^-150. The values are float64: their own rounding is a 2^-29th of what is bounded here, and a slack
covers it. Where float32 makes no error there is no slack either: the value is the exact number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.error_free import lost_by_adding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.streamline.source import SourceNode

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]
    Tensors: TypeAlias = Mapping[str, NDArray[Any]]
    Operands: TypeAlias = Sequence["Bounded"]
    Bound: TypeAlias = Callable[[SourceNode, Operands, Tensors], "Bounded"]

U = 2.0**-24
"""The unit roundoff of float32."""

TINY = 2.0**-149
"""The smallest positive float32: what an underflow can cost."""

FLOAT64_MARGIN = 2.0**-20
"""What of a bound is left to the float64 arithmetic of its value, which errs by a 2^-28th."""

FLOAT64_SLACK = 2.0**-48
"""Relative: more than the float64 arithmetic of one node, functions included, can be off."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounded:
    """A tensor: its value, and how far the executor may be from it. ``[batch, ...]`` both.

    ``is_exact`` says that the value is the exact number, and not its neighbour in float64.
    """

    value: Floats
    error: Floats
    is_exact: bool = False


def without_error(value: Floats) -> Bounded:
    """Return float32 numbers that the executor and the specification share."""
    import numpy as np

    return Bounded(value, np.zeros_like(value), is_exact=True)


def is_float32(value: Floats) -> Bools:
    """Return where ``value`` is a float32 number."""
    import numpy as np

    with np.errstate(over="ignore"):
        return np.asarray(value == value.astype(np.float32))


def rounded(value: Floats, error: Floats, residual: Floats | None = None) -> Bounded:
    """Add the rounding of one operation to the ``error`` that it inherits.

    There is none where the inherited error is zero and the value is a float32 number, and exact:
    ``residual`` is what float64 has lost of it. The bound is infinite where float32 may overflow.
    """
    import numpy as np

    is_exact = (error == 0) & is_float32(value)
    if residual is not None:
        is_exact &= residual == 0
    largest = np.abs(value) + error
    bound = error + U * largest + TINY
    bound = np.where(largest >= 2.0**128, np.inf, bound)
    return Bounded(value, np.where(is_exact, 0.0, bound))


def with_slack(x: Bounded) -> Bounded:
    """Cover the float64 arithmetic of ``x`` itself, where float32 errs at all."""
    import numpy as np

    if not x.error.any():
        return x
    slack = FLOAT64_SLACK * (np.abs(x.value) + x.error)
    return Bounded(x.value, np.where(x.error == 0, 0.0, x.error + slack), x.is_exact)


def shifted(x: Bounded, place: Floats, error: Floats) -> Bounded:
    """Return ``x + place``, where ``place`` has an ``error`` of its own."""
    return rounded(x.value + place, x.error + error, lost_by_adding(x.value, place))
