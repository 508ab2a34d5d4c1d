"""All that is known of one board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.terminal import say

if TYPE_CHECKING:
    from lutloom.boards import Board, Silicon


def show_board(board: Board) -> None:
    """Print all that is known of a board, or of a part alone, and where it is from."""
    device, silicon = board.device, board.silicon
    say(board.name, board.title)
    contents = "with initial contents" if device.uram_has_contents else "without initial contents"
    say("part", f"{board.part} ({device.family.value}), {device.slrs} SLR")
    say(
        "holds",
        f"{device.lut:,} LUT, {device.ff:,} FF, {device.bram18:,} BRAM18, "
        f"{device.uram:,} URAM{f' ({contents})' * (device.uram > 0)}, "
        f"{device.dsp:,} DSP ({device.dsp_type.value})",
    )
    say("clock", f"{board.clock_mhz} MHz, at most {board.highest_clock_mhz} MHz makes sense")
    for ports in board.memory_ports:
        names = ports.names[0] if ports.count == 1 else f"{ports.names[0]} to {ports.names[-1]}"
        say(f"ports to {ports.kind}", f"{names}, {ports.width} bits each")
    say("tier", f"{board.tier.value} (shell: {board.shell.value})")
    say("Vivado", f"{silicon.licence.value} edition, {_window(silicon)}")
    if board.board_part:
        say("board files", f"{board.board_part}, from {board.board_files}")
    if board.platform:
        last = f", up to Vitis {board.last_vitis}" * bool(board.last_vitis)
        say("platform", f"{board.platform}, from {board.platform_files}{last}")
    for source in (*silicon.sources, *board.sources):
        say("source", source)
    if unchecked := (*silicon.unchecked, *board.unchecked):
        say("not checked against a source", ", ".join(unchecked))


def _window(silicon: Silicon) -> str:
    first = f"from {silicon.first_vivado} on" if silicon.first_vivado else "2020.1 or later"
    return f"{first}{f' up to {silicon.last_vivado}' * bool(silicon.last_vivado)}"
