"""Host steps beside ONNX Runtime, one node at a time, without graph optimisations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest

from lutloom.core.host import Quantize, round_by, run_host
from lutloom.core.host_json import program_from_json, program_to_json
from lutloom.core.network import Network
from lutloom.core.rounding import Rounding
from lutloom.streamline.oracle_quantizers import rounded
from lutloom.streamline.oracle_values import fractions
from lutloom.streamline.pipeline import streamline
from tests.models import Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    Floats = NDArray[np.float32]

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-40, 3e38, -3e38, 1e-20, 87.0, -87.0, 103.0]


def values() -> Floats:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)) * 10.0 ** rng.integers(-6, 4, (200, 6))
    x[:2] = np.reshape(SPECIAL, (2, 6))
    return x.astype(np.float32)


def runtime(model: ModelProto, x: Floats) -> NDArray[Any]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return np.asarray(session.run(None, {"x": x})[0])


def tail_of(build: Callable[[Writer, str], str], directory: Path) -> Network:
    """Return a network whose tail is what ``build`` puts behind a layer."""
    w = Writer(opset=20)
    x = w.matmul(w.quant("x"), np.eye(6))
    return streamline(write(w.model(build(w, x), 6), directory))


def both(
    build: Callable[[Writer, str], str], directory: Path, x: Floats
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what our steps and ONNX Runtime make of ``x``."""
    w = Writer(opset=20)
    theirs = runtime(w.model(build(w, "x"), 6), x)
    return run_host(tail_of(build, directory).output.tail, x), theirs


