"""Costs of processes: of which parts each is, held against what is written down for it."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import pytest

from lutloom.boards.loader import load_board
from lutloom.codegen.assembly import make_design
from lutloom.codegen.costs import parts, total
from lutloom.codegen.costs.formulas import part_cost
from lutloom.codegen.costs.processes import PARTS, parts_of, process_cost
from lutloom.codegen.design import Process
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.matvec import sums_of
from lutloom.codegen.kernels.sums import packing_of
from lutloom.core.ops import MatVec, TopK
from lutloom.core.plan import Folding, Memory, Multiplier
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from tests.codegen.conftest import random_plan
from tests.codegen.random_layers import random_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICE = load_board("pynq_z1").device
LAYERS = 6


def test_every_kernel_says_of_which_parts_it_is() -> None:
    assert set(PARTS) == set(KERNELS)


def random_processes(kind: str) -> Iterator[Process]:
    rng = np.random.default_rng(crc32(kind.encode()))
    for _ in range(LAYERS):
        graph = random_layer(rng, kind)
        design = make_design(graph, random_plan(rng, graph), name="layer", unit_limit=99)
        (unit,) = design.units
        yield from (process for process in unit.processes if process.kernel == kind)


def memories(process: Process) -> Iterator[tuple[int, int, int]]:
    """Yield the words of memories of constants, how many there are, and how many are needed.

    Those that hold one number in all words are not. Of its one table of starts a sum pool reads
    one at a time.
    """
    for table in process.code.tables:
        complete = () if process.kernel == "sum_pool" and table.name == "starts" else table.complete
        apart = [dimension - 1 for dimension in complete]
        copies = prod(table.data.shape[axis] for axis in apart)
        inside = {*complete, table.reshape}
        words = prod(size for place, size in enumerate(table.data.shape, 1) if place not in inside)
        data = np.moveaxis(table.data, apart, range(len(apart))).reshape(copies, -1)
        is_needed = (data != data[:, :1]).any(axis=1)
        yield words, copies, int(is_needed.sum()) if words > 1 else 0


@pytest.mark.parametrize("kind", sorted(KERNELS))
def test_memories_of_constants_are_those_that_are_written_down(kind: str) -> None:
    for process in random_processes(kind):
        counted: Counter[int] = Counter()
        for count, part in parts_of(process.site, process.folding, DEVICE):
            if isinstance(part, parts.Rom):
                counted[part.words] += count
        most: Counter[int] = Counter()
        least: Counter[int] = Counter()
        for words, copies, needed in memories(process):
            most[words] += copies
            least[words] += needed
        assert least <= counted <= most


BUFFERED = {"depthwise", "matmul", "max_pool", "permute", "sum_pool", "upsample", "window"}


@pytest.mark.parametrize("kind", sorted(BUFFERED))
def test_memories_that_are_written_are_as_deep_as_the_cpp_says(kind: str) -> None:
    for process in random_processes(kind):
        facts = process.code.facts
        depths = {
            part.words
            for _, part in parts_of(process.site, process.folding, DEVICE)
            if isinstance(part, parts.Ram)
        }
        if "buffer" in facts:
            depth = int(str(facts["buffer"]).split(", ")[2])
        else:
            depth = int(str(facts.get("depth", facts.get("entries", 0))))
        if kind != "window" or facts["form"] != "whole":
            assert depth <= 1 or depth in depths


@pytest.mark.parametrize("kind", sorted(KERNELS))
def test_parts_take_together_what_they_take_one_by_one(kind: str) -> None:
    for process in random_processes(kind):
        alone = parts_of(process.site, process.folding, DEVICE)
        assert not any(isinstance(part, parts.Group) for _, part in alone)
        wanted = total(part_cost(part, DEVICE) * count for count, part in alone if count)
        assert process_cost(process.site, process.folding, DEVICE) == wanted


def products_at_work(process: Process) -> int:
    """Return how many products the parts of a process make in a cycle, one in a slice."""
    count = 0
    for times, part in parts_of(process.site, process.folding, DEVICE):
        match part:
            case parts.Popcount(bits):
                count += times * bits
            case parts.DotProduct(terms):
                count += times * terms
            case parts.DspSlices(slices):
                count += times * slices
            case parts.Multiplier(is_constant=False):
                count += times
    return count


def test_a_product_makes_as_many_products_a_cycle_as_its_kernel_says() -> None:
    rng = np.random.default_rng(1)
    sites = []
    for weights in ((-1, 1), (-1, 0, 1), (0, 1), tuple(range(-8, 8))):
        for element in (BIPOLAR, IntType(0, 3), IntType(-8, 7)):
            op = MatVec(Const(rng.choice(weights, (24, 24))))
            x = TensorType(element, (2, 24))
            sites.append(Site(op, (x,), op.infer(x)))
    for site in sites:
        legal = KERNELS["matvec"].legal(site, Folding())
        for pe, simd in ((1, 1), (4, 6), (24, 3), (2, 24)):
            for multiplier in legal.multiplier:
                folding = Folding(pe, simd, Memory.BRAM, multiplier)
                process = Process("m", "m", "matvec", site, folding, (), 0)
                packed = packing_of(site.inputs[0].element, sums_of(site).stored, multiplier)
                wanted = pe * simd if packed is None else -(-pe // packed.lanes) * simd
                assert products_at_work(process) == wanted


def test_a_matrix_in_one_word_has_no_memory_and_cheaper_products() -> None:
    x = TensorType(IntType(0, 15), (8,))
    op = MatVec(Const(np.arange(48).reshape(6, 8) % 15 - 7))
    site = Site(op, (x,), op.infer(x))
    whole, half = (
        process_cost(site, Folding(pe, 8, Memory.BRAM, Multiplier.FABRIC), DEVICE).resources
        for pe in (6, 3)
    )
    assert whole.bram18 == 0 < half.bram18
    assert whole.lut < 2 * half.lut


def test_places_of_a_list_are_compared_with_every_lane() -> None:
    x = TensorType(IntType(-8, 7), (12,))
    op = TopK(3)
    site = Site(op, (x,), op.infer(x))
    compared = {
        pe: sum(n for n, part in parts_of(site, Folding(pe), DEVICE) if part == COMPARED)
        for pe in (1, 4, 12)
    }
    assert compared == {1: 3, 4: 12, 12: 36}


COMPARED = parts.Comparator(4)
