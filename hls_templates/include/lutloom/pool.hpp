// Pools: what is largest in a window, or its sum, channel by channel. What they have in common.
//
// A policy says what a code is as a result, how two results join, and what masked taps are. Results
// start from constants, which may differ by place: so the sums of cut off windows are exact in codes.
//
// - `disjoint_pool`, for windows that do not overlap: a word a beat comes in, and joins what its
//   window has so far, in a memory of one line of results. No word is kept.
// - `pool`, for all others: a tap a beat from a line buffer, all taps of a result one after the
//   other, so that what a window has so far are registers.
//
// Beside finn-hlslib's maxpool.h and pool.hpp: StreamingMaxPool_Precision has the same memory of
// one line of results, Pool_batch the same order of taps and the same kind of policy (what to
// start from, how to join). Other than there
// - `disjoint_pool` is one flat loop, not three with a loop behind them that empties the memory:
//   results leave with the last word of their window, while words go on to come, so that a frame
//   takes as many beats as it has words; the first word of a window replaces what the memory has
//   instead of finding it cleared; and windows may be cut off, of any height and width, and lie
//   apart;
// - `pool` has its line buffer in the same loop, not a window process with a stream of all taps
//   before it (nor a padding process before that): a word wide stream and a FIFO less;
// - the smallest code is the type's, not the machine word's, and sums are as wide as the values
//   that are reached;
// - there is no policy that divides: an average is a sum, and its scale is folded further on;
// - PE channels a word: not all of them.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#ifndef __SYNTHESIS__
#include <stdexcept>
#endif

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/line_buffer.hpp"
#include "lutloom/places.hpp"

namespace lutloom {

// The largest: codes are in the order of values. LEAST is the code of the least value.
template <typename Code, long long LEAST>
struct Largest {
  typedef Code Input;
  static constexpr int kInputBits = Code::width;
  static constexpr int kResultBits = Code::width;
  static constexpr long long kMasked = LEAST;
  static ap_uint<kResultBits> of(const Code& code) {
#pragma HLS INLINE
    return ap_uint<kResultBits>(code);
  }
  static ap_uint<kResultBits> join(const ap_uint<kResultBits>& a, const ap_uint<kResultBits>& b) {
#pragma HLS INLINE
    return Code(b) > Code(a) ? b : a;
  }
};

// The sum of FACTOR times each code, modulo 2^RESULT_BITS.
template <typename Code, int RESULT_BITS, long long FACTOR>
struct Total {
  typedef Code Input;
  static constexpr int kInputBits = Code::width;
  static constexpr int kResultBits = RESULT_BITS;
  static constexpr long long kMasked = 0;
  static ap_uint<kResultBits> of(const Code& code) {
#pragma HLS INLINE
    const ap_int<RESULT_BITS + 1> factor = FACTOR;
    return factor * code;
  }
  static ap_uint<kResultBits> join(const ap_uint<kResultBits>& a, const ap_uint<kResultBits>& b) {
#pragma HLS INLINE
    return a + b;
  }
};

// Where the next pixel of an axis lies in windows that do not overlap. Each window sees a pixel.
template <typename Axis>
struct DisjointAxis {
  static constexpr int kKernel = Axis::kKernel;
  static constexpr int kPad = Axis::kPad;
  // A single window has no next one to overlap.
  static constexpr int kStride = Axis::kResults == 1 && Axis::kStride < kKernel ? kKernel
                                                                               : Axis::kStride;
  // The first pixel that is in a window, where it is in that, and the pixel behind the last window.
  static constexpr int kFirst = kPad < 0 ? -kPad : 0;
  static constexpr int kPhase = kPad < 0 ? 0 : kPad;
  static constexpr int kReach = (Axis::kResults - 1) * kStride + kKernel - kPad;
  static constexpr int kEnd = kReach < Axis::kSize ? kReach : Axis::kSize;
  static_assert(kStride >= kKernel && (Axis::kDilation == 1 || kKernel == 1) &&
                    Axis::kSpacing == 1,
                "the windows should not overlap");
  static_assert(kPhase < kKernel && kReach - kKernel < Axis::kSize,
                "each window should see a pixel");

  ap_uint<bits_for(Axis::kSize - 1)> pixel;
  ap_uint<bits_for(kStride - 1)> phase;

  DisjointAxis() : pixel(0), phase(int(kPhase)) {}

  bool is_seen() const {
#pragma HLS INLINE
    return pixel >= int(kFirst) && pixel < int(kEnd) && phase < int(kKernel);
  }

  // Whether this is the first, or the last pixel that its window sees.
  bool is_first() const {
#pragma HLS INLINE
    return phase == 0 || pixel == int(kFirst);
  }
  bool is_last() const {
#pragma HLS INLINE
    return phase == kKernel - 1 || pixel == kEnd - 1;
  }

  bool is_done() const {
#pragma HLS INLINE
    return pixel == Axis::kSize - 1;
  }

