"""The compiled engine beside the reference, on the same inputs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.sim.engine import InstructionSet, available, make_engine
from lutloom.sim.reference import run

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray, TensorType

# Every set takes a compiler half a minute: the narrowest, the widest, and the one of most machines.
SETS = [isa for isa in available() if isa in (available()[0], InstructionSet.AVX2, available()[-1])]
each_set = pytest.mark.parametrize(
    "instructions",
    [isa if isa in SETS else pytest.param(isa, marks=pytest.mark.thorough) for isa in available()],
    ids=lambda isa: str(isa.value),
)
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def random_values(rng: np.random.Generator, images: int, tensor: TensorType) -> IntArray:
    """Return ``[images, *shape]`` of all integers of the type of ``tensor``."""
    element = tensor.element
    return element.lo + element.step * rng.integers(0, element.count, (images, *tensor.shape))


def check_engine(
    graph: Graph,
    inputs: Mapping[str, IntArray],
    instructions: Collection[InstructionSet] = (),
    threads: int = 1,
) -> None:
    """Compare the outputs of ``graph``: image by image, and in planes where it has such a program.

    By all ``instructions``, or by some sets of them that this machine has.
    """
    wanted = run(graph, inputs, wanted=graph.outputs)
    for chosen in instructions or SETS:
        engine = make_engine(graph, instructions=chosen, threads=threads)
        image_by_image = replace(engine, in_planes=None)
        engines = [image_by_image]
        if engine.in_planes is not None:
            engines.append(replace(image_by_image, image_by_image=engine.in_planes))
        for made in engines:
            found = made.run(inputs)
            assert found.keys() == set(graph.outputs)
            for name, value in found.items():
                assert value.dtype == np.int64
                assert np.array_equal(value, wanted[name]), f"{name} differs, {chosen}: {graph}"
