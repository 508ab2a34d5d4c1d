"""Functions and sums of constants: the exact real, rounded once to the type that holds it.

No two libraries agree on the last bit of a logarithm, and a bit width may hang on it:
``Ceil(Log(levels) / Log(2))``. The nearest float is a definition that depends on none of them. It
is found in float64; where that leaves two candidates, in as many decimals as it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from math import fsum, inf, isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]
    Evaluated: TypeAlias = "Callable[[SourceNode, Sequence[Array]], Array]"

# Relative, and far above the errors of NumPy's float64 functions.
_FLOAT64_ERROR = 2.0**-46
_PRECISIONS = (40, 80, 160, 320)
# A float64 has 308 decimals at most before its first digit: what a difference from 1 may cancel.
_LOST_DIGITS = 330
_LARGEST_EXPONENT = 1024


def _log(x: float) -> Decimal:
    return Decimal(x).ln()


def _exp(x: float) -> Decimal:
    return Decimal(x).exp()


def _sigmoid(x: float) -> Decimal:
    return 1 / (1 + (-Decimal(x)).exp())


def _tanh(x: float) -> Decimal:
    with localcontext() as context:
        context.prec += _LOST_DIGITS
        twice = (2 * Decimal(x)).exp()
        return (twice - 1) / (twice + 1)


def _unary(
    name: str, guess: Callable[[Array], Array], exact: Callable[[float], Decimal]
) -> Evaluated:
    def evaluate(node: SourceNode, given: Sequence[Array]) -> Array:
        import numpy as np

        x = given[0]
        with np.errstate(all="ignore"):
            return _nearest(node, guess(_wide(x)), x.dtype, lambda at: exact(float(x[at])))

    evaluate.__doc__ = f"Return the {name} of each element."
    return evaluate


def _power(node: SourceNode, given: Sequence[Array]) -> Array:
    import numpy as np

    x, y = np.broadcast_arrays(*given[:2])

    def exact(at: tuple[int, ...]) -> Decimal | Fraction:
        base, exponent = float(x[at]), float(y[at])
        if exponent.is_integer() and abs(exponent) <= _LARGEST_EXPONENT:
            return Fraction(base) ** int(exponent)
        return Decimal(base) ** Decimal(exponent)

    with np.errstate(all="ignore"):
        return _nearest(node, _wide(x) ** _wide(y), x.dtype, exact)


def _sum(node: SourceNode, given: Sequence[Array]) -> Array:
    return _reduced(node, given, is_mean=False)


def _mean(node: SourceNode, given: Sequence[Array]) -> Array:
    return _reduced(node, given, is_mean=True)


def _reduced(node: SourceNode, given: Sequence[Array], *, is_mean: bool) -> Array:
    import numpy as np

    x = given[0]
    axes = node.integers("axes")
    if axes is None and len(given) > 1:
        axes = tuple(int(axis) for axis in given[1].ravel())
    if not axes and node.integer("noop_with_empty_axes", 0):
        return x
    if axes and not all(-x.ndim <= axis < x.ndim for axis in axes):
        raise ModelError(f"{node}: its axes {list(axes)} are not those of {x.ndim} dimensions")
    axes = tuple(axis % x.ndim for axis in axes) if axes else tuple(range(x.ndim))
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    rows = x.transpose(*kept, *axes).reshape(*(x.shape[axis] for axis in kept), -1)
    count = rows.shape[-1] if is_mean else 1
    guess = np.empty(rows.shape[:-1])
    for at in np.ndindex(guess.shape):
        guess[at] = fsum(rows[at].tolist()) / count

    def exact(at: tuple[int, ...]) -> Fraction:
        return sum(map(Fraction, rows[at].tolist()), Fraction(0)) / count

    with np.errstate(all="ignore"):
        result = _nearest(node, guess, x.dtype, exact)
    if node.integer("keepdims", 1):
        result = result.reshape([1 if axis in axes else x.shape[axis] for axis in range(x.ndim)])
    return result


def _wide(x: Array) -> Array:
    import numpy as np

    return x.astype(np.float64)


def _nearest(
    node: SourceNode,
    guess: Array,
    dtype: Any,  # noqa: ANN401 - whatever NumPy takes
    exact: Callable[[tuple[int, ...]], Decimal | Fraction],
) -> Array:
    """Return the numbers of ``dtype`` nearest to the real ones, of which ``guess`` is close."""
    import numpy as np

    guess = np.asarray(guess)
    low = (guess * (1 - np.copysign(_FLOAT64_ERROR, guess))).astype(dtype)
    high = (guess * (1 + np.copysign(_FLOAT64_ERROR, guess))).astype(dtype)
    nearest = np.asarray(guess.astype(dtype))
    for index in np.argwhere((low != high) & np.isfinite(guess)):
        at = tuple(int(i) for i in index)
        nearest[at] = _decided(node, exact, at, float(low[at]), float(high[at]), dtype)
    return nearest


def _decided(
    node: SourceNode,
    exact: Callable[[tuple[int, ...]], Decimal | Fraction],
    at: tuple[int, ...],
    low: float,
    high: float,
    dtype: Any,  # noqa: ANN401 - as above
) -> float:
    """Return the float between ``low`` and ``high`` that is nearest to the exact number."""
    for precision in _PRECISIONS:
        with localcontext() as context:
            context.prec = precision
            value = exact(at)
        if isinstance(value, Fraction):
            return _rounded(value, low, high, dtype)
        real = Fraction(value)
        slack = abs(real) / 10 ** (precision - 3)
        ends = {_rounded(end, low, high, dtype) for end in (real - slack, real + slack)}
        if len(ends) == 1:
            return ends.pop()
    raise ModelError(f"{node} gives a number that {_PRECISIONS[-1]} decimals can't round")


def _rounded(real: Fraction, low: float, high: float, dtype: Any) -> float:  # noqa: ANN401 - as above
    """Return the float of ``dtype`` nearest to ``real``, ties to even."""
    import numpy as np

    candidates = [np.asarray(low, dtype)]
    while float(candidates[-1]) < high:
        candidates.append(np.nextafter(candidates[-1], np.asarray(inf, dtype)))
    bits = f"u{np.dtype(dtype).itemsize}"
    finite = [c for c in candidates if isfinite(float(c))]
    return float(min(finite, key=lambda c: (abs(Fraction(float(c)) - real), int(c.view(bits)) & 1)))


def _numpy_sigmoid(x: Array) -> Array:
    import numpy as np

    return np.asarray(1 / (1 + np.exp(-x)))


def _numpy(name: str) -> Callable[[Array], Array]:
    def guess(x: Array) -> Array:
        import numpy as np

        return np.asarray(getattr(np, name)(x))

    return guess


FUNCTIONS: Mapping[str, Evaluated] = {
    "Exp": _unary("exponential", _numpy("exp"), _exp),
    "Log": _unary("natural logarithm", _numpy("log"), _log),
    "Pow": _power,
    "ReduceMean": _mean,
    "ReduceSum": _sum,
    "Sigmoid": _unary("logistic function", _numpy_sigmoid, _sigmoid),
    "Tanh": _unary("hyperbolic tangent", _numpy("tanh"), _tanh),
}
