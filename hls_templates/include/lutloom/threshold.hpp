// A staircase a channel: y[c] = base[c] + sum over t of deltas[c, t] * (x[c] >= thresholds[c, t]).
// Specification: lutloom.core.ops.threshold.Threshold.reference
//
// PE channels at a time, all steps of a channel in parallel, in codes: thresholds are codes of the
// input, levels codes of the output. A threshold that the input can't reach lies one above its
// largest code. Tables are [CHANNELS / PE][PE][..], or [1][1][..] if all channels share them.
// Cycles a frame: VECTORS * (CHANNELS / PE), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/popcount.hpp"

namespace lutloom {

// Which of one channel's thresholds `x` has reached, the lowest in bit 0.
template <typename Limit, typename In, typename Entry, int STEPS>
ap_uint<STEPS> reached(const In& x, const Entry (&thresholds)[STEPS]) {
#pragma HLS INLINE
  ap_uint<STEPS> result = 0;
  for (int step = 0; step < STEPS; ++step) {
#pragma HLS UNROLL
    const Limit limit = thresholds[step];
    result[step] = x >= limit;
  }
  return result;
}

// Steps of one code up from a base that all channels share: the code of the output is BASE plus
// the number of steps reached.
template <int CHANNELS, int VECTORS, int PE, typename In, typename Limit, int OUT_BITS,
          long long BASE, typename Entry, int FOLDS, int LANES, int STEPS>
void threshold(hls::stream<ap_uint<PE * In::width> >& in,
               hls::stream<ap_uint<PE * OUT_BITS> >& out,
               const Entry (&thresholds)[FOLDS][LANES][STEPS]) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert((FOLDS == CHANNELS / PE && LANES == PE) || (FOLDS == 1 && LANES == 1),
                "there should be thresholds for each channel, or for all of them");
  constexpr int kFolds = CHANNELS / PE;
  ap_uint<bits_for(kFolds - 1)> fold = 0;

  // beat = vector * kFolds + fold
  for (int beat = 0; beat < VECTORS * kFolds; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * In::width> x = in.read();
    ap_uint<PE * OUT_BITS> y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const ap_uint<STEPS> steps =
          reached<Limit>(get_lane<In>(x, lane),
                         thresholds[FOLDS == 1 ? 0 : int(fold)][LANES == 1 ? 0 : lane]);
      const ap_uint<OUT_BITS> base = BASE;
      const ap_uint<OUT_BITS> level = base + Popcount<STEPS>::of(steps);
      set_lane(y, lane, level);
    }
    out.write(y);
    fold = fold == kFolds - 1 ? 0 : int(fold) + 1;
  }
}

// Any levels: each step that is reached adds its height, modulo 2^OUT_BITS.
template <int CHANNELS, int VECTORS, int PE, typename In, typename Limit, int OUT_BITS,
          typename Entry, typename Level, int FOLDS, int LANES, int STEPS>
void threshold_levels(hls::stream<ap_uint<PE * In::width> >& in,
                      hls::stream<ap_uint<PE * OUT_BITS> >& out,
                      const Entry (&thresholds)[FOLDS][LANES][STEPS],
                      const Level (&bases)[FOLDS][LANES],
                      const Level (&heights)[FOLDS][LANES][STEPS]) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert((FOLDS == CHANNELS / PE && LANES == PE) || (FOLDS == 1 && LANES == 1),
                "there should be thresholds for each channel, or for all of them");
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
      const int table_lane = LANES == 1 ? 0 : lane;
      const ap_uint<STEPS> steps =
          reached<Limit>(get_lane<In>(x, lane), thresholds[table_fold][table_lane]);
      ap_uint<OUT_BITS> level = bases[table_fold][table_lane];
      for (int step = 0; step < STEPS; ++step) {
#pragma HLS UNROLL
        const ap_uint<OUT_BITS> height = heights[table_fold][table_lane][step];
        level += steps[step] ? height : ap_uint<OUT_BITS>(0);
      }
      set_lane(y, lane, level);
    }
    out.write(y);
    fold = fold == kFolds - 1 ? 0 : int(fold) + 1;
  }
}

}  // namespace lutloom
