"""``report.json``: what the page says, for programs; docs/report.md describes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lutloom.reporting.memories import totals
from lutloom.reporting.versions import versions

if TYPE_CHECKING:
    from lutloom.codegen.costs import Cost
    from lutloom.core.types import TensorType
    from lutloom.reporting.facts import Facts, ProcessFacts, StreamFacts
    from lutloom.reporting.memories import MemoryFacts
    from lutloom.reporting.rooflines import Roofline

FORMAT = 1


def document(facts: Facts) -> bytes:
    """Return ``facts`` as JSON, the same bytes for the same facts."""
    return (json.dumps(_values(facts), indent=1, allow_nan=False) + "\n").encode()


def _values(facts: Facts) -> dict[str, Any]:
    build, roof = facts.build, facts.roofline
    return {
        "format": FORMAT,
        "versions": versions(),
        "name": build.name,
        "board": build.board.name,
        "part": build.board.part,
        "clock_mhz": build.clock_mhz,
        "images_per_second": facts.images_per_second,
        "interval": facts.slowest.cycles,
        "bottleneck": {
            "kind": facts.slowest.kind.value,
            "name": facts.slowest.name,
            "unit": facts.slowest.unit,
        },
        "macs": facts.macs,
        "weight_bits": facts.weight_bits,
        "resources": _cost(facts.cost.total),
        "shell": _cost(facts.shell),
        "device": {name: there for name, _, there in facts.utilisation},
        "processes": [_process(process) for process in facts.processes],
        "others": {kind.value: _cost(cost) for kind, cost in facts.others},
        "streams": [_stream(facts, stream) for stream in facts.streams],
        "fifos": [asdict(row) for row in facts.fifos],
        "memory": [_memory(entry) for entry in totals(facts.memories).values()],
        "joins": [asdict(join) for join in facts.joins],
        "channels": [asdict(added) for added in facts.channels],
        "roofline": None if roof is None else _roofline(roof),
        "verification": _verification(facts),
        "synthesis": None if facts.evidence.synthesis is None else asdict(facts.evidence.synthesis),
        "measured": None if facts.evidence.board is None else asdict(facts.evidence.board),
    }


def _cost(cost: Cost) -> dict[str, dict[str, int | str]]:
    return {
        name: {"value": number, "confidence": getattr(cost.confidences, name).name.lower()}
        for name, number in cost.resources.named().items()
    }


def _tensor(tensor: TensorType) -> dict[str, Any]:
    element = tensor.element
    return {
        "shape": list(tensor.shape),
        "bits": element.bits,
        "lo": element.lo,
        "hi": element.hi,
        "step": element.step,
    }


def _process(process: ProcessFacts) -> dict[str, Any]:
    folding = process.folding
    return {
        "name": process.name,
        "identifier": process.identifier,
        "unit": process.unit,
        "kernel": process.kernel,
        "inputs": [_tensor(tensor) for tensor in process.inputs],
        "outputs": [_tensor(tensor) for tensor in process.outputs],
        "pe": folding.pe,
        "simd": folding.simd,
        "pixels": folding.pixels,
        "memory": folding.memory.value,
        "multiplier": folding.multiplier.value,
        "comparison": folding.comparison.value,
        "cycles": process.cycles,
        "macs": process.macs,
        "resources": _cost(process.cost),
    }


def _stream(facts: Facts, stream: StreamFacts) -> dict[str, Any]:
    return {
        "value": stream.value,
        **_tensor(stream.tensor),
        "source": stream.source,
        "input": facts.input_names[stream.source_port] if stream.source is None else None,
        "target": stream.target,
        "output": facts.output_names[stream.target_port] if stream.target is None else None,
        "written_bits": stream.written_bits,
        "read_bits": stream.read_bits,
        "converter": stream.converter or None,
        "fifo": {"depth": stream.depth, "bits": stream.fifo_bits, "memory": stream.memory},
    }


def _memory(entry: MemoryFacts) -> dict[str, Any]:
    return {
        "purpose": entry.purpose.value,
        "kind": entry.kind.value,
        "bits": entry.bits,
        "resources": _cost(entry.cost),
    }


def _roofline(roof: Roofline) -> dict[str, Any]:
    derived = ("intensity", "achieved", "peak", "device_peak", "bandwidth")
    return {**asdict(roof), **{name: getattr(roof, name) for name in derived}}


def _verification(facts: Facts) -> dict[str, Any] | None:
    result = facts.verification
    if result is None:
        return None
    return {
        "samples": result.samples,
        "passed": result.passed,
        "checks": [
            {
                "stage": check.stage.name.lower(),
                "subject": check.subject,
                "elements": check.elements,
                "differing": check.differing,
                "unexplained": check.unexplained,
            }
            for check in result.checks
        ],
    }
