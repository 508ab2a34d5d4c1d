"""Products in place of thresholds: equal to rounding at every integer, or refused with a reason."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops import Requantize
from lutloom.core.rounding import Rounding
from lutloom.core.types import IntType, TensorType
from lutloom.streamline.floor_corners import Segment
from lutloom.streamline.requantize import WideSteps, requantize
from lutloom.streamline.staircase import Ramp
from lutloom.streamline.weighted_floor import place_of_greatest
from tests.exact import compare
from tests.models import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

small = st.integers(-9, 9)


@given(st.integers(1, 12), small, small, small, st.integers(-20, 20), st.integers(1, 9))
def test_the_greatest_along_a_staircase_is_found_by_brute_force(
    count: int, slope: int, height: int, rise: int, start: int, run: int
) -> None:
    values = [slope * x + height * ((rise * x + start) // run) for x in range(count)]
    place = place_of_greatest(count, slope, height, rise, start, run)
    assert values[place] == max(values)


@given(
    small, st.integers(0, 30), st.integers(1, 9), small, st.integers(1, 9), small, st.integers(0, 3)
)
def test_the_corners_of_a_line_are_found_by_brute_force(
    first: int, more: int, rise: int, start: int, run: int, slope: int, shift: int
) -> None:
    segment = Segment(first, first + more, rise, start, run)
    unit = 1 << shift
    xs = range(first, first + more + 1)
    below = {x: ceil(Fraction(rise * x + start, run)) - 1 for x in xs}
    above = {x: floor(Fraction(rise * x + start, run)) + 1 for x in xs}
    x, y = segment.highest_below(unit, slope)
    assert below[x] == y
    assert unit * y - slope * x == max(unit * below[x] - slope * x for x in xs)
    x, y = segment.lowest_above(unit, slope)
    assert above[x] == y
    assert unit * y - slope * x == min(unit * above[x] - slope * x for x in xs)


def rounded(value: Fraction, mode: Rounding) -> int:
    """Round, by other means than the code under test."""
    away = ceil(abs(value)) * (1 if value > 0 else -1)
    half = abs(value) - floor(abs(value)) == Fraction(1, 2)
    nearest = floor(value + Fraction(1, 2))
    towards = floor(abs(value)) * (1 if value > 0 else -1)
    return {
        Rounding.HALF_EVEN: round(value),
        Rounding.HALF_UP: away if half else nearest,
        Rounding.HALF_DOWN: towards if half else nearest,
        Rounding.FLOOR: floor(value),
        Rounding.CEIL: ceil(value),
        Rounding.UP: away,
        Rounding.DOWN: towards,
    }[mode]


def wanted(ramp: Ramp, steps: WideSteps, x: int) -> int:
    value = ramp.slope * x + ramp.offset
    value = value if ramp.lower is None else max(value, ramp.lower)
    value = value if ramp.upper is None else min(value, ramp.upper)
    return min(max(rounded(value, steps.mode), steps.lo), steps.hi)


@st.composite
def ramps(draw: st.DrawFn, *, dyadic: bool = False) -> list[Ramp]:
    lo = draw(st.integers(-60, 40))
    hi = lo + draw(st.integers(0, 120))

    def rational(least: int, most: int) -> Fraction:
        below = 1 << draw(st.integers(0, 6)) if dyadic else draw(st.integers(1, 90))
        return Fraction(draw(st.integers(least, most)), below)

    def one() -> Ramp:
        lower = upper = None
        if draw(st.booleans()):
            lower = rational(-100, 20)
            upper = lower + abs(rational(-200, 200)) if draw(st.booleans()) else None
        slope, offset = rational(-100, 100), rational(-300, 300)
        if draw(st.booleans()):
            # Exactly at an integer, or halfway between two, for an integer within reach.
            offset = Fraction(draw(st.integers(-9, 9)), 2) - slope * draw(st.integers(lo, hi))
        return Ramp(slope, offset, lower, upper, lo, hi)

    return [one() for _ in range(draw(st.integers(1, 3)))]


def check(channels: list[Ramp], steps: WideSteps, op: Requantize) -> None:
    x = np.arange(channels[0].lo, channels[0].hi + 1)
    (levels,) = op.reference(np.repeat(x[:, np.newaxis], len(channels), axis=1))
    for channel, ramp in enumerate(channels):
        expected = [wanted(ramp, steps, number) for number in x.tolist()]
        assert levels[:, channel].tolist() == expected


modes = st.sampled_from(Rounding)
steps_ = st.builds(
    lambda mode, lo, more: WideSteps(mode, lo, lo + more),
    modes,
    st.integers(-60, 10) | st.integers(-2, 0),
    st.integers(1, 80),
)


@given(st.booleans().flatmap(lambda dyadic: ramps(dyadic=dyadic)), steps_)
def test_products_round_as_the_mode_does_at_every_integer(
    channels: list[Ramp], steps: WideSteps
) -> None:
    op = requantize(channels, steps)
    if isinstance(op, Requantize):
        check(channels, steps, op)
    else:
        assert steps.mode is Rounding.HALF_EVEN
        assert "ties" in op


@given(ramps(dyadic=True), steps_)
def test_scales_that_are_powers_of_two_have_a_product_for_every_tie(
    channels: list[Ramp], steps: WideSteps
) -> None:
    assert isinstance(requantize(channels, steps), Requantize)


def test_ties_to_even_that_alternate_are_refused_unless_scales_are_powers_of_two() -> None:
    steps = WideSteps(Rounding.HALF_EVEN, -(2**15), 2**15 - 1)
    tenth = Ramp(Fraction(1, 10), Fraction(0), None, None, -100, 100)
    assert requantize([tenth], steps) == (
        "its ties go up and down in turn, to even levels, which no product does: use scales that"
        " are powers of two, or the rounding mode HALF_UP"
    )
    eighth = Ramp(Fraction(3, 8), Fraction(-1, 4), None, None, -100, 100)
    third = Ramp(Fraction(-1, 3), Fraction(0), None, None, -100, 100)
    op = requantize([third, eighth], steps)
    assert isinstance(op, Requantize)
    assert op.ties_to_even
    check([third, eighth], steps, op)
    refused = requantize([eighth, tenth], steps)
    assert isinstance(refused, str)
    assert "its ties of channel 1 go up and down" in refused
    away = WideSteps(Rounding.HALF_UP, steps.lo, steps.hi)
    op = requantize([tenth], away)
    assert isinstance(op, Requantize)
    check([tenth], away, op)


def float32(value: float) -> Fraction:
    return Fraction(float(np.float32(value)))


@pytest.mark.parametrize(("bits", "reach"), [(13, 18), (16, 24), (16, 32), (24, 32)])
def test_wide_activations_have_products_over_wide_accumulators(bits: int, reach: int) -> None:
    rng = np.random.default_rng(bits + reach)
    lo, hi = -(2 ** (reach - 1)), 2 ** (reach - 1) - 1
    scale = float32(0.0131) / float32(0.0061) / 2 ** (reach - bits)
    channels = [
        Ramp(float32(rng.normal()) * scale, float32(rng.normal() * 99), None, None, lo, hi)
        for _ in range(20)
    ]
    steps = WideSteps(Rounding.HALF_EVEN, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    op = requantize(channels, steps)
    assert isinstance(op, Requantize)
    assert op.infer(TensorType(IntType(lo, hi), (20,)))
    for _ in range(20):
        # On both sides of a step in each channel, which is where it could be wrong.
        at = [
            min(max(floor((int(rng.integers(steps.lo, steps.hi)) + Fraction(1, 2) - r.offset)
                          / r.slope), lo), hi - 1)
            for r in channels
        ]  # fmt: skip
        for x in (np.array([at]), np.array([at]) + 1):
            expected = [wanted(r, steps, n) for r, n in zip(channels, x[0].tolist(), strict=True)]
            assert op.reference(x)[0][0].tolist() == expected


def test_a_shift_knows_the_sign_only_where_both_signs_occur() -> None:
    third = Ramp(Fraction(1, 3), Fraction(1, 7), None, None, -1000, 1000)
    above = Ramp(Fraction(1, 3), Fraction(1, 7), Fraction(0), None, -1000, 1000)
    for mode in (Rounding.UP, Rounding.DOWN):
        steps = WideSteps(mode, -(2**15), 2**15 - 1)
        for ramp in (third, above):
            op = requantize([ramp], steps)
            assert isinstance(op, Requantize)
            check([ramp], steps, op)
            assert op.to_zero == (mode is Rounding.DOWN and ramp is third)
            assert op.from_zero == (mode is Rounding.UP and ramp is third)


def test_an_even_number_of_ties_on_one_side_of_zero_is_no_way_round() -> None:
    # At 5, 15, 25 and 35: up and down in turn, so that the first and the last go different ways.
    ramp = Ramp(Fraction(3, 10), Fraction(0), None, None, 1, 39)
    assert isinstance(requantize([ramp], WideSteps(Rounding.HALF_EVEN, -99, 99)), str)
    two = Ramp(Fraction(1, 10), Fraction(0), None, None, 1, 24)
    op = requantize([two], WideSteps(Rounding.HALF_EVEN, -99, 99))
    assert isinstance(op, Requantize)
    check([two], WideSteps(Rounding.HALF_EVEN, -99, 99), op)


@given(st.integers(1, 12), st.integers(13, 99), st.integers(-40, 40), st.sampled_from([1, -1]))
def test_away_from_zero_keeps_the_zero_itself(rise: int, run: int, x: int, sign: int) -> None:
    slope = Fraction(sign * rise, run)
    ramp = Ramp(slope, -slope * x, None, None, x - 90, x + 90)
    op = requantize([ramp], WideSteps(Rounding.UP, -99, 99))
    assert isinstance(op, Requantize)
    check([ramp], WideSteps(Rounding.UP, -99, 99), op)


def test_sums_that_are_too_wide_are_refused() -> None:
    far = 2**50
    ramp = Ramp(float32(0.37) / float32(0.61) / 2**20, float32(0.1), None, None, -far, far)
    steps = WideSteps(Rounding.FLOOR, -(2**30), 2**30)
    assert requantize([ramp], steps) == (
        "its (m * x + b) >> s needs sums of more than 94 bits: use scales that are powers of two"
    )


def network(bits: int, scale: float, mode: str, *, per_channel: bool, relu: bool) -> ModelProto:
    rng = np.random.default_rng(bits)
    writer = Writer()
    x = writer.quant("x", 2.0**-7, 0, 8)
    x = writer.matmul(x, rng.integers(-7, 8, size=(12, 6)), 4, 0.037)
    gamma = rng.normal(1, 0.3, 6) * np.where(np.arange(6) == 2, -1, 1)
    x = writer.batch_norm(x, gamma, rng.normal(0, 1, 6), rng.normal(0, 0.1, 6), rng.random(6) + 0.5)
    if relu:
        x = writer.node("Relu", [x])
    scales = scale * (1 + rng.random(6)) if per_channel else scale
    x = writer.quant(x, scales, 0, bits, mode=mode, signed=not relu)
    x = writer.matmul(x, rng.integers(-7, 8, size=(6, 4)), 4, 0.05)
    return writer.model(writer.quant(x, 0.25, 0, 8), 12)


@pytest.mark.parametrize(
    ("bits", "scale", "mode", "per_channel", "relu"),
    [
        (13, 3e-4, "ROUND", False, False),
        (16, 4e-5, "FLOOR", True, False),
        (16, 2.0**-14, "CEIL", False, True),
        (16, 3e-5, "ROUND_TO_ZERO", False, True),
        (20, 3e-6, "HALF_UP", True, False),
        (24, 2e-7, "HALF_DOWN", False, False),
        (16, 3e-5, "ROUND_TO_ZERO", False, False),
        (14, 2e-4, "UP", True, False),
    ],
)
def test_networks_with_wide_activations_equal_the_oracle(
    bits: int, scale: float, mode: str, per_channel: bool, relu: bool, tmp_path: Path
) -> None:
    model = network(bits, scale, mode, per_channel=per_channel, relu=relu)
    data = np.random.default_rng(7).normal(0, 0.5, size=(40, 12)).astype(np.float32)
    lowered, tally = compare(model, tmp_path, data)
    assert [node.op.name for node in lowered.graph.nodes].count("requantize") == 1
    assert tally.quantized == 40 * (6 + 4)


def test_ties_of_wide_activations_equal_the_oracle(tmp_path: Path) -> None:
    writer = Writer()
    x = writer.quant("x", 1.0, 0, 8)
    x = writer.matmul(x, [[0.5, 60.5], [1.5, 62.5], [-2.0, -63.0]], 8, 0.5)
    x = writer.quant(x, 1.0, 0, 14, name="wide")
    x = writer.matmul(x, [[1], [-1]], 2)
    model = writer.model(writer.quant(x, 4.0, 0, 8), 3)
    data = np.random.default_rng(3).integers(-128, 128, size=(200, 3)).astype(np.float32)
    lowered, tally = compare(model, tmp_path, data)
    (node,) = [node for node in lowered.graph.nodes if node.op.name == "requantize"]
    assert isinstance(node.op, Requantize)
    assert node.op.ties_to_even
    assert tally.ties > 100
