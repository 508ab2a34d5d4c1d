// Windows of an image: y[p, q, g, i, j, c] = x[s p + d i - b, s q + d j - b, C/G g + c].
// Specification: lutloom.core.ops.window.Window.reference
//
// SIMD channels of one tap at a time, from a line buffer; masked taps show a fill.
// Cycles a frame: the larger of input and output words, plus a constant.
//
// Beside finn-hlslib's slidingwindow.h (ConvolutionInputGenerator and its _kernel_stride, _dws,
// NonSquare, _Dilated, 1D and _MMV forms): as there, one pipelined loop with counters, a memory of
// SIMD channels a word that is written and read in one beat, and a DEPENDENCE for it. Other than
// there
// - the loop is one image: a second loop around it, over images, is left to the region;
// - it has no phase that fills the buffer with as many rows as the kernel has before the first tap
//   leaves, and no beats a row of results: each word waits for its own room, each tap for its own
//   word, over the whole image. So a frame takes the larger of all words and all taps and what is
//   before the first window, not the larger of each row, and windows of any stride and dilation
//   need no form of their own;
// - the memory is one, circular, as deep as is needed at most, where those have whole rows as
//   blocks (the kernel's rows and the stride's, or one block more than kernel / stride), each a
//   memory of its own behind a multiplexer that a variable block number drives;
// - an address is the last one and a constant, kept within the memory by one subtraction; there it
//   is a product, with a remainder by the stride in it;
// - padding is a mask where taps are given, exact for every type: no process before it that sends
//   zeros, and no beats for them;
// - DEPENDENCE says how far apart write and read are, and simulation proves it; there it says
//   that there is none, within an iteration and between iterations;
// - how the memory is built is BIND_STORAGE (the RESOURCE of those is no longer understood).
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/line_buffer.hpp"
#include "lutloom/recode.hpp"

namespace lutloom {

template <int SIMD, int BEATS, typename Buffer, typename Codes>
void window(hls::stream<ap_uint<SIMD * Codes::kInBits> >& in,
            hls::stream<ap_uint<SIMD * Codes::kOutBits> >& out,
            ap_uint<SIMD * Codes::kInBits> (&memory)[Buffer::kDepth]) {
#pragma HLS INLINE
  const ap_uint<SIMD * Codes::kOutBits> fill = Codes::template fill<SIMD>();
  Buffer buffer;

  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
    const bool gives = buffer.gives();
    const bool takes = buffer.takes();
    if (gives) {
      const ap_uint<SIMD * Codes::kOutBits> seen =
          Codes::template of<SIMD>(memory[buffer.address()]);
      out.write(buffer.is_masked() ? fill : seen);
    }
    if (takes) {
      memory[buffer.write_address()] = in.read();
    }
    buffer.step(gives, takes);
  }
  buffer.finish();
}

}  // namespace lutloom
