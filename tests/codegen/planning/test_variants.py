"""How many channels layers are planned with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen.kernels.kernel import divisors
from lutloom.codegen.planning.variants import candidates


def test_few_numbers_are_tried_that_many_others_divide() -> None:
    assert candidates(593) == (593, 594, 600)
    assert candidates(357) == (357, 360)
    assert candidates(58) == (58, 60, 64)
    assert candidates(37) == (37, 38, 40)
    assert candidates(10) == (10, 12)
    assert [candidates(count) for count in (1, 2, 3)] == [(1,), (2,), (3, 4)]


@given(st.integers(1, 3000).map(lambda count: 8 * count))
def test_multiples_of_eight_stay(channels: int) -> None:
    assert candidates(channels) == (channels,)


@given(st.integers(1, 10_000))
def test_each_number_that_is_tried_adds_little_and_makes_something_faster(channels: int) -> None:
    first, *others = candidates(channels)
    assert first == channels
    assert len(others) <= 5
    for count in others:
        assert channels < count <= channels + max(channels // 8, 2)
        assert any(
            count // lanes < channels // fewer
            for lanes in divisors(count)
            for fewer in [max(n for n in divisors(channels) if n <= lanes)]
        )
