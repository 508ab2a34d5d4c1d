"""What is known of a board: its device, how it is reached, and what the tools call it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lutloom.boards.device import Device
from lutloom.boards.parts import Licence


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
    """A board, or a part alone. Its device's resources are those of the whole device.

    ``clock_mhz`` is the fabric clock that is asked for unless the user says otherwise, and
    ``highest_clock_mhz`` what no design on this part exceeds. The first of the ``memory_ports`` is
    the one that streams are moved through; a part without a processor has none. ``board_part`` is
    the name by which Vivado knows the board, ``platform`` the one by which Vitis does, "" where
    there is none; ``board_files`` and ``platform_files`` say where they are to be had.
    ``first_vivado`` is the first version of the tools that knows the part, ``last_vivado`` the
    last ("" while it is supported). ``sources`` names what the figures come from, and
    ``unchecked`` the keys whose value could not be held against one.
    """

    name: str
    title: str
    part: str
    device: Device
    clock_mhz: int
    highest_clock_mhz: int
    shell: Shell
    memory_ports: tuple[MemoryPorts, ...]
    licence: Licence
    first_vivado: str
    last_vivado: str
    board_part: str
    board_files: str
    platform: str
    platform_files: str
    sources: tuple[str, ...]
    unchecked: tuple[str, ...] = ()

    @property
    def tier(self) -> Tier:
        """How far Lutloom takes a design for it."""
        return Tier.IP if self.shell is Shell.NONE else Tier.FULL
