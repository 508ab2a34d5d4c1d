// Constants in a memory of machine words: `table[ENTRIES][CHUNKS]`, chunk 0 lowest.
//
// A word of WORD_BITS bits that is wider than a machine word takes all chunks of its entry;
// of narrower ones an entry holds as many as fit, the first in the lowest bits.
#pragma once

#include <ap_int.h>

#include "lutloom/bits.hpp"

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

// Reads words of a table one after the other, from the first one again when a round is over.
// address * kGroup + slot = the word of the round that is next, until slot 0 loads its entry.
template <typename Entry, int CHUNKS, int WORD_BITS, int ENTRIES>
struct RomReader {
  typedef Rom<Entry, CHUNKS, WORD_BITS> Layout;
  ap_uint<Layout::kEntryBits> entry;
  ap_uint<bits_for(ENTRIES)> address;
  ap_uint<bits_for(Layout::kGroup - 1)> slot;

  RomReader() : entry(0), address(0), slot(0) {}

  ap_uint<WORD_BITS> word(const Entry (&table)[ENTRIES][CHUNKS]) {
#pragma HLS INLINE
    if (slot == 0) {
      entry = Layout::entry(table, address);
    }
    return entry.range(WORD_BITS - 1, 0);
  }

  void next(bool is_round_done) {
#pragma HLS INLINE
    if (is_round_done || slot == Layout::kGroup - 1) {
      slot = 0;
      address = is_round_done ? 0 : int(address) + 1;
    } else {
      slot = slot + 1;
      entry = entry >> WORD_BITS;
    }
  }
};

}  // namespace lutloom
