"""Trunc in both its versions, and QuantAvgPool2d: integers without their low bits."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.core.ops import Requantize, Threshold
from lutloom.core.types import IntType
from lutloom.sim.reference import run
from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import QONNX, Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray
    from onnx import ModelProto

    from lutloom.core.network import Network

MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
SHAPE = (2, 6, 6)


def trunc(w: Writer, x: str, *operands: ArrayLike, mode: str = "FLOOR", **attributes: int) -> str:
    """Drop bits: of ``scale, zero_point, bits, output bits`` as in version 1, or as in version 2
    of ``scale, zero_point, bits, output scale, output bits``.
    """
    more: dict[str, Any] = dict(attributes)
    inputs = [x, *map(w.constant, operands)]
    return w.node("Trunc", inputs, domain=QONNX, rounding_mode=mode, **more)


def ramp(first: int, last: int) -> NDArray[np.int64]:
    return np.arange(first, last + 1).reshape(-1, 1)


def of_integers(make: Callable[[Writer, str], str]) -> tuple[ModelProto, RawInput]:
    """Return a model that ``make`` makes of a raw integer."""
    w = Writer()
    return w.model(make(w, "x"), 1), RawInput(IntType(-40, 40))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("zero_point", [0.0, 3.0, -1.5])
@pytest.mark.parametrize("bits", [(6, 4), (4, 4), (3, 5)])
def test_the_first_version_keeps_the_scale(
    mode: str, zero_point: float, bits: tuple[int, int], tmp_path: Path
) -> None:
    model, raw = of_integers(lambda w, x: trunc(w, x, 0.75, zero_point, *bits, mode=mode))
    compare(model, tmp_path, ramp(-40, 40), raw)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("zero_point", [0.0, 3.0, -1.5])
@pytest.mark.parametrize("output_scale", [4.0, 3.1, 0.25])
def test_the_second_version_divides_by_the_nearest_power_and_clamps(
    mode: str, zero_point: float, output_scale: float, tmp_path: Path
) -> None:
    for signed, narrow in ((1, 0), (1, 1), (0, 0), (0, 1)):
        w = Writer()
        known = (1.0, zero_point, 8, output_scale, 4)
        x = trunc(w, "x", *known, mode=mode, signed=signed, narrow=narrow)
        compare(w.model(x, 1), tmp_path, ramp(-40, 40), RawInput(IntType(-40, 40)))


def test_the_first_rounding_repairs_a_scale_that_float32_holds_only_nearly(tmp_path: Path) -> None:
    """The mean of nine integers of scale s, truncated at float32(s / 9): sum, shift, clamp."""
    scale = np.float32(0.1)
    unit = np.float32(scale / 9)
    assert Fraction(float(unit)) * 9 != Fraction(float(scale))
    w = Writer()
    x = w.quant("x", scale, bits=4, signed=False)
    x = w.node("AveragePool", [x], kernel_shape=[3, 3], strides=[3, 3], count_include_pad=1)
    x = trunc(w, x, unit, 0.0, 8, np.float32(unit * 16), 4, signed=0, narrow=0)
    data = np.random.default_rng(0).uniform(-0.2, 1.8, (40, *SHAPE)).astype(np.float32)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, data)
    (op,) = (node.op for node in network.graph.nodes if isinstance(node.op, Threshold))
    # The same staircase for all channels: one level for every sixteen.
    assert op.thresholds.int64.tolist() == [list(range(16, 16 * 9, 16))]


def test_scales_differ_by_channel(tmp_path: Path) -> None:
    w = Writer()
    scale = np.array([0.25, 0.5], dtype=np.float32).reshape(1, 2, 1, 1)
    wanted = np.array([0.5, 4.0], dtype=np.float32).reshape(1, 2, 1, 1)
    x = trunc(w, w.quant("x", 0.25, bits=6), scale, 0.0, 8, wanted, 3, mode="ROUND", signed=1)
    data = np.random.default_rng(0).integers(-40, 40, (8, *SHAPE)).astype(np.float32) / 4
    compare(w.model(x, *SHAPE), tmp_path, data)


@pytest.mark.parametrize("mode", MODES)
def test_many_levels_are_shifted(mode: str, tmp_path: Path) -> None:
    w = Writer()
    x = trunc(w, "x", 1.0, 3.0, 16, 14, mode=mode)
    model, raw = w.model(x, 1), RawInput(IntType(-(2**15), 2**15 - 1))
    data = np.unique(np.concatenate([np.arange(-40, 41), np.arange(-(2**15), 2**15, 257)]))
    network, _ = compare(model, tmp_path, data.reshape(-1, 1), raw)
    assert [type(node.op) for node in network.graph.nodes] == [Requantize]


def test_many_levels_behind_a_scale_that_is_nearly_a_unit_are_shifted(tmp_path: Path) -> None:
    """The first rounding is proved to do nothing but repair the scale."""
    w = Writer()
    x = w.binary("Div", "x", 9.0)
    x = trunc(w, w.node("Relu", [x]), np.float32(1 / 9), 0.0, 16, 15, mode="ROUND")
    data = np.arange(-100, 2**15, 313).reshape(-1, 1)
    network, _ = compare(w.model(x, 1), tmp_path, data, RawInput(IntType(-(2**15), 2**15 - 1)))
    assert [type(node.op) for node in network.graph.nodes] == [Requantize]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(MODES),
    st.fractions(Fraction(1, 8), 8, max_denominator=32),
    st.integers(-6, 6),
    st.one_of(st.integers(-3, 5), st.none()),
    st.integers(2, 6),
)
def test_any_scales_and_modes_are_exact(
    tmp_path_factory: pytest.TempPathFactory,
    mode: str,
    scale: Fraction,
    halves: int,
    power: int | None,
    bits: int,
) -> None:
    def make(w: Writer, x: str) -> str:
        known = (float(scale), halves / 2, 8)
        if power is None:
            return trunc(w, x, *known, bits, mode=mode)
        output_scale = np.float32(float(scale) * 2.0**power * 1.2)
        return trunc(w, x, *known, output_scale, bits, mode=mode, signed=halves % 2)

    model, raw = of_integers(make)
    compare(model, tmp_path_factory.mktemp("trunc"), ramp(-40, 40), raw)


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize(("kernel", "stride", "obits"), [(2, 2, 4), (3, 2, 4), (2, 1, 8)])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_sums_of_windows_are_shifted(
    signed: int, kernel: int, stride: int, obits: int, layout: str, tmp_path: Path
) -> None:
    """As FINN has them, on integers; sums that are none are rounded first."""
    how: dict[str, Any] = {"data_layout": layout, "kernel": kernel, "stride": stride}
    how |= {"ibits": 4, "obits": obits, "signed": signed}
    for scale in (1.0, 0.75):
        w = Writer()
        x = w.quant("x", scale, bits=4, signed=bool(signed))
        x = w.node("QuantAvgPool2d", [x], domain=QONNX, **how)
        data = np.random.default_rng(0).integers(-9, 17, (8, 5, 6, 4)).astype(np.float32)
        network, _ = compare(w.model(x, 5, 6, 4), tmp_path, data)
        found = [n.op.name for n in network.graph.nodes if n.op.name != "permute"]
        assert found in (["sum_pool", "threshold"], ["sum_pool"])


def test_float_executors_agree_where_they_make_no_error(tmp_path: Path) -> None:
    for mode in ("FLOOR", "ROUND", "CEIL"):
        w = Writer()
        x = w.quant("x", 0.25, bits=4)
        x = w.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
        x = trunc(w, x, 0.0625, 0.0, 8, 0.5, 4, mode=mode, signed=1, narrow=0)
        x = trunc(w, x, 0.5, 0.0, 4, 3, mode=mode)
        path = write(w.model(x, *SHAPE), tmp_path)
        data = (np.random.default_rng(0).integers(-9, 10, (30, *SHAPE)) / 4).astype(np.float32)
        assert (decoded(streamline(path), data) == execute(path, data)[x]).all()


def decoded(network: Network, data: NDArray[np.float32]) -> NDArray[Any]:
    values = run(network.graph, {network.input_value: network.encode(data)})
    return network.decode(values[network.output_value])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda w, x: trunc(w, x, 0.0, 0.0, 8, 4), r"^Trunc node .*: its scale is zero, infinite "),
        (lambda w, x: trunc(w, x, 1.0, 1e30, 8, 4), r"^Trunc node .*: its levels lie beyond 64 b"),
        (lambda w, x: trunc(w, x, 1.0, 0.0, 8, 4.5), r"its bit widths should be integers from 1"),
        (lambda w, x: trunc(w, x, 1.0, 0.0, 8, -1.0, 4), r"have different signs, so that no power"),
        (lambda w, x: trunc(w, x, 1.0, 0.0, 8, 4, mode="sideways"), r"rounding mode 'sideways' is"),
        (lambda w, x: trunc(w, x, 1.0, 0.0, 8), r"^Trunc node .* has 4 inputs, and should have 5"),
        (lambda w, x: trunc(w, w.node("Softmax", [x]), 1.0, 0.0, 8, 4), r"^Trunc node .* needs in"),
        (
            lambda w, x: w.node("QuantAvgPool2d", [x], domain=QONNX, kernel=2, stride=2, ibits=4),
            r"^QuantAvgPool2d node .*: data of 2 dimensions have no layout NCHW",
        ),
    ],
)
def test_what_is_no_truncation_is_refused(
    make: Callable[[Writer, str], str], message: str, tmp_path: Path
) -> None:
    model, raw = of_integers(make)
    with pytest.raises(ModelError, match=message):
        streamline(write(model, tmp_path), raw)


def test_many_levels_that_are_rounded_twice_are_refused(tmp_path: Path) -> None:
    w = Writer()
    model = w.model(trunc(w, "x", 0.75, 0.0, 16, 15), 1)
    with pytest.raises(ModelError, match=r"^Trunc node .* rounds what is no integer before it tr"):
        streamline(write(model, tmp_path), RawInput(IntType(-(2**15), 2**15 - 1)))


def test_a_window_of_an_average_is_positive(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("QuantAvgPool2d", ["x"], domain=QONNX, kernel=0, stride=2, ibits=4, obits=4)
    with pytest.raises(ModelError, match=r"its kernel, stride, ibits and obits \(0, 2, 4, 4\)"):
        streamline(write(w.model(x, *SHAPE), tmp_path), RawInput(IntType(0, 15)))
