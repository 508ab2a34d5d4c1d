"""How far a float32 executor may be from the exact value, tensor by tensor: a running error bound.

Every data-dependent tensor between two quantizers is followed as (value, error): the value in
float64, the error a bound on |computed in float32 - exact|, by the standard model of rounding:
fl(a op b) = (a op b)(1 + d), |d| <= u = 2^-24 (Higham, Accuracy and Stability of Numerical
Algorithms, chapters 2 and 3). A sum of n products in any order is off by at most
gamma_n * sum |w x|, gamma_n = n u / (1 - n u), of that very output's operands; by nothing where all
products are multiples of one power of two, and their magnitudes add up to less than 2^24 of it.

The quantizers' own outputs are taken from the executor: each layer starts without error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.rules.batch_norm import epsilon_of
from lutloom.streamline.source import QUANTIZER_DOMAINS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.streamline.source import Source, SourceNode

    Floats: TypeAlias = NDArray[np.float64]
    Tensors: TypeAlias = Mapping[str, NDArray[Any]]

FLOAT64_MARGIN = 2.0**-20
"""What of a bound is left to the float64 arithmetic of its value, which errs by a 2^-29th."""

_U = 2.0**-24
# The values are float64 themselves: their own rounding is a 2^-29th of what is bounded here.
_FLOAT64_SLACK = 2.0**-48


@dataclass(frozen=True, slots=True, eq=False)
class Bounded:
    """A tensor: its value, and how far the executor may be from it. ``[batch, ...]`` both."""

    value: Floats
    error: Floats


def follow(
    source: Source, tensors: Tensors, inputs: Mapping[str, Bounded]
) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
    """Return what each quantizer on data sees, ``x / scale + zero_point``, by the name of its
    output; and every tensor that could be followed, the model's output among them.

    ``tensors`` are the executor's own, the constants that it folded among them; ``inputs`` the
    model's. Behind an operator without a bound nothing is followed.
    """
    known = dict(inputs)
    seen: dict[str, Bounded] = {}
    data = {port.name for port in source.inputs}
    # Weight quantizers are followed too: their floats are roundings of exact products.
    followed = set(data)
    for node in source.nodes:
        quantizes = node.domain in QUANTIZER_DOMAINS
        if not quantizes and followed.isdisjoint(node.inputs):
            continue
        followed.update(name for name in node.outputs if name)
        if not data.isdisjoint(node.inputs):
            data.update(name for name in node.outputs if name)
        output = next(name for name in node.outputs if name)
        operands = [_operand(name, followed, known, tensors) for name in node.inputs if name]
        if quantizes:
            if operands and operands[0] is not None and output in data:
                seen[output] = _scaled(node, operands)
            if output in tensors:
                known[output] = _quantized(node, output, tensors)
            continue
        bound = _BOUNDS.get(node.op_type)
        if bound is None or any(operand is None for operand in operands):
            continue
        complete = [operand for operand in operands if operand is not None]
        known[output] = _with_slack(bound(node, complete, tensors))
    return seen, known


def _quantized(node: SourceNode, output: str, tensors: Tensors) -> Bounded:
    """Return the exact output of a quantizer, and how far the executor's float32 is from it."""
    import numpy as np

    floats = tensors[output].astype(np.float64)
    if node.op_type == "MultiThreshold":
        unit = np.asarray(node.number("out_scale", 1.0), dtype=np.float64)
        is_whole = node.number("out_bias", 0.0) == 0.0
    else:
        unit = np.asarray(tensors[node.inputs[1]], dtype=np.float64)
        zero_point = tensors[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(1)
        is_whole = bool((zero_point == np.round(zero_point)).all())
    if not is_whole:
        return Bounded(floats, _U * np.abs(floats))
    # A level below 2^24 times a float32 has at most 48 bits: exact in float64.
    exact = np.round(floats / unit) * unit
    return Bounded(exact, np.abs(floats - exact))


def _operand(
    name: str, followed: set[str], known: Mapping[str, Bounded], tensors: Tensors
) -> Bounded | None:
    import numpy as np

    if name in followed:
        return known.get(name)
    if name not in tensors:
        return None
    constant = np.asarray(tensors[name], dtype=np.float64)
    return Bounded(constant, np.zeros_like(constant))


def _with_slack(x: Bounded) -> Bounded:
    import numpy as np

    exact = x.error == 0
    error = np.where(exact, 0.0, x.error * (1 + _FLOAT64_SLACK) + np.abs(x.value) * _FLOAT64_SLACK)
    return Bounded(x.value, error)


def _rounded(value: Floats, error: Floats) -> Bounded:
    """Add the rounding of one operation to an ``error`` that it inherits.

    There is none where the inherited error is zero and the value is a float32 number.
    """
    import numpy as np

    new = _U * (np.abs(value) + error)
    with np.errstate(over="ignore"):
        is_exact = (error == 0) & (value == value.astype(np.float32))
    return Bounded(value, np.where(is_exact, 0.0, error + new))


def _scaled(node: SourceNode, operands: Sequence[Bounded | None]) -> Bounded:
    x = operands[0]
    assert x is not None
    if node.op_type in ("BipolarQuant", "MultiThreshold"):
        return x
    scale, zero_point = operands[1], operands[2]
    assert scale is not None
    assert zero_point is not None
    divided = _quotient(node, [x, scale], {})
    return _with_slack(_sum(node, [divided, zero_point], {}))


def _sum(_: SourceNode, operands: Sequence[Bounded], __: Tensors) -> Bounded:
    left, right = operands
    return _rounded(left.value + right.value, left.error + right.error)


def _difference(_: SourceNode, operands: Sequence[Bounded], __: Tensors) -> Bounded:
    left, right = operands
    return _rounded(left.value - right.value, left.error + right.error)


def _product(_: SourceNode, operands: Sequence[Bounded], __: Tensors) -> Bounded:
    import numpy as np

    left, right = operands
    inherited = (
        np.abs(left.value) * right.error
        + np.abs(right.value) * left.error
        + left.error * right.error
    )
    return _rounded(left.value * right.value, inherited)


def _quotient(_: SourceNode, operands: Sequence[Bounded], __: Tensors) -> Bounded:
    import numpy as np

    left, right = operands  # the divisor is a constant, without error
    return _rounded(left.value / right.value, left.error / np.abs(right.value))


def _negated(_: SourceNode, operands: Sequence[Bounded], __: Tensors) -> Bounded:
    return Bounded(-operands[0].value, operands[0].error)


def _relu(_: SourceNode, operands: Sequence[Bounded], __: Tensors) -> Bounded:
    import numpy as np

    return Bounded(np.maximum(operands[0].value, 0.0), operands[0].error)


def _clip(node: SourceNode, operands: Sequence[Bounded], _: Tensors) -> Bounded:
    import numpy as np

    lo: Any = node.attributes.get("min", -np.inf)
    hi: Any = node.attributes.get("max", np.inf)
    names = [name for name in node.inputs if name]
    for name, operand in zip(names[1:], operands[1:], strict=True):
        if node.inputs.index(name) == 1:
            lo = operand.value
        else:
            hi = operand.value
    return Bounded(np.clip(operands[0].value, lo, hi), operands[0].error)


def _batch_norm(node: SourceNode, operands: Sequence[Bounded], _: Tensors) -> Bounded:
    """Bound both usual orders of evaluation: ``(x - m) * s + b`` and ``x * s + (b - m * s)``.

    ``s = gamma / sqrt(var + eps)`` takes three roundings, each term at most six in all.
    """
    import numpy as np

    x = operands[0]
    column = (1, -1, *[1] * (x.value.ndim - 2))
    gamma, beta, mean, variance = (operand.value.reshape(column) for operand in operands[1:5])
    scale = gamma / np.sqrt(variance + epsilon_of(node))
    value = (x.value - mean) * scale + beta
    terms = (np.abs(x.value) + np.abs(mean)) * np.abs(scale) + np.abs(beta)
    inherited = np.abs(scale) * x.error
    return Bounded(value, inherited * (1 + 8 * _U) + 8 * _U * terms)


def _matmul(_: SourceNode, operands: Sequence[Bounded], __: Tensors) -> Bounded:
    left, right = operands
    return _dot(left, right)


def _gemm(node: SourceNode, operands: Sequence[Bounded], tensors: Tensors) -> Bounded:
    weights = operands[1]
    if node.integer("transB", 0):
        weights = Bounded(weights.value.T, weights.error.T)
    y = _dot(operands[0], weights)
    y = _scaled_by(y, node.number("alpha", 1.0))
    if len(operands) > 2:
        y = _sum(node, [y, _scaled_by(operands[2], node.number("beta", 1.0))], tensors)
    return y


def _scaled_by(x: Bounded, factor: float) -> Bounded:
    if factor == 1.0:
        return x
    return _rounded(x.value * factor, x.error * abs(factor))


def _dot(x: Bounded, weights: Bounded) -> Bounded:
    import numpy as np

    fan_in = weights.value.shape[0]
    gamma = fan_in * _U / (1 - fan_in * _U)
    value = x.value @ weights.value
    magnitude = np.abs(x.value) @ np.abs(weights.value)
    inherited = x.error @ (np.abs(weights.value) + weights.error) + np.abs(x.value) @ weights.error
    if not inherited.any():
        grid = _grid(x.value) * _grid(weights.value)
        if grid and float(magnitude.max(initial=0.0)) / grid < 2**24:
            return Bounded(value, np.zeros_like(value))
    return Bounded(value, inherited * (1 + gamma) + gamma * magnitude)


def _grid(values: Floats) -> float:
    """Return the largest power of two of which all ``values`` are multiples; 0 for none."""
    import numpy as np

    distinct = np.unique(np.abs(values))
    distinct = distinct[distinct > 0]
    if distinct.size > 4096:
        return 0.0
    steps = []
    for value in distinct.tolist():
        numerator, denominator = float(value).as_integer_ratio()
        steps.append((numerator & -numerator) / denominator)
    return min(steps, default=1.0)


def _moved(node: SourceNode, operands: Sequence[Bounded], tensors: Tensors) -> Bounded:
    import numpy as np

    x = operands[0]
    output = next(name for name in node.outputs if name)
    if node.op_type == "Transpose":
        axes = node.integers("perm")
        return Bounded(np.transpose(x.value, axes), np.transpose(x.error, axes))
    shape = tensors[output].shape
    return Bounded(x.value.reshape(shape), x.error.reshape(shape))


_BOUNDS: Mapping[str, Callable[[SourceNode, Sequence[Bounded], Tensors], Bounded]] = {
    "Add": _sum,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Div": _quotient,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Mul": _product,
    "Neg": _negated,
    "Relu": _relu,
    "Sub": _difference,
    **dict.fromkeys(
        ("Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
        _moved,
    ),
}