def ulps(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Return the largest distance in units of the last place of ``theirs``."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype == np.float32
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    same = (ours == theirs) | np.isnan(ours)
    spacing = np.spacing(np.maximum(np.abs(theirs), np.float32(2.0**-100))).astype(np.float64)
    with np.errstate(invalid="ignore"):  # equal infinities
        distance = np.abs(np.float64(ours) - np.float64(theirs)) / spacing
    return float(np.where(same, 0, distance).max())


CONSTANT = np.array([0.3, -7, 1e-3, 2, 3.14159, -1e5], dtype=np.float32)


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("operand", [CONSTANT, CONSTANT[:1], CONSTANT[np.newaxis], CONSTANT[0]])
@pytest.mark.filterwarnings("error")
def test_arithmetic_is_the_runtimes_own(
    kind: str,
    first: bool,
    operand: Any,  # noqa: ANN401 - an array or a number
    tmp_path: Path,
) -> None:
    def build(w: Writer, x: str) -> str:
        return w.binary(kind, x, operand, constant_first=first)

    ours, theirs = both(build, tmp_path, values())
    assert np.array_equal(ours, theirs, equal_nan=True)


@pytest.mark.parametrize("kind", ["Neg", "Abs", "Relu", "Sqrt", "Identity", "Flatten"])
def test_elementary_functions_are_the_runtimes_own(kind: str, tmp_path: Path) -> None:
    ours, theirs = both(lambda w, x: w.node(kind, [x]), tmp_path, values())
    assert np.array_equal(ours, theirs, equal_nan=True)


SLOPES = np.array([0.25, -0.5, 0, 1, 2, 0.01], dtype=np.float32)

PIECEWISE: dict[str, Callable[[Writer, str], str]] = {
    "LeakyRelu": lambda w, x: w.node("LeakyRelu", [x]),
    "LeakyRelu falling": lambda w, x: w.node("LeakyRelu", [x], alpha=-2.0),
    "PRelu": lambda w, x: w.node("PRelu", [x, w.constant(SLOPES)]),
    "ThresholdedRelu": lambda w, x: w.node("ThresholdedRelu", [x]),
    "ThresholdedRelu below": lambda w, x: w.node("ThresholdedRelu", [x], alpha=-0.5),
    "HardSigmoid": lambda w, x: w.node("HardSigmoid", [x], alpha=0.3, beta=0.1),
    "HardSwish": lambda w, x: w.node("HardSwish", [x]),
    "Reciprocal": lambda w, x: w.node("Reciprocal", [x]),
    "Min": lambda w, x: w.node("Min", [x, w.constant(SLOPES)]),
    "Max": lambda w, x: w.node("Max", [w.constant(SLOPES), x]),
    "Sum": lambda w, x: w.node("Sum", [w.constant(SLOPES), x]),
    "Mean": lambda w, x: w.node("Mean", [x, w.constant(SLOPES)]),
    "x + relu(x)": lambda w, x: w.node("Add", [x, w.node("Relu", [x])]),
    "x * x": lambda w, x: w.node("Mul", [x, x]),
    "mean of two": lambda w, x: w.node("Mean", [x, w.node("Neg", [w.node("Abs", [x])])]),
}


@pytest.mark.parametrize("name", PIECEWISE)
def test_piecewise_functions_and_diamonds_are_the_runtimes_own(name: str, tmp_path: Path) -> None:
    ours, theirs = both(PIECEWISE[name], tmp_path, values())
    assert np.array_equal(ours, theirs, equal_nan=True)


SMOOTH: dict[str, Callable[[Writer, str], str]] = {
    **{
        kind: lambda w, x, kind=kind: w.node(kind, [x])  # type: ignore[misc]
        for kind in "Celu Elu Erf Gelu Mish Selu Softplus Softsign".split()
    },
    "Gelu by tanh": lambda w, x: w.node("Gelu", [x], approximate="tanh"),
    "Celu of a small alpha": lambda w, x: w.node("Celu", [x], alpha=0.3),
    "x * sigmoid(x)": lambda w, x: w.node("Mul", [x, w.node("Sigmoid", [x])]),
    "x - softmax(x)": lambda w, x: w.node("Sub", [x, w.node("Softmax", [x])]),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_differ_by_few_units_in_the_last_place_of_one(
    name: str, tmp_path: Path
) -> None:
    """They add 1 to what they have, or take it away: that is where both round."""
    x = values()
    ours, theirs = both(SMOOTH[name], tmp_path, x)
    assert (np.abs(ours - theirs) <= 4 * np.spacing(np.maximum(np.abs(x), np.float32(1)))).all()


def test_programs_within_programs_survive_their_file(tmp_path: Path) -> None:
    program = tail_of(SMOOTH["Mish"], tmp_path).output.tail
    again = program_from_json(json.loads(json.dumps(program_to_json(program))))
    assert np.array_equal(run_host(again, values()), run_host(program, values()))


@pytest.mark.parametrize("bounds", [(-1, 2), (None, 2), (0.1, None), (3, -3), (-3.5e38, 3.5e38)])
def test_clip_is_the_runtimes_own(
    bounds: tuple[float | None, float | None], tmp_path: Path
) -> None:
    def build(w: Writer, x: str) -> str:
        f32 = [
            None if b is None else max(min(b, 3.4028234663852886e38), -3.4028234663852886e38)
            for b in bounds
        ]
        return w.node("Clip", [x, *("" if b is None else w.constant(b) for b in f32)])

    ours, theirs = both(build, tmp_path, values())
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["Exp", "Log", "Tanh"])
def test_transcendental_functions_differ_by_few_units_in_the_last_place(
    kind: str, tmp_path: Path
) -> None:
    ours, theirs = both(lambda w, x: w.node(kind, [x]), tmp_path, values())
    assert ulps(ours, theirs) <= 4


def test_sigmoids_differ_by_few_units_in_the_last_place_of_one(tmp_path: Path) -> None:
    """The runtime's own is a polynomial that ends at 18: its tails are no better than that."""
    ours, theirs = both(lambda w, x: w.node("Sigmoid", [x]), tmp_path, values())
    assert np.abs(ours - theirs).max() <= 2.0**-22


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_softmax_differs_by_few_units_in_the_last_place(kind: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(0, 5, (500, 6)).astype(np.float32)
    ours, theirs = both(lambda w, x: w.node(kind, [x], axis=-1), tmp_path, x)
    if kind == "Softmax":
        assert ulps(ours, theirs) <= 8
    else:  # differences of logits: they round at their range, not at the result
        spread = x.max(axis=-1, keepdims=True) - x.min(axis=-1, keepdims=True)
        assert (np.abs(ours - theirs) <= 2 * np.spacing(spread)).all()


def test_powers_differ_by_few_units_in_the_last_place(tmp_path: Path) -> None:
    x = np.abs(np.random.default_rng(0).normal(0, 5, (500, 6))).astype(np.float32)
    ours, theirs = both(lambda w, x: w.binary("Pow", x, 2.5), tmp_path, x)
    assert ulps(ours, theirs) <= 4


def test_normalization_rounds_a_few_times_at_its_largest_operand(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gamma, beta, mean = rng.normal(size=(3, 6)).astype(np.float32)
    variance = rng.uniform(0.01, 4, 6).astype(np.float32)
    x = rng.normal(size=(500, 6)).astype(np.float32)
    ours, theirs = both(lambda w, x: w.batch_norm(x, gamma, beta, mean, variance), tmp_path, x)
    factor = np.abs(gamma / np.sqrt(variance + 1e-5))
    operands = np.abs(x) * factor + np.abs(mean) * factor + np.abs(beta)
    assert (np.abs(ours - theirs) <= 4 * np.spacing(operands)).all()


@pytest.mark.parametrize("kind", ["ArgMax", "TopK"])
def test_the_largest_are_the_runtimes_own_ties_included(kind: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(-2, 3, (300, 6)).astype(np.float32)

    def build(w: Writer, x: str) -> str:
        x = w.node("Abs", [x])  # behind a function that is not monotone the host compares
        if kind == "ArgMax":
            return w.node("ArgMax", [x], axis=1, keepdims=0)
        return w.node("TopK", [x, w.constant([3], np.int64)], outputs=["v", "i"]) and "i"

    w = Writer()
    model = w.model(build(w, "x"), 6, output_type=7)
    assert np.array_equal(run_host(tail_of(build, tmp_path).output.tail, x), runtime(model, x))


@pytest.mark.parametrize("mode", Rounding)
def test_rounding_is_exact_wherever_a_half_can_be_told(mode: Rounding) -> None:
    x = np.arange(-40, 41, dtype=np.float32) / 8
    names = {Rounding.HALF_EVEN: "ROUND"}
    name = names.get(mode, mode.name)
    assert round_by(mode, x).tolist() == [rounded(name, value) for value in fractions(x)]


def test_quantizing_clamps_before_it_rounds_and_gives_integers() -> None:
    one = np.ones(1, dtype=np.float32)
    step = Quantize(one * np.float32(0.5), one, -2, 3, Rounding.HALF_EVEN)
    x = np.array([[-1e38, -1.25, -1.0, 0.25, 0.75, 1e38]], dtype=np.float32)
    assert run_host((step,), x).tolist() == [[-2, -2, -1, 2, 2, 3]]
    assert run_host((step,), x).dtype == np.int64
