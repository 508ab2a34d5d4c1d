"""Networks with several inputs and outputs: data by the model's names."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lutloom.core.errors import GraphFileError, RangeError
from lutloom.core.graph import Graph, Node
from lutloom.core.host import Unary, UnaryKind
from lutloom.core.meaning import ValueMeaning
from lutloom.core.network import Network, load_network, save_network
from lutloom.core.ops import Add, Reshape
from lutloom.core.ports import InputPort, OutputPort
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.reference import run

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BYTE = IntType(0, 255)
STEPS = (Fraction(1), Fraction(1, 2**20), Fraction(2**90), Fraction(1, 2**140))


def meaning(scale: Fraction, axes: tuple[int, ...], tensor: str) -> ValueMeaning:
    return ValueMeaning((scale,), (Fraction(0),), tensor, tensor, axes, is_quantized=True)


def sums() -> Network:
    """Return ``sum = image + line``, ``flat = -(image + line) / 2``: the image channels last."""
    ones = Const(np.ones((2, 1), dtype=np.int64))
    graph = Graph(
        {"im": TensorType(BYTE, (3, 2)), "li": TensorType(BYTE, (3, 2))},
        (Node(("s",), Add(ones), ("im", "li")), Node(("f",), Reshape((6,)), ("s",))),
        ("s", "f"),
    )
    entries = {
        "im": meaning(Fraction(1), (1, 0), "image"),
        "li": meaning(Fraction(1), (0, 1), "line"),
        "s": meaning(Fraction(1), (1, 0), "sum"),
        "f": meaning(Fraction(1, 2), (0,), "half"),
    }
    negated = (Unary(UnaryKind.NEG),)
    return Network(
        graph,
        entries,
        (
            InputPort("image", "im", (2, 3), (), is_raw=True),
            InputPort("line", "li", (3, 2), (), is_raw=True),
        ),
        (
            OutputPort("sum", "s", entries["s"], (2, 3), (), is_integer=False),
            OutputPort("flat", "f", entries["f"], (6,), negated, is_integer=False),
            OutputPort(
                "double", "s", replace(entries["s"], scale=(Fraction(2),)), (2, 3), (), False
            ),
        ),
    )


SUMS = sums()
DATA: dict[str, NDArray[Any]] = {
    "line": np.arange(12).reshape(2, 3, 2),
    "image": 10 * np.arange(12).reshape(2, 2, 3),
}


def test_arrays_go_in_and_come_out_by_the_names_of_the_model() -> None:
    encoded = SUMS.encode_all(DATA)
    assert list(encoded) == ["im", "li"]
    outputs = SUMS.decode_all(run(SUMS.graph, encoded))
    wanted = DATA["image"] + DATA["line"].transpose(0, 2, 1)
    assert (outputs["sum"] == wanted).all()
    assert (outputs["double"] == 2 * wanted).all()
    assert (outputs["flat"] == -wanted.transpose(0, 2, 1).reshape(2, 6) / 2).all()


@pytest.mark.parametrize("names", [["image"], ["image", "line", "mask"], []])
def test_data_for_other_inputs_are_refused_with_the_names(names: list[str]) -> None:
    said = ", ".join(f"'{name}'" for name in names) or "nothing"
    message = rf"^the data are for {said}, but the model's inputs are 'image', 'line': give an arr"
    with pytest.raises(RangeError, match=message):
        SUMS.named(dict.fromkeys(names, DATA["image"]))


def test_what_is_wrong_with_the_data_is_said_of_their_input() -> None:
    wrong = {**DATA, "line": DATA["line"] + 250}
    with pytest.raises(RangeError, match=r"^the model's input 'line': the data hold 250 to 261, "):
        SUMS.encode_all(wrong)
    with pytest.raises(RangeError, match=r"as the model's input 'line', not \[2, 2, 3\]$"):
        SUMS.encode_all({**DATA, "line": DATA["image"]})
    with pytest.raises(RangeError, match=r"inputs, {'image': 2, 'line': 1}: there should be as "):
        SUMS.encode_all({**DATA, "line": DATA["line"][:1]})


def test_a_single_array_is_refused_where_there_are_several_inputs() -> None:
    message = r"^the model has the inputs 'image', 'line': say by name what is for which of them$"
    with pytest.raises(RangeError, match=message):
        SUMS.encode(DATA["image"])
    with pytest.raises(RangeError, match=r"^the model has the outputs 'sum', 'flat', 'double': "):
        SUMS.decode(DATA["image"])


def test_a_network_of_several_ports_survives_its_files(tmp_path: Path) -> None:
    save_network(SUMS, tmp_path)
    again = load_network(tmp_path)
    outputs = again.decode_all(run(again.graph, again.encode_all(DATA)))
    wanted = SUMS.decode_all(run(SUMS.graph, SUMS.encode_all(DATA)))
    assert list(outputs) == list(wanted)
    assert all((outputs[name] == wanted[name]).all() for name in wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": SUMS.inputs[:1]}, r"its inputs \['im'\] and outputs \['s', 'f'\] should be t"),
        ({"inputs": SUMS.inputs[::-1]}, r"its inputs \['li', 'im'\] and outputs"),
        ({"outputs": SUMS.outputs[:1]}, r"and outputs \['s'\] should be those of its graph"),
        ({"graph": replace(SUMS.graph, outputs=("s", "s", "f"))}, "should have no output twice"),
    ],
)
def test_a_file_whose_ports_are_not_those_of_its_graph_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    save_network(replace(SUMS, **change), tmp_path)
    with pytest.raises(GraphFileError, match=message):
        load_network(tmp_path)


@given(data=st.data())
def test_numbers_that_are_looked_up_give_what_arithmetic_gives(data: st.DataObject) -> None:
    lo, step = data.draw(st.integers(-300, 300)), data.draw(st.sampled_from([1, 1, 2, 7]))
    element = IntType(lo, lo + step * data.draw(st.integers(1, 300)), step)
    part = st.fractions(-4, 4, max_denominator=300)
    scale = data.draw(part.filter(bool)) * data.draw(st.sampled_from(STEPS))
    bias = data.draw(part) * data.draw(st.sampled_from([0, 1, 1000, 2**20]))
    entry = replace(meaning(scale, (0,), "x"), bias=(bias,))
    port = InputPort("x", "x", (3,), (), is_raw=True)
    type_ = TensorType(element, (3,))
    places = data.draw(arrays(np.int64, (2, 3), elements=st.integers(0, element.count - 1)))
    reals = entry.to_real(element.lo + element.step * places)
    odd = data.draw(st.sampled_from([None, None, np.nan, np.inf, 0.0, 1e30, "next", "between"]))
    if odd == "next":
        reals[1, 2] = np.nextafter(reals[1, 2], np.float32(np.inf))
    elif odd == "between":
        reals[1, 2] += np.float32(scale / 2)
    elif odd is not None:
        reals[1, 2] = odd

    def encoded(given: NDArray[Any]) -> object:
        try:
            return port.encode(given, entry, type_).tolist()
        except RangeError as error:
            return str(error)

    with np.errstate(over="ignore", invalid="ignore"):
        assert encoded(reals) == encoded(reals.astype(np.float64))
