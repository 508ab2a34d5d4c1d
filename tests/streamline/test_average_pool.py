"""Means of windows, of images and along axes: sums of integers, and scales outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.ops import BorderThreshold, SumPool, Threshold
from lutloom.core.types import IntType
from lutloom.sim.reference import run
from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from tests.exact import compare
from tests.models import Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    from lutloom.core.network import Network

SHAPE = (2, 6, 7)


def images(shape: tuple[int, ...] = SHAPE, count: int = 6) -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return (random.integers(-9, 10, (count, *shape)) / 4).astype(np.float32)


def mean(w: Writer, x: str, **attributes: Any) -> str:  # noqa: ANN401 - whatever ONNX takes
    return w.node("AveragePool", [x], **({"kernel_shape": [2, 2], "strides": [2, 2]} | attributes))


def quantized_mean(
    make: Callable[[Writer, str], str], zero_point: float = 0.0, shape: tuple[int, ...] = SHAPE
) -> ModelProto:
    """Return a mean of quantized pixels, quantized again to other scales for each channel."""
    w = Writer()
    x = make(w, w.quant("x", 0.25, zero_point, signed=zero_point == 0))
    ones = (1,) * (len(shape) - 1)
    scale = np.linspace(0.11, 0.23, shape[0]).reshape(1, -1, *ones)
    return w.model(w.quant(x, scale, 1.0, bits=5, mode="HALF_UP"), *shape)


def operators(network: Network) -> list[str]:
    return [node.op.name for node in network.graph.nodes if node.op.name != "permute"]


WINDOWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "overlapping": {"kernel_shape": [3, 3], "strides": [2, 2]},
    "padded": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "unevenly padded": {"kernel_shape": [3, 2], "strides": [1, 2], "pads": [0, 1, 2, 0]},
    "ceil": {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1},
    "ceil, padded": {
        "kernel_shape": [3, 3], "strides": [2, 3], "pads": [1, 0, 1, 1], "ceil_mode": 1,
    },
    "same, upper": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    "same, lower": {"kernel_shape": [2, 3], "strides": [1, 2], "auto_pad": "SAME_LOWER"},
}  # fmt: skip


@pytest.mark.parametrize("zero_point", [0.0, 3.0, 2.5])
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS)
def test_means_divide_as_the_standard_says(
    windows: dict[str, Any], count: int, zero_point: float, tmp_path: Path
) -> None:
    model = quantized_mean(lambda w, x: mean(w, x, **windows, count_include_pad=count), zero_point)
    network, _ = compare(model, tmp_path, images())
    assert operators(network) in (["sum_pool", "threshold"], ["sum_pool", "border_threshold"])


def test_a_divisor_that_is_the_same_everywhere_needs_one_staircase(tmp_path: Path) -> None:
    padded = WINDOWS["padded"] | {"kernel_shape": [3, 3]}
    for count, kind in ((0, BorderThreshold), (1, Threshold)):
        model = quantized_mean(
            lambda w, x, count=count: mean(w, x, **padded, count_include_pad=count)  # type: ignore[misc]
        )
        network, _ = compare(model, tmp_path, images())
        assert isinstance(network.graph.nodes[-1].op, kind)


@pytest.mark.parametrize("count", [0, 1])
def test_dilated_windows_count_their_own_taps(count: int, tmp_path: Path) -> None:
    w = Writer(opset=19)
    x = mean(
        w,
        w.quant("x", 0.25, 2.5, signed=False),
        kernel_shape=[3, 2],
        strides=[1, 2],
        dilations=[2, 3],
        pads=[1, 2, 2, 0],
        ceil_mode=1,
        count_include_pad=count,
    )
    compare(w.model(w.quant(x, 0.2, bits=5), *SHAPE), tmp_path, images())


def test_a_mean_that_is_the_same_along_the_border_may_meet_any_constant(tmp_path: Path) -> None:
    w = Writer()
    padded = WINDOWS["padded"]
    x = mean(w, w.quant("x", 0.25), **padded, count_include_pad=1)
    x = w.binary("Add", x, np.linspace(-1, 1, 12).reshape(1, 3, 4))
    compare(w.model(w.quant(x, 0.2, bits=5), *SHAPE), tmp_path, images())


def test_what_a_last_window_has_behind_the_padding_is_not_counted(tmp_path: Path) -> None:
    """PyTorch and ONNX since opset 19 agree on it; older runtimes divided by the kernel."""
    w = Writer()
    x = mean(w, w.quant("x", 1.0), kernel_shape=[3], strides=[2], ceil_mode=1, count_include_pad=1)
    x = w.quant(x, 0.5, bits=5)
    network, _ = compare(w.model(x, 1, 4), tmp_path, images((1, 4)))
    ones = np.ones((1, 1, 4), dtype=np.float32)
    values = run(network.graph, {network.input_value: network.encode(ones)})
    assert network.decode(values[network.output_value]).tolist() == [[[1.0, 1.0]]]


WHOLE: dict[str, tuple[str, dict[str, Any]]] = {
    "GlobalAveragePool": ("GlobalAveragePool", {}),
    "mean of rows and columns": ("ReduceMean", {"axes": [2, 3]}),
    "mean of rows": ("ReduceMean", {"axes": [-2], "keepdims": 0}),
    "mean of columns": ("ReduceMean", {"axes": [3]}),
    "mean of the image, flat": ("ReduceMean", {"axes": [-1, 2], "keepdims": 0}),
    "mean of channels": ("ReduceMean", {"axes": [1]}),
    "mean of channels and columns": ("ReduceMean", {"axes": [1, -1], "keepdims": 0}),
    "mean of everything": ("ReduceMean", {"axes": [1, 2, 3]}),
}


@pytest.mark.parametrize(("kind", "attributes"), WHOLE.values(), ids=WHOLE)
def test_means_along_axes_are_exact(kind: str, attributes: dict[str, Any], tmp_path: Path) -> None:
    w = Writer()
    x = w.node(kind, [w.quant("x", 0.25, 1.5, signed=False)], **attributes)
    network, _ = compare(w.model(w.quant(x, 0.09, bits=6), *SHAPE), tmp_path, images())
    assert operators(network).count("sum_pool") == 1
    bare = Writer()
    x = bare.node(kind, [bare.quant("x", 0.25)], **attributes)
    compare(bare.model(x, *SHAPE), tmp_path, images())


@pytest.mark.parametrize(
    ("opset", "kind"), [(13, "ReduceSum"), (18, "ReduceMean"), (9, "ReduceSum")]
)
@pytest.mark.parametrize("keepdims", [0, 1])
def test_axes_are_an_attribute_or_an_input(
    opset: int, kind: str, keepdims: int, tmp_path: Path
) -> None:
    w = Writer(opset=opset)
    x = w.quant("x", 0.25)
    if opset < 13:
        x = w.node(kind, [x], axes=[-1, 1], keepdims=keepdims)
    else:
        x = w.node(kind, [x, w.constant([-1, 1], np.int64)], keepdims=keepdims)
    compare(w.model(w.quant(x, 0.3, bits=6), *SHAPE), tmp_path, images())


def test_no_axes_may_mean_none(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("ReduceSum", [w.quant("x", 0.25)], noop_with_empty_axes=1)
    network, _ = compare(w.model(w.quant(x, 0.3, bits=3), *SHAPE), tmp_path, images())
    assert operators(network) == ["threshold"]


def test_features_of_any_rank_are_summed(tmp_path: Path) -> None:
    for shape, axes in (((5,), [1]), ((2, 3, 2, 2), [2, 4]), ((2, 3, 2, 2), [1, 3])):
        w = Writer()
        x = w.node("ReduceMean", [w.quant("x", 0.25)], axes=axes)
        compare(w.model(w.quant(x, 0.15, bits=5), *shape), tmp_path, images(shape))


def test_means_of_channels_with_scales_of_their_own(tmp_path: Path) -> None:
    """And of channels that are turned round: a mean keeps each channel's scale outside."""
    w = Writer()
    x = w.binary("Mul", w.quant("x", 0.25), [[[0.3]], [[-0.7]]])
    x = mean(w, w.binary("Add", x, [[[1.0]], [[0.1]]]), pads=[1, 0, 1, 0])
    compare(w.model(w.quant(x, 0.1, bits=5), *SHAPE), tmp_path, images())


