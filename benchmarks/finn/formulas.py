"""FINN's estimates of its own nodes, as its ``*_estimation`` and ``get_exp_cycles`` compute them.

What is said here is what FINN says (dev branch of 2024 and 2025, github.com/Xilinx/finn, folder
``src/finn/custom_op/fpgadataflow``), not what hardware takes. It has no formula for flip-flops,
none for the look-up tables of ``MVAU_rtl`` and ``VVAU_rtl``, of pools, additions, duplicators and
paddings, and counts no FIFO, width converter, DMA or shell in the report of its layers.

The formula for look-up tables of products is that of Blott et al., FINN-R, 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2, prod


@dataclass(frozen=True, slots=True)
class Estimate:
    """What FINN says that a node takes, and its clock cycles an image."""

    cycles: int
    lut: int = 0
    bram18: int = 0
    uram: int = 0
    dsp: int = 0

    def __add__(self, other: Estimate) -> Estimate:
        """Return both, one behind the other: the slower one counts."""
        return Estimate(
            max(self.cycles, other.cycles),
            self.lut + other.lut,
            self.bram18 + other.bram18,
            self.uram + other.uram,
            self.dsp + other.dsp,
        )


@dataclass(frozen=True, slots=True)
class Operands:
    """Bits of weights, of inputs, and of the accumulator; whether inputs have a sign."""

    weights: int
    inputs: int
    accumulator: int
    is_signed: bool


@dataclass(frozen=True, slots=True)
class Product:
    """A node that multiplies: ``rows`` sums of ``columns`` products each, ``vectors`` an image.

    Of a depthwise one ``columns`` are the taps of its window. ``output_bits`` are those of the
    thresholds' result, 0 where there are none in the node. ``memory`` and ``multiplier`` are
    FINN's ``ram_style`` and ``resType``.
    """

    rows: int
    columns: int
    vectors: int
    operands: Operands
    pe: int
    simd: int
    memory: str = "auto"
    multiplier: str = "lut"
    output_bits: int = 0
    is_embedded: bool = False

    @property
    def words(self) -> int:
        """Words of the weight memory (``calc_wmem``)."""
        return self.rows * self.columns // (self.pe * self.simd)

    @property
    def word_bits(self) -> int:
        """Bits of a word of it."""
        return self.pe * self.simd * self.operands.weights

    @property
    def cycles(self) -> int:
        """``get_exp_cycles``: (MH / PE) (MW / SIMD) vectors."""
        return (self.rows // self.pe) * (self.columns // self.simd) * self.vectors

    @property
    def bram18(self) -> int:
        """``bram_estimation``: RAMB18 in simple dual-port mode (UG573, table 1-10)."""
        if self.memory in ("distributed", "ultra") or (self.is_embedded and self.words <= 128):
            return 0
        return block_rams(self.words, self.word_bits)

    @property
    def uram(self) -> int:
        """``uram_estimation``."""
        if self.memory != "ultra":
            return 0
        return ceil(self.word_bits / 72) * ceil(self.words / 4096)


def block_rams(words: int, bits: int) -> int:
    """Return the block RAMs of 18 Kbit of a memory of weights, as FINN counts them."""
    if bits == 1:
        return ceil(words / 16384)
    if bits == 2:
        return ceil(words / 8192)
    if bits <= 4:
        return ceil(words / 4096)
    if bits <= 9:
        return ceil(words / 2048)
    if bits <= 18 or words > 512:
        return ceil(words / 1024) * ceil(bits / 18)
    return ceil(words / 512) * ceil(bits / 36)


def mvau_hls(node: Product) -> Estimate:
    """``MVAU_hls``: ``hls/matrixvectoractivation_hls.py``, ``matrixvectoractivation.py``.

    Thresholds are free: they count only with ``ram_style_thresholds`` distributed, and it is
    ``auto`` in all of the foldings. A product in a DSP slice is one for each 48 bits of operands.
    """
    bits = node.operands.weights + node.operands.inputs
    slices = node.pe * node.simd * ceil(bits / 48) if node.multiplier == "dsp" else 0
    return Estimate(node.cycles, _product_luts(node, 0), node.bram18, node.uram, slices)


def mvau_rtl(node: Product, *, is_versal: bool = False) -> Estimate:
    """``MVAU_rtl``: ``rtl/matrixvectoractivation_rtl.py``; its look-up tables are 0 there."""
    slices = node.pe * ceil(node.simd / 3) if is_versal else ceil(node.pe / 4) * node.simd
    return Estimate(node.cycles, 0, node.bram18, node.uram, slices)


def vvau_hls(node: Product) -> Estimate:
    """``VVAU_hls``: ``hls/vectorvectoractivation_hls.py``; thresholds count here.

    ``thr_luts = (2^B - 1) accumulator tmem / 64``, ``comp_luts = (2^B - 1) accumulator``.
    """
    steps = (1 << node.output_bits) - 1
    accumulator = _accumulator_bits(node)
    thresholds = steps * accumulator * (node.rows / node.pe / 64) + steps * accumulator
    bits = node.operands.weights + node.operands.inputs
    slices = node.pe * ceil(bits / 48) if node.multiplier == "dsp" else 0
    luts = _product_luts(node, thresholds if node.output_bits else 0)
    return Estimate(node.cycles, luts, node.bram18, node.uram, slices)


def _accumulator_bits(node: Product) -> int:
    """Return the lesser of the accumulator's type and the bound of arXiv:2301.13376."""
    operands = node.operands
    alpha = log2(node.columns) + operands.weights + operands.inputs - 1 - operands.is_signed
    return min(operands.accumulator, ceil(alpha + log2(1 + 2**-alpha) + 1))


