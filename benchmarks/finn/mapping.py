"""A published folding on our processes: our plan, and FINN's estimate of each layer beside it.

FINN's nodes are found by their order, as its files name them. Where one of our processes has no
node in the file it gets the lanes of the process before it, and at the input as many as it needs to
be as fast as FINN's slowest node. A threshold behind a product is part of FINN's ``MVAU_hls`` and
``VVAU_hls``, and a node of its own behind ``MVAU_rtl``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from math import gcd, prod
from operator import add
from typing import TYPE_CHECKING

from benchmarks.finn import formulas
from benchmarks.finn.formulas import Estimate, Operands, Product, Windowing
from lutloom.boards.device import DspType
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.folding import default_plan, over_limit
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.kernels.kernel import divisors
from lutloom.codegen.kernels.packed import packed_multiplier
from lutloom.codegen.on_device import on_device
from lutloom.codegen.streams import Wiring, processes_of, site_of, streams_of
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.finn.published import PublishedFolding, Settings
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan

_PRODUCTS = ("matvec", "depthwise")
_MEMORIES = {"block": Memory.BRAM, "distributed": Memory.LUTRAM}
_MULTIPLIERS = {"dsp": Multiplier.DSP, "lut": Multiplier.FABRIC}
# As MVAU_rtl: rows share a slice.
_SHARED = "shared"
# FINN has the layer of a branch before that of its shortcut, up to where their paths differ.
_IN_BLOCK = (("branch.conv0", 0), ("shortcut", 1), ("branch", 2), ("", 3))


@dataclass(frozen=True)
class Layer:
    """Some of our processes, and FINN's nodes that do the same; neither may have any."""

    name: str
    processes: tuple[str, ...]
    nodes: tuple[tuple[str, Estimate], ...]

    @property
    def estimate(self) -> Estimate:
        """What FINN says of its nodes together."""
        return reduce(add, (estimate for _, estimate in self.nodes), Estimate(0))


@dataclass(frozen=True)
class Mapped:
    """A graph of processes, our plan with a published folding, and its layers.

    ``left`` are nodes of FINN's that none of our processes does the work of, by kind.
    """

    graph: Graph
    plan: Plan
    layers: tuple[Layer, ...]
    left: dict[str, int]


def mapped(graph: Graph, published: PublishedFolding, device: Device) -> Mapped:
    """Return ``published`` on the processes of ``graph``.

    What the file leaves open is chosen for ``device`` as always, and FIFOs are as deep as ours.
    """
    walk = _Walk(graph, published, device)
    layers = tuple(walk.layers())
    interval = max(layer.estimate.cycles for layer in layers)
    plan = default_plan(graph, cycles=interval)
    for name, folding in walk.foldings.items():
        plan = plan.with_folding(name, folding)
    plan = replace(plan, fifos=fifo_depths(Wiring(graph, plan)))
    return Mapped(graph, on_device(graph, plan, device), layers, published.left())