def test_means_of_sums_that_differ_along_the_border(tmp_path: Path) -> None:
    """A padded layer with a bias in its input, and a padded mean behind it."""
    w = Writer()
    weights = w.quant(w.constant(np.random.default_rng(3).integers(-3, 4, (3, 2, 3, 3))), 0.25)
    x = w.node("Conv", [w.quant("x", 0.25, 2.5, signed=False), weights], pads=[1, 1, 1, 1])
    for windows in (WINDOWS["ceil, padded"], WINDOWS["plain"]):
        y = w.quant(mean(w, x, **windows), 0.2, bits=5)
        network, _ = compare(w.model(y, 2, 8, 9), tmp_path, images((2, 8, 9)))
        assert operators(network) == ["conv", "sum_pool", "border_threshold"]


def test_functions_of_means_that_differ_along_the_border(tmp_path: Path) -> None:
    for kind in ("Sigmoid", "Relu", "Elu"):
        model = quantized_mean(
            lambda w, x, kind=kind: w.node(kind, [mean(w, x, **WINDOWS["padded"])])  # type: ignore[misc]
        )
        network, _ = compare(model, tmp_path, images())
        assert operators(network) == ["sum_pool", "border_threshold"]


def test_a_layer_reads_a_mean(tmp_path: Path) -> None:
    w = Writer()
    x = w.with_axes("Squeeze", w.node("GlobalAveragePool", [w.quant("x", 0.25)]), [2, 3])
    x = w.matmul(x, [[1, -2, 3], [2, 0, -1]], scale=0.5)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert operators(network)[0] == "sum_pool"


