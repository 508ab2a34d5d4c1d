"""One element, evaluated backwards, is the exact interpreter's; or irrational, and nothing."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.streamline.bounded import without_error
from lutloom.streamline.error_bound import follow
from lutloom.streamline.exact_element import element
from lutloom.streamline.executor import execute
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.oracle import evaluate
from lutloom.streamline.source import read_source
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

OPERATORS: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...] = (
    ("Abs", (), {}),
    ("Add", (0.3,), {}),
    ("Celu", (), {"alpha": 0.7}),
    ("Clip", (-1.1, 2.3), {}),
    ("Clip", (0.0, np.inf), {}),
    ("Clip", (-np.inf, 0.3), {}),
    ("Div", (0.7,), {}),
    ("Gelu", (), {}),
    ("HardSigmoid", (), {"alpha": 0.3}),
    ("HardSwish", (), {}),
    ("LeakyRelu", (), {}),
    ("Max", (-np.inf,), {}),
    ("Mean", (0.3, 0.7), {}),
    ("PRelu", ([0.1, 0.2, -0.3],), {}),
    ("Pow", (3.0,), {}),
    ("Selu", (), {}),
    ("Softsign", (), {}),
    ("Transpose", (), {"perm": (0, 1)}),
)


@pytest.mark.parametrize(("operator", "constants", "attributes"), OPERATORS)
def test_an_element_is_what_the_exact_interpreter_has_there(
    tmp_path: Path, operator: str, constants: tuple[Any, ...], attributes: dict[str, Any]
) -> None:
    model = Writer(opset=20)
    x = model.matmul(model.quant("x", 0.3, bits=4), np.eye(3) * 0.37, bits=4, scale=0.37)
    x = model.batch_norm(x, [0.7, -0.7, 0.3], [0.1, 0.0, 0.3], [0.3, 0.0, 0.1], [1.7, 0.4, 1.0])
    x = model.node(operator, [x, *map(model.constant, constants)], **attributes)
    path = write(model.model(model.quant(x, 0.21, bits=5), 3), tmp_path)
    data = np.random.default_rng(1).normal(0, 1.5, size=(20, 3)).astype(np.float32)
    source, tensors = read_source(path), execute(path, data)
    inputs = {source.inputs[0].name: without_error(data.astype(np.float64))}
    followed = follow(source, tensors, inputs, fold_constants(source))
    exact = evaluate(path, data)
    name = source.nodes[-1].inputs[0]
    found = [element(followed.exact, name, place) for place in np.ndindex(exact[name].shape)]
    wanted = [y if isinstance(y, Fraction) else None for y in exact[name].ravel()]
    assert found == wanted
    assert any(y is not None for y in wanted)
