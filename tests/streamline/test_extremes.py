"""Numbers at the ends of float32, through normalizations, sums and quantizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lutloom.core.types import IntType
from lutloom.streamline.errors import ModelError
from lutloom.streamline.importer import RawInput
from tests.exact import compare
from tests.models import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

BYTE = RawInput(IntType(-128, 127))
EVERY_BYTE = np.stack([np.arange(-128, 128)] * 3, axis=1)

FLOAT32 = np.finfo(np.float32)
magnitudes = st.one_of(
    st.sampled_from([1e-45, 1e-38, 1e-30, 1e-12, 1e-6, 0.1, 1.0, 3.0, 1e6, 1e12, 1e30, 3e38]),
    st.floats(1e-6, 1e6),
)
signed = st.builds(lambda x, sign: x * sign, magnitudes, st.sampled_from([1, -1, 1, 0]))


def three(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[NDArray[Any]]:
    return st.lists(numbers, min_size=3, max_size=3).map(lambda x: np.array(x, np.float32))


@st.composite
def normalized(draw: st.DrawFn, w: Writer, x: str) -> str:
    gamma, beta, mean = (draw(three(signed)) for _ in range(3))
    variance = draw(three(magnitudes))
    return w.batch_norm(x, gamma, beta, mean, variance, draw(st.sampled_from([0.0, 1e-12, 1e-5])))


@st.composite
def steps(draw: st.DrawFn, w: Writer, x: str) -> str:
    """Draw a few operators that scale and shift."""
    for kind in draw(st.lists(st.sampled_from(["bn", "mul", "add", "relu", "clip"]), max_size=3)):
        match kind:
            case "bn":
                x = draw(normalized(w, x))
            case "mul":
                x = w.binary("Mul", x, draw(three(signed)))
            case "add":
                x = w.binary("Add", x, draw(three(signed)))
            case "relu":
                x = w.node("Relu", [x])
            case "clip":
                low, high = sorted((draw(signed), draw(signed)))
                x = w.node("Clip", [x, w.constant(low), w.constant(high)])
    return x


@st.composite
def models(draw: st.DrawFn, *, is_joined: bool) -> ModelProto:
    w = Writer()
    x = "x"
    if is_joined:
        left, right = (draw(normalized(w, w.matmul("x", rng_weights(seed)))) for seed in (0, 1))
        x = w.node(draw(st.sampled_from(["Add", "Sub"])), [left, right])
    x = draw(steps(w, x))
    bits = draw(st.integers(1, 6))
    mode = draw(st.sampled_from(["ROUND", "FLOOR", "HALF_UP", "CEIL"]))
    signed_ = draw(st.booleans())
    # The output is a float32, and so not to be infinite.
    x = w.quant(x, min(draw(magnitudes), 1e30), bits=bits, mode=mode, signed=signed_)
    return w.model(w.matmul(x, np.eye(3)), 3)


def rng_weights(seed: int) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(-7, 8, (3, 3))


def exact_or_refused(model: ModelProto, directory: Path) -> None:
    rows = np.concatenate([EVERY_BYTE[::16], np.random.default_rng(0).choice(EVERY_BYTE, 20)])
    try:
        compare(model, directory, rows, BYTE)
    except ModelError as error:
        if "no smaller ones are proved" not in str(error):
            raise


within_a_directory = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@within_a_directory
@given(model=models(is_joined=False))
def test_any_normalization_before_a_quantizer_is_exact(model: ModelProto, tmp_path: Path) -> None:
    exact_or_refused(model, tmp_path)


@within_a_directory
@given(model=models(is_joined=True))
def test_any_normalizations_before_a_sum_are_exact(model: ModelProto, tmp_path: Path) -> None:
    exact_or_refused(model, tmp_path)


@pytest.mark.parametrize("epsilon", [0.0, 1e-12])
@pytest.mark.parametrize("gamma", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("beta", [-1e30, 0.3, 1e30])
@pytest.mark.parametrize("variance", [1e-40, 1e-12, 1e30])
def test_tiny_variances_and_huge_biases_are_exact(
    epsilon: float, gamma: float, beta: float, variance: float, tmp_path: Path
) -> None:
    w = Writer()
    numbers = np.array([gamma, -gamma, 0], np.float32)
    x = w.batch_norm("x", numbers, [beta] * 3, [0.5] * 3, [variance] * 3, epsilon)
    model = w.model(w.matmul(w.quant(x, 0.7, bits=3), np.eye(3)), 3)
    compare(model, tmp_path, EVERY_BYTE[::5], BYTE)
