"""Random fully connected networks of every kind that the lowering claims to take.

Every quantizer, function and scale, in the forms that exporters of opset 9 to 20 give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from onnx import helper, numpy_helper

from lutloom.core.types import BIPOLAR, IntType
from lutloom.streamline.importer import RawInput
from tests.models import Writer
from tests.random_dice import Dice
from tests.random_functions import Functions

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    Array: TypeAlias = NDArray[Any]

MODES = (
    "ROUND",
    "HALF_EVEN",
    "HALF_UP",
    "HALF_DOWN",
    "FLOOR",
    "CEIL",
    "UP",
    "DOWN",
    "ROUND_TO_ZERO",
)
_DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")


@dataclass(frozen=True)
class Sample:
    """A model, what its input holds, and data for it: integers for a raw input, else floats."""

    model: ModelProto
    raw: RawInput | None
    data: Array
    exhaustive: bool


def random_network(
    seed: int, *, powers_of_two: bool, functions: bool = True, inputs: int = 24, whole: int = 160
) -> Sample:
    """Return the network of this seed, with functions before its quantizers or without.

    The data are all that there are, where those are at most ``whole``; else random ``inputs``.
    """
    dice = Dice(seed, powers_of_two=powers_of_two)
    return RandomNetwork(dice, functions=functions).sample(inputs, whole)


class RandomNetwork:
    """The network while it is being drawn: ``x`` is a tensor with the shape ``shape``."""

    batch_norm_domain = ""

    def __init__(self, dice: Dice, *, functions: bool) -> None:
        self.dice = dice
        self.has_functions = functions
        self.writer = Writer(opset=dice.integer(9, 20), domain=dice.pick(_DOMAINS))
        width = dice.integer(1, 6)
        self.input_shape = dice.pick([(width,), (width,), (width,), (2, width), (width, 1, 2)])
        self.shape: tuple[int, ...] = self.input_shape
        self.x = "x"
        self.raw: RawInput | None = None
        self.datatype: str | None = None
        self.batch = dice.pick(("N", "N", 1, 4))

    @property
    def channels(self) -> int:
        """How many channels there are: elements with constants of their own."""
        return self.shape[0]

    @property
    def raw_channels(self) -> int:
        """How many channels integers at the input may have scales of their own for."""
        return self.channels

    @property
    def column(self) -> tuple[int, ...]:
        """The shape of a constant for each channel."""
        return (self.channels, *[1] * (len(self.shape) - 1))

    @property
    def layout(self) -> str:
        """The order of the data's dimensions, as QONNX writes it."""
        return "NCHW"[: 1 + len(self.shape)]

    @property
    def constant_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of constants that meet the data."""
        return [(), self.column, (1, *self.column), (self.shape[-1],)]

    def sample(self, inputs: int, whole: int) -> Sample:
        """Draw the network, and data for it."""
        dice = self.dice
        domain = self._input()
        self._layers()
        self._head()
        model = self.writer.model(
            self.x,
            *self.input_shape,
            batch=self.batch,
            datatype=self.datatype,
            lists_constants=dice.chance(0.3),
        )
        data, exhaustive = self._data(domain, inputs, whole)
        return Sample(model, self.raw, data, exhaustive)

    def _layers(self) -> None:
        dice = self.dice
        layers = dice.integer(1, 4)
        for _ in range(layers):
            self._moves()
            if dice.chance(0.15):
                self._residual()
                continue
            self._linear()
            self._functions()
            self._activation(twice=dice.chance(0.15), again=dice.chance(0.15))

    def _input(self) -> Array:
        """Make the input integers, one way or another; return the values that it can have."""
        dice = self.dice
        kind = dice.pick(("head", "head", "raw", "annotated"))
        if kind == "annotated":
            self.datatype, low, high, step = dice.pick(
                [("BIPOLAR", -1, 1, 2), ("INT3", -4, 3, 1), ("UINT2", 0, 3, 1), ("BINARY", 0, 1, 1)]
            )
            return np.arange(low, high + 1, step, dtype=np.int64)
        if kind == "raw":
            element = dice.pick([IntType(0, 255), IntType(0, 3), IntType(-4, 3), BIPOLAR])
            channels = self.raw_channels

            def numbers(array: Array) -> tuple[Fraction, ...]:
                thirds = 1 if dice.powers_of_two else 3
                return tuple(Fraction(float(v)) / thirds for v in array.ravel())

            count = channels if dice.chance(0.3) else 1
            self.raw = RawInput(
                element,
                numbers(dice.scale(count) / np.float32(8 if element.hi > 3 else 1)),
                numbers(dice.number(channels if dice.chance(0.3) else 1)),
            )
            return np.arange(element.lo, element.hi + 1, element.step, dtype=np.int64)
        if dice.chance(0.3):
            self.x = self.writer.binary("Mul", self.x, dice.scale())
        if dice.chance(0.3):
            self.x = self.writer.binary("Sub", self.x, dice.number())
        if self.has_functions and dice.chance(0.3):
            self.x = Functions(self.writer, dice, self.shape).simple(self.x)
        elif dice.chance(0.2):
            self.x = self.writer.node("Relu", [self.x])
        self._activation(name="input")
        return np.arange(-24, 25) / np.float32(8)

    def _data(self, domain: Array, inputs: int, whole: int) -> tuple[Array, bool]:
        size = prod(self.input_shape)
        if len(domain) ** size <= whole:
            rows = np.array(list(product(domain.tolist(), repeat=size)), dtype=domain.dtype)
            return rows.reshape(-1, *self.input_shape), True
        return self.dice.rng.choice(domain, (inputs, *self.input_shape)), False

    def _constant(self, values: Array) -> str:
        """Return a constant: an initializer, a node, or what a subgraph computes."""
        dice, writer = self.dice, self.writer
        form = dice.pick(("initializer", "initializer", "node", "Mul", "Div", "Pow", "Exp"))
        match form:
            case "node":
                array = numpy_helper.from_array(np.asarray(values, dtype=np.float32))
                return writer.node("Constant", [], value=array)
            case "Mul":
                return writer.binary("Mul", writer.constant(values / np.float32(2)), 2.0)
            case "Div":
                return writer.binary("Div", writer.constant(values * np.float32(3)), 3.0)
            case "Pow" if not dice.powers_of_two and (values > 0).all():
                return writer.binary("Pow", writer.constant(np.sqrt(values)), 2.0)
            case "Exp" if not dice.powers_of_two and (values > 0).all():
                return writer.node("Exp", [writer.constant(np.log(values))])
        return writer.constant(values)

    def _bits(self, bits: int) -> int | str:
        """Return a bit width, or a subgraph that computes it from the number of levels."""
        if self.dice.chance(0.8):
            return bits
        writer = self.writer
        levels = writer.node("Log", [writer.constant(2.0**bits - 0.5)])
        return writer.node("Ceil", [writer.binary("Div", levels, np.log(2))])

    def _moves(self) -> None:
        """Reshape and transpose, there and back or not, and end with one row."""
        dice, writer = self.dice, self.writer
        width = prod(self.shape)
        if dice.chance(0.1):
            self.x = writer.dropout(self.x)
        if len(self.shape) == 1 and dice.chance(0.1):
            self.x = writer.with_axes("Squeeze", writer.with_axes("Unsqueeze", self.x, [1]), [1])
        if len(self.shape) == 1 and dice.chance(0.2):
            a = dice.pick([n for n in range(1, width + 1) if width % n == 0])
            self.x = self._reshaped((a, width // a))
            self.shape = (a, width // a)
        if len(self.shape) == 1:
            return
        if dice.chance(0.5):
            moves = dice.rng.permutation(len(self.shape)).tolist()
            self.x = writer.node("Transpose", [self.x], perm=[0, *(m + 1 for m in moves)])
            self.shape = tuple(self.shape[m] for m in moves)
        if dice.chance(0.3):
            self._functions()
            self._activation()
        if dice.chance(0.3):
            self.x = writer.node("Flatten", [self.x], axis=1)
        else:
            self.x = self._reshaped((width,))
        self.shape = (width,)

    def _reshaped(self, sizes: tuple[int, ...]) -> str:
        """Reshape to ``[batch, *sizes]``, as one of the exporters writes it."""
        dice, writer = self.dice, self.writer
        first = self.batch if isinstance(self.batch, int) else 1
        open_sizes = (*sizes[:-1], -1)
        form = dice.pick(("0", "-1", "fixed", "fixed", "Shape"))
        match form:
            case "0":
                return writer.reshape(self.x, (0, *open_sizes))
            case "-1":
                return writer.reshape(self.x, (-1, *sizes))
            case "fixed":
                return writer.reshape(self.x, (first, *open_sizes))
        place = writer.constant(0, np.int64)
        batch = writer.node("Gather", [writer.node("Shape", [self.x]), place], axis=0)
        parts = [writer.with_axes("Unsqueeze", batch, [0]), writer.constant(open_sizes, np.int64)]
        return writer.node("Reshape", [self.x, writer.node("Concat", parts, axis=0)])

    def _weights(self, *shape: int, channel_axis: int) -> str:
        """Return quantized weights."""
        dice, writer = self.dice, self.writer
        floats = writer.constant(dice.rng.normal(0, 1.5, shape))
        sizes = [1] * len(shape)
        if dice.chance(0.4):
            sizes[channel_axis] = shape[channel_axis]
        scale = self._constant(dice.scale() if dice.chance(0.3) else dice.scale(*sizes))
        if dice.chance(0.1):  # integers, or an even grid, as they are
            return writer.constant(dice.rng.integers(-3, 4, shape) * 2.0 ** dice.integer(-3, 1))
        if dice.chance(0.3):
            return writer.bipolar(floats, scale)
        weights = writer.quant(
            floats,
            scale,
            dice.pick((0, 0, 0, 0, 1, 0.5, -0.25)),
            bits=self._bits(dice.integer(1, 8)),
            narrow=dice.chance(0.5),
            mode=dice.pick(MODES),
        )
        if dice.chance(0.1):  # exact still
            weights = writer.binary("Mul", weights, dice.signed())
        return weights

    def _bias(self, outputs: int, *, has_row: bool = True) -> str:
        """Return a bias: floats, integers times a scale, or what a standard operator makes so."""
        dice, writer = self.dice, self.writer
        numbers = dice.number(*dice.pick([(outputs,), (1, outputs) if has_row else (outputs,)]))
        form = dice.pick(("floats", "floats", "Quant", "DequantizeLinear"))
        if form == "Quant":
            unit = dice.scale() / np.float32(64)
            return writer.quant(writer.constant(numbers), unit, bits=dice.pick((8, 16, 32)))
        if form == "DequantizeLinear" and writer.opset >= 10:
            integers = writer.constant(np.rint(numbers * 50), np.int32)
            scale = writer.constant(dice.scale() / np.float32(50))
            return writer.node("DequantizeLinear", [integers, scale])
        return writer.constant(numbers)

    def _linear(self) -> None:
        dice, writer = self.dice, self.writer
        fan_in, outputs = self.shape[-1], dice.integer(1, 5)
        if len(self.shape) == 1 and dice.chance(0.4):
            transposed = dice.chance(0.6)
            shape = (outputs, fan_in) if transposed else (fan_in, outputs)
            weights = self._weights(*shape, channel_axis=0 if transposed else 1)
            inputs = [self.x, weights]
            if writer.opset < 11 or dice.chance(0.6):
                inputs.append(self._bias(outputs))
            self.x = writer.node(
                "Gemm",
                inputs,
                transB=int(transposed),
                alpha=float(dice.pick((1.0, 0.5, dice.signed()))),
                beta=float(dice.pick((1.0, 2.0, dice.signed()))),
            )
        elif dice.chance(0.4):
            weights = self._weights(outputs, fan_in, channel_axis=0)
            weights = writer.node("Transpose", [weights], perm=[1, 0])
            self.x = writer.node("MatMul", [self.x, weights])
        else:
            weights = self._weights(fan_in, outputs, channel_axis=1)
            self.x = writer.node("MatMul", [self.x, weights])
        self.shape = (*self.shape[:-1], outputs)

    def _elementwise(self) -> None:
        for _ in range(self.dice.integer(0, 3)):
            self._one_elementwise()

    def _functions(self) -> None:
        """Compose functions, affine ones in between."""
        self._elementwise()
        if not self.has_functions or self.dice.chance(0.2):
            return
        for _ in range(self.dice.pick((1, 1, 2, 2, 3))):
            self.x = Functions(self.writer, self.dice, self.shape).any(self.x)
            if self.dice.chance(0.4):
                self._one_elementwise()

    def _one_elementwise(self) -> None:
        dice, writer = self.dice, self.writer
        shape = dice.pick(self.constant_shapes)
        kind = dice.pick(
            "Add Sub Mul Div BatchNormalization BatchNormalization Relu Clip Neg Identity".split()
        )
        match kind:
            case "Add" | "Sub":
                constant = dice.number(*shape)
                self.x = writer.binary(kind, self.x, constant, constant_first=dice.chance(0.4))
            case "Mul":
                factor = dice.signed(*shape)
                if dice.chance(0.1):
                    factor = factor * 0
                self.x = writer.binary(kind, self.x, factor, constant_first=dice.chance(0.4))
            case "Div":
                self.x = writer.binary(kind, self.x, dice.signed(*shape))
            case "Clip":
                self.x = Functions(writer, dice, self.shape).clip(self.x)
            case "BatchNormalization":
                self._batch_norm()
            case _:
                self.x = writer.node(kind, [self.x])

    def _batch_norm(self) -> None:
        dice = self.dice
        count = self.channels
        gamma, beta, mean = dice.signed(count), dice.number(count), dice.number(count)
        gamma *= dice.rng.choice([0, 1, 1, 1, 1], count).astype(np.float32)
        if dice.powers_of_two:
            variance, epsilon = 4.0 ** dice.rng.integers(-1, 2, count), 0.0
        else:
            gamma *= dice.rng.choice([1e-6, 1, 1, 1], count).astype(np.float32)
            variance, epsilon = dice.rng.uniform(0, 2, count) ** 4, 1e-5
            variance *= dice.rng.choice([0, 1e-12, 1, 1, 1], count)
        self.x = self.writer.batch_norm(
            self.x, gamma, beta, mean, variance, epsilon, domain=self.batch_norm_domain
        )

    def _activation(
        self, name: str | None = None, *, twice: bool = False, again: bool = False
    ) -> None:
        """Quantize; ``twice``: as two equal quantizers whose results are added.

        ``again``: what is quantized is quantized once more, on the same grid.
        """
        dice, writer = self.dice, self.writer
        x = self.x
        per_channel = dice.chance(0.2)
        span = self.column if per_channel else ()
        scale = dice.signed() if dice.chance(0.1) else dice.scale(*span)
        kind = dice.pick(("Quant", "Quant", "Quant", "BipolarQuant", "MultiThreshold"))
        if kind == "MultiThreshold" and name is None:
            rows = dice.pick((1, self.channels))
            table = dice.number(rows, dice.integer(1, 5))
            if dice.chance(0.2):
                table[:, 0] = dice.pick((-np.inf, np.inf))
            self.x = writer.multi_threshold(
                x,
                table,
                float(dice.signed()),
                float(dice.pick((0.0, dice.number()))),
                layout=self.layout,
            )
            return
        unit = self._constant(scale)
        if kind == "BipolarQuant":
            results = [writer.bipolar(x, unit, name) for _ in range(1 + twice)]
        else:
            signed, bits = dice.chance(0.6), dice.pick((1, 1, 2, 2, 3, 3, 4, 5, 8))
            narrow = dice.chance(0.4)
            zero_point = dice.pick((0, 0, 0, 1, -2, 0.5, dice.number()))
            mode, spelling = dice.pick(MODES), dice.pick((str.upper, str.lower))
            results = [
                writer.quant(
                    x,
                    unit,
                    zero_point,
                    self._bits(bits),
                    signed=signed,
                    narrow=narrow,
                    mode=spelling(mode),
                    name=name,
                    kind=dice.pick(("Quant", "IntQuant")),
                )
                for _ in range(1 + twice)
            ]
        self.x = results[0]
        if twice:
            self.x = writer.node("Add", results)
        elif again:
            (first,) = (node for node in writer.nodes if node.output[0] == results[0])
            self.x = writer.node(
                first.op_type,
                [self.x, *first.input[1:]],
                domain=writer.domain,
                **{entry.name: helper.get_attribute_value(entry) for entry in first.attribute},
            )

    def _residual(self) -> None:
        """Add (or subtract) two branches with scales of their own, and quantize the sum."""
        dice = self.dice
        start, shape = self.x, self.shape
        self._linear()
        self._elementwise()
        self._activation()
        if dice.chance(0.5):
            left = self.x
            self.x = left
            self._activation()
            right, self.x = self.x, left
        else:
            left, width = self.x, self.shape[-1]
            self.x, self.shape = start, shape
            weights = self.writer.quant(
                self.writer.constant(dice.rng.normal(0, 1, (shape[-1], width))), dice.scale(), 0, 3
            )
            right = self.writer.node("MatMul", [start, weights])
            self.shape = (*shape[:-1], width)
        self.x = self.writer.node(dice.pick(("Add", "Sub")), [left, right])
        if dice.chance(0.5):
            self._one_elementwise()
        self._activation()

    def _head(self) -> None:
        dice, writer = self.dice, self.writer
        kind = dice.pick(("none", "linear", "affine", "top_k", "arg_max", "softmax"))
        if kind == "none":
            return
        self._moves()
        self._linear()
        if kind == "affine":
            self._elementwise()
            self.x = writer.binary("Mul", self.x, dice.scale())
            if self.has_functions and dice.chance(0.5):
                self.x = writer.node(dice.pick(("Sigmoid", "Tanh", "Softsign")), [self.x])
        elif kind == "softmax":
            kind = dice.pick(("Softmax", "LogSoftmax"))
            self.x = writer.node(kind, [self.x], axis=len(self.shape))
        elif kind in {"top_k", "arg_max"}:
            self._indices(kind)

    def _indices(self, kind: str) -> None:
        """End with the indices of the largest, or of the smallest."""
        dice, writer = self.dice, self.writer
        if dice.chance(0.3):
            self.x = writer.binary("Mul", self.x, dice.signed(self.shape[-1]))
        if dice.chance(0.2):  # changes no order
            self.x = writer.node(dice.pick(("Sigmoid", "Tanh", "Softmax")), [self.x])
        if kind == "top_k":
            self.x = writer.top_k(self.x, dice.integer(1, self.shape[-1]))
            return
        attributes: dict[str, Any] = {"axis": len(self.shape), "keepdims": dice.integer(0, 1)}
        if writer.opset >= 12:
            attributes["select_last_index"] = dice.integer(0, 1)
        self.x = writer.node(dice.pick(("ArgMax", "ArgMax", "ArgMin")), [self.x], **attributes)
