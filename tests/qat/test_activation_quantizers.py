"""Activations are what the equation of their paper says in 32-bit floats, ties and zeros too."""

from __future__ import annotations

from functools import cache
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch

from lutloom.qat.brevitas_parts import IntQuantTensor
from lutloom.qat.quantization import ActivationKind, ActivationSpec
from lutloom.qat.quantizers import RPReLU, RSign, activation
from lutloom.qat.run import values_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

CHANNELS, ROWS = 2, 6
FEW = settings(max_examples=50)
# ties of every grid with a power-of-two scale among them
VALUES = st.one_of(
    st.floats(-4, 4, width=32), st.integers(-64, 64).map(lambda sixteenths: sixteenths / 16)
)
ROWS_OF_VALUES = st.lists(VALUES, min_size=CHANNELS * ROWS, max_size=CHANNELS * ROWS).map(
    lambda drawn: np.array(drawn, np.float32).reshape(ROWS, CHANNELS)
)
NUMBERS = st.lists(VALUES, min_size=CHANNELS, max_size=CHANNELS).map(
    lambda drawn: np.array(drawn, np.float32)
)
BITS = st.integers(1, 8)
LIMITS = st.sampled_from([1.0, 0.5, 2.0, 0.7])
BOTH = st.booleans()
A = ActivationKind


@cache
def module_of(spec: ActivationSpec) -> Any:  # noqa: ANN401 (of Brevitas)
    return activation(spec, CHANNELS, dimensions=0).eval()


def quantized(x: Floats, module: Any) -> Floats:  # noqa: ANN401 (of Brevitas)
    found: Floats = values_of(module(torch.from_numpy(x.copy()))).detach().numpy()
    return found


def rounded(x: Floats, scale: Floats | np.float32, bits: int) -> Floats:
    integers: Floats = np.clip(np.round(x / scale), 0, 2**bits - 1).astype(np.float32)
    return integers * scale


@FEW
@given(ROWS_OF_VALUES, BITS, LIMITS, st.sampled_from([A.RELU, A.DOREFA]))
def test_levels_reach_from_zero_to_the_limit(
    x: Floats, bits: int, limit: float, kind: ActivationKind
) -> None:
    scale = np.float32(limit) / np.float32(2**bits - 1)
    found = quantized(x, module_of(ActivationSpec(kind, bits, limit=limit)))
    assert np.array_equal(found, rounded(x, scale, bits))


@FEW
@given(ROWS_OF_VALUES, BITS, NUMBERS, BOTH)
def test_lsq_activations_are_rounded_by_their_step(
    x: Floats, bits: int, steps: Floats, each: bool
) -> None:
    module = module_of(ActivationSpec(A.LSQ, bits, each))
    (parameter,) = module.parameters()
    parameter.data = torch.from_numpy((steps if each else steps[:1]).copy()).reshape(
        parameter.shape
    )
    scale = np.maximum(np.abs(steps if each else steps[:1]), np.float32(2.0**-20))
    assert np.array_equal(quantized(x, module), rounded(x, scale, bits))


@FEW
@given(ROWS_OF_VALUES, BITS, NUMBERS, BOTH)
def test_po2_activations_have_shifts_for_scales(
    x: Floats, bits: int, thresholds: Floats, each: bool
) -> None:
    module = module_of(ActivationSpec(A.PO2, bits, each))
    (parameter,) = module.parameters()
    logarithms = thresholds if each else thresholds[:1]
    parameter.data = torch.from_numpy(logarithms.copy()).reshape(parameter.shape)
    scale = np.exp2(np.ceil(logarithms) - bits).astype(np.float32)
    assert np.array_equal(quantized(x, module), rounded(x, scale, bits))


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(("kind", "levels"), [(A.LSQ, [0.0, 0.5, 1.0, 1.5]), (A.PO2, None)])
def test_what_is_learned_begins_at_the_limit(
    kind: ActivationKind, levels: list[float] | None, each: bool
) -> None:
    module = activation(ActivationSpec(kind, 2, each, limit=1.5), CHANNELS, dimensions=0)
    x = np.repeat(np.linspace(-1, 3, 401, dtype=np.float32)[:, None], CHANNELS, 1)
    # a threshold of 1.5 is rounded up to 2
    expected = levels or [0.0, 0.5, 1.0, 1.5]
    assert sorted(set(quantized(x, module).ravel().tolist())) == expected


@FEW
@given(ROWS_OF_VALUES, NUMBERS, LIMITS)
def test_rsign_is_the_sign_behind_a_shift(x: Floats, shift: Floats, limit: float) -> None:
    module = module_of(ActivationSpec(A.RSIGN, 1, limit=limit))
    module.shift.shift.data = torch.from_numpy(shift.copy())
    expected = np.where(x + shift >= 0, np.float32(limit), np.float32(-limit))
    assert np.array_equal(quantized(x, module), expected)


