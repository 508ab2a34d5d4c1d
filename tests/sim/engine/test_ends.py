"""Heads of bytes become staircases, arithmetic tails a kernel: the same numbers as the host's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.host import (
    Binarize,
    Binary,
    BinaryKind,
    Clamp,
    Combine,
    Count,
    HostStep,
    Normalize,
    Quantize,
    Softmax,
    ToShape,
    Transpose,
    Unary,
    UnaryKind,
)
from lutloom.core.meaning import ValueMeaning
from lutloom.core.network import Network
from lutloom.core.ops import Reshape
from lutloom.core.ports import InputPort, OutputPort
from lutloom.core.rounding import Rounding
from lutloom.core.types import IntType, TensorType
from lutloom.sim import reference
from lutloom.sim.engine import make_engine
from lutloom.sim.engine.ends import with_ends
from lutloom.sim.engine.kernels.tail import reals_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEEDS = st.integers(0, 2**32 - 1).map(np.random.default_rng)
ARITHMETIC = (BinaryKind.ADD, BinaryKind.SUB, BinaryKind.MUL, BinaryKind.DIV)


def meaning(
    axes: Sequence[int],
    scale: tuple[Fraction, ...] = (Fraction(1),),
    bias: tuple[Fraction, ...] = (Fraction(0),),
) -> ValueMeaning:
    return ValueMeaning(scale, bias, "t", "n", tuple(axes), is_quantized=True)


def network(port: InputPort, axes: Sequence[int], x: TensorType, out: OutputPort) -> Network:
    """Return a network that computes nothing but its ends."""
    graph = Graph({"x": x}, (Node(("y",), Reshape(x.shape), ("x",)),), ("y",))
    return Network(graph, {"x": meaning(axes), "y": out.meaning}, (port,), (out,))


def integers_out(shape: tuple[int, ...]) -> OutputPort:
    return OutputPort("out", "y", meaning(range(len(shape))), shape, (), is_integer=True)


def numbers(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return (rng.normal(size=shape) * 2.0 ** rng.integers(-3, 8)).astype(np.float32)


def random_step(rng: np.random.Generator, channels: int) -> HostStep:
    column = (channels, 1, 1) if rng.integers(2) else (1,)
    match rng.integers(6):
        case 0:
            return Clamp(float(numbers(rng)), None)
        case 1:
            kinds = (UnaryKind.NEG, UnaryKind.RELU, UnaryKind.SIGMOID, UnaryKind.ABS)
            return Unary(kinds[rng.integers(len(kinds))])
        case 2:
            gamma, beta, mean = numbers(rng, 3, channels)
            return Normalize(gamma, beta, mean, np.abs(gamma) + 1, 1e-5)
        case 3:
            return Combine(BinaryKind.MUL, (), (Unary(UnaryKind.SIGMOID),))
        case _:
            kind = ARITHMETIC[rng.integers(len(ARITHMETIC))]
            return Binary(kind, np.abs(numbers(rng, *column)) + 1, bool(rng.integers(2)))


def random_quantizer(rng: np.random.Generator) -> tuple[HostStep, IntType]:
    match rng.integers(3):
        case 0:
            thresholds = np.sort(numbers(rng, 1, 3), axis=1)
            return Count(thresholds, axis=0, first=-2, height=3), IntType(-2, 7, 3)
        case 1:
            return Binarize(np.ones(1, np.float32), numbers(rng, 1)), IntType(-1, 1, 2)
        case _:
            scale = np.abs(numbers(rng, 1)) + np.float32(0.1)
            zero = np.zeros(1, np.float32)
            return Quantize(scale, zero, -8, 7, Rounding.HALF_EVEN), IntType(-8, 7)


@given(SEEDS)
def test_a_head_on_bytes_is_a_staircase(rng: np.random.Generator) -> None:
    shape = tuple(rng.integers(1, 4, size=3).tolist())
    steps = [random_step(rng, shape[0]) for _ in range(rng.integers(4))]
    quantizer, element = random_quantizer(rng)
    axes = rng.permutation(3).tolist()
    steps.insert(int(rng.integers(len(steps) + 1)), Transpose((0, 2, 1)))
    moved = (shape[0], shape[2], shape[1])
    x = TensorType(element, tuple(moved[axis] for axis in axes))
    port = InputPort("in", "x", shape, (*steps, quantizer), is_raw=False)
    net = network(port, axes, x, integers_out(x.shape))
    ends = with_ends(net)
    if ends is None:  # the channels are not the last axis of the value
        assert axes[-1] != 0
        return
    images = rng.integers(256, size=(5, *shape), dtype=np.uint8)
    (found,) = reference.run(
        ends.graph, {"x'": images.astype(np.int64)}, wanted=ends.graph.outputs
    ).values()
    assert np.array_equal(found, net.encode(images))


@pytest.mark.parametrize(
    ("element", "is_taken"),
    [
        (IntType(0, 255), True),
        (IntType(-3, 300), True),
        (IntType(0, 254), False),
        (IntType(-1, 255, 2), False),
    ],
)
def test_raw_bytes_go_in_where_each_of_them_is_an_input(element: IntType, is_taken: bool) -> None:
    port = InputPort("in", "x", (3, 2), (), is_raw=True)
    net = network(port, (1, 0), TensorType(element, (2, 3)), integers_out((2, 3)))
    ends = with_ends(net)
    assert (ends is not None) == is_taken
    if ends is not None:
        images = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)
        values = reference.run(ends.graph, {"x'": images.astype(np.int64)})
        assert np.array_equal(values["x"], net.encode(images))


def test_what_mixes_elements_stays_with_the_host() -> None:
    step = Quantize(np.ones(1, np.float32), np.zeros(1, np.float32), 0, 1, Rounding.FLOOR)
    port = InputPort("in", "x", (3,), (Softmax(0, logarithm=False), step), is_raw=False)
    assert (
        with_ends(network(port, (0,), TensorType(IntType(0, 1), (3,)), integers_out((3,)))) is None
    )


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@given(SEEDS)
def test_arithmetic_on_the_integers_of_an_output_comes_out_as_numpy_has_it(
    rng: np.random.Generator,
) -> None:
    shape = tuple(rng.integers(1, 4, size=3).tolist())
    axes = rng.permutation(3)
    lo, bits = int(rng.integers(-(2**40), 2**40)), int(rng.integers(1, 60))
    x = TensorType(IntType(lo, lo + 2**bits), tuple(shape[axis] for axis in axes))
    count = x.channels if rng.integers(2) else 1
    scale, bias = (tuple(map(Fraction, numbers(rng, count).tolist())) for _ in range(2))
    steps: list[HostStep] = []
    for _ in range(rng.integers(4)):
        kind = ARITHMETIC[rng.integers(len(ARITHMETIC))]
        operand = (1,) if rng.integers(2) else (shape[0], 1, 1)
        steps.append(Binary(kind, numbers(rng, *operand), bool(rng.integers(2))))
    flat = (int(np.prod(shape)),)
    meant = meaning(axes.tolist(), scale=scale, bias=bias)
    out = OutputPort("out", "y", meant, flat, (*steps, ToShape(flat)), is_integer=False)
    made = reals_of(out, x)
    assert made is not None
    values = rng.integers(lo, lo + 2**bits, size=(3, *x.shape), endpoint=True)
    moved = np.ascontiguousarray(meant.in_model_order(values))
    ordered = TensorType(x.element, shape)
    graph = Graph({"x": ordered}, (Node(("y",), Reshape(flat), ("x",)),), ("y",))
    engine = make_engine(graph, reals=(made,))
    (stored,) = (port.storage for port in engine.image_by_image.program.inputs)
    (found,) = engine.compute([stored.encode(moved)])
    wanted = out.decode(values)
    assert found.dtype == wanted.dtype
    assert found.tobytes() == wanted.tobytes()


def test_other_tails_stay_with_the_host() -> None:
    out = replace(integers_out((3,)), is_integer=False, tail=(Softmax(0, logarithm=False),))
    assert reals_of(out, TensorType(IntType(0, 7), (3,))) is None
