// Windows of an image: y[p, q, g, i, j, c] = x[s p + d i - b, s q + d j - b, C/G g + c].
// Specification: lutloom.core.ops.window.Window.reference
//
// SIMD channels of one tap at a time, from a line buffer; masked taps show a fill.
// Cycles a frame: the larger of input and output words, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/lanes.hpp"
#include "lutloom/line_buffer.hpp"
#include "lutloom/recode.hpp"

namespace lutloom {

template <int SIMD, int BEATS, typename Buffer, typename Codes>
void window(hls::stream<ap_uint<SIMD * Codes::kInBits> >& in,
            hls::stream<ap_uint<SIMD * Codes::kOutBits> >& out,
            ap_uint<SIMD * Codes::kInBits> (&memory)[Buffer::kDepth]) {
#pragma HLS INLINE
  Buffer buffer;

  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=memory type=inter direction=raw dependent=true distance=2
    const bool gives = buffer.gives();
    const bool takes = buffer.takes();
    if (gives) {
      const ap_uint<SIMD * Codes::kInBits> x = memory[buffer.address()];
      ap_uint<SIMD * Codes::kOutBits> y = 0;
      for (int lane = 0; lane < SIMD; ++lane) {
#pragma HLS UNROLL
        const ap_uint<Codes::kOutBits> seen =
            Codes::of(get_lane<typename Codes::Code>(x, lane));
        set_lane(y, lane, buffer.is_masked() ? Codes::fill() : seen);
      }
      out.write(y);
    }
    if (takes) {
      memory[buffer.write_address()] = in.read();
    }
    buffer.step(gives, takes);
  }
  buffer.finish();
}

}  // namespace lutloom
