// One window a channel: y[p, q, c] = sum over i, j of weights[i, j, c] * x[s p + d i - b, ..., c].
// Specification: lutloom.core.ops.depthwise.Depthwise.reference
//
// PE channels at a time, a tap a beat from a line buffer, all taps of a result one after the other.
// In codes, as in matvec: the code of a result is `start + sum of weight * code`, modulo
// 2^OUT_BITS; masked taps show the code FILL, and what that makes too much or too little of is in
// the start, which then differs by place.
// Cycles a frame: the larger of words in, and of taps, plus a constant.
//
// Beside Vector_Vector_Activate_Batch of finn-hlslib's vvau.hpp: the same loop over folds of
// channels outside and taps inside, with an accumulator for each lane. Other than there the line
// buffer is in the same loop, so that no stream of all taps leads from one process to the next;
// a product by a bit is no multiplication; and thresholds are a process of their own.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/line_buffer.hpp"
#include "lutloom/places.hpp"
#include "lutloom/products.hpp"
#include "lutloom/rom.hpp"

namespace lutloom {

// Buffer: a LineBuffer whose words are PE channels, a group each; `memory` has its words.
// weights: words of PE lanes, taps inside of folds. starts [classes * FOLDS][PE], or [1][1] if all
// channels and places share one; Places says where those of a class begin.
template <typename Product, int OUT_BITS, long long FILL, int PE, typename Buffer, int BEATS,
          typename Entry, int ENTRIES, int CHUNKS, typename Start, int START_FOLDS,
          int START_LANES, typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void depthwise(hls::stream<ap_uint<PE * Product::kInputBits> >& in,
               hls::stream<ap_uint<PE * OUT_BITS> >& out,
               ap_uint<PE * Product::kInputBits> (&memory)[Buffer::kDepth],
               const Entry (&weights)[ENTRIES][CHUNKS],
               const Start (&starts)[START_FOLDS][START_LANES],
               const RowStart (&row_starts)[HEIGHT], const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  static_assert(Buffer::kGroupWords == 1, "all taps of a word should follow one another");
  static_assert((START_FOLDS % Buffer::kGroups == 0 && START_LANES == PE) ||
                    (START_FOLDS == 1 && START_LANES == 1),
                "there should be one start for each channel, or one for all");
  typedef ap_uint<Product::kInputBits> Bits;
  RomReader<Entry, CHUNKS, PE * Product::kWeightBits, ENTRIES> reader;
  Places<HEIGHT, WIDTH> place;
  Buffer buffer;
  ap_uint<OUT_BITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums type=complete dim=1

  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
    const bool gives = buffer.gives();
    const bool takes = buffer.takes();
    if (gives) {
      const ap_uint<PE * Product::kInputBits> x = memory[buffer.address()];
      const ap_uint<PE * Product::kWeightBits> word = reader.word(weights);
      const int start_fold =
          START_FOLDS == 1 ? 0 : place.first(row_starts, column_starts) + int(buffer.group);
      ap_uint<PE * OUT_BITS> y = 0;
      for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
        const Bits fill = FILL;
        const Bits code = buffer.is_masked() ? fill : get_lane<Bits>(x, lane);
        const ap_uint<Product::kWeightBits> weight =
            get_lane<ap_uint<Product::kWeightBits> >(word, lane);
        const ap_uint<OUT_BITS> start = starts[start_fold][START_LANES == 1 ? 0 : lane];
        const ap_uint<OUT_BITS> before = buffer.is_first() ? start : sums[lane];
        const ap_uint<OUT_BITS> after = before + Product::template dot<1>(code, weight);
        sums[lane] = after;
        set_lane(y, lane, after);
      }
      const bool is_window_done = buffer.is_last() && buffer.group == Buffer::kGroups - 1;
      if (buffer.is_last()) {
        out.write(y);
      }
      reader.next(is_window_done);
      if (is_window_done) {
        place.next();
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
