"""Integers as bits: element 0 of a word is in its lowest bits, bit 0 of an element lowest.

A word that is wider than 64 bits is an array of 64-bit pieces, the lowest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray, IntType

# Elements that are unpacked to bits at a time: each takes 64 bytes on its way.
_CHUNK = 1 << 18


def to_bits(codes: IntArray, width: int) -> NDArray[np.uint8]:
    """Return the lowest ``width`` bits of each code: ``[n, k] -> [n, k * width]``."""
    import numpy as np

    rows, columns = codes.shape
    little = np.ascontiguousarray(codes).astype("<i8", copy=False)
    octets = little.view(np.uint8).reshape(rows, columns, 8)[..., : (width + 7) // 8]
    bits = np.unpackbits(octets, axis=-1, bitorder="little")[..., :width]
    return bits.reshape(rows, columns * width)


def from_bits(bits: NDArray[np.uint8], width: int, *, signed: bool) -> IntArray:
    """Return the inverse of ``to_bits``: ``[n, k * width] -> [n, k]``, two's complement if so."""
    import numpy as np

    rows = bits.shape[0]
    lanes = bits.reshape(rows, -1, width)
    octets = np.packbits(lanes, axis=-1, bitorder="little")
    wide = np.zeros((*octets.shape[:2], 8), np.uint8)
    wide[..., : octets.shape[-1]] = octets
    codes = wide.view("<i8")[..., 0].astype(np.int64)
    if signed and width < 64:
        codes -= (codes >> (width - 1)) << width
    return codes


def to_pieces(bits: NDArray[np.uint8], word_bits: int) -> NDArray[np.uint64]:
    """Return ``bits [n, b]`` as words ``[n, ceil(b / word_bits), pieces]``, the last one padded."""
    import numpy as np

    rows, length = bits.shape
    beats, pieces = -(-length // word_bits), -(-word_bits // 64)
    padded = np.zeros((rows, beats * word_bits), np.uint8)
    padded[:, :length] = bits
    words = np.zeros((rows, beats, pieces * 64), np.uint8)
    words[..., :word_bits] = padded.reshape(rows, beats, word_bits)
    octets = np.packbits(words, axis=-1, bitorder="little")
    return octets.view("<u8").astype(np.uint64)


def from_pieces(words: NDArray[np.uint64], word_bits: int, length: int) -> NDArray[np.uint8]:
    """Return the first ``length`` bits of ``words [n, beats, pieces]``: ``[n, length]``."""
    import numpy as np

    octets = np.ascontiguousarray(words.astype("<u8")).view(np.uint8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little")[..., :word_bits]
    return bits.reshape(words.shape[0], -1)[:, :length]


def pack_frames(values: IntArray, element: IntType, word_bits: int) -> NDArray[np.uint64]:
    """Return frames ``[n, *shape]`` as the words of a stream: ``[n, beats, pieces]``.

    The codes of a frame stand bit after bit, in row-major order; its last word is padded with
    zeros.
    """
    import numpy as np

    size = prod(values.shape[1:])
    flat = element.encode(values.reshape(values.shape[0], size))
    step = max(1, _CHUNK // size)
    beats, pieces = -(-size * element.bits // word_bits), -(-word_bits // 64)
    result = np.empty((flat.shape[0], beats, pieces), np.uint64)
    for first in range(0, flat.shape[0], step):
        chunk = flat[first : first + step]
        result[first : first + step] = to_pieces(to_bits(chunk, element.bits), word_bits)
    return result


def unpack_frames(
    words: NDArray[np.uint64], element: IntType, shape: tuple[int, ...], word_bits: int
) -> IntArray:
    """Return the inverse of ``pack_frames``: ``[n, beats, pieces] -> [n, *shape]``."""
    import numpy as np

    size = prod(shape)
    step = max(1, _CHUNK // size)
    result = np.empty((words.shape[0], size), np.int64)
    for first in range(0, words.shape[0], step):
        bits = from_pieces(words[first : first + step], word_bits, size * element.bits)
        codes = from_bits(bits, element.bits, signed=element.is_signed)
        result[first : first + step] = element.decode(codes)
    return result.reshape(words.shape[0], *shape)


@dataclass(frozen=True)
class RomLayout:
    """How words of ``width`` bits lie in a table of machine words: ``lutloom::Rom`` in C++.

    An entry is ``chunks`` machine words of ``chunk_bits`` bits, and holds ``group`` words.
    """

    width: int
    chunk_bits: int
    chunks: int
    group: int

    @classmethod
    def of(cls, width: int, *, is_sequential: bool = True) -> RomLayout:
        """Return the layout that wastes the fewest bits a word; fewer, wider chunks on a tie.

        Words that are not read one after the other have an entry each.
        """
        groups = {c: c // width if is_sequential else 1 for c in (64, 32, 16, 8) if c >= width}
        single = [cls(width, c, 1, group) for c, group in groups.items()]
        several = [cls(width, c, -(-width // c), 1) for c in (64, 32, 16, 8) if c < width]
        return min(single + several, key=lambda layout: layout.wasted)

    @property
    def wasted(self) -> float:
        """Bits of the table that hold nothing, for each word."""
        return self.chunks * self.chunk_bits / self.group - self.width

    def entries(self, bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Return words ``bits [n, width]`` as table ``[ceil(n / group), chunks]``."""
        import numpy as np

        count = -(-bits.shape[0] // self.group)
        words = np.zeros((count * self.group, self.width), np.uint8)
        words[: bits.shape[0]] = bits
        grouped = np.zeros((count, self.chunks * self.chunk_bits), np.uint8)
        grouped[:, : self.group * self.width] = words.reshape(count, self.group * self.width)
        octets = np.packbits(grouped, axis=-1, bitorder="little")
        return octets.view(f"<u{self.chunk_bits // 8}").astype(np.uint64)