def _product_luts(node: Product, thresholds: float) -> int:
    """Return ``c0 + c1 PE (multipliers + tree + accumulator + thresholds) + c2``."""
    bits = node.operands.weights + node.operands.inputs
    multipliers = node.simd * (2 * ceil(bits / 6) - 1) * bits if node.multiplier != "dsp" else 0
    tree = bits * (2 * node.simd - 1)
    lane = multipliers + tree + _accumulator_bits(node) + thresholds
    in_luts = node.memory == "distributed" or (node.is_embedded and node.words <= 128)
    weights = node.word_bits * ceil(node.words / 64) if in_luts else 0
    return int(300 + 1.1 * (node.pe * lane) + weights)


@dataclass(frozen=True, slots=True)
class Windowing:
    """A sliding window: the image that comes in, rows by columns by channels, and its windows.

    ``image`` and ``results`` of a signal have one row.
    """

    image: tuple[int, int]
    results: tuple[int, int]
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    bits: int
    simd: int
    dilation: tuple[int, int] = (1, 1)
    memory: str = "distributed"
    is_depthwise: bool = False

    @property
    def folds(self) -> int:
        """Words of a pixel."""
        return self.channels // self.simd

    @property
    def depth(self) -> int:
        """``get_buffer_depth`` of the default implementation."""
        taps = prod(self.kernel)
        extra = max(0, self.stride[1] - 1 - taps)
        extra += max(0, (self.stride[0] - 1) * self.image[1] - taps)
        return self._least + extra * self.folds

    @property
    def _least(self) -> int:
        rows = (self.kernel[0] - 1) * self.dilation[0] * self.image[1]
        return (rows + (self.kernel[1] - 1) * self.dilation[1] + 1) * self.folds

    @property
    def cycles(self) -> int:
        """``get_exp_cycles`` of the default implementation."""
        taps = prod(self.kernel)
        if self.image[0] == 1:
            cycles = self.results[1] * self.kernel[1] * self.folds + 2
            if self.is_depthwise:
                cycles += self.folds * (self.kernel[1] - 1) * (self.stride[1] - 1)
                cycles -= self.kernel[1] - 1
            return cycles
        written = self.results[1] * taps * self.folds
        read = self.stride[1] * self.image[1] * self.folds
        row = max(written, read)
        if self.is_depthwise:
            row += self.results[1] * (self.stride[1] - 1) * (self.folds - 1)
        cycles = self._least + self.results[0] * row
        if self.is_depthwise:
            cycles += (self.stride[0] - 1) * self.image[1] * self.folds
        return cycles


