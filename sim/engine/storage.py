"""How the engine keeps a value in memory: what its integers are stored as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray, IntType, TensorType

_WORD = 64


class Layout(IntEnum):
    """The numbers are those of ``native/engine.hpp``."""

    BYTES = 0
    """``value = lo + step * code``, a code a byte, image after image, channels last."""
    INT16 = 1
    INT32 = 2
    INT64 = 3
    BITS = 4
    """Image after image, of each pixel ``levels`` rows of bits: bit ``c % 64`` of word ``c // 64``
    of row ``j`` says whether the code of channel ``c`` is above ``j``."""
    PLANES = 5
    """For a block of images at once: of each element ``levels`` planes. Bit ``i`` of plane ``j``
    says whether the code of image ``i`` is above ``j``."""
    FLOAT32 = 6
    """Reals: the model's inputs and outputs, image after image."""

    @property
    def is_dense(self) -> bool:
        """Whether an element is a number of whole bytes, image after image."""
        return self <= Layout.INT64


_WIDTHS = {Layout.BYTES: 1, Layout.INT16: 2, Layout.INT32: 4, Layout.INT64: 8}


@dataclass(frozen=True, slots=True)
class Storage:
    """A layout, and which integers its codes stand for: ``lo + step * code``.

    Integers of 16 bits and more are stored as they are. ``levels`` is the largest code, of layouts
    that have codes.
    """

    layout: Layout
    lo: int = 0
    step: int = 1
    levels: int = 0

    def bytes_of(self, tensor: TensorType) -> int:
        """Return the bytes of an image in a dense layout or in bits."""
        if self.layout is Layout.BITS:
            pixels = tensor.size // tensor.channels
            return pixels * self.levels * words_of(tensor.channels) * 8
        return tensor.size * _WIDTHS[self.layout]

    def encode(self, values: IntArray) -> NDArray[np.integer]:
        """Return ``values`` as they are stored in a dense layout, contiguous."""
        import numpy as np

        if self.layout is Layout.BYTES:
            return np.ascontiguousarray((values - self.lo) // self.step, dtype=np.uint8)
        return np.ascontiguousarray(values, dtype=self.dtype)

    def decode(self, stored: NDArray[np.number]) -> IntArray:
        """Return the integers, int64, that ``stored`` stands for in a dense layout."""
        import numpy as np

        wide = stored.astype(np.int64)
        if self.layout is Layout.BYTES and (self.lo, self.step) != (0, 1):
            wide = wide * self.step + self.lo
        return wide

    @property
    def dtype(self) -> np.dtype[np.number]:
        """What NumPy calls an element of a dense layout, or a real."""
        import numpy as np

        types: Mapping[Layout, type[np.number]] = {
            Layout.BYTES: np.uint8,
            Layout.INT16: np.int16,
            Layout.INT32: np.int32,
            Layout.INT64: np.int64,
            Layout.FLOAT32: np.float32,
        }
        return np.dtype(types[self.layout])


def words_of(bits: int) -> int:
    """Return how many words of 64 bits hold ``bits``."""
    return -(-bits // _WORD)


def dense_storage(element: IntType) -> Storage:
    """Return the narrowest storage of ``element`` whose elements are whole bytes."""
    if element.count <= 2**8 and element.hi - element.lo < 2**63:
        return Storage(Layout.BYTES, element.lo, element.step, element.count - 1)
    return plain_storage(element)


def plain_storage(element: IntType) -> Storage:
    """Return the narrowest storage of ``element`` that keeps integers as they are."""
    for layout, bits in ((Layout.INT16, 16), (Layout.INT32, 32)):
        if -(2 ** (bits - 1)) <= element.lo and element.hi < 2 ** (bits - 1):
            return Storage(layout)
    return Storage(Layout.INT64)


def coded_storage(element: IntType, layout: Layout) -> Storage:
    """Return the storage of ``element`` in bits or planes."""
    return Storage(layout, element.lo, element.step, element.count - 1)
