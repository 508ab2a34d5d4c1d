from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import unfolded_plan
from lutloom.codegen.kernels.convert import converter
from lutloom.core.types import IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = (1, 60, 4, 6, 15, 10, 20, 12, 5, 30, 3, 2, 60, 60)


@pytest.mark.parametrize("word_bits", [8, 64, 256])
def test_words_of_any_width_become_words_of_any_other(
    word_bits: int, chain: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(9, TensorType(IntType(0, 6), (60,)))
    lanes = LANES if word_bits == 64 else LANES[:5]
    for _ in lanes:
        net.count(IntType(0, 6))
    graph = net.graph
    plan = replace(unfolded_plan(graph), word_bits=word_bits)
    for pe, node in zip(lanes, graph.nodes, strict=True):
        plan = plan.with_folding(node.name, replace(plan.foldings[node.name], pe=pe))
    agree(graph, plan)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 300))
def test_a_gearbox_passes_every_bit_within_its_cycles_and_bits(
    in_bits: int, out_bits: int, frame: int
) -> None:
    found = converter(in_bits, out_bits, frame)
    if found is None:
        assert in_bits == out_bits
        return
    if found.kernel != "gearbox":
        assert max(in_bits, out_bits) % min(in_bits, out_bits) == 0
        return
    # The loop of gearbox.hpp, with the number of bits in place of the bits.
    ins, outs = -(-frame // in_bits), -(-frame // out_bits)
    fill = taken = written = widest = 0
    for _ in range(found.cycles):
        if fill < out_bits and taken != ins:
            fill, taken = fill + in_bits, taken + 1
        widest = max(widest, fill)
        if fill >= out_bits or taken == ins:
            fill, written = max(fill - out_bits, 0), written + 1
    assert (taken, written) == (ins, outs)
    assert widest <= found.widest == in_bits + out_bits - gcd(in_bits, out_bits)
