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
from lutloom.codegen.costs import parts
from lutloom.codegen.costs.processes import PARTS
from lutloom.codegen.kernels import KERNELS
from tests.codegen.conftest import random_plan
from tests.codegen.random_layers import random_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lutloom.codegen.design import Process

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
        for count, part in PARTS[kind](process.site, process.folding, DEVICE):
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
            for _, part in PARTS[kind](process.site, process.folding, DEVICE)
            if isinstance(part, parts.Ram)
        }
        if "buffer" in facts:
            depth = int(str(facts["buffer"]).split(", ")[2])
        else:
            depth = int(str(facts.get("depth", facts.get("entries", 0))))
        if kind != "window" or facts["form"] != "whole":
            assert depth <= 1 or depth in depths
