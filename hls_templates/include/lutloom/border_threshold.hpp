// Staircases that differ along the border of an image: as threshold, for each class of places.
// Specification: lutloom.core.ops.border_threshold.BorderThreshold.reference
//
// PE channels at a time, all steps of a channel in parallel, in codes, as in threshold.hpp. Tables
// are [CHANNELS / PE][PE][..] for each class of places, or [1][1][..] for each if IS_SHARED says
// that all channels share them. Places says where those of a class begin.
// Cycles a frame: VECTORS * (CHANNELS / PE), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/places.hpp"
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
template <int CHANNELS, int VECTORS, int PE, bool IS_SHARED, typename In, typename Limit,
          int OUT_BITS, long long BASE, typename Entry, int FOLDS, int LANES, int STEPS,
          typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void border_threshold(hls::stream<ap_uint<PE * In::width> >& in,
                      hls::stream<ap_uint<PE * OUT_BITS> >& out,
                      const RowStart (&row_starts)[HEIGHT],
                      const ColumnStart (&column_starts)[WIDTH],
                      const Entry (&thresholds)[FOLDS][LANES][STEPS]) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert(IS_SHARED ? LANES == 1 : (FOLDS % (CHANNELS / PE) == 0 && LANES == PE),
                "there should be thresholds for each channel, or for all of them");
  static_assert(VECTORS % (HEIGHT * WIDTH) == 0, "there should be a vector for each place");
  constexpr int kFolds = CHANNELS / PE;
  ap_uint<bits_for(kFolds - 1)> fold = 0;
  Places<HEIGHT, WIDTH> place;

  // beat = vector * kFolds + fold
  for (int beat = 0; beat < VECTORS * kFolds; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * In::width> x = in.read();
    const int table_fold = place.first(row_starts, column_starts) + (IS_SHARED ? 0 : int(fold));
    ap_uint<PE * OUT_BITS> y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const ap_uint<STEPS> steps =
          reached<Limit>(get_lane<In>(x, lane), thresholds[table_fold][LANES == 1 ? 0 : lane]);
      const ap_uint<OUT_BITS> base = BASE;
      const ap_uint<OUT_BITS> level = base + Popcount<STEPS>::of(steps);
      set_lane(y, lane, level);
    }
    out.write(y);
    const bool is_done = fold == kFolds - 1;
    fold = is_done ? 0 : int(fold) + 1;
    if (is_done) {
      place.next();
    }
  }
}

// Any levels: each step that is reached adds its height, modulo 2^OUT_BITS.
template <int CHANNELS, int VECTORS, int PE, bool IS_SHARED, typename In, typename Limit,
          int OUT_BITS, typename Entry, typename Level, int FOLDS, int LANES, int STEPS,
          typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void border_threshold_levels(hls::stream<ap_uint<PE * In::width> >& in,
                             hls::stream<ap_uint<PE * OUT_BITS> >& out,
                             const RowStart (&row_starts)[HEIGHT],
                             const ColumnStart (&column_starts)[WIDTH],
                             const Entry (&thresholds)[FOLDS][LANES][STEPS],
                             const Level (&bases)[FOLDS][LANES],
                             const Level (&heights)[FOLDS][LANES][STEPS]) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert(IS_SHARED ? LANES == 1 : (FOLDS % (CHANNELS / PE) == 0 && LANES == PE),
                "there should be thresholds for each channel, or for all of them");
  static_assert(VECTORS % (HEIGHT * WIDTH) == 0, "there should be a vector for each place");
  constexpr int kFolds = CHANNELS / PE;
  ap_uint<bits_for(kFolds - 1)> fold = 0;
  Places<HEIGHT, WIDTH> place;

  // beat = vector * kFolds + fold
  for (int beat = 0; beat < VECTORS * kFolds; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * In::width> x = in.read();
    const int table_fold = place.first(row_starts, column_starts) + (IS_SHARED ? 0 : int(fold));
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
    const bool is_done = fold == kFolds - 1;
    fold = is_done ? 0 : int(fold) + 1;
    if (is_done) {
      place.next();
    }
  }
}

}  // namespace lutloom
