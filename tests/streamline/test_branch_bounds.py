"""Error bounds and exact elements where tensors meet, and where nodes only take elements of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.streamline.bounded import without_error
from lutloom.streamline.element_origins import WITH_ORIGINS
from lutloom.streamline.error_bound import BOUNDS, Followed, follow
from lutloom.streamline.exact_element import element
from lutloom.streamline.executor import execute
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.oracle import evaluate
from lutloom.streamline.source import read_source
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHAPE = (4, 6, 5)
Made = Callable[[Writer, str, str], str]
"""From a model and two of its tensors ``[N, *SHAPE]`` to a third one."""


def node(kind: str, *operands: Any, **attributes: Any) -> Made:  # noqa: ANN401 - numbers of any kind
    """Return a node of the first tensor and of constants: integers where they are lists of them."""

    def make(model: Writer, x: str, _: str) -> str:
        constants = [
            ""
            if operand is None
            else model.constant(operand, np.float32 if _is_float(operand) else np.int64)
            for operand in operands
        ]
        return model.node(kind, [x, *constants], **attributes)

    return make


def _is_float(operand: Any) -> bool:  # noqa: ANN401 - as above
    return np.asarray(operand).dtype.kind == "f"


def part(index: int, count: int) -> Made:
    """Return one result of a Split into so many."""

    def make(model: Writer, x: str, _: str) -> str:
        names = [f"part{i}" for i in range(count)]
        sizes = model.constant([1, *[1] * (count - 2), SHAPE[0] - count + 1], np.int64)
        model.node("Split", [x, sizes], outputs=names, axis=1)
        return names[index]

    return make


def with_mean(kind: str, axes: tuple[int, ...]) -> Made:
    """Return the first tensor and the mean of the second along ``axes``, which is broadcast."""

    def make(model: Writer, x: str, y: str) -> str:
        mean = model.node("ReduceMean", [y], axes=list(axes), keepdims=1)
        return model.node(kind, [x, mean])

    return make


def both(kind: str, **attributes: Any) -> Made:  # noqa: ANN401 - whatever ONNX takes
    """Return a node of both tensors."""
    return lambda model, x, y: model.node(kind, [x, y], **attributes)


def attention(model: Writer, x: str, y: str) -> str:
    """Return ``x`` times ``y`` transposed, for each channel."""
    return model.node("MatMul", [x, model.node("Transpose", [y], perm=(0, 1, 3, 2))])


RESIZE = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}

TAKERS: Mapping[str, Made] = {
    "channels": node("Gather", [2, 0, 3], axis=1),
    "rows": node("Gather", [-1, 1], axis=2),
    "slice": node("Slice", [1, -1], [2**40, -(2**40)], [1, 3], [1, -2]),
    "first part": part(0, 3),
    "last part": part(2, 3),
    "depth to space": node("DepthToSpace", blocksize=2),
    "depth to space by columns": node("DepthToSpace", blocksize=2, mode="CRD"),
    "space to depth": lambda model, x, y: model.node(
        "SpaceToDepth", [node("Slice", [0], [4], [3])(model, x, y)], blocksize=2
    ),
    "resize": node("Resize", None, [1.0, 1.0, 2.0, 3.0], nearest_mode="floor", **RESIZE),
    "resize to half": node("Resize", None, [1.0, 1.0, 0.5, 0.6], nearest_mode="floor", **RESIZE),
    "resize by default": node("Resize", None, [1.0, 1.0, 1.5, 2.0]),
    "expand": lambda model, x, y: model.node(
        "Expand",
        [node("Slice", [1], [2], [1])(model, x, y), model.constant([1, 3, 1, 1], np.int64)],
    ),
    "tile": node("Tile", [1, 2, 1, 3]),
}

JOINS: Mapping[str, Made] = {
    "sum": both("Add"),
    "difference": both("Sub"),
    "product": both("Mul"),
    "square": lambda model, x, _: model.node("Mul", [x, x]),
    "largest": both("Max"),
    "channels": both("Concat", axis=1),
    "columns": both("Concat", axis=-1),
    "gate": with_mean("Mul", (2, 3)),
    "map": with_mean("Mul", (1,)),
    "bias": with_mean("Add", (2, 3)),
    "attention": attention,
}


def between_quantizers(make: Made, directory: Path, scale: float) -> Path:
    """Return the tensor that is made between two quantizers, its operands with an error or none."""
    is_rounded = scale == 0.37
    model = Writer(opset=13)
    x = model.quant("x", scale, bits=4)
    one = model.binary("Add", model.binary("Mul", x, 0.7 if is_rounded else 0.5), 0.25)
    other = model.binary("Mul", model.quant("x", 2 * scale, bits=3), 1.3 if is_rounded else 2.0)
    y = model.quant(make(model, one, other), 0.21 if is_rounded else 0.25, bits=6)
    return write(model.model(y, *SHAPE), directory)


def followed(path: Path, x: NDArray[np.float32]) -> tuple[Followed, dict[str, NDArray[Any]]]:
    source, tensors = read_source(path), execute(path, x)
    inputs = {source.inputs[0].name: without_error(x.astype(np.float64))}
    return follow(source, tensors, inputs, fold_constants(source)), tensors


def images(count: int) -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return random.normal(0, 1.5, size=(count, *SHAPE)).astype(np.float32)


ALL = {**TAKERS, **JOINS}


@pytest.mark.parametrize("name", ALL)
def test_the_executor_is_within_the_bound(name: str, tmp_path: Path) -> None:
    path = between_quantizers(ALL[name], tmp_path, 0.37)
    found, tensors = followed(path, images(3))
    assert found.beyond == {}
    output = read_source(path).nodes[-1].inputs[0]
    known = found.known[output]
    assert known.value.shape == tensors[output].shape
    assert known.error.any()
    assert (np.abs(tensors[output] - known.value) <= known.error).all()


@pytest.mark.parametrize("name", ALL)
def test_where_float32_makes_no_error_there_is_no_bound(name: str, tmp_path: Path) -> None:
    path = between_quantizers(ALL[name], tmp_path, 0.5)
    found, tensors = followed(path, images(3))
    output = read_source(path).nodes[-1].inputs[0]
    known = found.known[output]
    is_divided = name in {"gate", "map", "bias"}
    assert is_divided or not known.error.any()
    assert is_divided or (tensors[output] == known.value).all()


@pytest.mark.parametrize("name", ALL)
def test_an_element_is_what_the_exact_interpreter_has_there(name: str, tmp_path: Path) -> None:
    path = between_quantizers(ALL[name], tmp_path, 0.37)
    x = images(2)
    found, _ = followed(path, x)
    output = read_source(path).nodes[-1].inputs[0]
    exact = evaluate(path, x)[output]
    places = list(np.ndindex(exact.shape))
    for i in np.random.default_rng(2).permutation(len(places))[:40].tolist():
        assert element(found.exact, output, places[i]) == exact[places[i]]


def test_rows_of_a_table_are_taken_by_the_data(tmp_path: Path) -> None:
    model = Writer(opset=13)
    table = model.quant(model.constant(np.random.default_rng(1).normal(size=(9, 4))), 0.3, bits=4)
    y = model.quant(model.node("Gather", [table, "x"]), 0.21, bits=5)
    made = model.model(y, 5)
    made.graph.input[0].type.tensor_type.elem_type = 7  # int64
    path = write(made, tmp_path)
    x = np.random.default_rng(2).integers(0, 9, (3, 5))
    source, tensors = read_source(path), execute(path, x)
    found = follow(source, tensors, {}, fold_constants(source))
    output = source.nodes[-1].inputs[0]
    assert output in found.known
    exact = evaluate(path, x)[output]
    for place in np.ndindex(exact.shape):
        assert element(found.exact, output, place) == exact[place]


def test_no_operator_takes_elements_and_has_a_bound_besides() -> None:
    assert WITH_ORIGINS.isdisjoint(BOUNDS)
