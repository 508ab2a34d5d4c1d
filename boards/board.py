"""What is known of a board: its device, how it is reached, and what the tools call it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lutloom.boards.device import Device
from lutloom.boards.parts import Silicon


class Shell(Enum):
    """What is to surround the design on the device.

    ``zynq``: the processing system and a DMA for each stream; ``vitis``: kernels on a platform of
    the card's vendor; ``none``: the IP alone, to be built in by hand.
    """

    ZYNQ = "zynq"
    VITIS = "vitis"
    NONE = "none"


class Tier(Enum):
    """How far Lutloom takes a design: to a running board, or to an IP for its part."""

    FULL = "full"
    IP = "ip"


@dataclass(frozen=True)
class MemoryPorts:
    """The ports from the fabric to one kind of memory: ``count`` of them, ``width`` bits each.

    ``name`` is what the tools call them, ``#`` in place of their number.
    """

    kind: str
    name: str
    count: int
    width: int

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each port."""
        return tuple(self.name.replace("#", str(number)) for number in range(self.count))


@dataclass(frozen=True)
class Board:
    """A board, or a part alone.

    ``clock_mhz`` is the fabric clock that is asked for unless the user says otherwise, and
    ``highest_clock_mhz`` the highest that makes sense to ask for, by the device's data sheet. The
    first of the ``memory_ports`` are those that streams are moved through; a part that has no
    processor has none. ``board_part`` is the name by which Vivado knows the board and ``platform``
    the one by which Vitis does, "" where there is none; ``board_files`` and ``platform_files`` say
    where they are to be had. ``last_vitis`` is the last version that knows the platform, "" where
    no last one is known of. ``sources`` names what all this was taken from, and ``unchecked`` the
    keys of the board's file whose value could not be held against a source.
    """

    name: str
    title: str
    part: str
    silicon: Silicon
    clock_mhz: int
    highest_clock_mhz: int
    shell: Shell
    memory_ports: tuple[MemoryPorts, ...] = ()
    board_part: str = ""
    board_files: str = ""
    platform: str = ""
    platform_files: str = ""
    last_vitis: str = ""
    sources: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def device(self) -> Device:
        """What the device holds, all of it: also what a platform keeps for itself."""
        return self.silicon.device

    @property
    def tier(self) -> Tier:
        """How far Lutloom takes a design for it."""
        return Tier.IP if self.shell is Shell.NONE else Tier.FULL
