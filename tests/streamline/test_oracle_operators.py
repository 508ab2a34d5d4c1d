"""The oracle's operators beside ONNX's own reference implementation and ONNX Runtime, and by hand.

The reference computes here in float64, so that it is within a few units in its last place of the
number that the oracle knows exactly; the runtime has float32 and approximations of its own.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from lutloom.streamline.oracle import evaluate
from lutloom.streamline.oracle_operators import OPERATORS
from lutloom.streamline.oracle_reals import Real
from lutloom.streamline.oracle_values import OracleError
from lutloom.streamline.rule_table import RULES
from lutloom.streamline.rules.quant import other_quantizer
from lutloom.streamline.source import STANDARD_DOMAINS
from tests.models import Writer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

POINTS = np.array([-7.5, -3, -2.75, -1, -0.5, -0.125, 0, 0.125, 0.5, 1, 2.75, 3, 7.5])
POSITIVE = POINTS[POINTS > 0]

CASES: list[tuple[str, int, Array, dict[str, Any]]] = [
    ("Abs", 13, POINTS, {}),
    ("Ceil", 13, POINTS, {}),
    ("Celu", 12, POINTS, {"alpha": 0.75}),
    ("Elu", 9, POINTS, {}),
    ("Elu", 9, POINTS, {"alpha": 1.5}),
    ("Erf", 13, POINTS, {}),
    ("Exp", 13, POINTS, {}),
    ("Floor", 13, POINTS, {}),
    ("Gelu", 20, POINTS, {}),
    ("Gelu", 20, POINTS, {"approximate": "tanh"}),
    ("HardSigmoid", 9, POINTS, {}),
    ("HardSigmoid", 9, POINTS, {"alpha": 0.5, "beta": 0.25}),
    ("HardSwish", 14, POINTS, {}),
    ("LeakyRelu", 16, POINTS, {}),
    ("LeakyRelu", 16, POINTS, {"alpha": 0.5}),
    ("Log", 13, POSITIVE, {}),
    ("Mish", 18, POINTS, {}),
    ("Neg", 13, POINTS, {}),
    ("Reciprocal", 13, POSITIVE, {}),
    ("Relu", 14, POINTS, {}),
    ("Round", 11, POINTS, {}),
    ("Selu", 9, POINTS, {}),
    ("Sigmoid", 13, POINTS, {}),
    ("Sign", 13, POINTS, {}),
    ("Softplus", 9, POINTS, {}),
    ("Softsign", 9, POINTS, {}),
    ("Sqrt", 13, POSITIVE, {}),
    ("Tanh", 13, POINTS, {}),
    ("ThresholdedRelu", 10, POINTS, {}),
    ("ThresholdedRelu", 10, POINTS, {"alpha": 0.5}),
]


def test_whatever_is_lowered_has_an_exact_reading() -> None:
    lowered = {
        name
        for (domain, name), rule in RULES.items()
        if domain in STANDARD_DOMAINS and rule is not other_quantizer
    }
    assert lowered
    assert lowered - set(OPERATORS) == set()


def exactly(x: Fraction | Real) -> Fraction:
    """Return ``x``, or a rational that is not farther from it than ``2**-100``."""
    return x.enclosure(100)[0] if isinstance(x, Real) else x


def largest_distance(ours: Array, theirs: Array) -> Fraction:
    """Return the largest distance, relative to the number where that is above 1."""
    pairs = zip(ours.ravel(), theirs.ravel().tolist(), strict=True)
    return max(
        abs(exactly(x) - Fraction(float(y))) / max(abs(exactly(x)), Fraction(1)) for x, y in pairs
    )


@pytest.mark.parametrize(
    ("kind", "opset", "points", "attributes"), CASES, ids=[f"{c[0]}{c[3] or ''}" for c in CASES]
)
def test_functions_are_those_of_onnx(
    kind: str, opset: int, points: Array, attributes: dict[str, Any]
) -> None:
    x = points[np.newaxis]
    w = Writer(opset=opset)
    model = w.model(w.node(kind, ["x"], **attributes), len(points))
    ours = evaluate(model, x)[f"{kind}_0_out"]

    session = onnxruntime.InferenceSession(model.SerializeToString())
    (theirs,) = session.run(None, {"x": x.astype(np.float32)})
    assert largest_distance(ours, theirs) < Fraction(1, 2**19)

    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    (wanted,) = ReferenceEvaluator(model).run(None, {"x": x})
    # The reference has its error function, and some numbers of formulas, in single precision.
    bits = 24 if kind in {"Erf", "Gelu", "HardSwish"} else 45
    assert largest_distance(ours, np.asarray(wanted)) < Fraction(1, 2**bits)


def test_constants_of_formulas_are_real_and_defaults_are_floats() -> None:
    w = Writer(opset=20)
    w.node("HardSwish", ["x"], name="swish")
    w.node("HardSigmoid", ["x"], name="sigmoid")
    w.node("LeakyRelu", ["x"], name="leaky")
    values = evaluate(w.model("leaky_out", 1), np.array([[-1]]))
    assert values["swish_out"].item() == -Fraction(1, 3)
    assert values["sigmoid_out"].item() == Fraction(1, 2) - Fraction(float(np.float32(0.2)))
    assert values["leaky_out"].item() == -Fraction(float(np.float32(0.01)))


def test_powers_have_roots_that_are_rational_where_they_can_be() -> None:
    w = Writer()
    w.binary("Pow", "x", [0.5, 1.5, 3.0, -2.0])
    values = evaluate(w.model("Pow_0_out", 4), np.array([[9, 4, -2, -4]]))
    assert values["Pow_0_out"].ravel().tolist() == [3, 8, -8, Fraction(1, 16)]


@pytest.mark.parametrize(
    ("kind", "x", "reason"),
    [
        ("Log", 0, "the logarithm of 0 is no number"),
        ("Sqrt", -1, "the root of -1 is no number"),
        ("Reciprocal", 0, "Reciprocal_0 divides by zero"),
    ],
)
def test_what_has_no_value_is_refused(kind: str, x: int, reason: str) -> None:
    w = Writer()
    with pytest.raises(OracleError, match=reason):
        evaluate(w.model(w.node(kind, ["x"]), 1), np.array([[x]]))


def test_max_and_min_ignore_the_infinity_that_is_no_bound() -> None:
    w = Writer()
    low, high = (w.constant(number) for number in (-np.inf, 2.0))
    w.node("Min", [w.node("Max", [low, "x"]), high], name="min")
    values = evaluate(w.model("min_out", 2), np.array([[-9, 9]]))
    assert values["min_out"].ravel().tolist() == [-9, 2]
    with pytest.raises(OracleError, match="with an infinity gives one"):
        evaluate(w.model(w.node("Min", ["x", low]), 2), np.array([[-9, 9]]))


# Forms: what each opset calls the same thing.


@pytest.mark.parametrize("opset", range(9, 21))
def test_an_operator_is_the_same_in_the_form_of_any_opset(opset: int) -> None:
    w = Writer(opset=opset)
    x = w.with_axes("Squeeze", w.with_axes("Unsqueeze", w.dropout("x"), [1, -1]), [1, 3])
    x = w.clip(w.clip(x, -1.0, None), None, 2.5)
    w.top_k(x, 2)
    values = evaluate(w.model(x, 4), np.array([[3, -5, 1, 3]]))
    top = w.nodes[-1].output
    assert values[x].tolist() == [[Fraction(5, 2), -1, 1, Fraction(5, 2)]]
    assert values[top[0]].tolist() == [[Fraction(5, 2)] * 2]
    assert values[top[1]].tolist() == [[0, 3]]


def test_softmax_spans_the_rest_of_the_axes_before_opset_13_only() -> None:
    x = np.zeros((1, 2, 3))
    for opset, share in ((11, Fraction(1, 6)), (13, Fraction(1, 2))):
        w = Writer(opset=opset)
        values = evaluate(w.model(w.node("Softmax", ["x"], axis=1), 2, 3), x)
        assert values["Softmax_0_out"].ravel().tolist() == [share] * 6


def test_ties_of_softmax_go_to_the_lowest_index() -> None:
    w = Writer()
    w.node("ArgMax", [w.node("Softmax", ["x"], axis=1)], axis=1, keepdims=0, name="best")
    values = evaluate(w.model("best_out", 3), np.array([[1, 2, 2], [0.5, 0.25, 0.5]]))
    assert values["best_out"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ReduceMean", 2), ("ReduceSum", 6), ("ReduceMax", 4), ("ReduceMin", -1)],
)
@pytest.mark.parametrize("opset", [11, 18])
def test_reductions_have_axes_as_attribute_or_input(kind: str, expected: int, opset: int) -> None:
    w = Writer(opset=opset)
    if opset == 18:
        x = w.node(kind, ["x", w.constant([-1], np.int64)], keepdims=0)
    else:
        x = w.node(kind, ["x"], keepdims=0, axes=[1])
    assert evaluate(w.model(x, 3), np.array([[3, 4, -1]]))[x].tolist() == [expected]


# Every sample is by itself, whatever becomes of its batch.


@pytest.mark.parametrize("batch", ["N", 1, 4])
@pytest.mark.parametrize("shape", [(1, -1), (-1, 6), (0, 6)])
def test_all_samples_at_once_are_each_by_itself(batch: int | str, shape: tuple[int, int]) -> None:
    sizes = (batch, shape[1]) if isinstance(batch, int) and shape[0] == 1 else shape
    w = Writer()
    x = w.reshape(w.node("Transpose", ["x"], perm=[0, 2, 1]), sizes)
    weights = w.quant(w.constant(np.arange(12).reshape(6, 2) - 5))
    x = w.node("MatMul", [w.node("Tanh", [w.binary("Mul", x, np.arange(6))]), weights])
    w.quant(x, 0.3, name="q")
    model = w.model("q_out", 2, 3, batch=batch)
    data = np.random.default_rng(0).normal(0, 1, (5, 2, 3)).astype(np.float32)
    together = evaluate(model, data)
    for index in range(5):
        alone = evaluate(model, data[index : index + 1])
        for name, numbers in alone.items():
            assert (together[name][index : index + 1] == numbers).all(), name


def test_a_vector_for_each_sample_is_multiplied_from_either_side() -> None:
    w = Writer()
    flat = w.with_axes("Squeeze", "x", [0])
    matrix = w.constant([[1, 2], [3, 4]])
    w.node("MatMul", [flat, matrix], name="right")
    w.node("MatMul", [matrix, flat], name="left")
    w.node("MatMul", [flat, flat], name="both")
    w.node("MatMul", ["x", w.constant(np.ones((3, 2, 1)))], name="wide")
    values = evaluate(w.model("left_out", 2), np.array([[1, 1], [2, 0.5]]))
    assert values["right_out"].ravel().tolist() == [4, 6, Fraction(7, 2), 6]
    assert values["left_out"].ravel().tolist() == [3, 7, 3, 8]
    assert values["wide_out"].shape == (2 * 3, 1, 1)
    assert values["wide_out"].ravel().tolist() == [2] * 3 + [Fraction(5, 2)] * 3
    assert values["both_out"].ravel().tolist() == [2, Fraction(17, 4)]


def test_long_denominators_give_the_products_that_short_ones_give() -> None:
    divisors = np.random.default_rng(0).uniform(1, 2, 300).astype(np.float32)
    w = Writer()
    w.node("MatMul", [w.binary("Div", "x", divisors), w.constant(np.ones((300, 1)))], name="sum")
    values = evaluate(w.model("sum_out", 300), np.ones((1, 300)))
    exact = sum(1 / Fraction(divisor) for divisor in divisors.tolist())
    assert values["sum_out"].item() == exact


def test_a_cast_to_integers_goes_towards_zero_and_one_to_few_bits_is_refused() -> None:
    w = Writer()
    w.node("Cast", ["x"], to=TensorProto.INT32, name="whole")
    values = evaluate(w.model("whole_out", 2), np.array([[-1.5, 1.5]]))
    assert values["whole_out"].tolist() == [[-1, 1]]
    with pytest.raises(OracleError, match="a cast to FLOAT16 rounds"):
        evaluate(w.model(w.node("Cast", ["x"], to=TensorProto.FLOAT16), 2), np.zeros((1, 2)))


def test_parts_of_data_are_moved_as_numpy_moves_them() -> None:
    w = Writer(opset=9)
    x = w.node("Slice", ["x"], starts=[1], ends=[9], axes=[1])
    x = w.node("Gather", [x, w.constant([2, 0], np.int64)], axis=1)
    x = w.node("Concat", [x, "x", w.constant([[7.0]])], axis=1)
    values = evaluate(w.model(x, 4), np.array([[0, 1, 2, 3]]))
    assert values[x].tolist() == [[3, 1, 0, 1, 2, 3, 7]]
    assert helper.get_attribute_value(w.nodes[-1].attribute[0]) == 1


@pytest.mark.parametrize("scale", [2.0, -0.5])
def test_thresholds_at_infinity_are_reached_by_all_or_none(scale: float) -> None:
    w = Writer()
    w.multi_threshold("x", [[np.inf, 1.0, -np.inf, 1.0]], scale=scale, bias=1.0)
    values = evaluate(w.model("MultiThreshold_0_out", 2), np.array([[0.5, 1]]))
    assert values["MultiThreshold_0_out"].tolist() == [[1 + scale, 1 + 3 * scale]]
