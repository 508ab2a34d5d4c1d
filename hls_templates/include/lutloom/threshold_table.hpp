// A staircase a channel as a memory: y[c] = levels[c, x[c]].
// Specification: lutloom.core.ops.threshold.Threshold.reference
//
// PE channels at a time, in codes: a lane has a memory with the level of every code, from FIRST on,
// of each of its channels: [PE][CHANNELS / PE][..], or [PE][1][..] if all channels share them.
// Cycles a frame: VECTORS * (CHANNELS / PE), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"

namespace lutloom {

template <int CHANNELS, int VECTORS, int PE, typename In, long long FIRST, int OUT_BITS,
          typename Level, int LANES, int FOLDS, int CODES>
void threshold_table(hls::stream<ap_uint<PE * In::width> >& in,
                     hls::stream<ap_uint<PE * OUT_BITS> >& out,
                     const Level (&levels)[LANES][FOLDS][CODES]) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert(LANES == PE && (FOLDS == CHANNELS / PE || FOLDS == 1),
                "there should be levels for each channel, or for all of them");
  constexpr int kFolds = CHANNELS / PE;
  ap_uint<bits_for(kFolds - 1)> fold = 0;

  // beat = vector * kFolds + fold
  for (int beat = 0; beat < VECTORS * kFolds; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * In::width> x = in.read();
    const int table_fold = FOLDS == 1 ? 0 : int(fold);
    ap_uint<PE * OUT_BITS> y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const ap_uint<bits_for(CODES - 1)> place = get_lane<In>(x, lane) - FIRST;
      const ap_uint<OUT_BITS> level = levels[lane][table_fold][place];
      set_lane(y, lane, level);
    }
    out.write(y);
    fold = fold == kFolds - 1 ? 0 : int(fold) + 1;
  }
}

}  // namespace lutloom
