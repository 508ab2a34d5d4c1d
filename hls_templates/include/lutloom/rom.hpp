// Constants in a memory of machine words: `table[ENTRIES][CHUNKS]`, chunk 0 lowest.
//
// A word of WORD_BITS bits that is wider than a machine word takes all chunks of its entry;
// of narrower ones an entry holds as many as fit, the first in the lowest bits.
#pragma once

#include <ap_int.h>

namespace lutloom {

template <typename Entry, int CHUNKS, int WORD_BITS>
struct Rom {
  static constexpr int kChunkBits = 8 * static_cast<int>(sizeof(Entry));
  static constexpr int kEntryBits = CHUNKS * kChunkBits;
  static constexpr int kGroup = kEntryBits / WORD_BITS;
  static_assert(kGroup >= 1, "an entry should hold at least one word");
  static_assert(CHUNKS == 1 || kGroup == 1, "only entries of one chunk hold several words");

  template <int ENTRIES, typename Address>
  static ap_uint<kEntryBits> entry(const Entry (&table)[ENTRIES][CHUNKS], const Address& address) {
#pragma HLS INLINE
    ap_uint<kEntryBits> value = 0;
    for (int chunk = 0; chunk < CHUNKS; ++chunk) {
#pragma HLS UNROLL
      value.range((chunk + 1) * kChunkBits - 1, chunk * kChunkBits) =
          ap_uint<kChunkBits>(table[address][chunk]);
    }
    return value;
  }
};

}  // namespace lutloom
