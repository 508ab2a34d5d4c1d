// A staircase a channel by bisection: y[c] = levels[c, number of thresholds that x[c] has reached].
// Specification: lutloom.core.ops.threshold.Threshold.reference
//
// PE channels at a time, in codes. A channel has 2^STAGES - 1 thresholds, ascending, and the number
// of those that are reached is found bit by bit, the highest first: the bits found so far say which
// threshold to compare with next. So stage k is one comparison in the pipeline, and has a table of
// 2^k thresholds a channel, a memory of its own: [PE][CHANNELS / PE][2^k], or [PE][1][2^k] if all
// channels share them; where they differ by place of an image, those of its classes follow one
// another. A threshold that the input can't reach lies one above its largest code.
// Cycles a frame: VECTORS * (CHANNELS / PE), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/places.hpp"

namespace lutloom {

// No stage is left: `path` is the number of thresholds reached.
template <typename Limit, typename In, int WIDTH>
ap_uint<WIDTH> search(const In&, int, int, const ap_uint<WIDTH>& path) {
#pragma HLS INLINE
  return path;
}

// `path` are the bits found so far, WIDTH - 1 of them, and a zero above.
template <typename Limit, typename In, int WIDTH, typename Entry, int LANES, int FOLDS, int SIZE,
          typename... Tables>
ap_uint<WIDTH + 1 + static_cast<int>(sizeof...(Tables))> search(
    const In& x, int fold, int lane, const ap_uint<WIDTH>& path,
    const Entry (&table)[LANES][FOLDS][SIZE], const Tables&... tables) {
#pragma HLS INLINE
  static_assert(SIZE == 1 << (WIDTH - 1), "stage k should have 2^k thresholds");
  const Limit limit = table[lane][FOLDS == 1 ? 0 : fold][path];
  const ap_uint<1> is_reached = x >= limit;
  ap_uint<WIDTH + 1> longer = path;
  longer = (longer << 1) + is_reached;
  return search<Limit>(x, fold, lane, longer, tables...);
}

// Steps of one code, up or down, from the level below all thresholds. Both tables are
// [CHANNELS / PE][PE] for each class of places, or [1][1] if all share them. Places says where the
// tables of a class begin.
template <int CHANNELS, int VECTORS, int PE, bool IS_SHARED, typename In, typename Limit,
          int OUT_BITS, typename Base, int BASE_FOLDS, int BASE_LANES, typename Fall,
          int FALL_FOLDS, int FALL_LANES, typename RowStart, int HEIGHT, typename ColumnStart,
          int WIDTH, typename... Tables>
void border_threshold_search(hls::stream<ap_uint<PE * In::width> >& in,
                             hls::stream<ap_uint<PE * OUT_BITS> >& out,
                             const RowStart (&row_starts)[HEIGHT],
                             const ColumnStart (&column_starts)[WIDTH],
                             const Base (&bases)[BASE_FOLDS][BASE_LANES],
                             const Fall (&falls)[FALL_FOLDS][FALL_LANES],
                             const Tables&... tables) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert(VECTORS % (HEIGHT * WIDTH) == 0, "there should be a vector for each place");
  static_assert(BASE_LANES == PE || BASE_LANES == 1,
                "there should be a level for each channel, or one for all of them");
  static_assert(FALL_LANES == PE || FALL_LANES == 1,
                "there should be a direction for each channel, or one for all of them");
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
      const ap_uint<1> no_bits = 0;
      const ap_uint<1 + static_cast<int>(sizeof...(Tables))> steps =
          search<Limit>(get_lane<In>(x, lane), table_fold, lane, no_bits, tables...);
      const ap_uint<OUT_BITS> base =
          bases[BASE_FOLDS == 1 ? 0 : table_fold][BASE_LANES == 1 ? 0 : lane];
      const bool is_falling =
          falls[FALL_FOLDS == 1 ? 0 : table_fold][FALL_LANES == 1 ? 0 : lane] != 0;
      const ap_uint<OUT_BITS> above = base + steps;
      const ap_uint<OUT_BITS> below = base - steps;
      const ap_uint<OUT_BITS> level = is_falling ? below : above;
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

// Any levels, looked up by the number of thresholds reached: a table like that of a stage.
template <int CHANNELS, int VECTORS, int PE, bool IS_SHARED, typename In, typename Limit,
          int OUT_BITS, typename Level, int LANES, int FOLDS, int SIZE, typename RowStart,
          int HEIGHT, typename ColumnStart, int WIDTH, typename... Tables>
void border_threshold_search_levels(hls::stream<ap_uint<PE * In::width> >& in,
                                    hls::stream<ap_uint<PE * OUT_BITS> >& out,
                                    const RowStart (&row_starts)[HEIGHT],
                                    const ColumnStart (&column_starts)[WIDTH],
                                    const Level (&levels)[LANES][FOLDS][SIZE],
                                    const Tables&... tables) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert(VECTORS % (HEIGHT * WIDTH) == 0, "there should be a vector for each place");
  static_assert(LANES == PE && (FOLDS % (CHANNELS / PE) == 0 || IS_SHARED),
                "there should be levels for each channel, or for all of them");
  static_assert(SIZE == 1 << sizeof...(Tables), "there should be a level behind each threshold");
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
      const ap_uint<1> no_bits = 0;
      const ap_uint<1 + static_cast<int>(sizeof...(Tables))> steps =
          search<Limit>(get_lane<In>(x, lane), table_fold, lane, no_bits, tables...);
      const ap_uint<OUT_BITS> level = levels[lane][FOLDS == 1 ? 0 : table_fold][steps];
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

// The same staircases everywhere.
template <int CHANNELS, int VECTORS, int PE, typename In, typename Limit, int OUT_BITS,
          typename Base, int BASE_FOLDS, int BASE_LANES, typename Fall, int FALL_FOLDS,
          int FALL_LANES, typename... Tables>
void threshold_search(hls::stream<ap_uint<PE * In::width> >& in,
                      hls::stream<ap_uint<PE * OUT_BITS> >& out,
                      const Base (&bases)[BASE_FOLDS][BASE_LANES],
                      const Fall (&falls)[FALL_FOLDS][FALL_LANES], const Tables&... tables) {
#pragma HLS INLINE
  border_threshold_search<CHANNELS, VECTORS, PE, false, In, Limit, OUT_BITS>(
      in, out, kEverywhere, kEverywhere, bases, falls, tables...);
}

template <int CHANNELS, int VECTORS, int PE, typename In, typename Limit, int OUT_BITS,
          typename Level, int LANES, int FOLDS, int SIZE, typename... Tables>
void threshold_search_levels(hls::stream<ap_uint<PE * In::width> >& in,
                             hls::stream<ap_uint<PE * OUT_BITS> >& out,
                             const Level (&levels)[LANES][FOLDS][SIZE], const Tables&... tables) {
#pragma HLS INLINE
  border_threshold_search_levels<CHANNELS, VECTORS, PE, FOLDS == 1, In, Limit, OUT_BITS>(
      in, out, kEverywhere, kEverywhere, levels, tables...);
}

}  // namespace lutloom
