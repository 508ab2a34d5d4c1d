"""The boards and devices that come with lutloom: complete, and consistent within themselves."""

from __future__ import annotations

import pytest

from lutloom.boards import (
    Board,
    DspType,
    Family,
    Shell,
    Silicon,
    Tier,
    board_of_part,
    known_devices,
    list_boards,
    load_board,
)

FULL = {"pynq-z1", "pynq-z2", "zcu104", "kv260", "ultra96-v2", "u250", "u55c"}
IP = {
    "zybo-z7-20", "zedboard", "cora-z7-07s", "cora-z7-10", "arty-z7-20", "zc702", "zc706",
    "ultra96-v1", "zcu102", "zcu106", "zcu111", "rfsoc2x2", "rfsoc4x2", "zcu208", "kr260", "k26",
    "u50", "u200", "u280", "vck190", "v80",
}  # fmt: skip
BOARDS = list_boards()
DEVICES = known_devices()
HAVE_URAM = {Family.ULTRASCALE_PLUS, Family.ZYNQ_ULTRASCALE_PLUS, Family.VERSAL}

each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
each_device = pytest.mark.parametrize(
    ("name", "silicon"), DEVICES.items(), ids=lambda value: value if isinstance(value, str) else ""
)


def test_boards_are_those_that_the_page_has_in_its_tiers() -> None:
    assert {board.name for board in BOARDS if board.tier is Tier.FULL} == FULL
    assert {board.name for board in BOARDS if board.tier is Tier.IP} == IP


@each_board
def test_a_board_is_asked_for_a_clock_that_makes_sense(board: Board) -> None:
    assert 100 <= board.clock_mhz <= board.highest_clock_mhz <= 500


@each_board
def test_a_board_names_its_sources_its_files_and_its_memory_ports(board: Board) -> None:
    assert board.sources
    assert board.silicon.sources
    assert board.board_part
    assert board.board_files
    assert board.memory_ports
    names = [name for ports in board.memory_ports for name in ports.names]
    assert len(set(names)) == len(names)


@each_board
def test_a_board_s_platform_is_its_own(board: Board) -> None:
    assert bool(board.platform) == bool(board.platform_files)
    assert board.name in board.platform or not board.platform
    assert board.platform or board.shell is not Shell.VITIS


@each_board
def test_a_zynq_moves_streams_through_its_high_performance_ports(board: Board) -> None:
    (ports, *_) = board.memory_ports
    match board.device.family:
        case Family.ZYNQ_7000:
            assert (ports.name, ports.count, ports.width) == ("S_AXI_HP#", 4, 64)
        case Family.ZYNQ_ULTRASCALE_PLUS:
            assert (ports.name, ports.count, ports.width) == ("S_AXI_HP#_FPD", 4, 128)
        case _:
            assert ports.width == 512


@each_device
def test_a_device_has_two_flip_flops_a_look_up_table_and_pairs_of_block_rams(
    name: str, silicon: Silicon
) -> None:
    device = silicon.device
    # UG474, UG574, AM005: eight flip-flops beside four look-up tables; a block RAM is two of 18.
    assert device.ff == 2 * device.lut, name
    assert device.bram18 % 2 == 0
    assert device.dsp > 0


@each_device
def test_dies_of_one_device_are_alike(name: str, silicon: Silicon) -> None:
    assert silicon.device.dsp % silicon.device.slrs == 0, name


@each_device
def test_a_family_settles_dsps_and_ultra_rams(name: str, silicon: Silicon) -> None:
    device = silicon.device
    assert device.uram == 0 or device.family in HAVE_URAM, name
    assert device.uram_has_contents == (device.dsp_type is DspType.DSP58)
    assert (device.dsp_type is DspType.DSP48E1) == name.startswith("xc7")


@pytest.mark.parametrize(
    ("card", "device"),
    [
        ("xcu200", "xcvu9p"),
        ("xcu250", "xcvu13p"),
        ("xcu280", "xcvu37p"),
        ("xcu55c", "xcvu47p"),
        ("xck26", "xczu5ev"),
    ],
)
def test_a_card_s_device_is_one_of_the_catalogue_under_another_name(card: str, device: str) -> None:
    assert DEVICES[card].device == DEVICES[device].device


def test_one_device_is_the_same_on_every_board() -> None:
    assert load_board("pynq-z1").silicon is load_board("zedboard").silicon
    assert load_board("pynq-z1").device == board_of_part("xc7z020clg484-3").device


@pytest.mark.parametrize(
    ("part", "lut", "family"),
    [
        ("xc7z007sclg225-1", 14400, Family.ZYNQ_7000),
        ("xc7a35ticsg324-1L", 20800, Family.SERIES_7),
        ("xc7k325tffg900-2", 203800, Family.SERIES_7),
        ("xcku115-flvb2104-2-e", 663360, Family.ULTRASCALE),
        ("xcvu9p-flgb2104-2-i", 1182240, Family.ULTRASCALE_PLUS),
        ("xczu3cg-sbva484-1-e", 70560, Family.ZYNQ_ULTRASCALE_PLUS),
        ("xczu48dr-ffvg1517-1L-i", 425280, Family.ZYNQ_ULTRASCALE_PLUS),
        ("xck26-sfvc784-2LVI-i", 117120, Family.ZYNQ_ULTRASCALE_PLUS),
        ("xcvc1902-vsva2197-1LP-e-S", 899840, Family.VERSAL),
        (" xcvc1902-vsvd1760-2MP-e-S ", 899840, Family.VERSAL),
    ],
)
def test_a_part_is_a_board_with_nothing_on_it(part: str, lut: int, family: Family) -> None:
    board = board_of_part(part)
    assert (board.name, board.part) == (part.strip(), part.strip())
    assert (board.device.lut, board.device.family) == (lut, family)
    assert board.tier is Tier.IP
    assert board.board_part == board.platform == ""


def test_a_part_has_the_memory_ports_of_its_processor() -> None:
    assert board_of_part("xc7z020clg400-1").memory_ports == load_board("zedboard").memory_ports
    assert board_of_part("xczu7ev-ffvc1156-2-e").memory_ports == load_board("zcu104").memory_ports
    assert board_of_part("xc7a35tcsg324-1").memory_ports == ()


def test_few_figures_of_boards_stand_without_a_source() -> None:
    by_key: dict[str, set[str]] = {}
    for board in BOARDS:
        for key in board.silicon.unchecked:
            by_key.setdefault(key, set()).add(board.name)
    rfsoc = {"rfsoc4x2", "zcu208"}
    assert by_key == {
        "lut": rfsoc,
        "ff": rfsoc,
        "uram": rfsoc,
        "licence": {"u200", "u250", "u280", "u55c", "vck190"},
    }
