"""A quantization is what a recipe's name or table says, and can be written again."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.qat.errors import TrainingError
from lutloom.qat.quantization import (
    ACTIVATION_BITS,
    WEIGHT_BITS,
    ActivationKind,
    ActivationSpec,
    Quantization,
    WeightKind,
    WeightSpec,
    of_bits,
)
from lutloom.qat.quantization_text import parse_quantization, quantization_table

if TYPE_CHECKING:
    from collections.abc import Mapping

CONSTANT, RELU = WeightKind.CONSTANT, ActivationKind.RELU
SIGN = ActivationSpec(ActivationKind.SIGNED, 1)
ONE_SCALE = {
    WeightKind.CONSTANT,
    WeightKind.DOREFA,
    ActivationKind.SIGNED,
    ActivationKind.DOREFA,
    ActivationKind.RSIGN,
    ActivationKind.RPRELU,
}


@st.composite
def weight_specs(draw: st.DrawFn) -> WeightSpec:
    kind = draw(st.sampled_from(WeightKind))
    bits = draw(st.integers(*WEIGHT_BITS[kind]))
    per_channel = kind not in ONE_SCALE and draw(st.booleans())
    accumulator = draw(st.integers(4, 20)) if kind is WeightKind.A2Q else None
    return WeightSpec(kind, bits, per_channel, accumulator)


@st.composite
def activation_specs(draw: st.DrawFn) -> ActivationSpec:
    kind = draw(st.sampled_from(ActivationKind))
    bits = draw(st.integers(*ACTIVATION_BITS[kind]))
    per_channel = kind not in ONE_SCALE and draw(st.booleans())
    return ActivationSpec(kind, bits, per_channel, draw(st.sampled_from([1.0, 0.5, 3.0])))


PATTERNS = st.sampled_from(["conv*", "features.conv0", "*.norm", "a"])
QUANTIZATIONS = st.builds(
    Quantization,
    weight_specs(),
    activation_specs(),
    st.dictionaries(PATTERNS, weight_specs(), max_size=2),
    # in the order of the weights' patterns, if there are any
    st.dictionaries(st.just("z"), activation_specs()),
)


@given(QUANTIZATIONS)
def test_what_is_written_is_read_again(quantization: Quantization) -> None:
    again = parse_quantization(quantization_table(quantization))
    assert again == quantization
    assert list(again.weight_overrides) == list(quantization.weight_overrides)


def test_a_table_says_kinds_bits_and_layers() -> None:
    text = """
        weights = "binary"
        activations = {kind = "relu", bits = 2, limit = 2}
        [layers."conv0*"]
        weights = {kind = "integer", bits = 8}
        [layers.conv1]
        weights = {kind = "a2q", bits = 4, accumulator_bits = 12}
        activations = "rsign"
    """
    found = parse_quantization(tomllib.loads(text))
    assert found.at("conv2").weights == WeightSpec(CONSTANT, 1)
    assert found.at("conv2").activations == ActivationSpec(RELU, 2, limit=2.0)
    assert found.at("conv00").weights == WeightSpec(WeightKind.INTEGER, 8)
    assert found.at("conv00").activations.kind is RELU
    # A2Q's paper has a scale a channel
    assert found.at("conv1").weights == WeightSpec(WeightKind.A2Q, 4, True, 12)
    assert found.at("conv1").activations == ActivationSpec(ActivationKind.RSIGN, 1)


def test_of_several_patterns_the_last_one_counts() -> None:
    layers = {"a*": {"weights": "ternary"}, "*": {"weights": "xnor"}}
    table = {"weights": "binary", "activations": "sign", "layers": layers}
    assert parse_quantization(table).at("ab").weights.kind is WeightKind.XNOR
    table["layers"] = dict(reversed(layers.items()))
    assert parse_quantization(table).at("ab").weights.kind is WeightKind.TERNARY


@pytest.mark.parametrize("name", ["1W2A", "1w2a", " 1W2A "])
def test_a_name_says_bits(name: str) -> None:
    assert parse_quantization(name) == of_bits(1, 2)
    signed = parse_quantization(name, kind=ActivationKind.SIGNED)
    assert signed.activations == ActivationSpec(ActivationKind.SIGNED, 2)


def test_bits_stand_for_the_usual_kinds() -> None:
    assert of_bits(1, 1) == Quantization(WeightSpec(CONSTANT, 1), SIGN)
    assert of_bits(2, 4) == Quantization(WeightSpec(CONSTANT, 2), ActivationSpec(RELU, 4))
    assert of_bits(4, 1).weights == WeightSpec(WeightKind.INTEGER, 4, per_channel=True)


def test_what_a_table_leaves_out_is_as_by_default() -> None:
    ends = {"last": WeightSpec(WeightKind.INTEGER, 8), "first": WeightSpec(WeightKind.PO2, 8)}
    default = of_bits(1, 1).or_else(ends)
    table = {"activations": "rsign", "layers": {"last": {"weights": "xnor"}}}
    found = parse_quantization(table, default=default)
    assert found.weights == default.weights
    assert found.activations.kind is ActivationKind.RSIGN
    assert found.at("first").weights == ends["first"]
    assert found.at("last").weights.kind is WeightKind.XNOR


def test_two_orders_of_layers_are_no_table() -> None:
    xnor = WeightSpec(WeightKind.XNOR, 1)
    crossed = Quantization(xnor, SIGN, {"a": xnor, "b": xnor}, {"b": SIGN, "a": SIGN})
    with pytest.raises(ValueError, match=r"^layers in two orders can't be one table: "):
        quantization_table(crossed)
    with pytest.raises(ValueError, match=r"^conv0 is a part of a net: write the whole net's$"):
        quantization_table(of_bits(1, 1).at("conv0"))


KINDS = "constant, xnor, dorefa, ternary, lsq, po2, integer, a2q, binary"


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (3, '.weights is 3: name a kind, or write {kind = "lsq", bits = 4}'),
        ("lsq", '.weights has no bits: use 2 to 8, as in {kind = "lsq", bits = 4}'),
        ("lsk", f".weights is of kind 'lsk' (did you mean lsq?): use one of {KINDS}"),
        ({"bits": 1}, f".weights has no kind: use one of {KINDS}"),
        ({"kind": 1.5}, f".weights is of kind 1.5: use one of {KINDS}"),
        ({"kind": "lsq", "bits": True}, ".weights.bits is True: use an integer"),
        ({"kind": "lsq", "bits": 2.0}, ".weights.bits is 2.0: use an integer"),
        ({"kind": "lsq", "bits": 9}, ".weights.bits is 9: use 2 to 8"),
        ({"kind": "binary", "bits": 2}, ".weights.bits is 2: use 1"),
        (
            {"kind": "lsq", "bit": 2},
            ".weights.bit is not known (did you mean bits?): "
            "use kind, bits, per_channel, accumulator_bits",
        ),
        (
            {"kind": "dorefa", "bits": 2, "per_channel": True},
            ".weights: weights of kind dorefa have one scale for all channels: "
            "leave per_channel out",
        ),
        (
            {"kind": "a2q", "bits": 4},
            ".weights: weights of kind a2q have no accumulator_bits: say how many, from 4 to 20",
        ),
        (
            {"kind": "a2q", "bits": 4, "accumulator_bits": 32},
            ".weights: weights of kind a2q have accumulator_bits 32: use 4 to 20",
        ),
        (
            {"kind": "lsq", "bits": 4, "accumulator_bits": 16},
            ".weights: weights of kind lsq have no accumulator_bits: "
            "leave them out, or use the kind a2q",
        ),
    ],
)  # fmt: skip
def test_what_weights_can_not_be_is_refused(weights: object, message: str) -> None:
    refused({"weights": weights, "activations": "sign"}, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2A1W", " is '2A1W': say the bits of weights and activations as 1W2A, or write a table"),
        ("9W1A", " is '9W1A': weights of kind integer can't have 9 bits: use 2 to 8"),
        ("1W0A", " is '1W0A': activations of kind relu can't have 0 bits: use 1 to 8"),
        ({}, ' has no weights: name a kind, or write {kind = "lsq", bits = 4}'),
        ({"weight": 1}, ".weight is not known (did you mean weights?): "
         "use weights, activations, layers"),
        ({"weights": "xnor", "activations": {"kind": "relu", "bits": 2, "limit": float("inf")}},
         ".activations: activations of kind relu have the limit inf: "
         "use a number from 0.001 to 1e+06"),
        ({"weights": "xnor", "activations": {"kind": "relu", "bits": 2, "limit": "1"}},
         ".activations.limit is '1': use a number"),
        ({"weights": "xnor", "activations": "sign", "layers": "conv0"},
         ".layers is 'conv0': write a table for each pattern, as \"conv0*\""),
        ({"weights": "xnor", "activations": "sign", "layers": {"a.*": {}}},
         '.layers."a.*" is {}: write a table with weights or activations'),
        ({"weights": "xnor", "activations": "sign", "layers": {"a": {"w": 1}}},
         '.layers."a".w is not known: use weights, activations'),
        ({"weights": "xnor", "activations": "sign", "layers": {"a": {"weights": "lsq"}}},
         '.layers."a".weights has no bits: use 2 to 8, as in {kind = "lsq", bits = 4}'),
    ],
)  # fmt: skip
def test_what_a_quantization_can_not_be_is_refused(
    text: Mapping[str, object] | str, message: str
) -> None:
    refused(text, message)


def refused(text: Mapping[str, object] | str, message: str) -> None:
    with pytest.raises(TrainingError) as error:
        parse_quantization(text, key="q")
    assert str(error.value) == f"q{message}"
