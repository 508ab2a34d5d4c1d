"""Max pools: of quantized pixels at once, of others behind the levels of the quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.core.ops import BorderThreshold, Conv, MaxPool, Requantize, Threshold
from lutloom.core.types import BIPOLAR, IntType
from lutloom.sim.reference import run
from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.window_attributes import CHANNELS_LAST_DOMAIN
from tests.exact import compare
from tests.models import QONNX, Writer, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    from lutloom.core.network import Network
    from lutloom.core.op import Op
    from lutloom.core.types import TensorType

    Step = Callable[[Writer, str], str]

SHAPE = (2, 6, 7)
CHANNELS = 3
GAMMA = (0.5, -0.7, 0.0)


def images(shape: tuple[int, ...] = SHAPE, count: int = 6) -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return (random.integers(-9, 10, (count, *shape)) / 4).astype(np.float32)


def pool(w: Writer, x: str, **attributes: Any) -> str:  # noqa: ANN401 - whatever ONNX takes
    return w.node("MaxPool", [x], **({"kernel_shape": [2, 2], "strides": [2, 2]} | attributes))


def norm(gamma: tuple[float, ...] = GAMMA) -> Step:
    """Return a batch norm whose channels rise, fall and stay where they are."""
    return lambda w, x: w.batch_norm(x, gamma, (0.1, 0.2, -0.3), (0.3, 0.1, 0.0), (1.0, 2.0, 0.5))


def silu(w: Writer, x: str) -> str:
    return w.node("Mul", [x, w.node("Sigmoid", [x])])


def gelu(w: Writer, x: str) -> str:
    return w.node("Gelu", [x])


def sums(w: Writer, x: str = "x") -> str:
    """Return accumulators of three channels."""
    random = np.random.default_rng(0)
    weights = w.quant(w.constant(random.integers(-7, 8, (CHANNELS, 2, 2, 2))), 0.5, bits=4)
    return w.node("Conv", [w.quant(x, 0.25, bits=4), weights], pads=[1, 0, 0, 1])


def quantized(*steps: Step) -> ModelProto:
    """Return accumulators, ``steps`` of them, and a quantizer of three bits behind those."""
    w = Writer(opset=20)
    x = sums(w)
    for step in steps:
        x = step(w, x)
    return w.model(w.quant(x, 0.3, bits=3), *SHAPE)


def operators(network: Network) -> list[type[Op]]:
    """Return the operators behind the convolution."""
    found = [type(node.op) for node in network.graph.nodes]
    return found[found.index(Conv) + 1 :]


def pooled(network: Network) -> list[TensorType]:
    """Return what goes into each pool."""
    return [
        network.graph.types[node.inputs[0]]
        for node in network.graph.nodes
        if isinstance(node.op, MaxPool)
    ]


WINDOWS: dict[str, dict[str, Any]] = {
    "overlapping": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "smaller than the stride": {"kernel_shape": [2, 2], "strides": [3, 3]},
    "a row": {"kernel_shape": [1, 4], "strides": [1, 1]},
    "dilated": {"kernel_shape": [2, 3], "dilations": [3, 2]},
    "unevenly padded": {"kernel_shape": [3, 3], "pads": [0, 2, 1, 0]},
    "same, upper": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    "same, lower": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    "valid": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "VALID", "ceil_mode": 1},
    "ceil": {"kernel_shape": [2, 2], "strides": [3, 2], "ceil_mode": 1},
    "ceil, padded": {
        "kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1,
    },
    "a pixel": {"kernel_shape": [1, 1], "strides": [2, 3]},
}  # fmt: skip


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS)
def test_quantized_pixels_are_pooled_as_the_standard_says(
    windows: dict[str, Any], signed: bool, tmp_path: Path
) -> None:
    w = Writer()
    x = w.node("MaxPool", [w.quant("x", 0.25, 0.0 if signed else 3.0, signed=signed)], **windows)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert [type_.element for type_ in pooled(network)] == [
        IntType(-8, 7) if signed else IntType(0, 15)
    ]


@pytest.mark.parametrize("domain", [QONNX, CHANNELS_LAST_DOMAIN])
def test_channels_may_be_last(domain: str, tmp_path: Path) -> None:
    """FINN's MaxPoolNHWC, and MaxPool in QONNX's domain of its own for such images."""
    w = Writer()
    kind = "MaxPoolNHWC" if domain == QONNX else "MaxPool"
    windows: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
    x = w.node(kind, [w.quant("x", 0.25)], domain=domain, ceil_mode=0, **windows)
    model = w.model(x, 6, 7, 2)
    model.opset_import.add(domain=CHANNELS_LAST_DOMAIN, version=1)
    network, _ = compare(model, tmp_path, images((6, 7, 2)))
    assert [type(node.op) for node in network.graph.nodes] == [MaxPool]


def test_signals_are_pooled_along_their_axis(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("MaxPool", [w.quant("x", 0.25)], kernel_shape=[3], strides=[2], pads=[1, 0])
    compare(w.model(x, 3, 9), tmp_path, images((3, 9)))


def test_bipolar_pixels_stay_bipolar(tmp_path: Path) -> None:
    w = Writer()
    x = pool(w, w.bipolar("x", 0.5), pads=[1, 1, 0, 0])
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert network.graph.types[network.output_value].element == BIPOLAR


MONOTONE: dict[str, Step] = {
    "nothing": lambda _, x: x,
    "batch norm": norm(),
    "batch norm and ReLU": lambda w, x: w.node("Relu", [norm()(w, x)]),
    "clip": lambda w, x: w.clip(norm()(w, x), -0.5, 1.25),
    "sigmoid": lambda w, x: w.node("Sigmoid", [norm()(w, x)]),
    "leaky ReLU": lambda w, x: w.node("LeakyRelu", [norm()(w, x)], alpha=0.125),
    "elu": lambda w, x: w.node("Elu", [x]),
    "cube": lambda w, x: w.binary("Pow", w.binary("Mul", x, 0.25), 3.0),
    "one minus tanh": lambda w, x: w.binary("Sub", w.node("Tanh", [x]), 1.0, constant_first=True),
    "quotient": lambda w, x: w.binary("Div", w.node("Softplus", [x]), -2.0),
}
OTHER: dict[str, Step] = {
    "gelu": gelu,
    "silu behind a batch norm": lambda w, x: silu(w, norm()(w, x)),
    "absolute": lambda w, x: w.node("Abs", [x]),
    "square": lambda w, x: w.binary("Pow", w.binary("Mul", x, 0.25), 2.0),
}


@pytest.mark.parametrize("before", [*MONOTONE.values(), *OTHER.values()], ids=[*MONOTONE, *OTHER])
def test_levels_are_pooled_whatever_lies_in_front(before: Step, tmp_path: Path) -> None:
    network, _ = compare(quantized(before, pool), tmp_path, images())
    assert operators(network) == [Threshold, MaxPool]
    assert pooled(network)[0].element.bits <= 3


@pytest.mark.parametrize("behind", MONOTONE.values(), ids=MONOTONE)
@pytest.mark.parametrize("before", [norm(), gelu], ids=["batch norm", "gelu"])
def test_levels_are_pooled_in_front_of_what_rises_or_falls(
    before: Step, behind: Step, tmp_path: Path
) -> None:
    """Where it falls, levels are turned round, which takes no more bits."""
    network, _ = compare(quantized(before, pool, behind), tmp_path, images())
    assert operators(network)[:2] == [Threshold, MaxPool]
    assert operators(network)[2:] in ([], [Threshold])
    assert pooled(network)[0].element.bits <= 3


@pytest.mark.parametrize("behind", OTHER.values(), ids=OTHER)
def test_integers_are_pooled_in_front_of_what_falls_and_rises(behind: Step, tmp_path: Path) -> None:
    network, _ = compare(quantized(pool, behind), tmp_path, images())
    assert operators(network) == [MaxPool, Threshold]


def test_falling_channels_in_front_of_what_falls_and_rises_are_turned_round(
    tmp_path: Path,
) -> None:
    network, _ = compare(quantized(norm(), pool, silu), tmp_path, images())
    assert operators(network) == [Requantize, MaxPool, Requantize, Threshold]


def test_no_pool_stands_between_what_falls_and_rises_twice(tmp_path: Path) -> None:
    model = write(quantized(gelu, pool, silu), tmp_path)
    with pytest.raises(ModelError, match=r"^Quant node .* is not known to rise only, or to fall "):
        streamline(model)


def test_bipolar_levels_that_are_turned_round_stay_bipolar(tmp_path: Path) -> None:
    w = Writer()
    x = w.bipolar(norm((-1.0, 1.0, -0.5))(w, pool(w, sums(w))), 0.5)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert operators(network) == [Threshold, MaxPool, Threshold]
    assert pooled(network)[0].element == BIPOLAR
    assert network.graph.types[network.output_value].element == BIPOLAR


def test_thresholds_of_a_table_come_first_too(tmp_path: Path) -> None:
    w = Writer()
    x = norm()(w, pool(w, norm((-1.0, 1.0, 2.0))(w, sums(w))))
    table = np.sort(np.random.default_rng(2).normal(size=(3, 5)), axis=1)
    x = w.multi_threshold(x, table, 0.5, -1.0)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert operators(network) == [Threshold, MaxPool, Threshold]


@pytest.mark.parametrize("gamma", [(1.0, 1.0, 1.0), (-1.0, 1.0, 0.5)])
def test_levels_too_many_for_a_table_come_first_where_they_rise(
    gamma: tuple[float, ...], tmp_path: Path
) -> None:
    w = Writer()
    weights = w.quant(w.constant([[[[4001.0]]], [[[-3000.0]]], [[[3499.0]]]]), 1.0, bits=13)
    x = w.node("Conv", [w.quant("x", 0.25, bits=8), weights])
    x = w.batch_norm(pool(w, x), gamma, (0, 0, 0), (0, 0, 0), (1, 1, 1), epsilon=0.0)
    x = w.quant(x, 16.0, bits=16, mode="FLOOR")
    network, _ = compare(w.model(x, 1, 6, 7), tmp_path, images((1, 6, 7)))
    rises = min(gamma) > 0
    assert operators(network) == ([Requantize, MaxPool] if rises else [MaxPool, Requantize])


@pytest.mark.parametrize("behind", [norm(), norm((-1.0, 1.0, -2.0))])
def test_two_pools_in_a_row_wait_for_one_quantizer(behind: Step, tmp_path: Path) -> None:
    def second(w: Writer, x: str) -> str:
        return pool(w, x, strides=[1, 1], pads=[1, 0, 0, 1])

    network, _ = compare(quantized(gelu, pool, second, behind), tmp_path, images())
    assert operators(network)[:3] == [Threshold, MaxPool, MaxPool]


def test_reals_that_are_pooled_twice_wait_for_levels_of_any_width(tmp_path: Path) -> None:
    w = Writer(opset=20)
    x = w.quant(pool(w, pool(w, gelu(w, w.quant("x", 0.25, bits=3)), strides=[1, 1])), 0.01, bits=8)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert [type(node.op) for node in network.graph.nodes] == [Threshold, MaxPool, MaxPool]


def test_what_is_pooled_may_differ_along_the_border(tmp_path: Path) -> None:
    """The offset of the input is cut off there: the largest is that of reals, not of integers."""

    def offset(w: Writer, x: str) -> str:
        x = w.quant(norm()(w, x), 0.5, 1.25, bits=3, signed=False)
        weights = w.quant(w.constant(np.random.default_rng(3).integers(-3, 4, (3, 3, 3, 3))), 0.25)
        return w.node("Conv", [x, weights], pads=[1, 1, 1, 1])

    for behind in (norm((1.0, 0.5, 2.0)), norm((-1.0, 0.5, -2.0)), MONOTONE["sigmoid"]):
        model = quantized(offset, pool, lambda w, x: w.node("Relu", [x]), behind)
        network, _ = compare(model, tmp_path, images())
        assert operators(network)[2:4] == [BorderThreshold, MaxPool]


def test_quantized_pixels_are_pooled_before_they_are_quantized_again(tmp_path: Path) -> None:
    model = quantized(lambda w, x: w.quant(x, 0.25, bits=2), pool, norm())
    network, _ = compare(model, tmp_path, images())
    assert operators(network) == [Threshold, MaxPool, Threshold]
    assert pooled(network)[0].element.bits == 2


def test_a_layer_behind_a_pool_reads_its_integers(tmp_path: Path) -> None:
    """Those of falling channels are the smallest: turned round, pooled, and turned back."""
    w = Writer()
    x = pool(w, w.binary("Mul", sums(w), [[[0.5]], [[-0.25]], [[0.5]]]))
    x = w.node("Conv", [x, w.quant(w.constant(np.ones((2, 3, 1, 1))), 0.5, bits=2)])
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert operators(network) == [Requantize, MaxPool, Requantize, Conv]
    w = Writer()
    network, _ = compare(w.model(pool(w, sums(w)), *SHAPE), tmp_path, images())
    assert operators(network) == [MaxPool]


def test_two_readers_of_a_pool_each_get_what_they_need(tmp_path: Path) -> None:
    w = Writer()
    x = pool(w, norm()(w, sums(w)))
    left, right = w.quant(x, 0.3, bits=3), w.quant(norm()(w, x), 0.25, bits=2)
    model = w.model(w.node("Add", [left, right]), *SHAPE)
    network, _ = compare(model, tmp_path, images())
    assert sorted(type_.element.bits for type_ in pooled(network)) == [2, 3]


def test_reals_may_move_between_a_pool_and_its_quantizer(tmp_path: Path) -> None:
    def moved(w: Writer, x: str) -> str:
        x = w.node("Transpose", [w.node("Flatten", [pool(w, x)])], perm=[0, 1])
        return w.binary("Mul", w.node("Relu", [x]), -0.5)

    network, _ = compare(quantized(gelu, moved), tmp_path, images())
    assert [MaxPool, Threshold] == operators(network)[1:3]
    varying = quantized(gelu, moved, lambda w, x: w.binary("Mul", x, np.arange(27)))
    with pytest.raises(ModelError, match=r"^MaxPool node .* meets numbers that differ from one"):
        streamline(write(varying, tmp_path))


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("GlobalMaxPool", {}),
        ("ReduceMax", {"axes": [2, 3]}),
        ("ReduceMax", {"axes": [-1], "keepdims": 0}),
        ("ReduceMax", {"axes": [-2, -1], "keepdims": 0}),
    ],
)
def test_whole_images_are_pooled(kind: str, attributes: dict[str, Any], tmp_path: Path) -> None:
    w = Writer()
    x = w.quant(w.node(kind, [norm()(w, sums(w))], **attributes), 0.3, bits=3)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert len(pooled(network)) == 1


def test_axes_of_a_maximum_may_be_an_input(tmp_path: Path) -> None:
    w = Writer(opset=18)
    x = w.node("ReduceMax", [w.quant("x", 0.25), w.constant([3], np.int64)])
    compare(w.model(x, *SHAPE), tmp_path, images())


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([lambda w, x: pool(w, x, pads=[2, 0, 0, 0])], r"^MaxPool node .*: a window lies in the p"),
        ([lambda w, x: pool(w, x, kernel_shape=[9, 9])], r"^MaxPool node .* do not fit into"),
        ([lambda w, x: w.node("ReduceMax", [x], axes=[1, 2, 3])], r"takes the largest of sev"),
        ([lambda w, x: w.node("ReduceMax", [x])], r"^ReduceMax node .* reduces the batch, which"),
        ([lambda w, x: w.node("Softmax", [x]), pool], r"^MaxPool node .* needs integers, but Soft"),
    ],
)
def test_pools_that_can_not_be_are_refused(steps: list[Step], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        streamline(write(quantized(*steps), tmp_path))


def test_floats_are_not_pooled_on_the_host(tmp_path: Path) -> None:
    w = Writer()
    model = w.model(w.quant(pool(w, "x"), 0.25), *SHAPE)
    with pytest.raises(ModelError, match=r"^MaxPool node .* needs quantized data, but the model's"):
        streamline(write(model, tmp_path))
    raw = RawInput(IntType(-9, 9))
    integers = np.random.default_rng(1).integers(-9, 10, (6, *SHAPE))
    compare(model, tmp_path, integers, raw)


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (lambda w, x: w.node("Relu", [x]), r"^MaxPool node .* can't run on the host"),
        (gelu, r"^MaxPool node .* can't run on the host"),
    ],
)
def test_floats_are_not_pooled_behind_the_last_quantizer(
    before: Step, message: str, tmp_path: Path
) -> None:
    w = Writer(opset=20)
    with pytest.raises(ModelError, match=message):
        streamline(write(w.model(pool(w, before(w, sums(w))), *SHAPE), tmp_path))


def test_a_sum_of_branches_does_not_read_the_largest_of_what_is_no_integer(
    tmp_path: Path,
) -> None:
    w = Writer(opset=20)
    x = pool(w, gelu(w, sums(w)))
    other = pool(w, w.quant(sums(w), 0.3))
    model = w.model(w.quant(w.node("Add", [x, other]), 0.3), *SHAPE)
    with pytest.raises(ModelError, match=r"the largest of what is no integer is for a quantizer"):
        streamline(write(model, tmp_path))


def test_a_pool_of_a_sum_that_is_not_in_the_graph_comes_behind_its_levels(tmp_path: Path) -> None:
    """Scales that do not meet: the sum can only be quantized, and is so in front of the pool."""
    w = Writer()
    left, right = (norm(gamma)(w, sums(w)) for gamma in ((0.3, 0.7, 0.9), (0.11, 0.13, 0.17)))
    x = w.quant(pool(w, w.node("Add", [left, right])), 0.3, bits=2)
    network, _ = compare(w.model(x, *SHAPE), tmp_path, images())
    assert pooled(network)[0].element.bits == 2


def test_float_executors_agree_where_they_make_no_error(tmp_path: Path) -> None:
    w = Writer()
    x = w.binary("Mul", sums(w), [[[0.5]], [[-0.25]], [[2.0]]])
    x = w.quant(w.binary("Mul", pool(w, x, pads=[1, 1, 1, 1]), [[[1.0]], [[1.0]], [[-0.5]]]), 0.5)
    path = write(w.model(x, *SHAPE), tmp_path)
    network = streamline(path)
    data = images(count=20)
    values = run(network.graph, {network.input_value: network.encode(data)})
    found = network.decode(values[network.output_value])
    assert (found == execute(path, data)[x]).all()


STEPS = list(MONOTONE.values())


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(STEPS), max_size=2),
    st.lists(st.sampled_from(STEPS), max_size=2),
    st.lists(st.sampled_from([-1.5, -0.25, 0.0, 0.5, 1.0]), min_size=3, max_size=3),
    st.sampled_from(["ROUND", "FLOOR", "CEIL", "HALF_DOWN", "UP"]),
    st.integers(1, 4),
)
def test_pools_between_any_monotone_steps_are_exact(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[Step],
    behind: list[Step],
    gamma: list[float],
    mode: str,
    bits: int,
) -> None:
    w = Writer(opset=20)
    x = norm((gamma[0], gamma[1], gamma[2]))(w, sums(w))
    for step in before:
        x = step(w, x)
    x = pool(w, x)
    for step in behind:
        x = step(w, x)
    x = w.quant(x, 0.125, 1.0, bits=bits, signed=bits > 1, mode=mode)
    compare(w.model(x, *SHAPE), tmp_path_factory.mktemp("pool"), images(count=2))