  void next() {
#pragma HLS INLINE
    if (is_done()) {
      phase = int(kPhase);
      pixel = 0;
    } else {
      if (pixel >= int(kFirst)) {
        phase = phase == kStride - 1 ? 0 : int(phase) + 1;
      }
      pixel = pixel + 1;
    }
  }
};

// Windows that do not overlap. FOLDS words a pixel, `line` for one line of results; starts
// [classes], Places says which is whose.
template <typename Policy, typename Rows, typename Columns, int FOLDS, int PE, typename Start,
          int CLASSES, typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void disjoint_pool(hls::stream<ap_uint<PE * Policy::kInputBits> >& in,
                   hls::stream<ap_uint<PE * Policy::kResultBits> >& out,
                   ap_uint<PE * Policy::kResultBits> (&line)[Columns::kResults * FOLDS],
                   const Start (&starts)[CLASSES], const RowStart (&row_starts)[HEIGHT],
                   const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  typedef ap_uint<PE * Policy::kResultBits> Results;
  constexpr int kEntries = Columns::kResults * FOLDS;
  Results recent = 0;
  DisjointAxis<Rows> row;
  DisjointAxis<Columns> column;
  Places<HEIGHT, WIDTH> place;
  ap_uint<bits_for(FOLDS - 1)> fold = 0;
  ap_uint<bits_for(kEntries - 1)> window = 0;
#ifndef __SYNTHESIS__
  int recent_entry = -1;
#endif

  // window = FOLDS * (windows of this row that were passed), the last one staying that
  for (int beat = 0; beat < Rows::kSize * Columns::kSize * FOLDS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
// A result that the last beat wrote is `recent`: an entry is read two beats after it was written.
#pragma HLS DEPENDENCE variable=line type=inter direction=RAW dependent=true distance=2
    const ap_uint<PE * Policy::kInputBits> x = in.read();
    const bool is_seen = row.is_seen() && column.is_seen();
    const bool is_begun = row.is_first() && column.is_first();
    const int entry = int(window) + int(fold);
    const bool is_recent = kEntries == 1 || (FOLDS == 1 && !column.is_first());
    Results before = recent;
    if (!is_recent) {
      before = line[entry];
    }
#ifndef __SYNTHESIS__
    if (is_seen && !is_begun && !is_recent && recent_entry == entry) {
      throw std::logic_error("a pool reads a result one beat after it was written");
    }
    recent_entry = is_seen ? entry : -1;
#endif
    const ap_uint<Policy::kResultBits> start =
        starts[CLASSES == 1 ? 0 : place.first(row_starts, column_starts)];
    Results y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const ap_uint<Policy::kResultBits> so_far =
          is_begun ? start : get_lane<ap_uint<Policy::kResultBits> >(before, lane);
      const ap_uint<Policy::kResultBits> after =
          Policy::join(so_far, Policy::of(get_lane<typename Policy::Input>(x, lane)));
      set_lane(y, lane, after);
    }
    if (is_seen) {
      recent = y;
      line[entry] = y;
      if (row.is_last() && column.is_last()) {
        out.write(y);
      }
    }
    const bool is_pixel_done = fold == FOLDS - 1;
    const bool is_row_done = is_pixel_done && column.is_done();
    // Windows begin in the order of the results.
    const bool is_window_passed = is_pixel_done && column.is_seen() && column.is_last();
    if (is_window_passed && row.is_seen() && row.is_first()) {
      place.next();
    }
    if (is_row_done) {
      window = 0;
    } else if (is_window_passed && window != kEntries - FOLDS) {
      window = window + FOLDS;
    }
    fold = is_pixel_done ? 0 : int(fold) + 1;
    if (is_pixel_done) {
      column.next();
    }
    if (is_row_done) {
      row.next();
    }
  }
}

// Windows of any kind. Buffer: a LineBuffer whose words are PE channels, a group each; `memory`
// has its words.
template <typename Policy, typename Buffer, int BEATS, int PE, typename Start, int CLASSES,
          typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void pool(hls::stream<ap_uint<PE * Policy::kInputBits> >& in,
          hls::stream<ap_uint<PE * Policy::kResultBits> >& out,
          ap_uint<PE * Policy::kInputBits> (&memory)[Buffer::kDepth],
          const Start (&starts)[CLASSES], const RowStart (&row_starts)[HEIGHT],
          const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  static_assert(Buffer::kGroupWords == 1, "all taps of a word should follow one another");
  ap_uint<Policy::kResultBits> results[PE];
#pragma HLS ARRAY_PARTITION variable=results type=complete dim=1
  Buffer buffer;
  Places<HEIGHT, WIDTH> place;

  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
    const bool gives = buffer.gives();
    const bool takes = buffer.takes();
    if (gives) {
      const ap_uint<PE * Policy::kInputBits> x = memory[buffer.address()];
      const ap_uint<Policy::kResultBits> start =
          starts[CLASSES == 1 ? 0 : place.first(row_starts, column_starts)];
      ap_uint<PE * Policy::kResultBits> y = 0;
      for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
        const typename Policy::Input masked = Policy::kMasked;
        const typename Policy::Input code =
            buffer.is_masked() ? masked : get_lane<typename Policy::Input>(x, lane);
        const ap_uint<Policy::kResultBits> before = buffer.is_first() ? start : results[lane];
        const ap_uint<Policy::kResultBits> after = Policy::join(before, Policy::of(code));
        results[lane] = after;
        set_lane(y, lane, after);
      }
      if (buffer.is_last()) {
        out.write(y);
        if (buffer.group == Buffer::kGroups - 1) {
          place.next();
        }
      }
    }
    if (takes) {
      memory[buffer.write_address()] = in.read();
    }
    buffer.step(gives, takes);
  }
  buffer.finish();
}

}  // namespace lutloom
