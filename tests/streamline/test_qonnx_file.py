"""The integer graph as a QONNX file computes the same integers in qonnx's own executor."""

from __future__ import annotations

import re
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import numpy_helper

from lutloom.core.errors import LutloomError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Linear, Requantize, Threshold, TopK
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import run
from lutloom.streamline.errors import ModelError
from lutloom.streamline.executor import execute
from lutloom.streamline.finn_datatypes import datatype_name, datatype_named
from lutloom.streamline.importer import RawInput
from lutloom.streamline.pipeline import streamline
from lutloom.streamline.qonnx_file import qonnx_model, write_qonnx
from lutloom.streamline.qonnx_site import NotQonnxError
from lutloom.streamline.up_steps import up_steps
from tests.exact import reason_of
from tests.graphs import graphs, random_inputs
from tests.models import Writer, write
from tests.random_networks import random_network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

    from lutloom.core.op import Op
    from lutloom.core.types import IntArray

    Array: TypeAlias = NDArray[Any]


def agree(graph: Graph, path: Path, inputs: Mapping[str, IntArray]) -> None:
    """Check that qonnx computes every value of ``graph`` from the file at ``path``."""
    executed = execute(path, inputs)
    for name, expected in run(graph, inputs).items():
        assert executed[name].shape == expected.shape
        assert (executed[name] == expected).all(), name


@pytest.mark.parametrize("powers_of_two", [True, False])
@pytest.mark.parametrize("seed", range(24))
def test_qonnx_computes_the_integers_of_any_network(
    seed: int, powers_of_two: bool, tmp_path: Path
) -> None:
    sample = random_network(seed, powers_of_two=powers_of_two, functions=seed % 2 == 0)
    try:
        network = streamline(write(sample.model, tmp_path), sample.raw)
    except ModelError as error:
        reason_of(error)  # none that a network of this kind may have is raised again
        return
    path = tmp_path / "streamlined.onnx"
    said = _model_or_reason(network.graph)
    if isinstance(said, str):
        assert re.search(r"float32 holds all integers below 2\^24 only$|the batch, not 0$", said)
        with pytest.raises(NotQonnxError):
            write_qonnx(network, path)
        assert not path.exists()
        return
    write_qonnx(network, path)
    integers = network.encode(sample.data)
    agree(network.graph, path, {network.input_value: integers})
    # And our own importer reads what we write.
    raw = RawInput(network.graph.inputs[network.input_value].element)
    again = streamline(path, raw)
    found = again.decode(run(again.graph, {again.input_value: integers})[again.output_value])
    wanted = run(network.graph, {network.input_value: integers})[network.output_value]
    assert np.array_equal(found, wanted)


@given(graph=graphs(), seed=st.integers(0, 2**32 - 1))
def test_qonnx_computes_the_integers_of_any_graph(
    graph: Graph, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assume(graph.nodes)
    said = _model_or_reason(graph)
    if isinstance(said, str):
        reasons = "the indices|the batch, not 0|without a name|is its input|to even ones|below 2"
        assert re.search(reasons, said)
        return
    path = write(said, tmp_path_factory.mktemp("graph"))
    agree(graph, path, random_inputs(graph, seed))


def _model_or_reason(graph: Graph) -> ModelProto | str:
    try:
        return qonnx_model(graph, {})
    except NotQonnxError as error:
        return str(error)


@given(data=st.data())
def test_steps_that_go_up_are_the_staircase_on_every_value(data: st.DataObject) -> None:
    lo = data.draw(st.integers(-20, 20))
    x = IntType(lo, lo + data.draw(st.integers(0, 30)))
    channels, steps = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 5))

    def table(low: int, high: int, *shape: int) -> IntArray:
        size = int(np.prod(shape))
        numbers = st.lists(st.integers(low, high), min_size=size, max_size=size)
        return np.array(data.draw(numbers), dtype=np.int64).reshape(shape)

    signs = data.draw(st.sampled_from([1, -1])) * np.ones((channels, 1), dtype=np.int64)
    signs[0] = 1
    op = Threshold(
        Const(np.sort(table(lo - 3, x.hi + 3, channels, steps), axis=1)),
        Const(table(-9, 9, channels)),
        Const(signs * table(0, 3, channels, steps or 1)),
    )
    values = np.arange(x.lo, x.hi + 1)[:, np.newaxis] * np.ones(channels, dtype=np.int64)
    form = up_steps(op, x)
    assert set(form.signs.tolist()) <= {1, -1}
    assert (np.diff(form.thresholds, axis=1) >= 0).all()
    counts = (form.thresholds <= (form.signs * values)[..., np.newaxis]).sum(axis=-1)
    assert (form.scale * counts + form.bias == op.reference(values)[0]).all()
    # None lies further out than one beyond the inputs.
    assert form.thresholds.min() >= min(x.lo, -x.hi)
    assert form.thresholds.max() <= max(x.hi, -x.lo) + 1


