"""What is known of a board: its device, what the device holds, and how it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lutloom.boards.device import Device, DspType, Family


class Shell(Enum):
    """What surrounds the design on the device; ``none``: the IP alone, to be built in by hand."""

    ZYNQ = "zynq"
    NONE = "none"


@dataclass(frozen=True)
class MemoryPorts:
    """The ports from the fabric to the memory: ``count`` of them, ``width`` bits each."""

    kind: str
    count: int
    width: int


@dataclass(frozen=True)
class Board:
    """A board. Resources are those of the whole device, as its data sheet counts them.

    ``lut``: six-input look-up tables; ``ff``: flip-flops; ``bram18``: block RAMs of 18 Kbit;
    ``uram``: UltraRAMs of 288 Kbit; ``dsp``: DSP slices of ``dsp_type``. ``clock_mhz`` is the
    fabric clock that is asked for unless the user says otherwise. ``board_part`` is the name by
    which Vivado knows the board ("" where it has none) and ``board_files`` says where its files
    are to be had; ``sources`` names the data sheets that the figures come from.
    """

    name: str
    title: str
    part: str
    family: Family
    lut: int
    ff: int
    bram18: int
    uram: int
    dsp: int
    clock_mhz: int
    shell: Shell
    memory_ports: MemoryPorts
    board_part: str
    board_files: str
    sources: tuple[str, ...]

    @property
    def dsp_type(self) -> DspType:
        """Return the kind of DSP slice that the family has."""
        return self.device.dsp_type

    @property
    def device(self) -> Device:
        """Return what the device holds."""
        return Device(self.family, self.lut, self.ff, self.bram18, self.uram, self.dsp)