def test_float_executors_agree_where_they_make_no_error(tmp_path: Path) -> None:
    w = Writer()
    x = mean(w, w.quant("x", 0.25, bits=4), kernel_shape=[4, 2], strides=[2, 1])
    path = write(w.model(w.quant(x, 0.125, bits=6), *SHAPE), tmp_path)
    network, data = streamline(path), images(count=20)
    values = run(network.graph, {network.input_value: network.encode(data)})
    (output,) = {node.output[0] for node in w.nodes[-1:]}
    assert (network.decode(values[network.output_value]) == execute(path, data)[output]).all()


def test_pixels_of_bytes_are_averaged(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant(mean(w, w.binary("Div", "x", 255.0), kernel_shape=[3, 3]), 1 / 16, bits=4)
    data = np.random.default_rng(0).integers(0, 256, (4, *SHAPE))
    compare(w.model(x, *SHAPE), tmp_path, data, RawInput(IntType(0, 255)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda w, x: mean(w, w.node("Relu", [x])),
            r"^AveragePool node .*: a mean needs integers, but Relu node .* makes floats and is n",
        ),
        (
            lambda w, x: w.node("GlobalAveragePool", [w.node("Sigmoid", [x])]),
            r"^GlobalAveragePool node .*: a mean needs integers, but Sigmoid node",
        ),
        (
            lambda w, x: mean(w, mean(w, x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])),
            r"^AveragePool node .* adds up pixels that have scales of their own",
        ),
        (
            lambda w, x: mean(w, x, kernel_shape=[1, 1], pads=[1, 0, 0, 0]),
            r"^AveragePool node .*: a window lies in the padding altogether, and nothing there",
        ),
        (lambda w, x: w.node("ReduceMean", [x], axes=[0]), r"^ReduceMean node .* reduces the bat"),
        (lambda w, x: w.node("ReduceMean", [x], axes=[4]), r"are not those of 4 dimensions$"),
        (lambda w, x: w.node("LpPool", [x], kernel_shape=[2, 2]), r"no hardware .* for LpPool"),
        (lambda w, x: w.node("ReduceL2", [x], axes=[2]), r"no hardware .* for ReduceL2"),
    ],
)
def test_what_has_no_sum_of_integers_is_refused(
    make: Callable[[Writer, str], str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        streamline(write(quantized_mean(make), tmp_path))


def test_a_mean_that_differs_along_the_border_is_for_a_quantizer(tmp_path: Path) -> None:
    w = Writer()
    x = mean(w, w.quant("x", 0.25), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    with pytest.raises(ModelError, match=r"the output's scales and biases vary along several"):
        streamline(write(w.model(x, *SHAPE), tmp_path))


def test_sums_are_as_narrow_as_their_windows(tmp_path: Path) -> None:
    w = Writer()
    x = mean(w, w.quant("x", 0.25, signed=False), kernel_shape=[2, 3], pads=[1, 0, 0, 0])
    network, _ = compare(w.model(w.quant(x, 0.3), *SHAPE), tmp_path, images())
    sums = [node for node in network.graph.nodes if isinstance(node.op, SumPool)]
    assert [network.graph.types[node.name].element for node in sums] == [IntType(0, 90)]
