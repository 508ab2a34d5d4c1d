"""What parts take: as the committed figures of yosys say, and as widths say."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.calibration import FAMILIES, FILE, residual, synthesized
from benchmarks.calibration_grid import grid
from lutloom.codegen.costs.formulas import part_cost
from lutloom.codegen.costs.parts import (
    Adder,
    AdderTree,
    Comparator,
    Control,
    Counter,
    DotProduct,
    DspSlices,
    FifoBuffer,
    Multiplexer,
    Multiplier,
    Negation,
    Popcount,
    Ram,
    Registers,
    Rom,
    ShiftRegister,
    Single,
)
from lutloom.codegen.costs.resources import Confidence, Resources
from lutloom.core.plan import FifoMemory, Memory

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = json.loads(FILE.read_text(encoding="utf-8"))["kinds"]
EVERY_FAMILY = pytest.mark.parametrize("family", FAMILIES)
ZYNQ = FAMILIES["xc7"]
WIDTHS = st.integers(1, 100)


@EVERY_FAMILY
@pytest.mark.parametrize("kind", grid())
def test_a_formula_is_off_the_figures_by_what_is_stated(kind: str, family: str) -> None:
    entry = KINDS[kind][family]
    left = residual(grid()[kind], entry["figures"], FAMILIES[family])
    assert vars(left) == {name: entry[name] for name in vars(left)}


def test_the_figures_are_those_of_the_grid() -> None:
    assert list(KINDS) == list(grid())


@pytest.mark.parametrize("kind", grid())
def test_a_formula_is_calibrated_as_far_as_its_parts_were_synthesized(kind: str) -> None:
    for part in grid()[kind]:
        assert part_cost(part, ZYNQ).confidences.lut is Confidence.CALIBRATED
    for name in _limited(kind):
        most = max(grid()[kind], key=lambda part: int(getattr(part, name)))
        beyond = replace(most, **{name: getattr(most, name) + 1})
        assert part_cost(beyond, ZYNQ).confidences.lut is Confidence.UNCALIBRATED


def _limited(kind: str) -> list[str]:
    """Return the widths of a kind that are limited: not those that are made bit by bit."""
    numbers = [field.name for field in fields(grid()[kind][0]) if field.type == "int"]
    copies = ("multiplexer", "constants", "shift register", "memory", "fifo")
    return [name for name in numbers if name != "bits" or kind not in copies]


def test_yosys_still_gives_the_figures() -> None:
    if shutil.which("yosys") is None:
        pytest.skip("needs yosys")
    samples: dict[str, Single] = {
        "popcount of xnors": Popcount(24, has_xnor=True),
        "adder tree": AdderTree(5, 4),
        "multiplier": Multiplier(4, 4),
        "dot product": DotProduct(3, 4, 1),
        "comparator": Comparator(12),
    }
    figures = [KINDS[kind]["xc7"]["figures"][grid()[kind].index(samples[kind])] for kind in samples]
    assert synthesized(list(samples.values()), "xc7") == figures


@given(st.sampled_from(list(FAMILIES)), st.data(), WIDTHS, WIDTHS, WIDTHS)
def test_a_wider_part_takes_no_less(
    family: str, data: st.DataObject, first: int, second: int, third: int
) -> None:
    made: dict[str, Callable[[int, int, int], Single]] = {
        "popcount": lambda a, _b, _c: Popcount(a),
        "xnor popcount": lambda a, _b, _c: Popcount(a, has_xnor=True),
        "adder": lambda a, _b, _c: Adder(a),
        "tree": lambda a, b, _c: AdderTree(a, b),
        "negation": lambda a, _b, _c: Negation(a),
        "multiplier": lambda a, b, _c: Multiplier(a, b),
        "constant multiplier": lambda a, b, _c: Multiplier(a, b, is_constant=True),
        "dot product": lambda a, b, c: DotProduct(a, b + 1, c + 1),
        "signed sum": lambda a, b, _c: DotProduct(a, b, 1),
        "comparator": lambda a, _b, _c: Comparator(a),
        "constant comparator": lambda a, _b, _c: Comparator(a, is_constant=True),
        "multiplexer": lambda a, b, _c: Multiplexer(a, b),
        "counter": lambda a, b, _c: Counter(a * b),
        "registers": lambda a, _b, _c: Registers(a),
        "shift register": lambda a, b, _c: ShiftRegister(a, b),
        "control": lambda a, b, _c: Control(a, b),
        "slices": lambda a, _b, _c: DspSlices(a),
        **{
            f"rom {memory}": lambda a, b, c, m=memory: Rom(a * c, b, m)  # type: ignore[misc]
            for memory in (Memory.LUTRAM, Memory.BRAM)
        },
        **{
            f"ram {memory}": lambda a, b, c, m=memory: Ram(a * c, b, m)  # type: ignore[misc]
            for memory in (Memory.LUTRAM, Memory.BRAM, Memory.URAM)
        },
        **{
            f"fifo {memory}": lambda a, b, c, m=memory: FifoBuffer(a * c, b, m)  # type: ignore[misc]
            for memory in FifoMemory
            if memory is not FifoMemory.AUTO
        },
    }
    make = made[data.draw(st.sampled_from(list(made)))]
    widths = [first, second, third]
    wider = list(widths)
    wider[data.draw(st.integers(0, 2))] += data.draw(WIDTHS)
    less = part_cost(make(*widths), FAMILIES[family]).resources.figures
    more = part_cost(make(*wider), FAMILIES[family]).resources.figures
    assert all(0 <= low <= high for low, high in zip(less, more, strict=True))


def test_what_is_bound_to_a_memory_is_certain() -> None:
    for part, taken in (
        (Rom(1024, 36, Memory.BRAM), Resources(bram18=2)),
        (Ram(512, 36, Memory.BRAM), Resources(bram18=1)),
        (Ram(4096, 73, Memory.URAM), Resources(uram=2)),
        (DspSlices(3), Resources(dsp=3)),
    ):
        cost = part_cost(part, ZYNQ)
        assert cost.resources == taken
        assert {*vars_of(cost.confidences)} == {Confidence.EXACT}


def vars_of(confidences: object) -> list[Confidence]:
    return [getattr(confidences, field) for field in ("lut", "ff", "bram18", "uram", "dsp")]


def test_a_fifo_that_is_left_open_is_a_shift_register_up_to_1024_bits_or_two_words() -> None:
    for depth, bits in ((2, 600), (32, 32)):
        is_srl = FifoBuffer(depth, bits, FifoMemory.SRL)
        assert part_cost(FifoBuffer(depth, bits), ZYNQ) == part_cost(is_srl, ZYNQ)
    assert part_cost(FifoBuffer(1025, 36), ZYNQ).resources.bram18 == 3


def test_a_memory_that_is_left_open_is_a_guess() -> None:
    small, large = Rom(64, 16), Rom(64, 17)
    assert part_cost(small, ZYNQ).resources.bram18 == 0
    assert part_cost(large, ZYNQ).resources.bram18 == 1
    assert part_cost(large, ZYNQ).confidences.bram18 is Confidence.UNCALIBRATED
