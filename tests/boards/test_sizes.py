"""The smallest board with room: by look-up tables, and for every resource."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lutloom.boards import Device, Family, boards_by_size, smallest_fitting

needs = st.builds(
    Device,
    st.just(Family.VERSAL),
    st.integers(0, 3_000_000),
    st.integers(0, 6_000_000),
    st.integers(0, 8000),
    st.integers(0, 2000),
    st.integers(0, 13_000),
)


def test_boards_go_from_fewer_look_up_tables_to_more() -> None:
    luts = [board.device.lut for board in boards_by_size()]
    assert luts == sorted(luts)
    assert boards_by_size()[0].name == "cora-z7-07s"
    assert boards_by_size()[-1].name == "v80"


@given(needs, st.sampled_from([Fraction(7, 10), 1]))
def test_the_smallest_has_room_and_no_smaller_one_has(need: Device, share: Fraction | int) -> None:
    found = smallest_fitting(need, share)
    for board in boards_by_size():
        has = board.device
        fits = (
            need.lut <= share * has.lut
            and need.ff <= share * has.ff
            and need.bram18 <= share * has.bram18
            and need.uram <= share * has.uram
            and need.dsp <= share * has.dsp
        )
        assert fits or board != found
        if fits:
            assert board == found
            break
    else:
        assert found is None


def test_a_device_full_to_the_last_fits_its_own_board_and_no_share_of_it() -> None:
    z7020 = Device(Family.ZYNQ_7000, 53200, 106400, 280, 0, 220)
    found = smallest_fitting(z7020)
    assert found is not None
    assert found.device == z7020
    larger = smallest_fitting(z7020, Fraction(999, 1000))
    assert larger is not None
    assert larger.device.lut > z7020.lut


def test_an_ultra_ram_is_looked_for_on_boards_that_have_some() -> None:
    found = smallest_fitting(Device(Family.ZYNQ_ULTRASCALE_PLUS, 1, 1, 0, 1, 0))
    assert found is not None
    assert found.name == "k26"