class _Walk:
    """Goes over the processes in FINN's order, and takes a node of the file for each."""

    def __init__(self, graph: Graph, published: PublishedFolding, device: Device) -> None:
        self.graph, self.published = graph, published
        self.foldings: dict[str, Folding] = {}
        self._dsp_type = device.dsp_type
        # Such products leave their thresholds to a node behind them.
        self._is_apart = published.count("MVAU_hls") == 0

    @cached_property
    def sites(self) -> dict[str, Site]:
        """The processes in FINN's order."""
        nodes = processes_of(self.graph)
        names = list(nodes)
        blocks: dict[str, int] = {}
        for name in names:
            blocks.setdefault(_block(name), len(blocks))
        names.sort(key=lambda name: (blocks[_block(name)], _rank(name)))
        return {name: site_of(self.graph, nodes[name]) for name in names}

    @cached_property
    def _before(self) -> dict[str, str | None]:
        return {
            s.target: s.source for s in streams_of(self.graph) if s.target and not s.target_port
        }

    @cached_property
    def _behind(self) -> dict[str, str | None]:
        return {
            s.source: s.target for s in streams_of(self.graph) if s.source and not s.source_port
        }

    @cached_property
    def _stairs(self) -> set[str]:
        """The thresholds."""
        kinds = ("threshold", "border_threshold", "requantize")
        return {name for name, site in self.sites.items() if site.op.name in kinds}

    @cached_property
    def _unpadded(self) -> int:
        """How many of the first windows with padding have no node for it."""
        padded = sum(any(site.op.pads) for site in self.sites.values() if _has_windows(site))
        return padded - self.published.count("FMPadding_rtl")

    def layers(self) -> Iterator[Layer]:
        """Yield the layers: a product with its window and its thresholds, any other process."""
        for name, site in self.sites.items():
            if name in self.foldings:
                continue
            names, nodes = [name], list(self._nodes(name, site))
            behind = self._behind.get(name)
            if site.op.name == "window" and behind is not None:
                names.append(behind)
                nodes += self._nodes(behind, self.sites[behind])
            title, levels = names[-1], self._behind.get(names[-1])
            if self.sites[title].op.name in _PRODUCTS and levels in self._stairs:
                names.append(levels)
                nodes += self._levels(levels, self.sites[levels])
            yield Layer(_short(title), tuple(names), tuple(nodes))

    def _nodes(self, name: str, site: Site) -> list[tuple[str, Estimate]]:
        """Fold one process, and return FINN's nodes for it."""
        match site.op.name:
            case "window":
                return self._window(name, site)
            case "matvec":
                return self._matvec(name, site)
            case "depthwise":
                return self._depthwise(name, site)
            case "max_pool" | "sum_pool":
                return self._pool(name, site)
            case "threshold" | "border_threshold" | "requantize":
                return self._threshold(name, site)
            case "add":
                return self._streamed(name, site, "AddStreams_hls")
            case "duplicate":
                return self._streamed(name, site, "DuplicateStreams_hls")
            case _:
                self._fold(name, site, self._lanes_before(name))
                return []

    def _window(self, name: str, site: Site) -> list[tuple[str, Estimate]]:
        if site.op.windows.taps == 1:
            taken = self.published.take("DownSampler_hls")
            simd = int(taken[1]["SIMD"]) if taken else 1
            self._fold(name, site, 1, simd)
            return [("DownSampler_hls", formulas.streamed(site.inputs[0].size, simd))]
        padding = self._padding(site)
        return [*padding, self._sliding(name, site, is_depthwise=False)]

    def _padding(self, site: Site) -> list[tuple[str, Estimate]]:
        if not any(site.op.pads):
            return []
        if self._unpadded > 0:
            self._unpadded -= 1
            return []
        taken = self.published.take("FMPadding_rtl")
        if taken is None:
            return []
        values = prod(_padded(site)) * site.inputs[0].channels
        return [(taken[0], formulas.streamed(values, int(taken[1]["SIMD"])))]

    def _sliding(self, name: str, site: Site, *, is_depthwise: bool) -> tuple[str, Estimate]:
        taken = self.published.take("ConvolutionInputGenerator_rtl")
        if taken is None:
            raise ValueError(f"{name}: the file has no ConvolutionInputGenerator_rtl for it")
        settings, windows = taken[1], site.op.windows
        simd, style = int(settings["SIMD"]), str(settings["ram_style"])
        node = Windowing(
            _two(_padded(site)),
            _two(windows.results(site.inputs[0].shape[:-1])),
            site.inputs[0].channels,
            _two(windows.kernel),
            _two(windows.stride),
            site.inputs[0].element.bits,
            simd,
            _two(windows.dilation),
            style,
            is_depthwise,
        )
        if not is_depthwise:
            self._fold(name, site, 1, simd, memory=style)
        return taken[0], formulas.sliding_window(node)

    def _matvec(self, name: str, site: Site) -> list[tuple[str, Estimate]]:
        taken = self.published.take("MVAU_hls", "MVAU_rtl")
        if taken is None:
            raise ValueError(f"{name}: the file has no MVAU for it")
        kind, settings = taken
        rows, columns = site.op.matrix.shape
        node = self._product(name, site, settings, rows, columns)
        is_rtl = kind == "MVAU_rtl"
        # Words of weights have a limit here, which a file may be above.
        pe = next(
            pe
            for pe in reversed(divisors(node.pe))
            if over_limit(site, Folding(pe, node.simd)) is None
        )
        self._fold(
            name,
            site,
            pe,
            node.simd,
            memory=node.memory,
            multiplier=_SHARED if is_rtl else node.multiplier,
        )
        if is_rtl:
            return [(kind, formulas.mvau_rtl(node, is_versal=self._dsp_type is DspType.DSP58))]
        return [(kind, formulas.mvau_hls(node))]

    def _depthwise(self, name: str, site: Site) -> list[tuple[str, Estimate]]:
        padding = self._padding(site)
        sliding = self._sliding(name, site, is_depthwise=True)
        taken = self.published.take("VVAU_hls", "VVAU_rtl")
        if taken is None:
            raise ValueError(f"{name}: the file has no VVAU for it")
        node = self._product(name, site, taken[1], site.inputs[0].channels, site.op.windows.taps)
        self._fold(name, site, node.pe, memory=node.memory, multiplier=node.multiplier)
        return [*padding, sliding, (taken[0], formulas.vvau_hls(node))]

    def _product(
        self, name: str, site: Site, settings: Settings, rows: int, columns: int
    ) -> Product:
        levels = self._behind.get(name)
        has_levels = levels in self._stairs and not self._is_apart
        return Product(
            rows,
            columns,
            site.outputs[0].size // rows,
            _operands(site),
            int(settings["PE"]),
            int(settings.get("SIMD", 1)),
            str(settings.get("ram_style", "auto")),
            str(settings.get("resType", "dsp")),
            self.sites[levels].outputs[0].element.bits if levels and has_levels else 0,
        )

    def _pool(self, name: str, site: Site) -> list[tuple[str, Estimate]]:
        if (
            not self.published.count("Pool_hls")
            or (taken := self.published.take("Pool_hls")) is None
        ):
            self._fold(name, site, self._lanes_before(name))
            image, kernel = _two(site.inputs[0].shape[:-1]), site.op.windows.kernel[-1]
            return [("StreamingMaxPool_hls", formulas.streaming_max_pool(image, kernel))]
        pe = int(taken[1]["PE"])
        padding = self._padding(site)
        sliding = self._sliding(name, site, is_depthwise=True)
        self._fold(name, site, pe)
        values = site.outputs[0].size * site.op.windows.taps
        return [*padding, sliding, (taken[0], formulas.streamed(values, pe))]

    def _threshold(self, name: str, site: Site) -> list[tuple[str, Estimate]]:
        """Fold a threshold that is behind no product."""
        if self._before.get(name) is None and self.published.first != "Thresholding_rtl":
            return []
        return self._levels(name, site)

    def _levels(self, name: str, site: Site) -> list[tuple[str, Estimate]]:
        """Fold a threshold, and return its node where it is one of its own."""
        source = self._before.get(name)
        is_behind = source is not None and self.sites[source].op.name in _PRODUCTS
        # Either all products have thresholds of their own in the file, or none.
        is_node = is_behind == self._is_apart
        taken = self.published.take("Thresholding_rtl") if is_node else None
        if taken is None:
            self._fold(name, site, self._lanes_before(name))
            return []
        settings, x = taken[1], site.inputs[0]
        pe = int(settings["PE"])
        # It is a binary search there.
        self._fold(name, site, pe, comparison=Comparison.SEARCH)
        estimate = formulas.thresholding_rtl(
            channels=x.channels,
            vectors=x.size // x.channels,
            pe=pe,
            threshold_bits=x.element.bits,
            output_bits=site.outputs[0].element.bits,
            trigger_bram=int(settings.get("depth_trigger_bram", 0)),
            trigger_uram=int(settings.get("depth_trigger_uram", 0)),
        )
        return [(taken[0], estimate)]

    def _streamed(self, name: str, site: Site, kind: str) -> list[tuple[str, Estimate]]:
        taken = self.published.take(kind)
        if taken is None:
            self._fold(name, site, self._lanes_before(name))
            return []
        pe = int(taken[1]["PE"])
        self._fold(name, site, pe)
        return [(kind, formulas.streamed(site.outputs[0].size, pe))]

    def _lanes_before(self, name: str) -> int:
        """Return the lanes of the process before ``name``, as far as they divide its channels."""
        source = self._before.get(name)
        channels = self.sites[name].inputs[0].channels
        if source is None or source not in self.foldings:
            return 1
        folding = self.foldings[source]
        lanes = KERNELS[self.sites[source].op.name].lanes(self.sites[source], folding)[1][0]
        return gcd(lanes, channels)

    def _fold(
        self,
        name: str,
        site: Site,
        pe: int,
        simd: int = 1,
        *,
        memory: str = "",
        multiplier: str = "",
        comparison: Comparison = Comparison.AUTO,
    ) -> None:
        """Take what is legal of FINN's choices; what is not is left open."""
        folding = Folding(pe, simd, comparison=comparison)
        legal = KERNELS[site.op.name].legal(site, folding)
        bound, kind = _MEMORIES.get(memory), _MULTIPLIERS.get(multiplier)
        if multiplier == _SHARED:
            packed = packed_multiplier(self._dsp_type)
            kind = packed if packed in legal.multiplier else Multiplier.DSP
        self.foldings[name] = Folding(
            pe,
            simd,
            bound if bound in legal.memory and bound is not None else Memory.AUTO,
            kind if kind in legal.multiplier and kind is not None else Multiplier.AUTO,
            comparison if comparison in legal.comparison else Comparison.AUTO,
        )