X = TensorType(IntType(-7, 8), (3,))


def one(op: Op, x: TensorType = X, count: int = 1) -> Graph:
    return Graph({"x": x}, (Node(("y",), op, ("x",) * count),), ("y",))


ONE = Const([[1]])
UP_AND_DOWN = Threshold(Const([[0, 1]] * 3), Const([0] * 3), Const([[1, 1], [-1, -1], [1, -1]]))
WIDE = Linear(Const(np.full((3, 1), 2**21)))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            one(Add(Const([[1], [1]])), TensorType(IntType(0, 2**24), (3,)), 2),
            "x exactly: its integers reach 16,777,216, and float32 holds all integers below 2^24"
            " only",
        ),
        (
            one(WIDE),
            "y = linear(x) exactly: its integers reach 50,331,648, and float32 holds all integers"
            " below 2^24 only",
        ),
        *(
            (
                one(op, TensorType(IntType(0, 0), (1,)), count),
                f"y = {op.name}({', '.join('x' * count)}) exactly: its constants reach 16,777,217,"
                " and float32 holds all integers below 2^24 only",
            )
            for op, count in (
                (Linear(Const([[-(2**24) - 1]])), 1),
                (Add(Const([[1], [2**24 + 1]])), 2),
                (Requantize(Const([[2**24 + 1]]), ONE, 0, Const([-9]), Const([9])), 1),
            )
        ),
        (
            one(Linear(Const([[2**23], [-(2**23)]])), TensorType(IntType(1, 1), (2,))),
            "y = linear(x) exactly: its partial sums may reach 16,777,216, and float32 holds all"
            " integers below 2^24 only",
        ),
        (
            one(Add(Const([[2**21], [-(2**21)]])), TensorType(IntType(4, 4), (3,)), 2),
            "y = add(x, x) exactly: its partial sums may reach 16,777,216, and float32 holds all"
            " integers below 2^24 only",
        ),
        (
            one(Threshold(Const([[0]] * 3), Const([-(2**23)] * 3), Const([[2**24]] * 3))),
            "y = threshold(x) exactly: its partial sums may reach 16,777,216, and float32 holds"
            " all integers below 2^24 only",
        ),
        (
            one(Requantize(ONE, ONE, 0, Const([-9]), Const([9]), ties_to_even=True)),
            "y = requantize(x): it rounds integers to even ones",
        ),
        (
            one(Requantize(Const([[2**20]]), Const([[2**23]]), 20, Const([-9]), Const([9]))),
            "y = requantize(x) exactly: its partial sums may reach 16,777,216, and float32 holds"
            " all integers below 2^24 only",
        ),
        (
            one(Threshold(Const([[0]]), Const([-1]), Const([[2]])), TensorType(BIPOLAR, (1,) * 5)),
            "y = threshold(x): a MultiThreshold takes data of 1 to 4 dimensions besides the batch,"
            " not 5",
        ),
        (
            one(
                Threshold(Const([[0]] * 9), Const([0, 2**23, *[1] * 7]), Const([[1]] * 9)),
                TensorType(BIPOLAR, (9,)),
            ),
            "y = threshold(x): a MultiThreshold would need 8,388,609 thresholds in each of 9"
            " channels",
        ),
        (
            Graph(
                {"x": X},
                (Node(("i",), TopK(2), ("x",)), Node(("y",), Linear(Const([[1], [1]])), ("i",))),
                ("y",),
            ),
            "y = linear(i): it computes with the indices of top_k",
        ),
        (
            Graph({"x": X}, (Node(("",), WIDE, ("x",)),), ("",)),
            "a value without a name",
        ),
        (
            Graph({"x": X}, (Node(("y",), WIDE, ("x",)),), ("x",)),
            "a graph whose output x is its input",
        ),
    ],
)
def test_what_qonnx_cannot_say_is_refused_by_name(graph: Graph, message: str) -> None:
    with pytest.raises(LutloomError) as refused:
        qonnx_model(graph, {})
    assert str(refused.value) == f"QONNX can't say {message}"


