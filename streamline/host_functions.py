"""Activation functions as programs for the host: composed of its few steps, in float32.

Each is the formula that ONNX Runtime computes, in its order, so that elementary ones are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi, sqrt
from typing import TYPE_CHECKING

from lutloom.core.host import Binary, BinaryKind, Clamp, Combine, Unary, UnaryKind
from lutloom.streamline.rules.functions import approximation_of, attribute

if TYPE_CHECKING:
    from lutloom.core.host import HostProgram
    from lutloom.streamline.source import SourceNode

_POSITIVE: HostProgram = (Clamp(0.0, None),)
_NEGATIVE: HostProgram = (Clamp(None, 0.0),)
_EXP, _LOG, _TANH = Unary(UnaryKind.EXP), Unary(UnaryKind.LOG), Unary(UnaryKind.TANH)


def _number(kind: BinaryKind, value: float, *, first: bool = False) -> Binary:
    import numpy as np

    return Binary(kind, np.full(1, value, dtype=np.float32), operand_first=first)


def _times(value: float) -> Binary:
    return _number(BinaryKind.MUL, value)


def _plus(value: float) -> Binary:
    return _number(BinaryKind.ADD, value)


def _sum(left: HostProgram, right: HostProgram) -> HostProgram:
    return (Combine(BinaryKind.ADD, left, right),)


def _x_times(program: HostProgram) -> HostProgram:
    return (Combine(BinaryKind.MUL, (), program),)


def leaky(slope: Binary) -> HostProgram:
    """Return ``max(x, 0) + min(x, 0) * slope``, of which one addend is 0."""
    return _sum(_POSITIVE, (*_NEGATIVE, slope))


def _alpha(node: SourceNode) -> float:
    return float(attribute(node, "alpha"))


def _leaky_relu(node: SourceNode) -> HostProgram:
    return leaky(_times(_alpha(node)))


def _elu(node: SourceNode) -> HostProgram:
    return _sum(_POSITIVE, (*_NEGATIVE, _EXP, _plus(-1), _times(_alpha(node))))


def _selu(node: SourceNode) -> HostProgram:
    return (*_elu(node), _times(float(attribute(node, "gamma"))))


def _celu(node: SourceNode) -> HostProgram:
    alpha = _alpha(node)
    power = (_number(BinaryKind.DIV, alpha), _EXP, _plus(-1), _times(alpha))
    return _sum(_POSITIVE, (*power, *_NEGATIVE))


def _softplus(_: SourceNode) -> HostProgram:
    small = (Unary(UnaryKind.ABS), Unary(UnaryKind.NEG), _EXP, _plus(1), _LOG)
    return _sum(_POSITIVE, small)


def _softsign(_: SourceNode) -> HostProgram:
    return (Combine(BinaryKind.DIV, (), (Unary(UnaryKind.ABS), _plus(1))),)


def _thresholded_relu(node: SourceNode) -> HostProgram:
    return (_number(BinaryKind.KEEP_ABOVE, _alpha(node)),)


def _hard_sigmoid(node: SourceNode) -> HostProgram:
    return (_times(_alpha(node)), _plus(float(attribute(node, "beta"))), Clamp(0.0, 1.0))


def _hard_swish(_: SourceNode) -> HostProgram:
    return _x_times((_times(1 / 6), _plus(0.5), Clamp(0.0, 1.0)))


def _gelu(node: SourceNode) -> HostProgram:
    if approximation_of(node) == "none":
        bent: HostProgram = (_times(sqrt(0.5)), Unary(UnaryKind.ERF))
    else:
        cubic = (Combine(BinaryKind.MUL, (), ()), _times(0.044715), _plus(1), _times(sqrt(2 / pi)))
        bent = (*_x_times(cubic), _TANH)
    return _x_times((*bent, _plus(1), _times(0.5)))


def _mish(node: SourceNode) -> HostProgram:
    return _x_times((*_softplus(node), _TANH))


def _swish(node: SourceNode) -> HostProgram:
    return _x_times((_times(_alpha(node)), Unary(UnaryKind.SIGMOID)))


def _reciprocal(_: SourceNode) -> HostProgram:
    return (_number(BinaryKind.DIV, 1, first=True),)


PROGRAMS: Mapping[str, Callable[[SourceNode], HostProgram]] = {
    "Celu": _celu,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu,
    "Mish": _mish,
    "Reciprocal": _reciprocal,
    "Selu": _selu,
    "Softplus": _softplus,
    "Softsign": _softsign,
    "Swish": _swish,
    "ThresholdedRelu": _thresholded_relu,
}