@FEW
@given(ROWS_OF_VALUES, NUMBERS, NUMBERS, NUMBERS, BITS, LIMITS)
def test_rprelu_is_a_prelu_between_two_shifts(
    x: Floats, before: Floats, slopes: Floats, behind: Floats, bits: int, limit: float
) -> None:
    module = module_of(ActivationSpec(A.RPRELU, bits, limit=limit))
    bent = module.get_submodule("rprelu")
    numbers = (before, slopes, behind)
    of = (bent.shift_in.shift, bent.prelu.weight, bent.shift_out.shift)
    for parameter, values in zip(of, numbers, strict=True):
        parameter.data = torch.from_numpy(values.copy())
    z = x + before
    y = np.where(z > 0, z, slopes * z) + behind
    if bits == 1:
        expected = np.where(y >= 0, np.float32(limit), np.float32(-limit))
    else:
        most = 2 ** (bits - 1) - 1
        scale = np.float32(limit) / np.float32(most)
        expected = np.clip(np.round(y / scale), -most, most).astype(np.float32) * scale
    assert np.array_equal(quantized(x, module), expected)


def gradients(spec: ActivationSpec, values: list[list[float]]) -> tuple[Any, list[list[float]]]:
    """Return a module and the gradient of its input, of the sum of what it gives."""
    module = activation(spec, len(values[0]), dimensions=0)
    x = torch.tensor(values, requires_grad=True)
    values_of(module(x)).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    return module, x.grad.tolist()


def test_gradients_of_dorefa_end_where_it_clips() -> None:
    _, found = gradients(ActivationSpec(A.DOREFA, 2), [[-0.1, 0.4, 1.0, 1.1]])
    assert found == [[0.0, 1.0, 1.0, 0.0]]


def test_gradients_of_a_relu_end_half_a_step_behind() -> None:
    # levels are thirds: 1.1 is rounded to the last one, 1.2 is beyond
    _, found = gradients(ActivationSpec(A.RELU, 2), [[-0.1, 0.4, 1.1, 1.2]])
    assert found == [[0.0, 1.0, 1.0, 0.0]]


@pytest.mark.parametrize("each", [False, True])
def test_gradients_of_lsq_are_those_of_its_paper(each: bool) -> None:
    spec = ActivationSpec(A.LSQ, 2, each, limit=1.5)
    module, found = gradients(spec, [[0.625, 1.75], [-1.0, 1.0]])
    assert found == [[1.0, 0.0], [0.0, 1.0]]
    # a step of 1/2: 1.25 is rounded to 1, 3.5 is clipped to 3, -2 to 0, and 2 is a level
    (step,) = module.parameters()
    # of each image, one value with the step of a channel, or two with that of both
    expected = [-0.25 / sqrt(3), 3 / sqrt(3)] if each else [2.75 / sqrt(2 * 3)]
    assert np.array_equal(step.grad.numpy().ravel(), np.array(expected, np.float32))


def test_gradients_of_the_sign_are_those_of_bi_real_net() -> None:
    module, found = gradients(ActivationSpec(A.RSIGN, 1), [[-1.5, -0.75], [0.0, 0.25]])
    assert found == [[0.0, 0.5], [2.0, 1.5]]
    assert module.shift.shift.grad.tolist() == [2.0, 2.0]


def test_shifts_and_slopes_begin_where_they_do_nothing_much() -> None:
    x = np.array([[-2.0, 3.0]], np.float32)
    assert quantized(x, RPReLU(CHANNELS)).tolist() == [[-0.5, 3.0]]
    assert quantized(x, RSign(CHANNELS)).tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("dimensions", [0, 1, 2])
@pytest.mark.parametrize("kind", ActivationKind)
def test_channels_are_the_second_axis(kind: ActivationKind, dimensions: int) -> None:
    torch.manual_seed(0)
    bits = 1 if kind is A.RSIGN else 2
    x = torch.randn(3, CHANNELS, *range(4, 4 + dimensions))
    for each in [False, True] if kind in {A.RELU, A.LSQ, A.PO2} else [False]:
        module = activation(ActivationSpec(kind, bits, each), CHANNELS, dimensions=dimensions)
        for parameter in module.parameters():
            parameter.data += torch.rand_like(parameter)
        # each channel by itself, as a vector
        flat = x.movedim(1, -1).reshape(-1, CHANNELS)
        alone = activation(ActivationSpec(kind, bits, each), CHANNELS, dimensions=0)
        for own, theirs in zip(alone.parameters(), module.parameters(), strict=True):
            own.data = theirs.data.reshape(own.shape)
        expected = values_of(alone(flat)).reshape(*x.movedim(1, -1).shape).movedim(-1, 1)
        found = module(x)
        assert torch.equal(values_of(found), expected)
        # one that knows its bits, unless it has scales of channels
        assert isinstance(found, IntQuantTensor) != each
