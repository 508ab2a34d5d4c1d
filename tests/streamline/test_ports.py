"""Models with several inputs and outputs: imported, and equal to the oracle and the executor."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto

from lutloom.core.types import IntType
from lutloom.sim.reference import run
from lutloom.streamline.comparison import compare as compare_floats
from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import RawInput, import_model
from lutloom.streamline.oracle import evaluate
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.source import read_source
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto


Arrays = dict[str, Any]
RNG = np.random.default_rng(0)
WEIGHTS = RNG.integers(-4, 4, (6, 5)).astype(np.float32)
OTHERS = RNG.integers(-4, 4, (4, 5)).astype(np.float32)
KERNEL = RNG.integers(-4, 4, (4, 3, 3, 3)).astype(np.float32)


def floats(seed: int, *shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(scale=2, size=shape).astype(np.float32)


def two_inputs(w: Writer) -> ModelProto:
    """Return a sum of products of two vectors of other sizes."""
    left = w.matmul(w.quant("left", 0.5), WEIGHTS)
    right = w.matmul(w.quant("right", 0.25, bits=3), OTHERS)
    return w.model(w.quant(w.node("Add", [left, right]), 1.5), inputs={"left": (6,), "right": (4,)})


def image_and_vector(w: Writer) -> ModelProto:
    """Return a network in which an image, channels first in the model, meets a vector."""
    x = w.node("Conv", [w.quant("image", 0.5), w.quant(w.constant(KERNEL))], pads=[1, 1, 1, 1])
    x = w.quant(x, 2.0, bits=3, signed=False)
    x = w.node("Flatten", [x], axis=1)
    x = w.matmul(x, np.random.default_rng(3).integers(-4, 4, (80, 5)))
    y = w.matmul(w.quant("vector", 0.25), OTHERS)
    return w.model(w.quant(w.node("Add", [x, y]), 4.0), inputs={"image": (3, 4, 5), "vector": (4,)})


def siamese(w: Writer) -> ModelProto:
    """Return the difference of two images behind the same weights."""
    kernel = w.quant(w.constant(KERNEL))

    def branch(image: str) -> str:
        x = w.node("Conv", [w.quant(image, 0.5), kernel], pads=[1, 1, 1, 1])
        x = w.quant(x, 2.0, bits=3, signed=False)
        return w.matmul(
            w.node("Flatten", [x], axis=1), np.random.default_rng(3).integers(-4, 4, (80, 5))
        )

    y = w.node("Sub", [branch("one"), branch("two")])
    return w.model(w.quant(y, 4.0), 3, 4, 5, inputs=("one", "two"))


def two_scales(w: Writer) -> ModelProto:
    """Return a detector's outputs: one of features that are read inside as well."""
    kernels = [w.quant(w.constant(RNG.integers(-4, 4, s))) for s in ((4, 3, 3, 3), (2, 4, 3, 3))]
    x = w.node("Conv", [w.quant("x", 0.5), kernels[0]], pads=[1, 1, 1, 1])
    features = w.quant(x, 2.0, bits=3, signed=False)
    small = w.node("Conv", [features, kernels[1]], strides=[2, 2], pads=[1, 1, 1, 1])
    return w.model([features, w.quant(small, 3.0)], 3, 4, 6)


def logits_and_class(w: Writer) -> ModelProto:
    """Return what is made of one value: as it is, behind a softmax, twice as much, and a class."""
    logits = w.quant(w.matmul(w.quant("x", 0.5), WEIGHTS), 1.5)
    y = [
        logits,
        w.node("Softmax", [logits], axis=-1),
        w.binary("Mul", logits, 2.0),
        w.node("ArgMax", [logits], axis=1, keepdims=0),
        w.node("Relu", [logits]),
    ]
    model = w.model(y, 6)
    model.graph.output[3].type.tensor_type.elem_type = TensorProto.INT64
    return model


