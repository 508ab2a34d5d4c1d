// Pools of all taps of a window at once, one window a cycle or several that stand side by side.
// Specifications: lutloom.core.ops.max_pool.MaxPool.reference,
// lutloom.core.ops.sum_pool.SumPool.reference
//
// The shift register of `whole_window` (parallel_window.hpp), whose windows are joined in a tree
// instead of leaving; the policies are those of pool.hpp. Results start from constants by place.
// Cycles a frame: the words of pixels, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/lanes.hpp"
#include "lutloom/parallel_window.hpp"
#include "lutloom/places.hpp"
#include "lutloom/pool.hpp"
#include "lutloom/recode.hpp"

namespace lutloom {

// What is left of N codes.
template <typename Policy, int N>
struct Joined {
  typedef ap_uint<Policy::kResultBits> Result;
  static Result of(const ap_uint<N * Policy::kInputBits>& codes) {
#pragma HLS INLINE
    constexpr int kLow = N / 2 * Policy::kInputBits;
    const ap_uint<kLow> low = codes.range(kLow - 1, 0);
    const ap_uint<N * Policy::kInputBits - kLow> high =
        codes.range(N * Policy::kInputBits - 1, kLow);
    const Result first = Joined<Policy, N / 2>::of(low);
    const Result second = Joined<Policy, N - N / 2>::of(high);
    return Policy::join(first, second);
  }
};

template <typename Policy>
struct Joined<Policy, 1> {
  static ap_uint<Policy::kResultBits> of(const ap_uint<Policy::kInputBits>& code) {
#pragma HLS INLINE
    return Policy::of(get_lane<typename Policy::Input>(code, 0));
  }
};

// WINDOWS windows of TAPS taps a word. starts [classes][WINDOWS], or [1][1] if all share one.
template <typename Policy, int CHANNELS, int TAPS, int WINDOWS, int HEIGHT, int WIDTH>
struct PooledWindows {
  Places<HEIGHT, WIDTH> place;

  template <typename Start, int CLASSES, int LANES, typename RowStart, typename ColumnStart>
  ap_uint<WINDOWS * CHANNELS * Policy::kResultBits> of(
      const ap_uint<WINDOWS * TAPS * CHANNELS * Policy::kInputBits>& taps,
      const Start (&starts)[CLASSES][LANES], const RowStart (&row_starts)[HEIGHT],
      const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
    static_assert(LANES == WINDOWS || (CLASSES == 1 && LANES == 1),
                  "there should be a start for each window of a word, or one for all");
    typedef ap_uint<Policy::kInputBits> Bits;
    const int start_class = CLASSES == 1 ? 0 : place.first(row_starts, column_starts);
    ap_uint<WINDOWS * CHANNELS * Policy::kResultBits> y = 0;
    for (int window = 0; window < WINDOWS; ++window) {
#pragma HLS UNROLL
      const ap_uint<Policy::kResultBits> start = starts[start_class][LANES == 1 ? 0 : window];
      for (int channel = 0; channel < CHANNELS; ++channel) {
#pragma HLS UNROLL
        ap_uint<TAPS * Policy::kInputBits> codes = 0;
        for (int tap = 0; tap < TAPS; ++tap) {
#pragma HLS UNROLL
          const int lane = (window * TAPS + tap) * CHANNELS + channel;
          set_lane(codes, tap, get_lane<Bits>(taps, lane));
        }
        set_lane(y, window * CHANNELS + channel,
                 Policy::join(start, Joined<Policy, TAPS>::of(codes)));
      }
    }
    place.next();
    return y;
  }
};

template <typename Policy, int CHANNELS, int PIXELS, int BEATS, typename Rows, typename Columns,
          typename Start, int CLASSES, int LANES, typename RowStart, int HEIGHT,
          typename ColumnStart, int WIDTH>
void parallel_pool(
    hls::stream<ap_uint<PIXELS * CHANNELS * Policy::kInputBits> >& in,
    hls::stream<ap_uint<WindowSpan<Rows, Columns, PIXELS>::kWindows * CHANNELS *
                        Policy::kResultBits> >& out,
    ap_uint<WindowSpan<Rows, Columns, PIXELS>::kStretches * PIXELS * CHANNELS *
            Policy::kInputBits> (&memory)[WindowSpan<Rows, Columns, PIXELS>::kDepth],
    const Start (&starts)[CLASSES][LANES], const RowStart (&row_starts)[HEIGHT],
    const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  typedef Recode<ap_uint<Policy::kInputBits>, Policy::kInputBits, 0, 1, Policy::kMasked> Codes;
  typedef PooledWindows<Policy, CHANNELS, Rows::kKernel * Columns::kKernel,
                        WindowSpan<Rows, Columns, PIXELS>::kWindows, HEIGHT, WIDTH>
      Results;
  of_whole_windows<CHANNELS, PIXELS, BEATS, Rows, Columns, Codes, Results>(
      in, out, memory, starts, row_starts, column_starts);
}

template <typename Code, long long LEAST, int CHANNELS, int PIXELS, int BEATS, typename Rows,
          typename Columns>
void parallel_max_pool(
    hls::stream<ap_uint<PIXELS * CHANNELS * Code::width> >& in,
    hls::stream<ap_uint<WindowSpan<Rows, Columns, PIXELS>::kWindows * CHANNELS * Code::width> >&
        out,
    ap_uint<WindowSpan<Rows, Columns, PIXELS>::kStretches * PIXELS * CHANNELS * Code::width> (
        &memory)[WindowSpan<Rows, Columns, PIXELS>::kDepth]) {
#pragma HLS INLINE
  static const long long starts[1][1] = {{LEAST}};
  parallel_pool<Largest<Code, LEAST>, CHANNELS, PIXELS, BEATS, Rows, Columns>(
      in, out, memory, starts, kEverywhere, kEverywhere);
}

template <typename Code, int OUT_BITS, long long FACTOR, int CHANNELS, int PIXELS, int BEATS,
          typename Rows, typename Columns, typename Start, int CLASSES, int LANES,
          typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void parallel_sum_pool(
    hls::stream<ap_uint<PIXELS * CHANNELS * Code::width> >& in,
    hls::stream<ap_uint<WindowSpan<Rows, Columns, PIXELS>::kWindows * CHANNELS * OUT_BITS> >& out,
    ap_uint<WindowSpan<Rows, Columns, PIXELS>::kStretches * PIXELS * CHANNELS * Code::width> (
        &memory)[WindowSpan<Rows, Columns, PIXELS>::kDepth],
    const Start (&starts)[CLASSES][LANES], const RowStart (&row_starts)[HEIGHT],
    const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  parallel_pool<Total<Code, OUT_BITS, FACTOR>, CHANNELS, PIXELS, BEATS, Rows, Columns>(
      in, out, memory, starts, row_starts, column_starts);
}

}  // namespace lutloom