def test_a_step_of_several_heights_is_several_thresholds() -> None:
    heights = Const([[2, 4], [0, 6]])
    op = Threshold(Const([[-1, 3], [0, 8]]), Const([1, -5]), heights)
    (table, signs, scale, bias) = astuple(up_steps(op, IntType(-7, 7)))
    assert (scale, bias, signs.tolist()) == (2, -5, [1, 1])
    # Channel 0 starts three steps higher; channel 1 never comes to its threshold 8.
    assert table.tolist() == [[-7, -7, -7, -1, 3, 3], [8] * 6]


def test_a_falling_staircase_rises_on_the_negated_input(tmp_path: Path) -> None:
    op = Threshold(Const([[-2, 0, 5], [-6, 0, 1]]), Const([3, 0]), Const([[-1], [1]]))
    graph = one(op, TensorType(IntType(-7, 8), (2,)))
    model = qonnx_model(graph, {})
    assert [(node.op_type, node.name) for node in model.graph.node] == [
        ("Mul", "y/signed"),
        ("MultiThreshold", "y"),
    ]
    constants = {c.name: numpy_helper.to_array(c).tolist() for c in model.graph.initializer}
    assert constants == {"y/signs": [-1, 1], "y/thresholds": [[-4, 1, 3], [-6, 0, 1]]}
    path = write(model, tmp_path)
    values = np.arange(-7, 9)[:, np.newaxis] * np.array([1, -1]) + np.array([0, 1])
    agree(graph, path, dict.fromkeys(graph.inputs, values))


def test_a_staircase_up_and_down_is_the_difference_of_two_that_go_up(tmp_path: Path) -> None:
    model = qonnx_model(one(UP_AND_DOWN), {})
    assert [(node.op_type, list(node.input), node.name) for node in model.graph.node] == [
        ("MultiThreshold", ["x", "y/up/thresholds"], "y/up"),
        ("MultiThreshold", ["x", "y/down/thresholds"], "y/down"),
        ("Sub", ["y/up", "y/down"], "y"),
    ]
    values = np.repeat(np.arange(-7, 9)[:, np.newaxis], 3, axis=1)
    agree(one(UP_AND_DOWN), write(model, tmp_path), {"x": values})