def _operands(site: Site) -> Operands:
    """Return the types that FINN narrows a product to (``minimize_weight_bit_width``, ...).

    Signs by one-bit inputs are XNOR, and both count from 0 there; other signs become ``INT2``.
    """
    x, y = site.inputs[0].element, site.outputs[0].element
    weights = site.op.weights if site.op.name == "depthwise" else site.op.matrix
    if x.bits == 1 and site.op.name == "matvec":
        sums = site.op.sums
        reach = _signed_bits(int(sums.negative.min()), int(sums.positive.max()))
        return Operands(1, 1, reach, is_signed=False)
    bits = _signed_bits(weights.lo, weights.hi)
    return Operands(bits, x.bits, _signed_bits(y.lo, y.hi), x.is_signed)


def _has_windows(site: Site) -> bool:
    return site.op.name in ("window", "depthwise", "max_pool", "sum_pool")


def _padded(site: Site) -> tuple[int, ...]:
    """Return rows and columns of the image with its padding."""
    image, pads = site.inputs[0].shape[:-1], site.op.windows.pads
    return tuple(n + pads[axis] + pads[len(image) + axis] for axis, n in enumerate(image))


def _two(axes: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns: a signal is one row."""
    return (axes[0], axes[1]) if len(axes) == 2 else (1, axes[0])


def _signed_bits(lo: int, hi: int) -> int:
    return max(max(hi, 0).bit_length(), (~min(lo, 0)).bit_length()) + 1


def _block(name: str) -> str:
    found = re.match(r"blocks\.[^.]+", name)
    return found[0] if found else name


def _rank(name: str) -> int:
    return next(rank for part, rank in _IN_BLOCK if part in name)


def _short(name: str) -> str:
    """Return the name of a layer without what exporters add to it."""
    return re.sub(r"\.(layer\.)?(Conv|MatMul|Gemm)$|\.\w*Quant$|/window$", "", name)
