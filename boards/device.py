"""The device on a board: what its fabric holds, and what its memories can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Family(Enum):
    """The device family, which fixes the kind of DSP slice and of look-up table."""

    SERIES_7 = "7-series"
    ZYNQ_7000 = "zynq-7000"
    ULTRASCALE = "ultrascale"
    ULTRASCALE_PLUS = "ultrascale+"
    ZYNQ_ULTRASCALE_PLUS = "zynq-ultrascale+"
    VERSAL = "versal"


class DspType(Enum):
    """The DSP slice: it multiplies 25 x 18 bits (DSP48E1), or 27 x 18 (DSP48E2), or 27 x 24."""

    DSP48E1 = "DSP48E1"
    DSP48E2 = "DSP48E2"
    DSP58 = "DSP58"


_DSP_TYPES = {
    Family.SERIES_7: DspType.DSP48E1,
    Family.ZYNQ_7000: DspType.DSP48E1,
    Family.ULTRASCALE: DspType.DSP48E2,
    Family.ULTRASCALE_PLUS: DspType.DSP48E2,
    Family.ZYNQ_ULTRASCALE_PLUS: DspType.DSP48E2,
    Family.VERSAL: DspType.DSP58,
}


@dataclass(frozen=True)
class Device:
    """What a device holds, as its data sheet counts it.

    ``lut``: six-input look-up tables; ``ff``: flip-flops; ``bram18``: block RAMs of 18 Kbit;
    ``uram``: UltraRAMs of 288 Kbit; ``dsp``: DSP slices. ``slrs`` is how many super logic regions
    it consists of.
    """

    family: Family
    lut: int
    ff: int
    bram18: int
    uram: int
    dsp: int
    slrs: int = 1

    @property
    def dsp_type(self) -> DspType:
        """The kind of DSP slice."""
        return _DSP_TYPES[self.family]

    @property
    def uram_has_contents(self) -> bool:
        """Whether UltraRAMs can hold constants from the start: Versal's only (AM007, UG573)."""
        return self.family is Family.VERSAL
