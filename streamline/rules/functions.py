"""Activation functions and other functions of each element, as the ONNX standard defines them.

Attributes are the float32 numbers of the file, or of the standard where they are absent. What the
standard writes as a formula is meant as one: ``sqrt(2 / pi)``, ``0.044715`` and ``1 / 6`` are those
real numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.streamline.align import aligned
from lutloom.streamline.context import required, required_constant
from lutloom.streamline.curve import curve, expression_of, number
from lutloom.streamline.errors import ModelError
from lutloom.streamline.expression import Apply, Expression, Function, Numbers
from lutloom.streamline.rules.clamp import clamped
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol

# What the standard gives as defaults: float32 numbers.
_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "Celu": {"alpha": 1.0},
    "Elu": {"alpha": 1.0},
    "HardSigmoid": {"alpha": 0.20000000298023223876953125, "beta": 0.5},
    "LeakyRelu": {"alpha": 0.00999999977648258209228515625},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "Swish": {"alpha": 1.0},
    "ThresholdedRelu": {"alpha": 1.0},
}

_ONE, _HALF = Fraction(1), Fraction(1, 2)
_GELU_CUBIC = Fraction(44715, 1_000_000)
# A power this large leaves every range; exact numbers grow with it.
_LARGEST_EXPONENT = 64
_FINEST_EXPONENT = 2**64


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Builds an expression for one node: terms are expressions, numbers stand for themselves."""

    node: SourceNode
    x: Formula

    def __call__(
        self, function: Function, *terms: Expression | Fraction | int, exponent: Fraction = _ONE
    ) -> Expression:
        """Return ``function`` of ``terms``."""
        operands = tuple(
            number(self.x, term) if isinstance(term, (Fraction, int)) else term for term in terms
        )
        return Apply(function, operands, self.node, exponent)

    def positive(self, x: Expression) -> Expression:
        """Return ``max(x, 0)``."""
        return self(Function.MAXIMUM, x, 0)

    def negative(self, x: Expression) -> Expression:
        """Return ``min(x, 0)``."""
        return self(Function.MINIMUM, x, 0)

    def plus(self, x: Expression, y: Expression | Fraction | int) -> Expression:
        """Return ``x + y``."""
        return self(Function.ADD, x, y)

    def times(self, x: Expression, y: Expression | Fraction | int) -> Expression:
        """Return ``x * y``."""
        return self(Function.MULTIPLY, x, y)


def _with(
    node: SourceNode,
    inputs: Inputs,
    context: Context,
    formula: Callable[[Terms, Expression], Expression],
) -> Symbol:
    x = required(node, inputs, 0)
    if not isinstance(x, (Scaled, Curve)):
        return host_only(node, inputs, context)
    return curve(node, x, formula(Terms(node, x), expression_of(node, x)))


def attribute(node: SourceNode, name: str) -> Fraction:
    """Return a float attribute exactly, or what the standard says where it is absent."""
    return Fraction(node.number(name, _DEFAULTS[node.op_type][name]))


