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

namespace lutloom {

// What a window writes: a code of the input's as one of OUT_BITS bits of the result's, which is
// `BASE + FACTOR * code`, and the code of masked taps.
template <typename In, int OUT_BITS, long long BASE, long long FACTOR, long long FILL>
struct Recode {
  typedef In Code;
  static constexpr int kInBits = In::width;
  static constexpr int kOutBits = OUT_BITS;

  static ap_uint<OUT_BITS> of(const In& code) {
#pragma HLS INLINE
    const ap_int<OUT_BITS + 1> factor = FACTOR;
    const ap_int<OUT_BITS + 1> product = factor * code;
    return ap_uint<OUT_BITS>(product + BASE);
  }

  static ap_uint<OUT_BITS> fill() {
#pragma HLS INLINE
    return ap_uint<OUT_BITS>(FILL);
  }
};

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