MODELS: dict[str, tuple[Any, Arrays]] = {
    "two inputs": (two_inputs, {"left": floats(0, 20, 6), "right": floats(1, 20, 4)}),
    "image and vector": (
        image_and_vector,
        {"image": floats(0, 9, 3, 4, 5), "vector": floats(1, 9, 4)},
    ),
    "siamese": (siamese, {"one": floats(0, 9, 3, 4, 5), "two": floats(1, 9, 3, 4, 5)}),
    "two scales": (two_scales, {"x": floats(0, 9, 3, 4, 6)}),
    "logits and class": (logits_and_class, {"x": floats(0, 30, 6)}),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_number_is_the_oracle_s(name: str, tmp_path: Path) -> None:
    make, data = MODELS[name]
    compare(make(Writer()), tmp_path, data)


@pytest.mark.parametrize("name", MODELS)
def test_every_output_is_the_executor_s(name: str, tmp_path: Path) -> None:
    make, data = MODELS[name]
    path = write(make(Writer()), tmp_path)
    network, source, tensors = streamline(path), read_source(path), execute(path, data)
    encoded = network.encode_all(data)
    result = compare_floats(network, source, tensors, encoded)
    assert result.outside == 0
    assert [output.name for output in result.outputs] == [port.name for port in source.outputs]
    assert all(layer.is_equal for layer in result.layers)
    outputs = network.decode_all(run(network.graph, encoded))
    for output in result.outputs:
        ours, theirs = outputs[output.name], tensors[output.name]
        assert ours.shape == theirs.shape
        if ours.dtype.kind == "i":
            assert (ours == theirs)[output.excused].all()


def test_inputs_are_in_the_order_of_the_model_and_not_of_their_quantizers(tmp_path: Path) -> None:
    w = Writer()
    right, left = w.quant("right", 0.25), w.quant("left", 0.5)
    model = w.model(w.node("Add", [right, left]), 3, inputs=("left", "right"))
    network = streamline(write(model, tmp_path))
    assert [port.name for port in network.inputs] == ["left", "right"]
    assert list(network.graph.inputs) == [port.value for port in network.inputs]


def test_equal_outputs_come_from_one_value(tmp_path: Path) -> None:
    network = streamline(write(logits_and_class(Writer()), tmp_path))
    assert len(network.outputs) == 5
    assert len(set(network.graph.outputs)) == len(network.graph.outputs) == 2
    assert [port.meaning.scale for port in network.outputs[:1]] == [(Fraction(3, 2),)]


def test_outputs_with_equal_integers_of_other_scales_stay_apart(tmp_path: Path) -> None:
    w = Writer()
    x = w.matmul(w.quant("x"), WEIGHTS)
    scaled = [w.quant(x, 2.0, bits=3), w.quant(w.binary("Mul", x, 3.0), 6.0, bits=3)]
    network, _ = compare(w.model(scaled, 6), tmp_path, {"x": floats(0, 20, 6)})
    assert [port.meaning.scale for port in network.outputs] == [(Fraction(2),), (Fraction(6),)]
    assert len(network.graph.outputs) == 1


def test_one_output_may_be_named_twice(tmp_path: Path) -> None:
    w = Writer()
    y = w.quant(w.matmul(w.quant("x"), WEIGHTS), 2.0)
    again = w.node("Identity", [y])
    network, _ = compare(w.model([y, again], 6), tmp_path, {"x": floats(0, 20, 6)})
    assert [port.name for port in network.outputs] == [y, again]
    assert len(network.graph.outputs) == 1


def raw_inputs(w: Writer) -> ModelProto:
    x = w.node("Add", ["a", w.binary("Mul", "b", 0.5)])
    return w.model(w.matmul(x, WEIGHTS), 6, inputs=("a", "b"))


def test_each_input_may_hold_integers_of_its_own(tmp_path: Path) -> None:
    raw = {
        "a": RawInput(IntType(0, 255), (Fraction(1, 255),)),
        "b": RawInput(IntType(-8, 7), (Fraction(1, 4),), (Fraction(1, 3),)),
    }
    data = {
        "a": RNG.integers(0, 256, (9, 6)),
        "b": RNG.integers(-8, 8, (9, 6)),
    }
    network, _ = compare(raw_inputs(Writer()), tmp_path, data, raw)
    assert [port.is_raw for port in network.inputs] == [True, True]


def test_raw_inputs_and_floats_may_stand_side_by_side(tmp_path: Path) -> None:
    w = Writer()
    y = w.node("Add", [w.matmul("a", WEIGHTS), w.matmul(w.quant("b", 0.5), WEIGHTS)])
    model = w.model(y, 6, inputs=("a", "b"))
    data: Arrays = {"a": RNG.integers(0, 2, (9, 6)), "b": floats(0, 9, 6)}
    network, _ = compare(model, tmp_path, data, {"a": RawInput(IntType(0, 1))})
    assert [port.is_raw for port in network.inputs] == [True, False]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (RawInput(IntType(0, 1)), r"has the inputs 'a', 'b': say for which of them --input-type "),
        (
            {"c": RawInput(IntType(0, 1))},
            r"has no input 'c', which --input-type names: .* 'a', 'b'",
        ),
    ],
)
def test_an_input_type_for_no_input_or_any_is_refused(
    raw: RawInput | dict[str, RawInput], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        streamline(write(raw_inputs(Writer()), tmp_path), raw)


def test_two_images_that_meet_are_both_taken_channels_last(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Add", [w.quant("a", 0.5), w.quant("b", 0.5)])
    y = w.node("Conv", [x, w.quant(w.constant(KERNEL))], pads=[1, 1, 1, 1])
    model = w.model(w.quant(y, 2.0), 3, 4, 5, inputs=("a", "b"))
    data = {"a": floats(0, 5, 3, 4, 5), "b": floats(1, 5, 3, 4, 5)}
    network, _ = compare(model, tmp_path, data)
    assert [type_.shape for type_ in network.graph.inputs.values()] == [(4, 5, 3)] * 2


def test_each_image_that_is_read_by_windows_is_taken_channels_last(tmp_path: Path) -> None:
    network = streamline(write(siamese(Writer()), tmp_path))
    assert [type_.shape for type_ in network.graph.inputs.values()] == [(4, 5, 3)] * 2
    assert not [node for node in network.graph.nodes if node.op.name == "permute"]


def test_an_input_whose_numbers_cancel_out_is_refused(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("Add", [w.quant("a"), w.binary("Mul", w.quant("b"), 0.0)])
    model = w.model(w.matmul(x, WEIGHTS), 6, inputs=("a", "b"))
    with pytest.raises(ModelError, match=r"no output depends on the input 'b': take it out of"):
        streamline(write(model, tmp_path))


def test_batches_of_different_sizes_are_refused(tmp_path: Path) -> None:
    w = Writer()
    model = w.model(w.node("Add", [w.quant("a"), w.quant("b")]), 6, inputs=("a", "b"), batch=2)
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = 6
    message = r"its inputs have batches of different sizes, {'a': 2, 'b': 6}: the first dimension"
    with pytest.raises(ModelError, match=message):
        import_model(read_source(write(model, tmp_path)))


def test_independent_networks_in_one_file_are_one_network(tmp_path: Path) -> None:
    w = Writer()
    y = [w.quant(w.matmul(w.quant(x), WEIGHTS), 2.0) for x in ("a", "b")]
    model = w.model(y, 6, inputs=("a", "b"))
    network, _ = compare(model, tmp_path, {"a": floats(0, 9, 6), "b": floats(1, 9, 6)})
    assert len(network.graph.outputs) == 2


def test_the_oracle_is_told_its_inputs_by_name(tmp_path: Path) -> None:
    w = Writer()
    path = write(w.model(w.node("Sub", ["a", "b"]), 2, inputs=("a", "b")), tmp_path)
    found = evaluate(path, {"b": np.array([[1, 2]]), "a": np.array([[5, 9]])})
    assert found["Sub_0_out"].tolist() == [[4, 7]]
