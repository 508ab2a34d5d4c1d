"""The oracle against numbers worked out by hand, and against qonnx where floats are exact."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.sim.reference import run
from lutloom.streamline.executor import execute
from lutloom.streamline.oracle import evaluate
from lutloom.streamline.oracle_operators import over_root
from lutloom.streamline.oracle_quantizers import rounded
from lutloom.streamline.oracle_values import OracleError
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HALVES = (-2.5, -1.5, -1.25, -0.5, 0.5, 1.25, 1.5, 2.5)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ROUND", (-2, -2, -1, 0, 0, 1, 2, 2)),
        ("HALF_UP", (-3, -2, -1, -1, 1, 1, 2, 3)),
        ("HALF_DOWN", (-2, -1, -1, 0, 0, 1, 1, 2)),
        ("FLOOR", (-3, -2, -2, -1, 0, 1, 1, 2)),
        ("CEIL", (-2, -1, -1, 0, 1, 2, 2, 3)),
        ("UP", (-3, -2, -2, -1, 1, 2, 2, 3)),
        ("DOWN", (-2, -1, -1, 0, 0, 1, 1, 2)),
    ],
)
def test_rounding_modes_are_what_they_are_called(mode: str, expected: tuple[int, ...]) -> None:
    assert tuple(rounded(mode, Fraction(value)) for value in HALVES) == expected


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(OracleError, match="'STOCHASTIC' is unknown"):
        rounded("STOCHASTIC", Fraction(1))


def test_a_normalization_factor_is_rounded_once() -> None:
    assert over_root(Fraction(3), Fraction(4)) == Fraction(3, 2)
    assert over_root(Fraction(-1), Fraction(2)) == -Fraction(float.fromhex("0x1.6a09e667f3bcdp-1"))
    assert over_root(Fraction(1), Fraction(9)) == Fraction(1 / 3)
    assert over_root(Fraction(0), Fraction(9)) == 0
    midway = Fraction(2**53 + 1)  # between two floats: to the even one
    assert over_root(midway, Fraction(1)) == 2**53
    assert over_root(midway + 2, Fraction(1)) == 2**53 + 4


def test_a_small_model_gives_the_numbers_worked_out_by_hand() -> None:
    w = Writer()
    weights = w.quant(w.constant([[0.7], [-0.4]]), 0.1, bits=4)  # 7 and -4 times float32(0.1)
    x = w.node("MatMul", ["x", weights], name="fc")
    w.quant(x, 0.25, 1.0, bits=3, signed=False, name="q")
    tenth = Fraction(float(np.float32(0.1)))
    values = evaluate(w.model("q_out", 2), np.array([[1, 1], [2, 0], [0, 2]]))
    assert values["fc_out"].ravel().tolist() == [3 * tenth, 14 * tenth, -8 * tenth]
    assert values["q_out"].ravel().tolist() == [Fraction(1, 4), Fraction(6, 4), Fraction(-1, 4)]
    fixed = evaluate(w.model("q_out", 2), np.zeros((1, 2)), given={"fc_out": np.array([[0.375]])})
    assert fixed["q_out"].tolist() == [[Fraction(1, 4)]]  # 2.5 goes to 2: a tie to even


def test_one_bit_is_the_sign_only_where_it_is_signed() -> None:
    for signed, narrow, levels in ((True, False, [-1, 1, 1]), (False, True, [0, 0, 0])):
        w = Writer()
        w.quant("x", bits=1, signed=signed, narrow=narrow, name="q")
        values = evaluate(w.model("q_out", 3), np.array([[-2, 0, 2]]))
        assert values["q_out"].ravel().tolist() == levels


def test_what_it_cannot_read_is_refused() -> None:
    w = Writer()
    with pytest.raises(OracleError, match="Einsum is unknown"):
        evaluate(w.model(w.node("Einsum", ["x"], equation="i->i"), 2), np.zeros((1, 2)))
    with pytest.raises(OracleError, match="inf is no number"):
        evaluate(w.model("x", 2), np.array([[np.inf, 0]]))


def power_of_two_model(seed: int) -> Writer:
    """Return a model whose sums are exact in float32: scales are powers of two, sums small."""
    rng = np.random.default_rng(seed)

    def power(*shape: int) -> NDArray[np.float64]:
        return np.asarray(2.0 ** rng.integers(-2, 2, shape))

    w = Writer()
    x = w.quant("x", power(), bits=3, signed=bool(rng.integers(2)))
    width = 6
    for _ in range(3):
        weights = w.constant(rng.normal(0, 2, (width, 5)))
        quantized = (
            w.bipolar(weights, power())
            if rng.integers(2)
            else w.quant(weights, power(1, 5), bits=int(rng.integers(2, 5)))
        )
        x, width = w.node("MatMul", [x, quantized]), 5
        if rng.integers(2):
            gamma = power(width) * rng.choice([-1, 0, 1], width)
            beta, mean = rng.integers(-8, 9, (2, width)) / 4
            x = w.batch_norm(x, gamma, beta, mean, power(width) ** 2, 0.0)
        else:
            x = w.binary("Add", x, rng.integers(-8, 9, width) / 4)
        if rng.integers(2):
            x = w.node("Relu", [x])
        x = (
            w.bipolar(x, power())
            if rng.integers(3) == 0
            else w.quant(x, power(), bits=int(rng.integers(2, 5)), signed=bool(rng.integers(2)))
        )
    return w


@pytest.mark.parametrize("seed", range(20))
def test_where_floats_are_exact_qonnx_computes_the_very_same(seed: int, tmp_path: Path) -> None:
    w = power_of_two_model(seed)
    model = w.model(w.nodes[-1].output[0], 6)
    data = np.random.default_rng(seed).integers(-40, 41, (60, 6)).astype(np.float32) / 8
    network, tally = compare(model, tmp_path, data)
    theirs = execute(write(model, tmp_path), data)
    ours = evaluate(model, data)
    assert tally.quantized > 0
    for name, numbers in ours.items():
        assert (theirs[name].astype(object) == numbers).all(), name
    values = run(network.graph, {network.input_value: network.encode(data)})
    output = network.decode(values[network.output_value])
    assert np.array_equal(output, theirs[model.graph.output[0].name])
