from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.types import BIPOLAR, INT64_MAX, INT64_MIN, Const, IntType, TensorType

small = st.builds(
    lambda lo, count, step: IntType(lo, lo + (count - 1) * step, step if count > 1 else 1),
    st.integers(-300, 300),
    st.integers(1, 70),
    st.integers(1, 9),
)


def values_of(type_: IntType) -> list[int]:
    return list(range(type_.lo, type_.hi + 1, type_.step))


@given(small)
def test_every_value_has_its_own_code_within_the_bits(type_: IntType) -> None:
    values = np.array(values_of(type_), dtype=np.int64)
    codes = type_.encode(values)
    lowest = -(2 ** (type_.bits - 1)) if type_.is_signed else 0
    assert type_.count == len(values) == len(set(codes.tolist()))
    assert codes.min() >= lowest
    assert codes.max() < lowest + 2**type_.bits
    assert (type_.decode(codes) == values).all()


@given(small)
def test_no_narrower_wire_would_do(type_: IntType) -> None:
    if type_.bits == 1:
        return
    codes = type_.encode(np.array(values_of(type_), dtype=np.int64))
    lowest = -(2 ** (type_.bits - 2)) if type_.is_signed else 0
    assert codes.min() < lowest or codes.max() >= lowest + 2 ** (type_.bits - 1)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1))
def test_spanning_is_the_narrowest_progression(values: list[int]) -> None:
    type_ = IntType.spanning(values)
    assert (type_.lo, type_.hi) == (min(values), max(values))
    assert all((value - type_.lo) % type_.step == 0 for value in values)
    strides = {value - type_.lo for value in values} - {0}
    assert not strides or np.gcd.reduce(sorted(strides)) == type_.step


def test_known_types_have_known_widths() -> None:
    assert (BIPOLAR.bits, BIPOLAR.is_signed, BIPOLAR.count) == (1, False, 2)
    assert (IntType(-1, 1).bits, IntType(-1, 1).is_signed) == (2, True)
    assert IntType(0, 255).bits == 8
    assert IntType(-128, 127).bits == 8
    assert IntType(-129, 127).bits == 9
    assert IntType(0, 0).bits == IntType(5, 5, 3).step == 1
    assert IntType(-784, 784, 2).bits == 10
    assert IntType(INT64_MIN, INT64_MAX).bits == 64
    assert str(IntType(-784, 784, 2)) == "int<-784..784 by 2>"


@pytest.mark.parametrize(
    ("lo", "hi", "step", "message"),
    [
        (1, 0, 1, r"^an integer type needs lo <= hi, not 1\.\.0$"),
        (0, 3, 2, r"^step 2 does not lead from 0 to 3$"),
        (0, 3, 0, r"^step 0 does not lead from 0 to 3$"),
        (0, 3, -1, r"^step -1 does not lead from 0 to 3$"),
        (0, 2**63, 1, r"^0\.\.9223372036854775808 needs more than 64 bits$"),
        (-(2**63) - 1, 0, 1, r"needs more than 64 bits$"),
    ],
)
def test_a_type_that_cannot_be_is_refused(lo: int, hi: int, step: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IntType(lo, hi, step)


def test_an_empty_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^every dimension must be at least 1, not \[2, 0\]$"):
        TensorType(BIPOLAR, (2, 0))


@given(st.lists(st.integers(INT64_MIN, INT64_MAX), max_size=5))
def test_constants_keep_every_integer_in_the_narrowest_storage(values: list[int]) -> None:
    const = Const(np.array(values, dtype=np.int64))
    assert const.int64.tolist() == values
    width = max(((v if v >= 0 else ~v).bit_length() + 1 for v in values), default=1)
    assert const.data.dtype.itemsize * 8 == next(w for w in (8, 16, 32, 64) if w >= width)
    assert pickle.loads(pickle.dumps(const)) == const


def test_constants_are_equal_by_shape_and_contents_and_cannot_be_written() -> None:
    source = np.array([[1, 2], [3, 4]])
    const = Const(source)
    source[0, 0] = 9
    assert const.int64[0, 0] == 1
    assert const == Const([[1, 2], [3, 4]])
    assert hash(const) == hash(Const([[1, 2], [3, 4]]))
    assert const != Const([1, 2, 3, 4])
    assert const != Const([[1, 2], [3, 5]])
    assert (
        Const(np.array([1], np.int8))
        == Const(np.array([1], np.int64))
        == Const(np.array([1], np.uint64))
    )
    for array in (const.data, const.int64):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 7


@pytest.mark.parametrize("dtype", [np.float32, np.bool_, np.complex64, object])
def test_only_integers_are_constants(dtype: type) -> None:
    with pytest.raises(TypeError, match=r"^constants are integers, not "):
        Const(np.ones(3, dtype=dtype))


def test_integers_beyond_64_bits_are_no_constants() -> None:
    with pytest.raises(TypeError, match=r"^9223372036854775808 needs more than 64 bits$"):
        Const(np.array([2**63], dtype=np.uint64))


@given(small)
def test_a_type_holds_the_values_that_it_lists(type_: IntType) -> None:
    values = np.arange(-1000, 1000)
    assert values[type_.holds(values)].tolist() == values_of(type_)


def test_a_type_holds_the_ends_of_int64() -> None:
    ends = np.array([INT64_MIN, INT64_MIN + 1, 0, INT64_MAX])
    assert IntType(INT64_MIN, INT64_MAX).holds(ends).all()
    assert IntType(INT64_MIN, INT64_MAX, 5).holds(ends).tolist() == [True, False, False, True]