@given(data=st.data(), shift=st.integers(0, 12), way=st.integers(0, 3))
def test_a_requantization_is_a_quantizer_of_scale_1(
    data: st.DataObject,
    shift: int,
    way: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def numbers(low: int, high: int, *shape: int) -> Const:
        channels = data.draw(st.sampled_from([1, 3]))
        drawn = st.lists(st.integers(low, high), min_size=channels, max_size=channels)
        return Const(np.array(data.draw(drawn)).reshape(channels, *shape))

    lowest = numbers(-9, 9)
    span = data.draw(st.integers(0, 30))
    op = Requantize(
        numbers(-(2**8), 2**8, 1),
        numbers(-(2**14), 2**14, 1),
        shift,
        lowest,
        Const(lowest.int64 + span),
        ties_to_even=way == 1 and shift > 0,
        to_zero=way == 2,
        from_zero=way == 3,
    )
    graph = one(op, TensorType(IntType(-40, 40), (3,)))
    path = write(qonnx_model(graph, {}), tmp_path_factory.mktemp("requantize"))
    values = np.arange(-40, 41)[:, np.newaxis] * np.array([1, 1, -1])
    agree(graph, path, dict.fromkeys(graph.inputs, values))


@given(lo=st.integers(-(2**20), 2**20), more=st.integers(0, 2**21))
def test_datatypes_hold_the_integers_and_the_next_narrower_do_not(lo: int, more: int) -> None:
    from qonnx.core.datatype import DataType

    type_ = IntType(lo, lo + more)
    named = DataType[datatype_name(type_)]
    assert named.min() <= lo <= lo + more <= named.max()
    again = datatype_named(datatype_name(type_))
    assert again is not None
    assert (again.lo, again.hi) == (named.min(), named.max())
    if named.bitwidth() > 1 and datatype_name(type_) != "TERNARY":
        narrower = DataType[
            datatype_name(type_).replace(str(named.bitwidth()), "") + str(named.bitwidth() - 1)
        ]
        assert not narrower.min() <= lo <= lo + more <= narrower.max()


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("BIPOLAR", BIPOLAR),
        ("BINARY", IntType(0, 1)),
        ("TERNARY", IntType(-1, 1)),
        ("INT2", IntType(-2, 1)),
        ("UINT1", IntType(0, 1)),
        ("UINT32", IntType(0, 2**32 - 1)),
        ("UINT33", None),
        ("UINT0", None),
        ("UINT", None),
        ("INT8X", None),
        ("UUINT8", None),
        ("INT" + "9" * 5000, None),
        ("FLOAT32", None),
    ],
)
def test_datatypes_by_name(name: str, type_: IntType | None) -> None:
    assert datatype_named(name) == type_
    assert datatype_named(name.lower()) == type_
    if type_ is not None and name != "UINT1":
        assert datatype_name(type_) == name


def test_qonnx_reads_the_annotations(tmp_path: Path) -> None:
    from qonnx.core.modelwrapper import ModelWrapper

    writer = Writer()
    x = writer.quant("x", 0.25, bits=3)
    x = writer.matmul(x, [[1, -3], [2, 2]], bits=3)
    x = writer.binary("Add", x, 0.5)
    x = writer.bipolar(writer.binary("Mul", x, [1, -1]))
    x = writer.node("MatMul", [x, writer.bipolar(writer.constant([[1], [-1]]))])
    network = streamline(write(writer.model(x, 2), tmp_path))
    path = tmp_path / "streamlined.onnx"
    write_qonnx(network, path)
    wrapper = ModelWrapper(str(path))
    found = {
        name: str(wrapper.get_tensor_datatype(name)) for name in wrapper.get_all_tensor_names()
    }
    assert found == {
        "Quant_0": "INT3",
        "MatMul_2": "INT6",
        "MatMul_2/weights": "INT3",
        "BipolarQuant_5/signs": "BIPOLAR",
        "BipolarQuant_5/signed": "INT6",
        "BipolarQuant_5/thresholds": "INT3",
        "BipolarQuant_5": "BIPOLAR",
        "MatMul_7/weights": "BIPOLAR",
        "MatMul_7": "INT3",
    }
    (port,) = wrapper.graph.input
    assert port.doc_string == "Quant_0_out = 1/4 * integer + 0"
    assert [dim.dim_param for dim in port.type.tensor_type.shape.dim][:1] == ["N"]


def test_weights_of_any_width_are_read_back(tmp_path: Path) -> None:
    """Scales that meet make wide weights, which lie on no coarse grid."""
    rng = np.random.default_rng(5)
    weights = rng.integers(-(2**15), 2**15, (40, 30))
    graph = one(Linear(Const(weights)), TensorType(IntType(-2, 1), (40,)))
    path = write(qonnx_model(graph, {}), tmp_path)
    assert streamline(path).graph.nodes[0].op == Linear(Const(weights))


def test_equal_networks_make_equal_files(tmp_path: Path) -> None:
    path = write(random_network(2, powers_of_two=True).model, tmp_path)
    raw = random_network(2, powers_of_two=True).raw
    files = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for file in files:
        write_qonnx(streamline(path, raw), file)
    assert files[0].read_bytes() == files[1].read_bytes()