def primitive(function: Function) -> Callable[[SourceNode, Inputs, Context], Symbol]:
    """Return the rule of an operator that is one primitive."""

    def rule(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
        return _with(node, inputs, context, lambda of, x: of(function, x))

    rule.__doc__ = f"``{function.value}(x)``."
    return rule


def leaky_relu(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x`` where it is positive, else ``alpha x``."""
    alpha = attribute(node, "alpha")
    return _with(
        node,
        inputs,
        context,
        lambda of, x: of.plus(of.positive(x), of.times(of.negative(x), alpha)),
    )


def prelu(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x`` where it is positive, else ``slope * x``."""
    slope = required_constant(node, inputs, 1, "slope")

    def formula(of: Terms, x: Expression) -> Expression:
        slopes = Numbers(aligned(node, of.x, slope.reals(), "slope"))
        return of.plus(of.positive(x), of.times(of.negative(x), slopes))

    return _with(node, inputs, context, formula)


def _exponential_below(of: Terms, x: Expression, alpha: Fraction, rate: Fraction) -> Expression:
    """Return ``x`` where it is positive, else ``alpha (exp(x / rate) - 1)``."""
    power = of(Function.EXP, of.times(of.negative(x), 1 / rate))
    return of.plus(of.positive(x), of.times(of.plus(power, -1), alpha))


def elu(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x`` where it is positive, else ``alpha (exp(x) - 1)``."""
    alpha = attribute(node, "alpha")
    return _with(node, inputs, context, lambda of, x: _exponential_below(of, x, alpha, Fraction(1)))


def selu(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``gamma`` times ``x`` where it is positive, else times ``alpha (exp(x) - 1)``."""
    alpha = attribute(node, "alpha")
    gamma = attribute(node, "gamma")
    return _with(
        node,
        inputs,
        context,
        lambda of, x: of.times(_exponential_below(of, x, alpha, Fraction(1)), gamma),
    )


def celu(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)``."""
    alpha = attribute(node, "alpha")
    if alpha == 0:
        raise ModelError(f"{node} divides by its alpha, which is 0: export the model again")

    def formula(of: Terms, x: Expression) -> Expression:
        if alpha > 0:
            return _exponential_below(of, x, alpha, alpha)
        power = of(Function.EXP, of.times(x, 1 / alpha))
        return of.plus(of.positive(x), of.negative(of.times(of.plus(power, -1), alpha)))

    return _with(node, inputs, context, formula)


def softsign(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x / (1 + |x|)``."""
    return _with(
        node,
        inputs,
        context,
        lambda of, x: of(Function.DIVIDE, x, of.plus(of(Function.ABSOLUTE, x), 1)),
    )


def thresholded_relu(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x`` where it is above ``alpha``, else 0."""
    alpha = attribute(node, "alpha")
    return _with(
        node,
        inputs,
        context,
        lambda of, x: of.times(x, of(Function.IS_POSITIVE, of.plus(x, -alpha))),
    )


def hard_sigmoid(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``max(0, min(1, alpha x + beta))``."""
    x = required(node, inputs, 0)
    if not isinstance(x, (Scaled, Curve)):
        return host_only(node, inputs, context)
    slope, shift = (number(x, attribute(node, name)).values for name in ("alpha", "beta"))
    return clamped(node, scale_and_shift(x, slope, shift), Fraction(0), Fraction(1))


def hard_swish(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x * max(0, min(1, x / 6 + 1 / 2))``."""

    def formula(of: Terms, x: Expression) -> Expression:
        line = of.plus(of.times(x, Fraction(1, 6)), _HALF)
        return of.times(x, of.positive(of(Function.MINIMUM, line, 1)))

    return _with(node, inputs, context, formula)


def approximation_of(node: SourceNode) -> str:
    """Return how a Gelu is approximated: "none" or "tanh"."""
    approximate = node.text("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise ModelError(f"{node}: its approximation {approximate!r} is neither none nor tanh")
    return approximate


def gelu(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x / 2 (1 + erf(x / sqrt(2)))``, or its approximation by tanh."""
    approximate = approximation_of(node)

    def formula(of: Terms, x: Expression) -> Expression:
        if approximate == "none":
            root = of(Function.POWER, number(of.x, 2), exponent=_HALF)
            bent = of(Function.ERF, of(Function.DIVIDE, x, root))
        else:
            ratio = of(Function.DIVIDE, number(of.x, 2), of(Function.PI))
            root = of(Function.POWER, ratio, exponent=_HALF)
            cube = of(Function.POWER, x, exponent=Fraction(3))
            bent = of(Function.TANH, of.times(of.plus(x, of.times(cube, _GELU_CUBIC)), root))
        return of.times(of.times(x, _HALF), of.plus(bent, 1))

    return _with(node, inputs, context, formula)


def mish(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x tanh(softplus(x))``."""
    return _with(
        node,
        inputs,
        context,
        lambda of, x: of.times(x, of(Function.TANH, of(Function.SOFTPLUS, x))),
    )


def swish(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x sigmoid(alpha x)``."""
    alpha = attribute(node, "alpha")
    return _with(
        node,
        inputs,
        context,
        lambda of, x: of.times(x, of(Function.SIGMOID, of.times(x, alpha))),
    )


def square_root(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``sqrt(x)``."""
    return _with(node, inputs, context, lambda of, x: of(Function.POWER, x, exponent=_HALF))


def reciprocal(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``1 / x``."""
    return _with(node, inputs, context, lambda of, x: of(Function.POWER, x, exponent=-_ONE))


def power(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x ** c``; ``c ** x`` has no integer form."""
    x = required(node, inputs, 0)
    if not isinstance(x, (Scaled, Curve)):
        return host_only(node, inputs, context)
    exponents = aligned(
        node, x, required_constant(node, inputs, 1, "exponent").reals(), "exponent"
    ).ravel()
    exponent = exponents[0]
    if len(exponents) > 1:
        raise ModelError(f"{node} has several exponents: use one for the tensor")
    if abs(exponent) > _LARGEST_EXPONENT or exponent.denominator > _FINEST_EXPONENT:
        raise ModelError(
            f"{node}: its exponent {float(exponent)} should lie between -{_LARGEST_EXPONENT} and"
            f" {_LARGEST_EXPONENT}, and be no tiny fraction"
        )
    return _with(node, inputs, context, lambda of, x: of(Function.POWER, x, exponent=exponent))
