// The weighted sum of two streams: y[c] = m[0, c] * a[c] + m[1, c] * b[c].
// Specification: lutloom.core.ops.add.Add.reference
//
// PE channels at a time, in codes: the code of a result is `start[c] + multiplier[c, 0] * code_a +
// multiplier[c, 1] * code_b`, modulo 2^OUT_BITS. Tables are [CHANNELS / PE][PE][..], or [1][1][..]
// if all channels share them. More than two inputs are a chain of these.
// Cycles a frame: VECTORS * (CHANNELS / PE), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"

namespace lutloom {

template <int CHANNELS, int VECTORS, int PE, typename A, typename B, int OUT_BITS,
          typename Multiplier, typename Start, int FOLDS, int LANES>
void add(hls::stream<ap_uint<PE * A::width> >& in_a, hls::stream<ap_uint<PE * B::width> >& in_b,
         hls::stream<ap_uint<PE * OUT_BITS> >& out,
         const Multiplier (&multipliers)[FOLDS][LANES][2], const Start (&starts)[FOLDS][LANES]) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert((FOLDS == CHANNELS / PE && LANES == PE) || (FOLDS == 1 && LANES == 1),
                "there should be multipliers for each channel, or for all of them");
  constexpr int kFolds = CHANNELS / PE;
  ap_uint<bits_for(kFolds - 1)> fold = 0;

  // beat = vector * kFolds + fold
  for (int beat = 0; beat < VECTORS * kFolds; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * A::width> a = in_a.read();
    const ap_uint<PE * B::width> b = in_b.read();
    const int table_fold = FOLDS == 1 ? 0 : int(fold);
    ap_uint<PE * OUT_BITS> y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const int table_lane = LANES == 1 ? 0 : lane;
      const ap_int<OUT_BITS> factor_a = multipliers[table_fold][table_lane][0];
      const ap_int<OUT_BITS> factor_b = multipliers[table_fold][table_lane][1];
      const ap_int<OUT_BITS> start = starts[table_fold][table_lane];
      const ap_int<OUT_BITS> product_a = factor_a * get_lane<A>(a, lane);
      const ap_int<OUT_BITS> product_b = factor_b * get_lane<B>(b, lane);
      const ap_uint<OUT_BITS> sum = start + product_a + product_b;
      set_lane(y, lane, sum);
    }
    out.write(y);
    fold = fold == kFolds - 1 ? 0 : int(fold) + 1;
  }
}

}  // namespace lutloom
