"""Lutloom's engines: compiled kernels for an instruction set, and the reference in NumPy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import lutloom
from benchmarks.peers.case import NotForThis
from lutloom.sim.engine.instruction_set import InstructionSet, available
from lutloom.sim.reference import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.case import Bind, Case, Logits, Pixels


def load(case: Case, threads: int, instructions: InstructionSet | None = None) -> Bind:
    """Return the engine for ``case``, with the machine's widest instructions or those named."""
    if instructions is not None and instructions not in available():
        raise NotForThis(f"this machine has no {instructions.value}")
    name = None if instructions is None else instructions.value
    simulator = lutloom.load_simulator(case.build, instructions=name, threads=threads)
    if simulator.instructions is None:
        raise NotForThis("there is no C++ compiler")

    def bind(pixels: Pixels) -> Callable[[], Logits]:
        return lambda: simulator(pixels)

    return bind


load_popcount = partial(load, instructions=InstructionSet.POPCOUNT)
load_vnni = partial(load, instructions=InstructionSet.VNNI)
load_avx512 = partial(load, instructions=InstructionSet.AVX512)
load_avx2 = partial(load, instructions=InstructionSet.AVX2)
load_portable = partial(load, instructions=InstructionSet.PORTABLE)


def load_reference(case: Case, threads: int) -> Bind:  # noqa: ARG001 - NumPy takes what it finds
    """Return the reference for ``case``."""
    network = case.network()

    def bind(pixels: Pixels) -> Callable[[], Logits]:
        def call() -> Logits:
            values = run(network.graph, network.encode_all(pixels), wanted=network.graph.outputs)
            logits: Logits = network.decode_all(values)[network.output.name]
            return logits

        return call

    return bind
