"""Bounds and exact elements of windows: the executor is within, the exact interpreter is met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.streamline.bounded import Bounded, U, without_error
from lutloom.streamline.error_bound import BOUNDS, follow
from lutloom.streamline.exact_element import before_quantizer, element
from lutloom.streamline.executor import execute
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.level_edges import edges_of
from lutloom.streamline.oracle import evaluate
from lutloom.streamline.source import SourceNode, read_source
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.streamline.error_bound import Followed

CHANNELS_LAST = "qonnx.custom_op.channels_last"


@dataclass(frozen=True)
class Case:
    """An operator between two quantizers on images ``[6, 7, 5]``, or on the shape of its own."""

    operator: str
    attributes: dict[str, Any] = field(default_factory=dict)
    weights: tuple[int, ...] = ()
    bias: int = 0
    shape: tuple[int, ...] = (6, 7, 5)
    constants: tuple[Any, ...] = ()
    domain: str = ""

    def __str__(self) -> str:
        parts = (self.domain[-4:], self.operator, self.weights, self.attributes, self.bias)
        return "-".join(str(part).replace(" ", "") for part in parts if part)


LAST = {"kernel_shape": [3, 3], "strides": [1, 1], "dilations": [1, 1], "group": 1}
CASES = (
    Case("Conv", weights=(4, 6, 3, 3)),
    Case("Conv", {"pads": [1, 0, 2, 1]}, (4, 6, 3, 2), bias=4),
    Case("Conv", {"strides": [2, 3], "dilations": [2, 1], "pads": [2, 2, 2, 2]}, (5, 6, 3, 3)),
    Case("Conv", {"group": 3, "pads": [1, 1, 1, 1]}, (6, 2, 3, 3), bias=6),
    Case("Conv", {"group": 6, "auto_pad": "SAME_UPPER"}, (6, 1, 3, 3)),
    Case("Conv", {"group": 6, "auto_pad": "SAME_LOWER", "strides": [2, 2]}, (12, 1, 3, 3)),
    Case("Conv", {"pads": [2, 1], "strides": [2]}, (3, 6, 4), shape=(6, 11)),
    Case("Conv", weights=(4, 6, 1, 1)),
    Case("ConvTranspose", weights=(6, 4, 3, 3)),
    Case("ConvTranspose", {"strides": [2, 3], "pads": [1, 0, 0, 2]}, (6, 4, 3, 3), bias=4),
    Case("ConvTranspose", {"group": 3, "strides": [2, 2], "output_padding": [1, 0]}, (6, 2, 2, 4)),
    Case("ConvTranspose", {"dilations": [2], "strides": [3]}, (6, 3, 3), shape=(6, 5)),
    Case("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    Case("MaxPool", {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [1, 2]}),
    Case("MaxPool", {"kernel_shape": [3], "ceil_mode": 1, "strides": [2]}, shape=(6, 8)),
    Case("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    Case("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    Case("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    Case("AveragePool", {"kernel_shape": [3], "strides": [2], "ceil_mode": 1}, shape=(6, 8)),
    Case("GlobalAveragePool"),
    Case("GlobalMaxPool"),
    Case("GlobalAveragePool", shape=(6, 11)),
    Case("ReduceMean", {"axes": [2, 3], "keepdims": 0}),
    Case("ReduceMean", {"axes": [-1]}),
    Case("ReduceMax", {"axes": [2, 3]}),
    Case("ReduceMin", {"axes": [3], "keepdims": 0}),
    Case("ReduceSum", constants=([2, 3],)),
    Case("Pad", constants=([0, 0, 1, 2, 0, 0, 0, 1],)),
    Case("Pad", constants=([0, 0, 1, -2, 0, 0, -1, 1], 1.3)),
    Case("Pad", {"mode": "reflect"}, constants=([0, 0, 1, 2, 0, 0, 0, 1],)),
    Case("Pad", {"mode": "edge"}, constants=([0, 1, 1, 0, 0, 0, 0, 1],)),
    Case("Conv", {"pads": [1, 1, 1, 1], **LAST}, (4, 3, 3, 5), domain=CHANNELS_LAST),
    Case("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, domain=CHANNELS_LAST),
    Case("MaxPoolNHWC", {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4}, domain="Q"),
    Case(
        "Im2Col", {"kernel_size": [3, 2], "stride": [2, 1], "pad_amount": [1, 0, 1, 1]}, domain="Q"
    ),
)


def between_quantizers(case: Case, directory: Path, scale: float = 0.37) -> Path:
    """Return the operator behind a quantizer, a product and a sum, that leave an error."""
    random = np.random.default_rng(7)
    model = Writer(opset=13)
    x = model.quant("x", scale, bits=4)
    if case.operator not in {"Conv", "ConvTranspose"}:
        x = model.binary("Add", model.binary("Mul", x, 0.7 if scale == 0.37 else 0.5), 0.25)
    inputs = [x]
    if case.weights:
        limit = 7 * scale
        weights = random.uniform(-limit, limit, case.weights)
        inputs.append(model.quant(model.constant(weights), scale, bits=4))
    if case.bias:
        bias = random.integers(-9, 9, case.bias) * scale / 4
        inputs.append(model.constant(bias))
    inputs.extend(
        model.constant(constant, np.int64 if isinstance(constant, list) else np.float32)
        for constant in case.constants
    )
    domain = model.domain if case.domain == "Q" else case.domain
    extra: dict[str, Any] = {}
    if case.operator == "Im2Col":
        extra = {"input_shape": str((1, *case.shape)), "pad_value": 0, "dilations": [1, 1]}
    x = model.node(case.operator, inputs, domain=domain, **case.attributes, **extra)
    x = model.quant(x, 0.21 if scale == 0.37 else 0.25, bits=6)
    made = model.model(x, *case.shape)
    if domain == CHANNELS_LAST:
        made.opset_import.add(domain=domain, version=1)
    return write(made, directory)


def followed(path: Path, x: NDArray[np.float32]) -> tuple[Followed, dict[str, NDArray[Any]]]:
    source, tensors = read_source(path), execute(path, x)
    inputs = {source.inputs[0].name: without_error(x.astype(np.float64))}
    return follow(source, tensors, inputs, fold_constants(source)), tensors


def images(case: Case, count: int = 3) -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return random.normal(0, 1.5, size=(count, *case.shape)).astype(np.float32)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_executor_is_within_the_bound_of_every_window(tmp_path: Path, case: Case) -> None:
    path = between_quantizers(case, tmp_path)
    found, tensors = followed(path, images(case))
    assert found.beyond == {}
    output = read_source(path).nodes[-1].inputs[0]
    known = found.known[output]
    assert known.value.shape == tensors[output].shape
    assert (np.abs(tensors[output] - known.value) <= known.error).all()
    # It is a bound on rounding, and no excuse for everything: sums reach about 50.
    assert np.median(known.error) < 10_000 * U
    exact = evaluate(path, images(case))[output]
    assert np.abs((exact - known.value).astype(np.float64)).max() < 2.0**-40


@pytest.mark.parametrize("case", CASES, ids=str)
def test_where_float32_makes_no_error_there_is_no_bound(tmp_path: Path, case: Case) -> None:
    path = between_quantizers(case, tmp_path, scale=0.25)
    found, tensors = followed(path, images(case))
    assert found.beyond == {}
    output = read_source(path).nodes[-1].inputs[0]
    known = found.known[output]
    is_divided = case.operator.endswith(("AveragePool", "Mean"))
    assert is_divided or not known.error.any()
    assert is_divided or (tensors[output] == known.value).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_element_is_what_the_exact_interpreter_has_there(tmp_path: Path, case: Case) -> None:
    path = between_quantizers(case, tmp_path)
    x = images(case, 2)
    found, _ = followed(path, x)
    output = read_source(path).nodes[-1].inputs[0]
    exact = evaluate(path, x)[output]
    places = [tuple(place) for place in np.argwhere(np.ones(exact.shape, dtype=bool)).tolist()]
    random = np.random.default_rng(2)
    for i in random.permutation(len(places))[:40].tolist():
        assert element(found.exact, output, places[i]) == exact[places[i]]


TRUNCATIONS = (
    {"mode": "FLOOR", "inputs": (0.3, 0.0, 8, 4)},
    {"mode": "ROUND", "inputs": (0.3, 0.0, 8, 5)},
    {"mode": "CEIL", "inputs": (0.3, 3.0, 8, 5)},
    {"mode": "FLOOR", "inputs": (0.3, 0.0, 8, 1.2, 4)},
    {"mode": "ROUND", "inputs": (0.3, 0.0, 8, 0.85, 4)},
    {"mode": "DOWN", "inputs": (0.3, 0.0, 8, 2.4, 3)},
)


@pytest.mark.parametrize("case", TRUNCATIONS, ids=lambda case: str(case["inputs"]))
def test_truncation_has_the_levels_of_the_exact_interpreter(
    tmp_path: Path, case: dict[str, Any]
) -> None:
    model = Writer(opset=13)
    x = model.quant("x", 0.1, bits=7)
    constants = [model.constant(value) for value in case["inputs"]]
    attributes: dict[str, Any] = {"rounding_mode": case["mode"]}
    if len(constants) == 5:
        attributes |= {"signed": 1, "narrow": 0}
    x = model.node("Trunc", [x, *constants], domain=model.domain, **attributes)
    made = model.model(x, 50)
    made.opset_import[1].version = len(constants) - 3
    path = write(made, tmp_path)
    data = np.linspace(-6.5, 6.5, 50, dtype=np.float32)[np.newaxis]
    found, tensors = followed(path, data)
    node = read_source(path).nodes[-1]
    edges, exact = edges_of(node, tensors), evaluate(path, data)[node.outputs[0]]
    before = found.before[node.outputs[0]]
    levels = edges.reached(before.value)
    # Many of them are ties, three tenths being no multiple of a tenth.
    far = edges.distance(before.value) > before.error
    assert far.sum() > 20
    assert (edges.reals(levels)[far] - exact[far].astype(np.float64) < 2.0**-40).all()
    for place in np.ndindex(exact.shape):
        argument = before_quantizer(found.exact, node, place)
        assert argument is not None
        level = edges.exact_level(node, argument, 0)
        assert abs(float(exact[place]) - float(edges.reals(np.asarray(level)))) < 2.0**-30
        # The edges on both sides of a level enclose what belongs to it.
        above, below = (edges.above(np.asarray(k), np.asarray(0)) for k in (level, level - 1))
        assert below <= float(argument) + 2.0**-40
        assert above >= float(argument) - 2.0**-40


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_quantized_average_has_the_levels_of_the_exact_interpreter(
    tmp_path: Path, layout: str
) -> None:
    model = Writer(opset=13)
    x = model.quant("x", 1.0, bits=4, signed=False)
    attributes: dict[str, Any] = {"kernel": 2, "stride": 2, "ibits": 4, "obits": 4, "signed": 0}
    x = model.node("QuantAvgPool2d", [x], domain=model.domain, data_layout=layout, **attributes)
    path = write(model.model(x, 4, 6, 8), tmp_path)
    data = np.random.default_rng(3).uniform(0, 15, (3, 4, 6, 8)).astype(np.float32)
    found, tensors = followed(path, data)
    node = read_source(path).nodes[-1]
    exact, before = evaluate(path, data)[x], found.before[x]
    edges = edges_of(node, tensors)
    assert (edges.reals(edges.reached(before.value)) == exact).all()
    assert (found.known[x].value == exact).all()
    assert found.beyond == {}
    place = (1, 1, 2, 3)
    argument = before_quantizer(found.exact, node, place)
    assert argument is not None
    assert edges.exact_level(node, argument, 0) == exact[place]


SIXTEENTHS = st.lists(st.integers(-64, 64).map(lambda n: n / 16), min_size=4, max_size=4)


@given(values=SIXTEENTHS, errors=SIXTEENTHS, shifts=SIXTEENTHS)
@pytest.mark.parametrize("operator", ["MaxPool", "ReduceMax", "ReduceMin"])
def test_the_largest_is_within_its_bound_whatever_the_errors_are(
    operator: str, values: list[float], errors: list[float], shifts: list[float]
) -> None:
    value, error = np.array(values).reshape(1, 1, 4), np.abs(errors).reshape(1, 1, 4)
    computed = value + error * np.array(shifts) / 4
    attributes = {"kernel_shape": (2,), "strides": (2,), "axes": (2,)}
    node = SourceNode("n", operator, "", ("x",), ("y",), attributes)
    reduced = {
        "MaxPool": computed.reshape(1, 1, 2, 2).max(-1),
        "ReduceMax": computed.max(-1, keepdims=True),
        "ReduceMin": computed.min(-1, keepdims=True),
    }
    y = BOUNDS[operator](node, [Bounded(value, error)], {})
    assert (np.abs(reduced[operator] - y.value) <= y.error).all()
