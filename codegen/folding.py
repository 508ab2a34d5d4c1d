"""Plans: automatic ones, what they may say, and whether one fits its graph.

Any plan that passes ``check_plan`` computes the same integers. The limits: no word of a stream, of
a weight memory or inside a width converter is wider than 4096 bits, and no process has more than
4096 operators (products, comparisons) at work in one cycle.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.codegen.fifos import DEEPEST, DEFAULT_DEPTH, fifo_depths
from lutloom.codegen.kernels import KERNELS, Legal, Site
from lutloom.codegen.kernels.convert import converter
from lutloom.codegen.kernels.kernel import MOST_OPERATORS, WIDEST_WORD
from lutloom.codegen.lower import check_lowered
from lutloom.codegen.padding import check_graph, laid_out
from lutloom.codegen.streams import Stream, Wiring, processes_of, site_of, streams_of
from lutloom.core.errors import PlanError
from lutloom.core.plan import Comparison, Folding, Plan
from lutloom.core.text import graph_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lutloom.core.graph import Graph

WORD_BITS = (8, 16, 32, 64, 128, 256, 512, 1024)
"""Legal widths of the AXI streams, in bits."""

FEWEST_CYCLES = 1024
"""Clock cycles a frame that ``default_plan`` aims at for a small network."""

PRODUCT_BITS = 6144
"""Bits of products in a cycle that it aims at for a larger one; two are added to each product."""


def legal_values(graph: Graph, name: str) -> dict[str, tuple[int, ...]]:
    """Return what ``pe`` and ``simd`` of the process ``name`` may be, each beside a 1, ascending.

    Raises ``PlanError`` listing the processes if there is none of that name.
    """
    processes = processes_of(graph)
    if name not in processes:
        raise PlanError(_unknown(name, list(processes)))
    legal = KERNELS[processes[name].op.name].legal(site_of(graph, processes[name]), Folding())
    return {"pe": legal.pe, "simd": legal.simd}


def legal_choices(graph: Graph, name: str, folding: Folding) -> Legal:
    """Return what each entry of the process ``name`` may be beside the others of ``folding``.

    Raises ``PlanError`` listing the processes if there is none of that name.
    """
    processes = processes_of(graph)
    if name not in processes:
        raise PlanError(_unknown(name, list(processes)))
    return KERNELS[processes[name].op.name].legal(site_of(graph, processes[name]), folding)


def settled_plan(graph: Graph, plan: Plan) -> Plan:
    """Return ``plan``, legal for the lowered ``graph``, with the forms that it leaves open chosen.

    The C++ of both is the same.
    """
    wide, laid = laid_out(graph, plan)
    foldings = {
        name: KERNELS[node.op.name].settled(site_of(wide, node), laid.foldings[name])
        for name, node in processes_of(wide).items()
    }
    return replace(plan, foldings=foldings)


def slowest(graph: Graph, plan: Plan) -> tuple[str, int]:
    """Return the process of the lowered ``graph`` that takes most cycles a frame, and how many.

    By its loop alone: ``plan`` takes an image every so many cycles at best.
    """
    graph, plan = laid_out(graph, plan)
    cycles = {
        name: kernel.cycles(site, kernel.settled(site, plan.foldings[name]))
        for name, node in processes_of(graph).items()
        for site, kernel in ((site_of(graph, node), KERNELS[node.op.name]),)
    }
    name = max(cycles, key=cycles.__getitem__)
    return name, cycles[name]


def unfolded_plan(graph: Graph, *, word_bits: int = 64) -> Plan:
    """Return the plan that makes one product at a time everywhere: the smallest hardware."""
    check_lowered(graph)
    return _plan(graph, lambda _name, _site: Folding(), word_bits)


def largest_plan(graph: Graph, *, word_bits: int = 64) -> Plan:
    """Return the plan with the most parallel folding that the limits allow every process."""
    check_lowered(graph)
    return _plan(graph, lambda _name, site: max(_candidates(site), key=_parallelism), word_bits)


def default_plan(graph: Graph, *, cycles: int | None = None, word_bits: int = 64) -> Plan:
    """Return a plan with the least parallelism by which every process takes ``cycles`` a frame.

    By default, that is as many as ``default_cycles`` returns. A process that can't gets its most
    parallel folding. Among equals, those are taken whose words the neighbours already have, then
    those that need no shift register.
    """
    check_lowered(graph)
    target = default_cycles(graph) if cycles is None else cycles
    streams = streams_of(graph)
    writers = {(s.target, s.target_port): s for s in streams}
    readers = {(s.source, s.source_port): s.target for s in streams}
    nodes = processes_of(graph)
    foldings: dict[str, Folding] = {}

    def choose(name: str, site: Site) -> Folding:
        if name in foldings:
            return foldings[name]
        behind = readers[name, 0]
        if site.op.name == "window" and behind is not None and nodes[behind].op.name == "matvec":
            # The product is what costs; windows are cut into the words that it wants.
            lanes = {folding.simd for folding in _fastest(site, target)}
            # Of a single tap, where that is fast enough.
            of_one = {simd for simd in lanes if simd * site.op.groups <= site.inputs[0].channels}
            product = site_of(graph, nodes[behind])
            foldings[behind] = _behind_window(product, target, of_one or lanes)
            wanted = foldings[behind].simd * site.outputs[0].element.bits
            foldings[name] = _least(site, target, wanted, port=1)
            return foldings[name]
        stream = writers[name, 0]
        written = word_bits
        if stream.source is not None:
            kernel = KERNELS[nodes[stream.source].op.name]
            source = site_of(graph, nodes[stream.source])
            _, lanes_out = kernel.lanes(source, foldings[stream.source])
            written = lanes_out[stream.source_port] * stream.tensor.element.bits
        foldings[name] = _least(site, target, written)
        return foldings[name]

    return _plan(graph, choose, word_bits)


def default_cycles(graph: Graph) -> int:
    """Return the clock cycles a frame that ``default_plan`` aims at, whatever the board.

    With them, all products of a cycle together take about as many look-up tables as an eighth of
    a small board has: ``PRODUCT_BITS``.
    """
    total = 0
    for node in processes_of(graph).values():
        site, kernel = site_of(graph, node), KERNELS[node.op.name]
        bits = kernel.weight_bits(site, Folding())
        if bits:
            products = kernel.cycles(site, Folding())
            total += products * (bits * site.inputs[0].element.bits + 2)
    return max(FEWEST_CYCLES, -(-total // PRODUCT_BITS))


def _excess(site: Site, folding: Folding, target: int) -> int:
    return max(KERNELS[site.op.name].cycles(site, folding) - target, 0)


def _fastest(site: Site, target: int) -> list[Folding]:
    """Return the foldings that take ``target`` cycles, or those that come closest."""
    excesses = {folding: _excess(site, folding, target) for folding in _candidates(site)}
    least = min(excesses.values())
    return [folding for folding, excess in excesses.items() if excess == least]


def _behind_window(site: Site, target: int, lanes: set[int]) -> Folding:
    """Return the folding of a matvec whose words a window writes, best with some of ``lanes``."""

    def cost(folding: Folding) -> tuple[int, ...]:
        work = folding.pe * folding.simd
        # A converter, and the words that it makes, are worth half as many products again.
        return (2 * work if folding.simd in lanes else 3 * work, folding.pe)

    return min(_fastest(site, target), key=cost)


def _least(site: Site, target: int, neighbour_bits: int, port: int = 0) -> Folding:
    """Return the least folding that takes ``target`` cycles, best without a converter.

    The neighbour at the first input (``port`` 0) or output (1) has words of ``neighbour_bits``.
    """
    kernel = KERNELS[site.op.name]
    element_bits = (site.inputs, site.outputs)[port][0].element.bits

    def cost(folding: Folding) -> tuple[int, ...]:
        bits = kernel.lanes(site, folding)[port][0] * element_bits
        fits = bits == neighbour_bits
        divides = neighbour_bits % bits == 0 or bits % neighbour_bits == 0
        work = folding.pe * folding.simd
        # Where lanes are cheap, a converter is what costs.
        is_cheap = kernel.weight_bits(site, folding) == 0
        misfit = (not fits, not divides)
        return (*((*misfit, work) if is_cheap else (work, *misfit)), folding.pe)

    return min(_fastest(site, target), key=cost)


def check_plan(graph: Graph, plan: Plan) -> None:
    """Raise ``PlanError``, saying what is legal, unless ``plan`` fits the lowered ``graph``."""
    check_lowered(graph)
    check_graph(graph, plan)
    if plan.word_bits not in WORD_BITS:
        raise PlanError(f"word_bits is {plan.word_bits}: use one of {list(WORD_BITS)}")
    graph, plan = laid_out(graph, plan)
    processes = processes_of(graph)
    for name in plan.foldings:
        if name not in processes:
            raise PlanError(_unknown(name, list(processes)))
    for name, node in processes.items():
        if name not in plan.foldings:
            raise PlanError(f"the plan has no entry for the process {name}")
        check_folding(name, site_of(graph, node), plan.foldings[name])
    streams = streams_of(graph)
    values = [stream.value for stream in streams]
    for name in (*plan.fifos, *plan.fifo_memories):
        if name not in values:
            raise PlanError(f"fifos: there is no stream {name}: use one of {_listed(values)}")
    for name, depth in plan.fifos.items():
        if not 1 <= depth <= DEEPEST:
            raise PlanError(f"the depth of {name} is {depth}: use one from 1 to {DEEPEST}")
    wiring = Wiring(graph, plan)
    for stream in streams:
        _check_stream(wiring, stream)


def fifo_depth(plan: Plan, value: str) -> int:
    """Return how many words the FIFO of ``value`` holds."""
    return plan.fifos.get(value, DEFAULT_DEPTH)


def _plan(graph: Graph, choose: Callable[[str, Site], Folding], word_bits: int) -> Plan:
    foldings = {
        name: KERNELS[node.op.name].settled(site, choose(name, site))
        for name, node in processes_of(graph).items()
        for site in (site_of(graph, node),)
    }
    plan = Plan(graph_digest(graph), foldings, {}, word_bits)
    return replace(plan, fifos=fifo_depths(Wiring(graph, plan)))


def _candidates(site: Site) -> Iterator[Folding]:
    """Yield the foldings of one process that the limits allow, whatever its neighbours."""
    legal = KERNELS[site.op.name].legal(site, Folding())
    found = False
    for pe in legal.pe:
        for simd in legal.simd:
            folding = Folding(pe, simd)
            # Words of half the limit, so that every converter stays within it.
            if over_limit(site, folding, WIDEST_WORD // 2) is None:
                found = True
                yield folding
    if not found:
        # check_plan says what is wrong with it.
        yield Folding()


def _parallelism(folding: Folding) -> tuple[int, int]:
    return folding.pe * folding.simd, folding.simd


def over_limit(site: Site, folding: Folding, widest: int = WIDEST_WORD) -> str | None:
    """Return which limit ``folding`` exceeds by itself, as the end of a sentence, or None.

    ``widest`` is the limit of words in streams.
    """
    kernel = KERNELS[site.op.name]
    lanes_in, lanes_out = kernel.lanes(site, folding)
    words = [
        ("reads words", lanes_in, site.inputs),
        ("writes words", lanes_out, site.outputs),
    ]
    for what, lanes, tensors in words:
        for count, tensor in zip(lanes, tensors, strict=True):
            bits = count * tensor.element.bits
            if bits > widest:
                return f"{what} of {bits} bits, more than {widest}"
    return over_limit_inside(site, folding)


def over_limit_inside(site: Site, folding: Folding) -> str | None:
    """Return what ``over_limit`` does, whatever the words in streams are."""
    kernel = KERNELS[site.op.name]
    bits, count = kernel.weight_bits(site, folding), kernel.operators(site, folding)
    if bits > WIDEST_WORD:
        return f"reads weights in words of {bits} bits, more than {WIDEST_WORD}"
    if count > MOST_OPERATORS:
        return f"has {count} operators at work in one cycle, more than {MOST_OPERATORS}"
    return None


def check_folding(name: str, site: Site, folding: Folding) -> None:
    """Raise ``PlanError``, saying what is legal, unless the process ``name`` may be so folded."""
    kernel = KERNELS[site.op.name]
    legal = kernel.legal(site, replace(folding, comparison=Comparison.AUTO))
    if folding.comparison in legal.comparison:
        legal = kernel.legal(site, folding)
    for key, value, values in (
        ("pe", folding.pe, legal.pe),
        ("simd", folding.simd, legal.simd),
        ("pixels", folding.pixels, legal.pixels),
        ("comparison", folding.comparison, legal.comparison),
        ("memory", folding.memory, legal.memory),
        ("multiplier", folding.multiplier, legal.multiplier),
    ):
        if value not in values:
            shown = value if isinstance(value, int) else repr(value.value)
            allowed = [v if isinstance(v, int) else v.value for v in values]
            clause = legal.because.get(key, legal.because.get(value))
            reason = f", but {clause}" if clause else ""
            raise PlanError(f"{name}: {key} is {shown}{reason}: use one of {allowed}")
    problem = over_limit(site, folding)
    if problem is not None:
        at_once = f" of {folding.pixels} pixels" if folding.pixels > 1 else ""
        raise PlanError(
            f"{name}: with pe {folding.pe} and simd {folding.simd}{at_once} it {problem}"
        )


def _check_stream(wiring: Wiring, stream: Stream) -> None:
    written, read = wiring.written_bits(stream), wiring.read_bits(stream)
    frame = stream.tensor.size * stream.tensor.element.bits
    between = converter(written, read, frame)
    if between is not None and between.widest > WIDEST_WORD:
        raise PlanError(
            f"{stream.value} is written in words of {written} bits and read in words of {read}:"
            f" the converter between them needs {between.widest} bits, more than {WIDEST_WORD};"
            " choose pe and simd so that one width divides the other, or smaller ones"
        )


def _unknown(name: str, names: list[str]) -> str:
    return f"the plan has an entry for {name}, but there is no such process: use {_listed(names)}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 20 else shown


__all__ = [
    "DEFAULT_DEPTH",
    "FEWEST_CYCLES",
    "PRODUCT_BITS",
    "WORD_BITS",
    "Legal",
    "check_plan",
    "default_cycles",
    "default_plan",
    "fifo_depth",
    "largest_plan",
    "legal_choices",
    "legal_values",
    "settled_plan",
    "slowest",
    "unfolded_plan",
]
