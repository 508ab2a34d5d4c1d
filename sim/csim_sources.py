"""What is compiled for a C simulation: the units of a project, and a driver that calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from lutloom.codegen.folding import DEFAULT_DEPTH
from lutloom.codegen.render import render
from lutloom.codegen.units import MOST_PROCESSES
from lutloom.sim.concurrent import concurrent, ticking


def sources_of(hls: Path, description: Mapping[str, Any], *, bounded: bool) -> dict[str, str]:
    """Return the text of every file that is compiled by its name: units, and the driver."""
    units = description["units"]
    sources = {
        f"{unit['top']}.cpp": (hls / "src" / f"{unit['top']}.cpp").read_text(encoding="utf-8")
        for unit in units
    }
    headers = {}
    if bounded:
        sources = _concurrent(sources, units)
        paths = sorted((hls / "include" / "lutloom").glob("*.hpp"))
        texts = ((path.name, path.read_text(encoding="utf-8")) for path in paths)
        headers = {f"lutloom/{name}": ticking(text) for name, text in texts}
    sources["driver.cpp"] = _driver(description, bounded=bounded)
    if bounded:
        define = "#define LUTLOOM_BOUNDED\n"
        sources = {name: define + text for name, text in sources.items()}
    if sum(len(unit["processes"]) for unit in units) <= MOST_PROCESSES:
        # One compilation of the headers of ap_int instead of several: they are most of it.
        sources = {"design.cpp": "".join(sources.values())}
    return {**headers, **sources}


def _concurrent(sources: Mapping[str, str], units: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the texts of ``units`` with their processes beside each other."""
    kernels = {p["identifier"]: p["kernel"] for unit in units for p in unit["processes"]}
    texts = {}
    first = 0
    for (file, text), unit in zip(sources.items(), units, strict=True):
        numbered = enumerate(unit["fifos"], first)
        numbers = {f["identifier"]: number for number, f in numbered if f["planned_bits"]}
        first += len(unit["fifos"])
        texts[file] = concurrent(text, kernels, numbers)
    return texts


def _driver(description: Mapping[str, Any], *, bounded: bool) -> str:
    """Return the text of the entry points."""
    inputs, outputs, units = (description[key] for key in ("inputs", "outputs", "units"))
    leads = [port["value"] for port in inputs]
    outer = {port["stream"] for port in (*inputs, *outputs)}
    borders = {b["stream"]: b for unit in units for b in (*unit["entries"], *unit["exits"])}
    return render(
        "csim/driver.cpp.j2",
        streams=[
            {
                "name": name,
                "bits": border["bits"],
                "shown": _shown(name),
                "is_between": name not in outer,
            }
            for name, border in borders.items()
        ],
        inputs=inputs,
        outputs=[
            {**port, "shown": _shown(port["stream"]), "lead": leads.index(port["tlast_of"])}
            for port in outputs
        ],
        units=[
            {
                "top": unit["top"],
                "arguments": [border["stream"] for border in (*unit["entries"], *unit["exits"])],
            }
            for unit in units
        ],
        bounded=bounded,
        depth=DEFAULT_DEPTH,
    )


def _shown(stream: str) -> str:
    """Return what messages call an AXI stream of the design."""
    kind, _, name = stream.partition("_")
    shown = {"in": "the input", "out": "the output"}.get(kind, stream)
    return f"{shown} {name}".rstrip()


def digest(hls: Path, settings: Sequence[str]) -> str:
    """Return the digest of ``settings``, and of all that the sources include."""
    state = blake2b("\0".join(settings).encode(), digest_size=16)
    for path in sorted(p for p in hls.rglob("*") if p.suffix in (".hpp", ".h")):
        state.update(path.relative_to(hls).as_posix().encode() + b"\0" + path.read_bytes())
    return state.hexdigest()
