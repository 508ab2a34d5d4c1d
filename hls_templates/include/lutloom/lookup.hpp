// A row of a table for every integer: y[:] = table[x, :].
// Specification: lutloom.core.ops.lookup.Lookup.reference
//
// PE elements of a row at a time; an integer is read with the first ones. The memory holds the rows
// of the integers that come, in words of PE codes, FIRST being the code of the first row.
// Cycles a frame: INPUTS * (ROW / PE), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/rom.hpp"

namespace lutloom {

template <int ROW, int INPUTS, int PE, typename In, long long FIRST, int OUT_BITS, typename Entry,
          int ENTRIES, int CHUNKS>
void lookup(hls::stream<ap_uint<In::width> >& in, hls::stream<ap_uint<PE * OUT_BITS> >& out,
            const Entry (&rows)[ENTRIES][CHUNKS]) {
#pragma HLS INLINE
  static_assert(ROW % PE == 0, "PE should divide the elements of a row");
  constexpr int kFolds = ROW / PE;
  static_assert(ENTRIES % kFolds == 0, "a row should be one entry for each of its words");
  typedef Rom<Entry, CHUNKS, PE * OUT_BITS> Layout;
  ap_uint<bits_for(kFolds - 1)> fold = 0;
  ap_uint<bits_for(ENTRIES - 1)> address = 0;

  // beat = integer * kFolds + fold
  for (int beat = 0; beat < INPUTS * kFolds; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    if (fold == 0) {
      const ap_uint<In::width> bits = in.read();
      const ap_uint<bits_for(ENTRIES / kFolds - 1)> row = In(bits) - FIRST;
      address = row * kFolds;
    } else {
      address = address + 1;
    }
    const ap_uint<PE * OUT_BITS> word = Layout::entry(rows, address).range(PE * OUT_BITS - 1, 0);
    out.write(word);
    fold = fold == kFolds - 1 ? 0 : int(fold) + 1;
  }
}

}  // namespace lutloom
