"""Relu and Clip: clamps, which stay clamps under every affine map that follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.streamline.align import aligned, compact
from lutloom.streamline.context import required, required_constant
from lutloom.streamline.curve import are_of_one_value, curve, diamond, expression_of, number
from lutloom.streamline.errors import ModelError
from lutloom.streamline.expression import Apply, Function, Numbers
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.symbols import Constant, Curve, Scaled

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol


def relu(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``max(x, 0)``."""
    return _clamp(node, inputs, context, Fraction(0), None)


def clip(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``min(max(x, lo), hi)``, its bounds attributes (before opset 11) or constant inputs."""
    lo, hi = clip_bounds(node, inputs)
    return _clamp(node, inputs, context, lo, hi)


def extreme(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``min(x, c)`` or ``max(x, c)``, of a function and constants or of two functions of a value.

    Raises ``ModelError`` for more than two inputs.
    """
    if len(inputs) == 1:
        return required(node, inputs, 0)
    if len(inputs) != 2:
        raise ModelError(f"{node} has {len(inputs)} inputs: write it as several of two inputs")
    function = Function.MAXIMUM if node.op_type == "Max" else Function.MINIMUM
    left, right = required(node, inputs, 0), required(node, inputs, 1)
    match left, right:
        case (Scaled() | Curve() as x, Constant() as bound) | (
            Constant() as bound,
            Scaled() | Curve() as x,
        ):
            bounds = aligned(node, x, bound.reals(), "bound")
            if bounds.size == 1:
                value: Fraction = bounds.ravel()[0]
                is_lower = function is Function.MAXIMUM
                return clamped(node, x, value if is_lower else None, None if is_lower else value)
            return curve(node, x, Apply(function, (expression_of(node, x), Numbers(bounds))))
        case Scaled() | Curve(), Scaled() | Curve() if are_of_one_value(left, right):
            return diamond(node, function, left, right)
        case _:
            return host_only(node, inputs, context)


def clip_bounds(node: SourceNode, inputs: Inputs) -> tuple[Fraction | None, Fraction | None]:
    """Return the bounds of a Clip, None for an absent or infinite one."""
    return _bound(node, inputs, 1, "min"), _bound(node, inputs, 2, "max")


def _bound(node: SourceNode, inputs: Inputs, index: int, name: str) -> Fraction | None:
    import numpy as np

    value: float | None = None
    if name in node.attributes:
        value = node.number(name, 0.0)
    elif len(inputs) > index and inputs[index] is not None:
        array = required_constant(node, inputs, index, f"bound '{name}'").array
        if array.size != 1:
            raise ModelError(f"{node}: its bound '{name}' should be one number, not {array.shape}")
        value = float(array.reshape(())[()])
    if value is None or abs(value) >= float(np.finfo(np.float32).max):
        return None
    if np.isnan(value):
        raise ModelError(f"{node}: its bound '{name}' is NaN: export the model again")
    return Fraction(value)


def _clamp(
    node: SourceNode, inputs: Inputs, context: Context, lo: Fraction | None, hi: Fraction | None
) -> Symbol:
    x = required(node, inputs, 0)
    if not isinstance(x, (Scaled, Curve)):
        return host_only(node, inputs, context)
    return clamped(node, x, lo, hi)


def clamped(node: SourceNode, x: Formula, lo: Fraction | None, hi: Fraction | None) -> Formula:
    """Return ``min(max(x, lo), hi)``, one node further; a bound that is None is absent."""
    if isinstance(x, Curve):
        expression = x.expression
        for bound, function in ((lo, Function.MAXIMUM), (hi, Function.MINIMUM)):
            if bound is not None:
                expression = Apply(function, (expression, number(x, bound)), node)
        return curve(node, x, expression)
    if lo is not None and hi is not None and lo > hi:
        lo = hi  # ONNX: where the bounds cross, everything becomes the upper one
    lower, upper = x.lower, x.upper
    if lo is not None:
        lower, upper = _bounded(max, lower, lo, absent=lo), _bounded(max, upper, lo, absent=None)
    if hi is not None:
        lower, upper = _bounded(min, lower, hi, absent=None), _bounded(min, upper, hi, absent=hi)
    return replace(x, lower=_shaped(lower, x), upper=_shaped(upper, x)).after(node)


def _bounded(
    limit: Callable[[Fraction, Fraction], Fraction],
    bounds: Rationals | None,
    value: Fraction,
    *,
    absent: Fraction | None,
) -> Rationals | None:
    """Return ``limit(bound, value)`` for each bound, and ``absent`` where there is none."""
    import numpy as np

    if bounds is None:
        return None if absent is None else np.asarray(absent, dtype=object)
    limited = np.frompyfunc(lambda b: absent if b is None else limit(b, value), 1, 1)(bounds)
    return compact(np.asarray(limited, dtype=object))


def _shaped(bounds: Rationals | None, x: Scaled) -> Rationals | None:
    return bounds.reshape((1,) * x.slope.ndim) if bounds is not None and not bounds.ndim else bounds
