// Depthwise sums of all taps of a window at once, one window a cycle or several side by side.
// Specification: lutloom.core.ops.depthwise.Depthwise.reference
//
// The shift register of `whole_window` (parallel_window.hpp), whose windows are multiplied instead
// of leaving. The weights are one word, which is there once; sums start from constants by place.
// Cycles a frame: the words of pixels, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/lanes.hpp"
#include "lutloom/parallel_window.hpp"
#include "lutloom/places.hpp"
#include "lutloom/products.hpp"
#include "lutloom/recode.hpp"
#include "lutloom/rom.hpp"

namespace lutloom {

// WINDOWS windows of TAPS taps a word. weights: a word of TAPS * CHANNELS lanes, as in the windows.
// starts [classes][WINDOWS * CHANNELS], or [1][1] if all share one.
template <typename Product, int OUT_BITS, int CHANNELS, int TAPS, int WINDOWS, int HEIGHT, int WIDTH>
struct DepthwiseWindows {
  Places<HEIGHT, WIDTH> place;

  template <typename Entry, int ENTRIES, int CHUNKS, typename Start, int CLASSES, int LANES,
            typename RowStart, typename ColumnStart>
  ap_uint<WINDOWS * CHANNELS * OUT_BITS> of(
      const ap_uint<WINDOWS * TAPS * CHANNELS * Product::kInputBits>& taps,
      const Entry (&weights)[ENTRIES][CHUNKS], const Start (&starts)[CLASSES][LANES],
      const RowStart (&row_starts)[HEIGHT], const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
    static_assert(ENTRIES == 1, "the weights should be one word");
    static_assert(LANES == WINDOWS * CHANNELS || (CLASSES == 1 && LANES == 1),
                  "there should be a start for each channel of each window, or one for all");
    typedef ap_uint<Product::kInputBits> Bits;
    typedef ap_uint<Product::kWeightBits> WeightBits;
    const ap_uint<TAPS * CHANNELS * Product::kWeightBits> word =
        Rom<Entry, CHUNKS, TAPS * CHANNELS * Product::kWeightBits>::entry(weights, 0);
    const int start_class = CLASSES == 1 ? 0 : place.first(row_starts, column_starts);
    ap_uint<WINDOWS * CHANNELS * OUT_BITS> y = 0;
    for (int window = 0; window < WINDOWS; ++window) {
#pragma HLS UNROLL
      for (int channel = 0; channel < CHANNELS; ++channel) {
#pragma HLS UNROLL
        ap_uint<TAPS * Product::kInputBits> codes = 0;
        ap_uint<TAPS * Product::kWeightBits> by = 0;
        for (int tap = 0; tap < TAPS; ++tap) {
#pragma HLS UNROLL
          const int lane = tap * CHANNELS + channel;
          set_lane(codes, tap, get_lane<Bits>(taps, window * TAPS * CHANNELS + lane));
          set_lane(by, tap, get_lane<WeightBits>(word, lane));
        }
        const int lane = window * CHANNELS + channel;
        const ap_uint<OUT_BITS> start = starts[start_class][LANES == 1 ? 0 : lane];
        const ap_uint<OUT_BITS> sum = start + Product::template dot<TAPS>(codes, by);
        set_lane(y, lane, sum);
      }
    }
    place.next();
    return y;
  }
};

template <typename Product, int OUT_BITS, long long FILL, int CHANNELS, int PIXELS, int BEATS,
          typename Rows, typename Columns, typename Entry, int ENTRIES, int CHUNKS, typename Start,
          int CLASSES, int LANES, typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void parallel_depthwise(
    hls::stream<ap_uint<PIXELS * CHANNELS * Product::kInputBits> >& in,
    hls::stream<ap_uint<WindowSpan<Rows, Columns, PIXELS>::kWindows * CHANNELS * OUT_BITS> >& out,
    ap_uint<WindowSpan<Rows, Columns, PIXELS>::kStretches * PIXELS * CHANNELS *
            Product::kInputBits> (&memory)[WindowSpan<Rows, Columns, PIXELS>::kDepth],
    const Entry (&weights)[ENTRIES][CHUNKS], const Start (&starts)[CLASSES][LANES],
    const RowStart (&row_starts)[HEIGHT], const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  typedef Recode<ap_uint<Product::kInputBits>, Product::kInputBits, 0, 1, FILL> Codes;
  typedef DepthwiseWindows<Product, OUT_BITS, CHANNELS, Rows::kKernel * Columns::kKernel,
                           WindowSpan<Rows, Columns, PIXELS>::kWindows, HEIGHT, WIDTH>
      Results;
  of_whole_windows<CHANNELS, PIXELS, BEATS, Rows, Columns, Codes, Results>(
      in, out, memory, weights, starts, row_starts, column_starts);
}

}  // namespace lutloom
