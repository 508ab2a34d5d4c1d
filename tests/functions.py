"""Functions of the ONNX standard, written down once more: balls of many bits, and exact points.

Nothing here is shared with the lowering: no intervals in float64, no expressions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import ceil, floor, isqrt, trunc
from typing import TYPE_CHECKING, Any

from flint import arb, ctx, fmpq

if TYPE_CHECKING:
    from tests.models import Writer

F = Fraction
ONE = F(1)
SELU_ALPHA, SELU_GAMMA = F(1.67326319217681884765625), F(1.05070102214813232421875)
TENTH, FIFTH = F(0.100000001490116119384765625), F(0.20000000298023223876953125)
HUNDREDTH = F(0.00999999977648258209228515625)
PRECISIONS = (128, 1024, 8192)
# Nearer to a limit than any boundary between levels in the tests is to another number.
HAIR = F(1, 2**400)


def ball(q: Fraction | int) -> arb:
    q = F(q)
    return arb(fmpq(q.numerator, q.denominator))


def fraction(end: arb) -> Fraction:
    mantissa, exponent = (int(part) for part in end.man_exp())
    return F(mantissa) * F(2) ** exponent


@dataclass(frozen=True, eq=False)
class Reference:
    """A function: how it is written in a model, what it is at rationals, and as a ball.

    ``exact`` gives None where the value is no rational.
    """

    write: Callable[[Writer, str], str]
    exact: Callable[[Fraction], Fraction | None]
    function: Callable[[arb], arb] = field(default=lambda x: x)
    is_positive: bool = False
    """Defined for positive numbers only."""
    limits: Callable[[Fraction], tuple[Fraction, Fraction]] | None = None
    """Numbers that the value lies strictly between: 1 - erf(97) begins after 13,000 zero bits."""

    @cache  # noqa: B019 - references live as long as the tests
    def bounds(self, q: Fraction, bits: int) -> tuple[Fraction, Fraction]:
        """Return rationals around the value at ``q``."""
        exact = self.exact(q)
        if exact is not None:
            return exact, exact
        with ctx.workprec(bits):
            found = self.function(ball(q))
            lo, hi = fraction(found.lower()), fraction(found.upper())
        if self.limits is None:
            return lo, hi
        least, most = self.limits(q)
        return max(lo, least + HAIR), min(hi, most - HAIR)


def node(kind: str, **attributes: Any) -> Callable[[Writer, str], str]:  # noqa: ANN401
    return lambda w, x: w.node(kind, [x], **attributes)


def _at_zero(value: Fraction | int) -> Callable[[Fraction], Fraction | None]:
    return lambda q: F(value) if q == 0 else None


def _unit(_: Fraction) -> tuple[Fraction, Fraction]:
    return F(-1), F(1)


def _below_identity(q: Fraction) -> tuple[Fraction, Fraction]:
    """Return the limits of what keeps a part of ``q``."""
    return min(q, F(0)), max(q, F(0))


def _sigmoid(x: arb) -> arb:
    return 1 / (1 + (-x).exp())


def _gelu(x: arb) -> arb:
    return x * (1 + (x / arb(2).sqrt()).erf()) / 2


def _gelu_tanh(x: arb) -> arb:
    inner = x + ball(F(44715, 1000000)) * x * x * x
    return x / 2 * (1 + ((2 / arb.pi()).sqrt() * inner).tanh())


def _softplus(x: arb) -> arb:
    return x.exp().log1p()


def _elu(alpha: Fraction, gamma: Fraction = ONE, rate: Fraction = ONE) -> dict[str, Any]:
    return {
        "exact": lambda q: gamma * q if q >= 0 else None,
        "function": lambda x: ball(gamma * alpha) * ((x / ball(rate)).exp() - 1),
    }


def _clamp(q: Fraction, lo: Fraction | int, hi: Fraction | int) -> Fraction:
    return min(max(q, F(lo)), F(hi))


def _gelu_by_parts(w: Writer, x: str) -> str:
    """As PyTorch exports it."""
    y = w.node("Erf", [w.binary("Div", x, 1.41421353816986083984375)])
    return w.binary("Mul", w.node("Mul", [x, w.binary("Add", y, 1.0)]), 0.5)


def _gelu_by_parts_halved_first(w: Writer, x: str) -> str:
    y = w.node("Erf", [w.binary("Mul", x, 0.707106769084930419921875)])
    half = w.binary("Mul", x, 0.5, constant_first=True)
    return w.node("Mul", [half, w.binary("Add", y, 1.0, constant_first=True)])


def _gelu_tanh_by_parts(cube: Callable[[Writer, str], str]) -> Callable[[Writer, str], str]:
    def build(w: Writer, x: str) -> str:
        inner = w.node("Add", [x, w.binary("Mul", cube(w, x), 0.044714998453855514526)])
        bent = w.node("Tanh", [w.binary("Mul", inner, 0.79788458347320556640625)])
        return w.node("Mul", [w.binary("Mul", x, 0.5), w.binary("Add", bent, 1.0)])

    return build


def _erf_by_parts(x: arb, factor: Fraction) -> arb:
    return x * (1 + (x * ball(factor)).erf()) / 2


def _tanh_by_parts(x: arb) -> arb:
    cubic = x + ball(F(0.044714998453855514526)) * x**3
    return x * (1 + (ball(F(0.79788458347320556640625)) * cubic).tanh()) / 2


def _swapped(kind: str, other: str) -> Callable[[Writer, str], str]:
    """Return ``f(x) * x``, the operands in this order."""
    return lambda w, x: w.node(kind, [w.node(other, [x]), x])


def _silu_as_quotient(w: Writer, x: str) -> str:
    power = w.node("Exp", [w.node("Neg", [x])])
    return w.node("Div", [x, w.binary("Add", power, 1.0)])


def _softsign_by_parts(w: Writer, x: str) -> str:
    return w.node("Div", [x, w.binary("Add", w.node("Abs", [x]), 1.0)])


def _hard_swish_by_parts(w: Writer, x: str) -> str:
    six = w.node("Clip", [w.binary("Add", x, 3.0), w.constant(0.0), w.constant(6.0)])
    return w.binary("Div", w.node("Mul", [x, six]), 6.0)


def _root(q: Fraction) -> Fraction | None:
    root = F(isqrt(q.numerator), isqrt(q.denominator))
    return root if root * root == q else None


REFERENCES: dict[str, Reference] = {
    "Sigmoid": Reference(node("Sigmoid"), _at_zero(F(1, 2)), _sigmoid),
    "Tanh": Reference(node("Tanh"), _at_zero(0), lambda x: x.tanh()),
    "Erf": Reference(node("Erf"), _at_zero(0), lambda x: x.erf(), limits=_unit),
    "Exp": Reference(node("Exp"), _at_zero(1), lambda x: x.exp()),
    "Softplus": Reference(node("Softplus"), lambda _: None, _softplus),
    "Softsign": Reference(node("Softsign"), lambda q: q / (1 + abs(q))),
    "LeakyRelu": Reference(node("LeakyRelu"), lambda q: q if q > 0 else HUNDREDTH * q),
    "LeakyRelu falling": Reference(
        node("LeakyRelu", alpha=-1.5), lambda q: q if q > 0 else F(-3, 2) * q
    ),
    "LeakyRelu steep": Reference(node("LeakyRelu", alpha=4.0), lambda q: q if q > 0 else 4 * q),
    "PRelu": Reference(
        lambda w, x: w.node("PRelu", [x, w.constant(0.25)]), lambda q: q if q > 0 else q / 4
    ),
    "Elu": Reference(node("Elu"), **_elu(F(1))),
    "Elu falling": Reference(node("Elu", alpha=-2.0), **_elu(F(-2))),
    "Selu": Reference(node("Selu"), **_elu(SELU_ALPHA, SELU_GAMMA)),
    "Celu": Reference(node("Celu", alpha=0.5), **_elu(F(1, 2), rate=F(1, 2))),
    "Celu falling": Reference(
        node("Celu", alpha=-2.0),
        lambda q: F(0) if q == 0 else None,
        lambda x: x.max(0) + (-2 * ((x / -2).exp() - 1)).min(0),
    ),
    "ThresholdedRelu": Reference(
        node("ThresholdedRelu", alpha=0.5), lambda q: q if q > F(1, 2) else F(0)
    ),
    "HardSigmoid": Reference(node("HardSigmoid"), lambda q: _clamp(FIFTH * q + F(1, 2), 0, 1)),
    "HardSwish": Reference(node("HardSwish"), lambda q: q * _clamp(q / 6 + F(1, 2), 0, 1)),
    "HardSwish by parts": Reference(_hard_swish_by_parts, lambda q: q * _clamp(q + 3, 0, 6) / 6),
    "x * HardSigmoid": Reference(
        _swapped("Mul", "HardSigmoid"), lambda q: q * _clamp(FIFTH * q + F(1, 2), 0, 1)
    ),
    "Gelu": Reference(node("Gelu"), _at_zero(0), _gelu, limits=_below_identity),
    "Gelu by tanh": Reference(
        node("Gelu", approximate="tanh"), _at_zero(0), _gelu_tanh, limits=_below_identity
    ),
    "Gelu by parts": Reference(
        _gelu_by_parts,
        _at_zero(0),
        lambda x: _erf_by_parts(x, 1 / F(1.41421353816986083984375)),
        limits=_below_identity,
    ),
    "Gelu halved first": Reference(
        _gelu_by_parts_halved_first,
        _at_zero(0),
        lambda x: _erf_by_parts(x, F(0.707106769084930419921875)),
        limits=_below_identity,
    ),
    "Gelu by tanh, Pow": Reference(
        _gelu_tanh_by_parts(lambda w, x: w.binary("Pow", x, 3.0)),
        _at_zero(0),
        _tanh_by_parts,
        limits=_below_identity,
    ),
    "Gelu by tanh, Mul": Reference(
        _gelu_tanh_by_parts(lambda w, x: w.node("Mul", [x, w.node("Mul", [x, x])])),
        _at_zero(0),
        _tanh_by_parts,
        limits=_below_identity,
    ),
    "Mish": Reference(node("Mish"), _at_zero(0), lambda x: x * _softplus(x).tanh()),
    "Silu": Reference(_swapped("Mul", "Sigmoid"), _at_zero(0), lambda x: x * _sigmoid(x)),
    "Silu as quotient": Reference(_silu_as_quotient, _at_zero(0), lambda x: x * _sigmoid(x)),
    "Softsign by parts": Reference(_softsign_by_parts, lambda q: q / (1 + abs(q))),
    "Relu": Reference(
        lambda w, x: w.node("Relu", [w.node("Tanh", [x])]), _at_zero(0), lambda x: x.tanh().max(0)
    ),
    "Abs": Reference(node("Abs"), abs),
    "x * x": Reference(lambda w, x: w.node("Mul", [x, x]), lambda q: q * q),
    "x + x": Reference(lambda w, x: w.node("Add", [x, x]), lambda q: 2 * q),
    "x - tanh(x)": Reference(
        lambda w, x: w.node("Sub", [x, w.node("Tanh", [x])]), _at_zero(0), lambda x: x - x.tanh()
    ),
    "Min of two": Reference(
        lambda w, x: w.node("Min", [x, w.node("Sigmoid", [x])]),
        lambda q: q if q <= 0 else None,
        lambda x: x.min(_sigmoid(x)),
    ),
    "Max with a constant": Reference(
        lambda w, x: w.node("Max", [w.constant(-0.25), x]), lambda q: max(q, F(-1, 4))
    ),
    "Mean of two": Reference(
        lambda w, x: w.node("Mean", [x, w.node("Abs", [x])]), lambda q: (q + abs(q)) / 2
    ),
    "Pow 3": Reference(lambda w, x: w.binary("Pow", x, 3.0), lambda q: q**3),
    "Pow 4": Reference(lambda w, x: w.binary("Pow", x, 4.0), lambda q: q**4),
    "1 / (1 + x^2)": Reference(
        lambda w, x: w.node("Reciprocal", [w.binary("Add", w.node("Mul", [x, x]), 1.0)]),
        lambda q: 1 / (1 + q * q),
    ),
    "Log": Reference(
        node("Log"), lambda q: F(0) if q == 1 else None, lambda x: x.log(), is_positive=True
    ),
    "Sqrt": Reference(
        node("Sqrt"),
        _root,
        lambda x: x.sqrt(),
        is_positive=True,
    ),
    "Reciprocal": Reference(node("Reciprocal"), lambda q: 1 / q, is_positive=True),
    "Pow -2": Reference(lambda w, x: w.binary("Pow", x, -2.0), lambda q: q**-2, is_positive=True),
    "Pow 1.5": Reference(
        lambda w, x: w.binary("Pow", x, 1.5),
        lambda q: None if (root := _root(q)) is None else root**3,
        lambda x: x * x.sqrt(),
        is_positive=True,
    ),
    "Pow 0.1": Reference(
        lambda w, x: w.binary("Pow", x, 0.1),
        lambda q: F(1) if q == 1 else None,
        lambda x: (x.log() * ball(TENTH)).exp(),
        is_positive=True,
    ),
}


def _away(y: Fraction, rounded: int) -> int:
    return rounded if y >= 0 else -rounded


ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    "ROUND": round,
    "HALF_UP": lambda y: _away(y, floor(abs(y) + F(1, 2))),
    "HALF_DOWN": lambda y: _away(y, ceil(abs(y) - F(1, 2))),
    "FLOOR": floor,
    "CEIL": ceil,
    "UP": lambda y: _away(y, ceil(abs(y))),
    "DOWN": trunc,
}


@dataclass(frozen=True)
class Grid:
    """A quantizer, as its definition says."""

    scale: Fraction
    zero_point: Fraction
    mode: str
    lo: int
    hi: int

    def level(self, x: Fraction) -> int:
        rounded = ROUNDINGS[self.mode](x / self.scale + self.zero_point)
        return min(max(rounded, self.lo), self.hi)


def level(grid: Grid, reference: Reference, q: Fraction) -> int:
    """Return the level of the function at ``q``, decided with as many bits as it takes."""
    for bits in PRECISIONS:
        least, most = (grid.level(end) for end in reference.bounds(q, bits))
        if least == most:
            return least
    raise AssertionError(q)
