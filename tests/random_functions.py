"""Random functions of each element, as an exporter of the model's opset writes them."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.models import Writer
    from tests.random_dice import Dice

# Functions of one input and their attributes, by the opset they came with.
_SIMPLE = {
    "Abs": 9,
    "Elu": 9,
    "Erf": 9,
    "HardSigmoid": 9,
    "HardSwish": 14,
    "LeakyRelu": 9,
    "Mish": 18,
    "Neg": 9,
    "Relu": 9,
    "Selu": 9,
    "Sigmoid": 9,
    "Softplus": 9,
    "Softsign": 9,
    "Tanh": 9,
    "ThresholdedRelu": 10,
    "Celu": 12,
    "Gelu": 20,
}
_ATTRIBUTES = {
    "Celu": ("alpha",),
    "Elu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "Selu": ("alpha", "gamma"),
    "ThresholdedRelu": ("alpha",),
}


@dataclass(frozen=True)
class Functions:
    """Writes functions of ``x``, whose channels are its axis 1."""

    writer: Writer
    dice: Dice
    shape: tuple[int, ...]

    def any(self, x: str) -> str:
        """Return some function of ``x``, with numbers of its own."""
        write: Callable[[str], str] = self.dice.pick(
            [
                *[self.simple] * 6,
                self.clip,
                self.diamond,
                self.diamond,
                self.extreme,
                self.gelu,
                self.hard_swish,
                self.positive,
                self.power,
                self.prelu,
                self.prelu,
                self.silu,
                self.tanh_shrink,
            ]
        )
        return write(x)

    def simple(self, x: str) -> str:
        """Apply one operator."""
        kind = self.dice.pick([k for k, opset in _SIMPLE.items() if opset <= self.writer.opset])
        attributes: dict[str, Any] = {}
        for name in _ATTRIBUTES.get(kind, ()):
            if self.dice.chance(0.5):
                attributes[name] = float(self.dice.scale())
        if kind == "Gelu" and self.dice.chance(0.5):
            attributes["approximate"] = self.dice.pick(("none", "tanh"))
        return self.writer.node(kind, [x], **attributes)

    def clip(self, x: str) -> str:
        """Clip from below, from above or both."""
        low, high = sorted(self.dice.number(2).tolist())
        keeps = self.dice.pick(((True, True), (True, False), (False, True)))
        return self.writer.clip(x, low if keeps[0] else None, high if keeps[1] else None)

    def extreme(self, x: str) -> str:
        """Bound by Max and Min of constants."""
        bound = self.writer.constant(self.dice.number(*self.dice.pick(((), (1,)))))
        inputs = [x, bound] if self.dice.chance(0.7) else [bound, x]
        return self.writer.node(self.dice.pick(("Max", "Min")), inputs)

    def prelu(self, x: str) -> str:
        """Apply a slope, or one a channel, to what is negative."""
        column = (self.shape[0], *[1] * (len(self.shape) - 1))
        slope = self.dice.signed(*self.dice.pick(((1,), column)))
        return self.writer.node("PRelu", [x, self.writer.constant(slope)])

    def silu(self, x: str) -> str:
        """Write ``x sigmoid(x)``, as PyTorch does."""
        return self.writer.node("Mul", [x, self.writer.node("Sigmoid", [x])])

    def tanh_shrink(self, x: str) -> str:
        """Write ``x - tanh(x)``."""
        return self.writer.node("Sub", [x, self.writer.node("Tanh", [x])])

    def diamond(self, x: str) -> str:
        """Combine two functions of ``x``."""
        left = self.simple(x)
        kind = self.dice.pick(("Add", "Mul", "Mul", "Sub"))
        return self.writer.node(kind, [left, x if self.dice.chance(0.6) else self.simple(x)])

    def hard_swish(self, x: str) -> str:
        """Write ``x hard_sigmoid(x)``, in one of the two forms before opset 14."""
        if self.dice.chance(0.5):
            gate = self.writer.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)
        else:
            moved = self.writer.binary("Add", x, 3.0)
            gate = self.writer.binary("Div", self.writer.clip(moved, 0.0, 6.0), 6.0)
        return self.writer.node("Mul", [x, gate])

    def gelu(self, x: str) -> str:
        """Write Gelu by Erf or by Tanh, as before opset 20."""
        write = self.writer
        if self.dice.chance(0.5):
            bent = write.node("Erf", [write.binary("Div", x, sqrt(2))])
        else:
            cube = write.binary("Mul", write.binary("Pow", x, 3.0), 0.044715)
            sum_ = write.node("Add", [x, cube])
            bent = write.node("Tanh", [write.binary("Mul", sum_, sqrt(2 / pi))])
        product = write.node("Mul", [x, write.binary("Add", bent, 1.0)])
        return write.binary("Mul", product, 0.5)

    def power(self, x: str) -> str:
        """Square, or cube."""
        return self.writer.binary("Pow", x, self.dice.pick((2.0, 3.0)))

    def positive(self, x: str) -> str:
        """Apply a function of positive numbers to the magnitude and a bit more."""
        write = self.writer
        kind = self.dice.pick(("Exp", "Log", "Pow", "Reciprocal", "Sqrt"))
        if kind == "Exp":
            return write.node("Exp", [write.clip(x, -4.0, float(self.dice.scale()))])
        start = write.node("Abs", [x])
        if kind != "Sqrt" or self.dice.chance(0.5):
            start = write.binary("Add", start, self.dice.scale())
        if kind == "Pow":
            return write.binary("Pow", start, self.dice.pick((0.5, 1.5, -0.5, 0.3)))
        return write.node(kind, [start])
