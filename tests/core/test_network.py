from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.errors import RangeError
from lutloom.core.graph import Graph, Node
from lutloom.core.meaning import ValueMeaning
from lutloom.core.network import Network
from lutloom.core.ops import Reshape
from lutloom.core.ports import InputPort, OutputPort
from lutloom.core.types import BIPOLAR, IntType, TensorType

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


def raw(element: IntType, scale: Fraction, bias: Fraction = Fraction(0)) -> Network:
    """Return a network of two channels of three that changes nothing, channels last inside."""
    graph = Graph(
        {"x": TensorType(element, (3, 2))}, (Node(("y",), Reshape((6,)), ("x",)),), ("y",)
    )
    entry = ValueMeaning((scale,), (bias,), "x", "x", (1, 0), is_quantized=True)
    flat = replace(entry, axes=(0,))
    return Network(
        graph=graph,
        meaning={"x": entry, "y": flat},
        inputs=(InputPort("x", "x", (2, 3), (), is_raw=True),),
        outputs=(OutputPort("y", "y", flat, (6,), (), is_integer=False),),
    )


BYTES = raw(IntType(0, 255), Fraction(1, 255))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, np.int64])
def test_integers_are_taken_as_they_are_channels_last(dtype: DTypeLike) -> None:
    data = np.array([[[0, 1, 2], [253, 254, 255]]], dtype=dtype)
    assert BYTES.encode(data).tolist() == [[[0, 253], [1, 254], [2, 255]]]
    assert BYTES.encode(data).dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("scale", "bias"),
    [
        (Fraction(1, 255), Fraction(0)),
        (Fraction(-1, 3), Fraction(2, 7)),
        (Fraction(1, 10**6), Fraction(5)),
        (Fraction(2**20), Fraction(1)),
    ],
)
def test_every_byte_is_found_again_from_its_float(
    dtype: DTypeLike, scale: Fraction, bias: Fraction
) -> None:
    network = raw(IntType(0, 255), scale, bias)
    integers = np.arange(258) % 256
    reals = np.array([float(scale * int(i) + bias) for i in integers], dtype=dtype)
    assert network.encode(reals.reshape(-1, 2, 3)).transpose(0, 2, 1).ravel().tolist() == (
        integers.tolist()
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            np.float32(0.3),
            r"hold 0\.30\d*, which is no multiple of the input's scale 1/255: ",
        ),
        (
            np.float32(2),
            r"hold 2\.0, but the input takes the integers 0 to 255 times 1/255 plus",
        ),
        (np.float32(1e30), r"hold 1\.0\d*e\+30, but the input takes the integers 0 to 255 times"),
        (np.float64(1e300), r"hold 1e\+300, but the input takes"),
        (np.float32("nan"), r"^the data hold NaN or infinity: clean them first$"),
        (np.float32("-inf"), r"^the data hold NaN or infinity: clean them first$"),
        (np.int64(256), r"^the data hold 0 to 256, but the input takes 0 to 255$"),
        (np.int64(-1), r"^the data hold -1 to 0, but the input takes 0 to 255$"),
        (np.uint64(2**64 - 1), r"^the data hold 0 to 18446744073709551615, but the input takes"),
        (np.complex64(1), r"^the data should be numbers, not complex64$"),
        (np.str_("1"), r"^the data should be numbers, not <U1$"),
    ],
)
def test_data_that_the_input_does_not_take_are_refused(value: Any, message: str) -> None:  # noqa: ANN401
    data: NDArray[Any] = np.zeros((1, 2, 3), dtype=value.dtype)
    data[0, 1, 2] = value
    with pytest.raises(RangeError, match=message):
        BYTES.encode(data)


def test_a_value_between_the_steps_of_the_input_is_refused() -> None:
    network = raw(BIPOLAR, Fraction(1))
    ones = np.ones((1, 2, 3), dtype=np.int8)
    assert network.encode(ones).shape == (1, 3, 2)
    with pytest.raises(RangeError, match=r"that the input does not take: it takes every 2th$"):
        network.encode(0 * ones)


def test_a_refusal_names_the_scale_of_the_channel() -> None:
    scales, biases = (Fraction(1, 255), Fraction(1, 4)), (Fraction(0), Fraction(3))
    meaning = {
        name: replace(entry, scale=scales, bias=biases) for name, entry in BYTES.meaning.items()
    }
    network = replace(BYTES, meaning=meaning)
    data = np.array([[[0, 0, 0], [3, 3.25, 2]]])
    with pytest.raises(RangeError, match=r"hold 2\.0, but .* 0 to 255 times 1/4 plus 3$"):
        network.encode(data)
    data[0, 1, 2] = 3.3
    with pytest.raises(RangeError, match=r"hold 3\.3, which is no multiple of .* scale 1/4: "):
        network.encode(data)


@pytest.mark.parametrize("shape", [(2, 3), (1, 3, 2), (1, 6), (1, 2, 3, 1), ()])
def test_data_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    message = r"^the data should have the shape \['N', 2, 3\], as the model's input 'x', not \["
    with pytest.raises(RangeError, match=message):
        BYTES.encode(np.zeros(shape, dtype=np.uint8))


def test_floats_that_overflow_float32_are_refused_by_a_head() -> None:
    network = replace(BYTES, inputs=(replace(BYTES.input, is_raw=False),))
    with pytest.raises(RangeError, match="hold numbers beyond float32, which the "):
        network.encode(np.full((1, 2, 3), 1e300))


def test_no_image_is_a_batch_too() -> None:
    assert BYTES.decode(BYTES.encode(np.zeros((0, 2, 3), np.uint8)).reshape(0, 6)).shape == (0, 6)
