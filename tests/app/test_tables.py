"""Tables fit where they are printed, and say what they leave out."""

from __future__ import annotations

import doctest
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lutloom import tables
from lutloom.tables import Column, Kind, laid_out, names_in

NAMES = ["blocks.block00.conv0.layer.Conv", "blocks.block10.shortcut.quantize.Quant"]
COLUMNS = (
    Column("layer", Kind.NAME),
    Column("operator", Kind.WORDS),
    Column("from", Kind.WORDS, is_spare=True),
    Column("integers", Kind.TEXT, is_spare=True),
    Column("MACs"),
)
ROWS = [
    (NAMES[0], "conv 3x3, stride 2, pads 1", "32x32x64, 32x32x64", "-9105..8685", "37,748,736"),
    (NAMES[1], "threshold", "16x16x128", "0..15", ""),
]


def printed(
    width: int, rows: Sequence[tuple[str, ...]] = ROWS
) -> tuple[list[str], tuple[str, ...]]:
    laid = laid_out(COLUMNS, rows, width)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(laid.table, crop=False)
    return [line.rstrip() for line in captured.get().splitlines()], laid.left_out


def test_what_has_room_is_printed_whole() -> None:
    lines, left_out = printed(140)
    assert left_out == ()
    assert lines[0].split() == ["layer", "operator", "from", "integers", "MACs"]
    assert lines[1].split("  ")[0] == f"{NAMES[0]}"
    assert all(cell in lines[1] for cell in ROWS[0])
    assert len(lines) == 3


def test_spare_columns_go_in_their_order_and_words_are_broken() -> None:
    lines, left_out = printed(76)
    assert left_out == ("from",)
    assert all(len(line) <= 76 for line in lines)
    lines, left_out = printed(50)
    assert left_out == ("from", "integers")
    assert all(len(line) <= 50 for line in lines)
    assert lines[0].split() == ["layer", "operator", "MACs"]
    assert lines[1].split()[-1] == "37,748,736"
    assert lines[2].strip() == "2, pads 1"


def test_what_is_left_out_fits_into_the_width_that_is_named() -> None:
    laid = laid_out(COLUMNS, ROWS, 50)
    assert laid_out(COLUMNS, ROWS, laid.whole_width).left_out == ()
    assert laid_out(COLUMNS, ROWS, laid.whole_width - 1).left_out == ("from",)


@given(
    st.lists(st.tuples(st.text(max_size=90), st.integers(0, 10**12)), min_size=1, max_size=6),
    st.integers(30, 200),
)
def test_any_name_fits_and_every_number_is_whole(rows: list[tuple[str, int]], width: int) -> None:
    columns = (Column("layer", Kind.NAME), Column("MACs"))
    laid = laid_out(columns, [(name, f"{number:,}") for name, number in rows], width)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(laid.table, crop=False)
    lines = captured.get().split("\n")[1:-1]
    assert [line.split()[-1] for line in lines] == [f"{number:,}" for _, number in rows]
    assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("hostile", ["\x1b[31mred", "[bold]", "new\nline", "a\tb", "\u202eabc"])
def test_names_are_text_and_move_no_cursor(hostile: str) -> None:
    lines, _ = printed(120, [(hostile, "op", "1", "0..1", "7")])
    assert len(lines) == 2
    assert lines[1].split()[-4:] == ["op", "1", "0..1", "7"]
    assert lines[1].isprintable()


def test_names_that_differ_in_the_operator_alone_stay_different() -> None:
    both = ["stage3.block00.branch.Mul", "stage3.block00.branch.Add"]
    for length in (14, 18, 20):
        found = names_in(both, length)
        assert len(set(found.values())) == 2
        assert all(len(shown) <= length for shown in found.values())


def test_names_that_differ_far_in_front_stay_different_and_read_as_modules() -> None:
    names = [
        f"features.conv{i}.{kind}wise.{what}"
        for i in range(1, 14)
        for kind in ("depth", "point")
        for what in ("layer.Conv", "quantize.Quant")
    ]
    found = names_in(names, 18)
    assert len(set(found.values())) == len(names)
    assert all(len(shown) <= 18 for shown in found.values())
    assert found["features.conv13.depthwise.layer.Conv"] == "f.c13.d.layer"
    assert doctest.testmod(tables).failed == 0
    assert doctest.testmod(tables).attempted == 1


def test_colours_stay_with_their_words() -> None:
    columns = (Column("value", Kind.NAME), Column("C++", Kind.TEXT))
    laid = laid_out(columns, [("fc", Text("3 differ", "bold red"))], 80)
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(laid.table)
    assert "\x1b[1;31m3 differ" in captured.get()
