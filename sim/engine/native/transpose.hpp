// The transposition of 64 x 64 bits, and of as many such squares at once as a register has words.
#pragma once

#include <cstdint>

namespace lutloom {

// Bit i of row j becomes bit j of row i, of each word of a row: `T` is a word, or a vector of them.
template <class T>
void transpose(T* rows, T (*spread)(std::int64_t)) {
  std::uint64_t low = 0x00000000FFFFFFFFull;
  for (int j = 32; j > 0; j >>= 1, low ^= low << j) {
    const T mask = spread(static_cast<std::int64_t>(low));
    for (int k = 0; k < 64; k = ((k | j) + 1) & ~j) {
      const T other = ((rows[k] >> j) ^ rows[k | j]) & mask;
      rows[k] ^= other << j;
      rows[k | j] ^= other;
    }
  }
}

}  // namespace lutloom
