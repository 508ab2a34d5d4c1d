"""Boards are found by name or path; a file that is no board says which key, and what is legal."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.boards import (
    Board,
    BoardError,
    Device,
    DspType,
    Family,
    Licence,
    MemoryPorts,
    Shell,
    Silicon,
    Tier,
    board_names,
    board_of_part,
    list_boards,
    load_board,
)
from lutloom.core.errors import LutloomError

GOOD = """\
title = "A board of mine"
part = "xc7z010clg400-1"
clock_mhz = 125
shell = "zynq"
sources = ["the vendor's manual"]

[device]
family = "zynq-7000"
lut = 17600
ff = 35200
bram18 = 120
uram = 0
dsp = 80
licence = "standard"

[[memory_ports]]
kind = "DDR"
name = "S_AXI_HP#"
count = 4
width = 64

[vivado]
board_part = "vendor.com:mine:part0:1.0"
board_files = "the vendor's site"
"""


@pytest.fixture
def board_file(tmp_path: Path) -> Path:
    path = tmp_path / "My_Board.toml"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize(
    ("name", "board_part"),
    [
        ("pynq-z1", "www.digilentinc.com:pynq-z1:part0:1.0"),
        ("pynq-z2", "tul.com.tw:pynq-z2:part0:1.0"),
    ],
)
def test_the_pynq_boards_hold_a_z7020(name: str, board_part: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.part == "xc7z020clg400-1"
    assert board.device == Device(Family.ZYNQ_7000, 53200, 106400, 280, 0, 220)
    assert board.device.dsp_type is DspType.DSP48E1
    assert board.shell is Shell.ZYNQ
    assert board.tier is Tier.FULL
    assert board.memory_ports == (MemoryPorts("DDR", "S_AXI_HP#", 4, 64),)
    assert board.memory_ports[0].names == ("S_AXI_HP0", "S_AXI_HP1", "S_AXI_HP2", "S_AXI_HP3")
    assert board.clock_mhz == 100
    assert board.board_part == board_part
    assert board.sources


def test_names_and_boards_are_listed_in_one_order() -> None:
    assert board_names() == tuple(sorted(board_names()))
    assert tuple(board.name for board in list_boards()) == board_names()


@pytest.mark.parametrize("spelling", ["Pynq-Z1", "pynq_z1", "PYNQ Z1", " pynq-z1 "])
def test_spellings_of_a_name_are_one_board(spelling: str) -> None:
    assert load_board(spelling) == load_board("pynq-z1")


def test_a_misspelt_board_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(
        BoardError,
        match=r"^board 'pynk-z2' is not known\. Did you mean pynq-z2\? Known boards: .*"
        r"pynq-z1, pynq-z2, .*; for another one give the path of its TOML file$",
    ):
        load_board("pynk-z2")


def test_an_unlike_name_gets_no_guess() -> None:
    with pytest.raises(LutloomError, match=r"^board 'de10-nano' is not known\. Known boards: "):
        load_board("de10-nano")


@given(st.text())
def test_any_text_is_a_board_or_an_error_of_ours(text: str) -> None:
    try:
        board = load_board(text)
    except BoardError:
        return
    assert board.name in board_names()


def test_a_board_of_ones_own_is_named_after_its_file(board_file: Path) -> None:
    expected = Board(
        name="my-board",
        title="A board of mine",
        part="xc7z010clg400-1",
        silicon=Silicon(
            Device(Family.ZYNQ_7000, 17600, 35200, 120, 0, 80),
            Licence.STANDARD,
            first_vivado="",
            last_vivado="",
            sources=("the vendor's manual",),
        ),
        clock_mhz=125,
        highest_clock_mhz=125,
        shell=Shell.ZYNQ,
        memory_ports=(MemoryPorts(kind="DDR", name="S_AXI_HP#", count=4, width=64),),
        board_part="vendor.com:mine:part0:1.0",
        board_files="the vendor's site",
        sources=("the vendor's manual",),
    )
    assert load_board(board_file) == expected
    assert load_board(str(board_file)) == expected


def test_a_board_that_vivado_does_not_know_has_no_board_part(board_file: Path) -> None:
    board_file.write_text(GOOD[: GOOD.index("[vivado]")])
    board = load_board(board_file)
    assert (board.board_part, board.board_files) == ("", "")


def test_a_board_without_a_processor_has_no_zynq_shell(board_file: Path) -> None:
    text = GOOD.replace("zynq-7000", "ultrascale+")
    text = text.replace("xc7z010clg400-1", "xcku3p-ffva676-1-e").replace("uram = 0", "uram = 48")
    board_file.write_text(text.replace('shell = "zynq"', 'shell = "none"'))
    board = load_board(board_file)
    assert board.device.dsp_type is DspType.DSP48E2
    assert board.tier is Tier.IP
    board_file.write_text(text)
    with pytest.raises(
        BoardError,
        match=r"shell is 'zynq' but the family is 'ultrascale\+': give \"none\" for this family$",
    ):
        load_board(board_file)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lut = 17600", "lut = -1", "device.lut is -1: give an integer from 1 to 100000000"),
        ("lut = 17600", "lut = true", "device.lut is True: give an integer from 1 to "),
        ("lut = 17600", 'lut = "many"', "device.lut is 'many': give an integer from 1 to "),
        ("lut = 17600", "luts = 1", "device.luts is not a key of a board: give one of lut, ff,"),
        ("ff = 35200\n", "", "device.ff is missing: give an integer from 1 to 100000000"),
        ("uram = 0", "uram = 4", "device.uram is 4: give an integer from 0 to 0"),
        ("clock_mhz = 125", "clock_mhz = 0", "clock_mhz is 0: give an integer from 1 to 1000"),
        (
            "zynq-7000",
            "virtex-2",
            'device.family is \'virtex-2\': give one of "7-series", "zynq-7000", ',
        ),
        (
            "xc7z010clg400-1",
            "xc7z010; exec rm",
            "part is 'xc7z010; exec rm': give a part of the family zynq-7000, such as "
            '"xc7z020clg400-1"',
        ),
        ('shell = "zynq"', "shell = 1", 'shell is 1: give one of "zynq", "vitis", "none"'),
        ('["the vendor\'s manual"]', "[]", "sources is []: give a list of the data sheets"),
        ('["the vendor\'s manual"]', "[1]", "sources is [1]: give a list of the data sheets"),
        ("width = 64", "width = 48", "memory_ports[0].width is 48: give a power of two, in bits"),
        ("[device]", "[things]", "things is not a key of a board: give one of title, part,"),
        ('kind = "DDR"', 'kind = "[D]"', "memory_ports[0].kind is '[D]': give what they lead to"),
        (
            "vendor.com:mine:part0:1.0",
            "[mine]",
            "vivado.board_part is '[mine]': give Vivado's name, such as \"tul.com.tw:pynq-z2:",
        ),
        ('title = "A board of mine"', 'title = ""', "title is '': give the board's name for "),
        ('title = "A board of mine"', '"a\\nb" = 1', "'a\\nb' is not a key of a board: give one"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_legal(
    board_file: Path, old: str, new: str, message: str
) -> None:
    assert old in GOOD
    board_file.write_text(GOOD.replace(old, new))
    with pytest.raises(BoardError, match=rf"^{re.escape(f'{board_file}: {message}')}"):
        load_board(board_file)


def test_a_table_that_is_no_table_is_named(board_file: Path) -> None:
    board_file.write_text("device = 3\n" + GOOD.replace("[device]", "[vivado2]"))
    with pytest.raises(BoardError, match=r": vivado2 is not a key of a board: "):
        load_board(board_file)
    before, after = GOOD.split("[device]")
    board_file.write_text(before + "device = 3\n" + after[after.index("[[memory_ports]]") :])
    with pytest.raises(BoardError, match=r": device is 3: give a table \[device\]$"):
        load_board(board_file)


def test_a_truncated_file_is_not_toml(board_file: Path) -> None:
    board_file.write_text(GOOD[:30])
    with pytest.raises(BoardError, match=r"My_Board\.toml is not TOML: Expected"):
        load_board(board_file)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"none\.toml' does not exist: give the path of a TOML "):
        load_board(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(BoardError, match=r"folder\.toml' cannot be read: Is a directory: "):
        load_board(tmp_path / "folder.toml")
    (tmp_path / "bytes.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(BoardError, match=r"bytes\.toml' is not text in UTF-8 \(byte 9\): "):
        load_board(tmp_path / "bytes.toml")


def test_a_file_whose_name_is_no_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a$(b).toml"
    path.write_text(GOOD)
    with pytest.raises(BoardError, match=r"'a\$\(b\)' is no name: use letters, digits and "):
        load_board(path)


@given(st.sampled_from(GOOD.splitlines()), st.sampled_from(["0", '"x"', "[]", "nan", "1979-01-01"]))
def test_whatever_a_key_holds_is_a_board_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, line: str, value: str
) -> None:
    path = tmp_path_factory.mktemp("boards") / "mine.toml"
    changed = f"{line.split(' = ', maxsplit=1)[0]} = {value}" if " = " in line else line
    path.write_text(GOOD.replace(line, changed))
    tomllib.loads(path.read_text())
    try:
        board = load_board(path)
    except BoardError as error:
        message = str(error)
    else:
        message = f"{path} is {board.title}"
    assert message.startswith(str(path))


def test_a_part_of_a_known_device_needs_no_table_of_it(board_file: Path) -> None:
    before, after = GOOD.split("[device]")
    board_file.write_text(before + after[after.index("[[memory_ports]]") :])
    board = load_board(board_file)
    assert board.device == Device(Family.ZYNQ_7000, 17600, 35200, 120, 0, 80)
    assert board.sources == ("the vendor's manual",)
    assert board.silicon.sources != board.sources


def test_a_part_of_no_known_device_asks_for_a_table_of_it(board_file: Path) -> None:
    before, after = GOOD.split("[device]")
    text = before + after[after.index("[[memory_ports]]") :]
    board_file.write_text(text.replace("xc7z010clg400-1", "xcvp1202-vsva2785-2MP-e-S"))
    with pytest.raises(
        BoardError,
        match=r"My_Board\.toml: part 'xcvp1202-vsva2785-2MP-e-S': there is no table of what the "
        r"device xcvp1202 holds \(there is one of .*, xcvc1902, .* and others\): write a board "
        r"file with a table \[device\]$",
    ):
        load_board(board_file)
    board_file.write_text(text.replace("xc7z010clg400-1", "z7010"))
    with pytest.raises(
        BoardError,
        match=r"My_Board\.toml: part 'z7010' is not spelt as parts are, with package and speed "
        r"grade: give one such as xc7a35tcsg324-1, xc7z020clg400-1, ",
    ):
        load_board(board_file)


@given(st.text() | st.from_regex(r"xc[a-z0-9]{1,9}-?[a-z]{0,4}[0-9]{0,4}-[0-9][A-Z]?(-[a-z])?"))
def test_any_text_is_a_part_or_an_error_of_ours(text: str) -> None:
    try:
        board = board_of_part(text)
    except BoardError:
        return
    assert board.part == text.strip()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("highest_clock_mhz = 124", "highest_clock_mhz is 124: give an integer from 125 to 1000"),
        ('unchecked = ["lut"]', "unchecked names 'lut', which is not there: give a list of keys"),
        ("unchecked = [1]", "unchecked is [1]: give a list of keys of this table"),
        ("vitis = 1", "vitis is 1: give a table [vitis]"),
        ("vitis = {}", "vitis.platform is missing: give Vitis's name, such as "),
        (
            'vitis = { platform = "x", platform_files = "y", last_vitis = "new" }',
            "vitis.last_vitis is 'new': give a version, such as \"2025.1\"",
        ),
    ],
)
def test_what_a_file_may_leave_out_is_checked_where_it_is(
    board_file: Path, entry: str, message: str
) -> None:
    board_file.write_text(f"{entry}\n{GOOD}")
    with pytest.raises(BoardError, match=rf"^{re.escape(f'{board_file}: {message}')}"):
        load_board(board_file)


def test_a_shell_of_vitis_needs_a_platform(board_file: Path) -> None:
    text = GOOD.replace('shell = "zynq"', 'shell = "vitis"')
    board_file.write_text(text)
    with pytest.raises(
        BoardError, match=r"vitis is missing, and the shell is 'vitis': give a table \[vitis\]$"
    ):
        load_board(board_file)
    board_file.write_text(text + '[vitis]\nplatform = "mine"\nplatform_files = "here"\n')
    assert load_board(board_file).platform == "mine"


def test_memory_ports_are_tables_and_may_be_none(board_file: Path) -> None:
    before, after = GOOD.split("[[memory_ports]]")
    vivado = after[after.index("[vivado]") :]
    board_file.write_text(before + vivado)
    assert load_board(board_file).memory_ports == ()
    board_file.write_text("memory_ports = 4\n" + before + vivado)
    with pytest.raises(BoardError, match=r"memory_ports is 4: give tables \[\[memory_ports\]\]$"):
        load_board(board_file)
    board_file.write_text("memory_ports = [4]\n" + before + vivado)
    with pytest.raises(BoardError, match=r"memory_ports\[0\] is 4: give tables \[\[memory_p"):
        load_board(board_file)
