"""Types of values: which integers a wire may carry, and how many of them a tensor holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from hashlib import blake2b
from math import gcd, prod
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    IntArray: TypeAlias = NDArray[np.int64]
    Integers: TypeAlias = int | Sequence["Integers"]

# Values and accumulators are int64 in the reference; the C++ goes no further either.
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_MOST_ELEMENTS = 2**32


@dataclass(frozen=True, slots=True)
class IntType:
    """The integers ``lo, lo + step, lo + 2*step, ..., hi``.

    So bipolar is ``IntType(-1, 1, 2)``, ternary ``IntType(-1, 1)``, and a sum of bipolar
    products keeps its parity. A type with a single value has step 1.

    Raises ``ValueError`` where no such progression exists, or where it leaves 64 bits.
    """

    lo: int
    hi: int
    step: int = 1

    def __post_init__(self) -> None:
        if self.lo > self.hi:
            raise ValueError(f"an integer type needs lo <= hi, not {self.lo}..{self.hi}")
        if self.lo == self.hi and self.step != 1:
            object.__setattr__(self, "step", 1)
        if self.step < 1 or (self.hi - self.lo) % self.step:
            raise ValueError(f"step {self.step} does not lead from {self.lo} to {self.hi}")
        if self.lo < INT64_MIN or self.hi > INT64_MAX:
            raise ValueError(f"{self.lo}..{self.hi} needs more than 64 bits")

    @classmethod
    def spanning(cls, values: Iterable[int]) -> IntType:
        """Return the narrowest type that holds all ``values`` (at least one).

        >>> IntType.spanning([3, -5, 7])
        IntType(lo=-5, hi=7, step=4)
        """
        distinct = sorted({int(value) for value in values})
        lo, hi = distinct[0], distinct[-1]
        return cls(lo, hi, reduce(gcd, (value - lo for value in distinct), 0) or 1)

    @property
    def count(self) -> int:
        """How many values the type holds."""
        return (self.hi - self.lo) // self.step + 1

    def __contains__(self, value: int) -> bool:
        return self.lo <= value <= self.hi and (value - self.lo) % self.step == 0

    def holds(self, values: IntArray) -> NDArray[np.bool_]:
        """Return which of ``values`` are of the type, in the same shape."""
        import numpy as np

        distance = values.view(np.uint64) - np.int64(self.lo).view(np.uint64)
        is_inside = (values >= self.lo) & (values <= self.hi)
        return np.asarray(is_inside & (distance % np.uint64(self.step) == 0))

    def including(self, value: int) -> IntType:
        """Return the narrowest type that holds all of this one, and ``value``.

        >>> IntType(-1, 1, 2).including(0)
        IntType(lo=-1, hi=1, step=1)
        """
        return self.joined(IntType(value, value))

    def joined(self, other: IntType) -> IntType:
        """Return the narrowest type that holds all of this one and all of ``other``.

        >>> IntType(-1, 1, 2).joined(IntType(3, 7, 4))
        IntType(lo=-1, hi=7, step=2)
        """
        lo, hi = min(self.lo, other.lo), max(self.hi, other.hi)
        strides = (type_.step for type_ in (self, other) if type_.count > 1)
        return IntType(lo, hi, gcd(*strides, self.lo - lo, other.lo - lo, hi - lo) or 1)

    @property
    def is_offset_coded(self) -> bool:
        """Whether a wire carries ``(value - lo) / step`` instead of the value itself.

        Types with gaps are: bipolar becomes one bit, an accumulator of ``n`` bipolar
        products the popcount of its agreeing lanes.
        """
        return self.step != 1

    @property
    def is_signed(self) -> bool:
        """Whether the code on a wire is two's complement."""
        return not self.is_offset_coded and self.lo < 0

    @property
    def bits(self) -> int:
        """Width of a wire that carries the type: at least one bit."""
        if self.step != 1:
            return (self.count - 1).bit_length()
        if self.lo >= 0:
            return max(self.hi.bit_length(), 1)
        return max(self.hi, ~self.lo).bit_length() + 1

    def encode(self, values: IntArray) -> IntArray:
        """Return the codes that stand for ``values`` on a wire, in the same shape."""
        return (values - self.lo) // self.step if self.is_offset_coded else values

    def decode(self, codes: IntArray) -> IntArray:
        """Return the values that ``codes`` stand for: the inverse of ``encode``."""
        return codes * self.step + self.lo if self.is_offset_coded else codes

    def __str__(self) -> str:
        step = f" by {self.step}" if self.step != 1 else ""
        return f"int<{self.lo}..{self.hi}{step}>"


BIPOLAR = IntType(-1, 1, 2)


@dataclass(frozen=True, slots=True)
class TensorType:
    """A channels-last tensor of integers, without its batch. ``shape`` may be empty."""

    element: IntType
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(size < 1 for size in self.shape):
            raise ValueError(f"every dimension must be at least 1, not {list(self.shape)}")
        if self.size > _MOST_ELEMENTS:
            raise ValueError(f"a tensor of {list(self.shape)} is too large: at most 2^32 elements")

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def channels(self) -> int:
        """Size of the last dimension; 1 for a scalar."""
        return self.shape[-1] if self.shape else 1

    def __str__(self) -> str:
        return f"{self.element}[{','.join(map(str, self.shape))}]"


class Const:
    """A read-only array of integers, compared by a digest that is computed once, when asked.

    Stored in the narrowest NumPy integer type that holds the values, so that a million
    binary weights take a megabyte. ``data`` may have any shape; floats are refused.

    Raises ``TypeError`` for anything but integers.
    """

    def __init__(self, data: NDArray[np.integer] | Integers) -> None:
        import numpy as np

        array = np.asarray(data)
        if array.size == 0:
            array = array.astype(np.int8)
        if array.dtype.kind not in "iu":
            raise TypeError(f"constants are integers, not {array.dtype}")
        lo, hi = (int(array.min()), int(array.max())) if array.size else (0, 0)
        if hi > INT64_MAX:
            raise TypeError(f"{hi} needs more than 64 bits")
        narrow = np.ascontiguousarray(array, dtype=np.result_type(_signed(lo), _signed(hi)))
        if narrow is array or narrow.base is not None:
            narrow = narrow.copy()
        narrow.setflags(write=False)
        self._data: NDArray[np.integer] = narrow.reshape(array.shape)
        self.lo, self.hi = lo, hi

    @property
    def data(self) -> NDArray[np.integer]:
        """The array, read-only, in its storage type."""
        return self._data

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self._data.shape

    @cached_property
    def int64(self) -> IntArray:
        """The array as int64, read-only."""
        import numpy as np

        wide = self._data.astype(np.int64)
        wide.setflags(write=False)
        return wide

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest of type, shape and contents."""
        little = self._data.astype(self._data.dtype.newbyteorder("<"), copy=False)
        state = blake2b(f"{self._data.dtype.name}{self.shape}".encode(), digest_size=10)
        state.update(little.tobytes())
        return state.hexdigest()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Const) and self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[type[Const], tuple[NDArray[np.integer]]]:
        return Const, (self._data,)

    def __repr__(self) -> str:
        return f"Const({self})"

    def __str__(self) -> str:
        return f"{self._data.dtype.name}[{','.join(map(str, self.shape))}]#{self.digest}"


def _signed(value: int) -> np.dtype[np.signedinteger]:
    import numpy as np

    for dtype in (np.int8, np.int16, np.int32):
        if np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    return np.dtype(np.int64)
