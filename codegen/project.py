"""Write the HLS project of a design: sources, parameters, testbench, kernels, all in ``hls/``.

    hls/include/lutloom/*.hpp    the kernels that are used
    hls/src/UNIT.cpp, UNIT.hpp   the units: a top-level function each
    hls/src/params/PROCESS.hpp   a process each: its constants, and the call of its kernel
    hls/tb/testbench.cpp         self-checking, with golden vectors in golden.hpp
    hls/csim/*.h                 stand-ins for two of Vitis' headers, for C simulation without it
    hls/design.json              what the simulator has to know

Equal graphs, plans, names and vectors give equal bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lutloom.codegen.assembly import make_design
from lutloom.codegen.design import Design, Process, Unit
from lutloom.codegen.initializer import dimensions, element_type, initializer
from lutloom.codegen.lower import check_lowered
from lutloom.codegen.names import comment
from lutloom.codegen.packing import pack_frames
from lutloom.codegen.render import render, resource
from lutloom.codegen.units import MOST_PROCESSES
from lutloom.core.files import write_file
from lutloom.core.text import graph_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lutloom.codegen.ports import Border, DesignPort
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan
    from lutloom.core.types import IntArray, TensorType

FORMAT = 2
"""Version of ``design.json``."""


@dataclass(frozen=True, eq=False)
class Golden:
    """Golden vectors: ``inputs [n, *shape]`` and ``outputs [n, *shape]``, n at least 1.

    Of several inputs or outputs by the graph's names.
    """

    inputs: IntArray | Mapping[str, IntArray]
    outputs: IntArray | Mapping[str, IntArray]


@dataclass(frozen=True)
class _TableText:
    """A table as the templates write it."""

    name: str
    type: str
    dimensions: str
    initializer: str
    note: str
    complete: tuple[int, ...] = ()
    reshape: int = 0
    memory: str = "auto"


def write_project(
    graph: Graph,
    plan: Plan,
    *,
    name: str,
    golden: Golden,
    directory: Path,
    unit_limit: int = MOST_PROCESSES,
    port_names: Mapping[str, str] = MappingProxyType({}),
) -> Design:
    """Write the project of the lowered ``graph``, as ``plan`` folds it, to ``directory``/hls.

    ``name`` becomes the prefix of the design's namespace and of its top-level functions.
    ``unit_limit`` is how many processes a unit holds at most; ``port_names`` are the model's names
    of the graph's inputs and outputs, where it has others. Returns the design: its units, their
    tops and sources.

    Raises ``LoweringError`` or ``PlanError`` where the graph or the plan can't be built, and
    ``OutputError`` where the files can't be written.
    """
    check_lowered(graph)
    design = make_design(graph, plan, name=name, unit_limit=unit_limit, port_names=port_names)
    vectors = _vectors(design, golden)
    for path, text in project_files(design, vectors, graph_digest(graph)).items():
        target = directory / "hls" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, text.encode())
    return design


@dataclass(frozen=True, eq=False)
class Vectors:
    """The golden vectors of one input or output."""

    port: DesignPort
    values: IntArray


def _vectors(design: Design, golden: Golden) -> list[Vectors]:
    """Return the vectors of all inputs and outputs, as many of each."""
    found = []
    for ports, given in ((design.inputs, golden.inputs), (design.outputs, golden.outputs)):
        by_name = given if isinstance(given, Mapping) else {ports[0].value: given}
        if set(by_name) != {port.value for port in ports}:
            raise ValueError(f"the golden vectors should be those of {[p.value for p in ports]}")
        found += [Vectors(port, by_name[port.value]) for port in ports]
    count = found[0].values.shape[0]
    for port, values in ((vectors.port, vectors.values) for vectors in found):
        if count < 1 or values.shape != (count, *port.tensor.shape):
            wanted = [max(count, 1), *port.tensor.shape]
            raise ValueError(
                f"the golden vectors of {port.value} should be {wanted}, not {list(values.shape)}"
            )
    return found


def project_files(design: Design, vectors: Sequence[Vectors], digest: str) -> dict[str, str]:
    """Return the text of every file of the project by its path below ``hls/``."""
    files: dict[str, str] = {}
    title = comment(design.name)
    common = {"namespace": design.namespace, "title": title, "largest_word": design.largest_word}
    for unit in design.units:
        header, source = f"src/{unit.top}.hpp", f"src/{unit.top}.cpp"
        files[header] = render("unit.hpp.j2", unit=unit, **common)
        files[source] = render("unit.cpp.j2", unit=unit, **common)
        for process in unit.processes:
            files[f"src/params/{process.identifier}.hpp"] = _process_text(process, common)
    for header in _headers(files):
        files[f"include/lutloom/{header}.hpp"] = resource(f"include/lutloom/{header}.hpp")
    for stand_in in ("ap_axi_sdata.h", "hls_stream.h", "simulation.h"):
        files[f"csim/{stand_in}"] = resource(f"csim/{stand_in}")
    files["tb/golden.hpp"] = _golden_text(design, vectors)
    files["tb/testbench.cpp"] = render("testbench.cpp.j2", design=design, **common)
    files["design.json"] = _description(design, files, digest)
    return dict(sorted(files.items()))


def _process_text(process: Process, common: dict[str, Any]) -> str:
    tables = [
        _TableText(
            table.name,
            element_type(table.bits, signed=table.signed),
            dimensions(table.data.shape),
            initializer(
                table.data, hexadecimal_bits=table.bits if table.is_hexadecimal else 0
            ).replace("\n}", "\n  }"),
            table.note,
            table.complete,
            table.reshape,
            table.memory.value,
        )
        for table in process.code.tables
    ]
    return render(
        f"process/{process.kernel}.hpp.j2",
        process=process,
        facts=process.code.facts,
        tables=tables,
        **common,
    )


def _headers(files: Mapping[str, str]) -> list[str]:
    """Return the kernel headers that ``files`` include, and those that these include."""
    wanted = {header for text in files.values() for header in _included(text)}
    found: set[str] = set()
    while wanted:
        header = wanted.pop()
        found.add(header)
        wanted |= _included(resource(f"include/lutloom/{header}.hpp")) - found
    return sorted(found)


def _included(text: str) -> set[str]:
    return set(re.findall(r'#include "lutloom/(\w+)\.hpp"', text))


def _golden_text(design: Design, vectors: Sequence[Vectors]) -> str:
    tables = []
    for port, values in ((entry.port, entry.values) for entry in vectors):
        words = pack_frames(values, port.tensor.element, design.borders[port.stream].axis_bits)
        tables.append(
            _TableText(
                f"{'kInput' if port.is_input else 'kOutput'}{port.suffix}",
                element_type(64, signed=False),
                dimensions(words.shape),
                initializer(words, hexadecimal_bits=64),
                f"{port.tensor} each.",
            )
        )
    return render("golden.hpp.j2", images=len(vectors[0].values), tables=tables)


def _description(design: Design, files: dict[str, str], digest: str) -> str:
    document = {
        "format": FORMAT,
        "name": design.namespace,
        "graph": digest,
        "word_bits": design.word_bits,
        "inputs": [_port(design, port) for port in design.inputs],
        "outputs": [_port(design, port) for port in design.outputs],
        "units": [
            {
                "top": unit.top,
                "sources": list(unit.sources),
                "hash": _unit_hash(unit, files),
                "entries": [_border(border) for border in unit.entries],
                "exits": [_border(border) for border in unit.exits],
                "processes": [
                    {
                        "identifier": p.identifier,
                        "name": p.name,
                        "kernel": p.kernel,
                        "cycles": p.cycles,
                    }
                    for p in unit.processes
                ],
                "fifos": [
                    {
                        "identifier": fifo.identifier,
                        "value": fifo.value,
                        "bits": fifo.bits,
                        "words": fifo.words,
                        "depth": fifo.depth,
                        "planned_bits": fifo.planned_bits,
                        "memory": fifo.memory.value,
                    }
                    for fifo in unit.fifos
                ],
            }
            for unit in design.units
        ],
        "streams": [
            {"identifier": probe.fifo, "value": probe.value, "bits": probe.bits}
            | ({} if probe.runs is None else {"channels": [*astuple(probe.runs)]})
            | _type(probe.tensor)
            for probe in design.probes
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _port(design: Design, port: DesignPort) -> dict[str, object]:
    border = design.borders[port.stream]
    return {
        "value": port.value,
        "name": port.name,
        "stream": port.stream,
        "tlast_of": port.lead,
        "bits": border.axis_bits,
        "beats": border.beats,
        **_type(port.tensor),
    }


def _border(border: Border) -> dict[str, object]:
    return {
        "argument": border.argument,
        "stream": border.stream,
        "bits": border.axis_bits,
        "beats": border.beats,
    }


def _type(tensor: TensorType) -> dict[str, object]:
    element = tensor.element
    return {"type": [element.lo, element.hi, element.step], "shape": list(tensor.shape)}


def _unit_hash(unit: Unit, files: dict[str, str]) -> str:
    """Return the digest of all that the synthesis of ``unit`` depends on."""
    own = [f"src/{unit.top}.cpp", f"src/{unit.top}.hpp"]
    own += [f"src/params/{process.identifier}.hpp" for process in unit.processes]
    state = blake2b(digest_size=10)
    included = set(own)
    while own:
        path = own.pop(0)
        state.update(f"{path}\0{files[path]}\0".encode())
        fresh = {f"include/lutloom/{header}.hpp" for header in _included(files[path])} - included
        included |= fresh
        own += sorted(fresh)
    return state.hexdigest()
