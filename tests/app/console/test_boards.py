"""Boards and parts, as they are listed and shown."""

from __future__ import annotations

from tests.app.commands import Invoke


def test_the_boards_are_listed_with_their_resources(invoke: Invoke) -> None:
    shown = invoke("boards").out
    for word in ("pynq-z1", "pynq-z2", "xc7z020clg400-1", "53,200", "280", "220"):
        assert word in shown
    (zcu102,) = (line.split() for line in shown.splitlines() if line.startswith("zcu102"))
    assert zcu102 == "zcu102 xczu9eg-ffvb1156-2-e 274,080 1824 0 2520 ip paid".split()


def test_a_board_is_shown_with_all_that_is_known_of_it_and_where_from(invoke: Invoke) -> None:
    shown = invoke("boards", "U280").out
    for words in (
        "u280: AMD Alveo U280",
        "part: xcu280-fsvh2892-2L-e (ultrascale+), 3 SLR",
        "4,032 BRAM18, 960 URAM (without initial contents), 9,024 DSP (DSP48E2)",
        "ports to HBM: HBM[0] to HBM[31], 512 bits each",
        "ports to DDR: DDR[0] to DDR[1], 512 bits each",
        "up to Vitis 2025.1",
        "source: DS963",
        "not checked against a source: licence",
    ):
        assert words in shown


def test_a_part_is_shown_as_a_board_is(invoke: Invoke) -> None:
    shown = invoke("boards", "--part", "xc7z010clg400-1").out
    assert "17,600 LUT" in shown
    assert "tier: ip" in shown
    assert "board files" not in shown
    both = invoke("boards", "pynq-z1", "--part", "xc7z010clg400-1")
    assert both.status == 2
    assert "give one of them" in both.err
