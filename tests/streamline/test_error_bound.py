"""The bound on a float32 executor's error holds for every operator, and is zero where it can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.streamline import bound_functions
from lutloom.streamline.bounded import Bounded, U, without_error
from lutloom.streamline.element_origins import WITH_ORIGINS
from lutloom.streamline.error_bound import BOUNDS, Followed, follow
from lutloom.streamline.error_free import lost_by_adding
from lutloom.streamline.executor import execute
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.function_errors import FUNCTION_ERRORS
from lutloom.streamline.rule_table import RULES
from lutloom.streamline.rules.quant import OTHER_QUANTIZERS
from lutloom.streamline.source import STANDARD_DOMAINS, SourceNode, read_source
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Case:
    """An operator between two quantizers, its constant operands and attributes."""

    operator: str
    constants: tuple[Any, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 20
    positive: bool = False

    def __str__(self) -> str:
        parts = (self.operator, *map(str, self.constants), *map(str, self.attributes.values()))
        return "-".join(parts)


FUNCTIONS = (
    Case("Abs"),
    Case("Celu", attributes={"alpha": 0.7}),
    Case("Clip", (-1.1, 2.3)),
    Case("Elu", attributes={"alpha": 1.3}),
    Case("Erf"),
    Case("Exp"),
    Case("Gelu"),
    Case("Gelu", attributes={"approximate": "tanh"}),
    Case("HardSigmoid"),
    Case("HardSigmoid", attributes={"alpha": 0.3, "beta": 0.4}),
    Case("HardSwish"),
    Case("LeakyRelu"),
    Case("LeakyRelu", attributes={"alpha": 0.3}),
    Case("Log", positive=True),
    Case("Max", (0.3,)),
    Case("Mean", (0.3, 0.7)),
    Case("Min", (0.3, -0.7)),
    Case("Mish"),
    Case("PRelu", ([0.1, 0.2, -0.3, 1.7, 0.25, 0.0],)),
    Case("Pow", (2.0,)),
    Case("Pow", (3.0,)),
    Case("Pow", (0.7,), positive=True),
    Case("Reciprocal", positive=True),
    Case("Relu"),
    Case("Selu"),
    Case("Sigmoid"),
    Case("Softmax"),
    Case("LogSoftmax"),
    Case("Softplus"),
    Case("Softsign"),
    Case("Sqrt", positive=True),
    Case("Sum", (0.3, 0.7, 1.1)),
    Case("Tanh"),
    Case("ThresholdedRelu", attributes={"alpha": 0.9}),
)


def between_quantizers(case: Case, directory: Path, *, scale: float = 0.37) -> Path:
    """Return the operator behind a product of 4-bit numbers and a batch normalization."""
    random = np.random.default_rng(7)
    model = Writer(opset=case.opset)
    x = model.matmul(
        model.quant("x", 0.3, bits=4), random.integers(-7, 8, (6, 6)) * scale, scale=scale
    )
    x = model.batch_norm(x, [0.7] * 6, [0.1] * 6, [0.3] * 6, [1.7] * 6)
    if case.positive:
        x = model.binary("Add", model.node("Abs", [x]), 0.3)
    x = model.node(case.operator, [x, *map(model.constant, case.constants)], **case.attributes)
    return write(model.model(model.quant(x, 0.21, bits=5), 6), directory)


def followed(path: Path, x: NDArray[np.float32]) -> tuple[Followed, dict[str, NDArray[Any]]]:
    source, tensors = read_source(path), execute(path, x)
    inputs = {source.inputs[0].name: without_error(x.astype(np.float64))}
    return follow(source, tensors, inputs, fold_constants(source)), tensors


@pytest.mark.parametrize("case", FUNCTIONS, ids=str)
def test_the_executor_is_within_the_bound_of_every_function(tmp_path: Path, case: Case) -> None:
    path = between_quantizers(case, tmp_path)
    x = np.random.default_rng(1).normal(0, 1.5, size=(2000, 6)).astype(np.float32)
    found, tensors = followed(path, x)
    assert found.beyond == {}
    output = read_source(path).nodes[-1].inputs[0]
    known = found.known[output]
    distance = np.abs(tensors[output] - known.value)
    assert (distance <= known.error).all()
    # It is a bound on rounding, and no excuse for everything: the largest operand is about 40.
    assert np.median(known.error) < 2000 * U


# A square is a product: nothing of it is measured.
MEASURED = [c for c in FUNCTIONS if c.operator in FUNCTION_ERRORS and c.constants != (2.0,)]


@pytest.mark.parametrize("case", MEASURED, ids=str)
def test_an_understated_bound_is_noticed(
    tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "Gelu tanh" if case.attributes.get("approximate") else case.operator
    nothing = MappingProxyType({**FUNCTION_ERRORS, name: type(FUNCTION_ERRORS[name])()})
    # Without an error of its own, and with an argument that has none.
    monkeypatch.setattr(bound_functions, "FUNCTION_ERRORS", nothing)
    model = Writer(opset=20)
    x = model.quant("x", 2.0**-10, bits=16)
    if case.positive:
        x = model.binary("Add", model.node("Abs", [x]), 0.25)
    x = model.node(case.operator, [x, *map(model.constant, case.constants)], **case.attributes)
    path = write(model.model(model.quant(x, 0.21, bits=5), 6), tmp_path)
    data = np.random.default_rng(1).normal(0, 4, size=(2000, 6)).astype(np.float32)
    found, _ = followed(path, data)
    assert list(found.beyond) == [read_source(path).nodes[-1].inputs[0]]


EXACT = (
    Case("Abs"),
    Case("Add", (0.5,)),
    Case("Celu", attributes={"alpha": 2.0}, positive=True),
    Case("Clip", (-1.5, 2.25)),
    Case("Elu", positive=True),
    Case("HardSigmoid", attributes={"alpha": 0.25, "beta": 0.5}),
    Case("LeakyRelu", attributes={"alpha": 0.125}),
    Case("Max", (0.25, -0.5)),
    Case("Mean", (0.25,)),
    Case("Min", (0.25,)),
    Case("PRelu", ([0.125, 0.25, -0.5, 2.0, 0.75, 0.0],)),
    Case("Pow", (2.0,)),
    Case("Relu"),
    Case("Sub", (0.75,)),
    Case("Sum", (0.5,)),
    Case("ThresholdedRelu", attributes={"alpha": 0.5}),
    Case("Div", (0.25,)),
    Case("Mul", (-0.25,)),
    Case("Neg"),
)


@pytest.mark.parametrize("case", EXACT, ids=str)
def test_where_float32_makes_no_error_there_is_no_bound(tmp_path: Path, case: Case) -> None:
    random = np.random.default_rng(7)
    model = Writer(opset=20)
    x = model.matmul(model.quant("x", 0.5, bits=4), random.integers(-7, 8, (6, 6)) * 0.25, 4, 0.25)
    x = model.batch_norm(x, [0.5] * 6, [0.25] * 6, [1.5] * 6, [0.25] * 6, epsilon=0.0)
    if case.positive:
        x = model.node("Abs", [x])
    x = model.node(case.operator, [x, *map(model.constant, case.constants)], **case.attributes)
    path = write(model.model(model.quant(x, 0.25, bits=5), 6), tmp_path)
    data = random.normal(0, 1.5, size=(500, 6)).astype(np.float32)
    found, tensors = followed(path, data)
    assert found.beyond == {}
    for name, known in found.known.items():
        assert not known.error.any(), name
        assert (tensors[name] == known.value).all(), name
    assert not any(before.error.any() for before in found.before.values())


def test_a_shape_that_is_computed_stops_no_bound(tmp_path: Path) -> None:
    model = Writer(opset=13)
    x = model.matmul(model.quant("x", 0.3, bits=4), np.eye(6) * 0.1, bits=2, scale=0.1)
    first = model.node("Gather", [model.node("Shape", [x]), model.constant(0, np.int64)], axis=0)
    first = model.node("Unsqueeze", [first, model.constant([0], np.int64)])
    sizes = model.node("Concat", [first, model.constant([2, 3], np.int64)], axis=0)
    x = model.node("Reshape", [x, sizes])
    path = write(model.model(model.quant(x, 0.21, bits=5), 6), tmp_path)
    found, _ = followed(path, np.ones((4, 6), dtype=np.float32))
    assert found.before[read_source(path).nodes[-1].outputs[0]].error.shape == (4, 2, 3)


def test_every_operator_that_the_lowering_takes_has_a_bound() -> None:
    # Of shapes, which are no floats; of indices and levels, which have comparisons of their own.
    others = {"ArgMax", "ArgMin", "QuantizeLinear", "TopK", "Shape", *WITH_ORIGINS}
    refused = set(OTHER_QUANTIZERS)
    operators = {name for domain, name in RULES if domain in STANDARD_DOMAINS}
    assert operators - set(BOUNDS) - refused <= others


def bounded(case: Case, x: Bounded) -> Bounded:
    names = ("x", *(f"c{i}" for i in range(len(case.constants))))
    node = SourceNode("n", case.operator, "", names, ("y",), case.attributes)
    constants = [without_error(np.asarray(c, dtype=np.float64)) for c in case.constants]
    with np.errstate(all="ignore"):
        return BOUNDS[case.operator](node, [x, *constants], {})


ONE_NUMBER = [c for c in FUNCTIONS if "oftmax" not in c.operator and c.operator != "PRelu"]


@given(
    case=st.sampled_from(ONE_NUMBER),
    value=st.floats(-20, 20),
    error=st.floats(0, 4),
    place=st.floats(-1, 1),
)
def test_an_inherited_error_never_leads_out_of_the_bound(
    case: Case, value: float, error: float, place: float
) -> None:
    """Whatever the executor's argument is within its error, its result is within the new one."""
    if case.positive:
        value = abs(value) + error + 0.1
    argument = np.clip(value + place * error, value - error, value + error)
    here = bounded(case, Bounded(np.array([value]), np.array([error])))
    there = bounded(case, Bounded(np.array([argument]), np.zeros(1)))
    slack = 2.0**-40 * (1 + abs(float(there.value[0])))
    assert abs(there.value[0] - here.value[0]) <= here.error[0] + slack


@given(a=st.floats(-1e30, 1e30), b=st.floats(-1e30, 1e30))
def test_what_a_sum_loses_is_found(a: float, b: float) -> None:
    from fractions import Fraction

    lost = lost_by_adding(np.array(a), np.array(b))
    assert Fraction(a) + Fraction(b) == Fraction(float(np.array(a) + b)) + Fraction(float(lost))