def sliding_window(node: Windowing) -> Estimate:
    """``ConvolutionInputGenerator_rtl``: ``rtl/convolutioninputgenerator_rtl.py``."""
    bits = node.simd * node.bits
    if node.memory == "distributed":
        return Estimate(node.cycles, 300 + bits * ceil(node.depth / 38))
    if node.memory == "ultra":
        return Estimate(node.cycles, 300, 0, ceil(node.depth / 4096) * ceil(bits / 72))
    whole, rest = divmod(node.depth, 16384)
    rams = ceil(bits / _ram_width(node.depth)) * whole
    rams += ceil(bits / _ram_width(rest)) if rest else 0
    return Estimate(node.cycles, 300, rams)


def _ram_width(depth: int) -> int:
    widths = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2))
    return next((width for deepest, width in widths if depth <= deepest), 1)


# ``mem_primitives_versal`` of util/basic.py, which it takes for all devices: (bits, words).
_PRIMITIVES = (
    *(("uram", 72, 4096), ("uram", 36, 8192), ("uram", 18, 16384), ("uram", 9, 32768)),
    *(("bram18", 36, 512), ("bram18", 18, 1024), ("bram18", 9, 2048)),
    ("lut", 1, 64),
)


def thresholding_rtl(
    *,
    channels: int,
    vectors: int,
    pe: int,
    threshold_bits: int,
    output_bits: int,
    trigger_bram: int = 0,
    trigger_uram: int = 0,
) -> Estimate:
    """``Thresholding_rtl``: memories of what wastes least, for each of its stages; no comparator.

    ``rtl/thresholding_rtl.py``, ``get_memory_estimate``.
    """
    folds = channels // pe
    taken = {"uram": 0, "bram18": 0, "lut": 0}
    for stage in range(output_bits):
        depth = folds << stage
        kinds = {"uram", "bram18", "lut"}
        if trigger_bram or trigger_uram:
            if trigger_bram <= depth < trigger_uram:
                kinds = {"bram18"}
            elif depth >= trigger_uram:
                kinds = {"uram"}
        fits = [
            (count * width * words - threshold_bits * depth, index, kind, count)
            for index, (kind, width, words) in enumerate(_PRIMITIVES)
            if kind in kinds
            for count in (ceil(threshold_bits / width) * ceil(depth / words),)
        ]
        _, _, kind, count = min(fits)
        taken[kind] += pe * count
    return Estimate(folds * vectors, taken["lut"], taken["bram18"], taken["uram"])


def streamed(values: int, lanes: int) -> Estimate:
    """Return the estimate of what passes ``values`` on, ``lanes`` a cycle, and is free otherwise.

    ``FMPadding_rtl`` (of the padded image), ``Pool_hls`` (of all taps), ``AddStreams_hls``,
    ``DuplicateStreams_hls``, ``DownSampler_hls`` (of the image), ``LabelSelect_hls``.
    """
    return Estimate(values // lanes)


def streaming_max_pool(image: tuple[int, int], kernel: int) -> Estimate:
    """``StreamingMaxPool_hls`` of ``image``, rows by columns, all channels at once.

    ``columns^2 (1 + 1 / kernel^2)`` cycles; of a signal, ``columns / kernel (kernel + 1)``.
    """
    rows, columns = image
    if rows == 1:
        return Estimate(columns // kernel * (kernel + 1))
    return Estimate(int(columns**2 * (1 + 1 / kernel**2)))
