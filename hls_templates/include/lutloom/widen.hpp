// A width converter on an edge: several words of IN_BITS bits become one of OUT_BITS bits, the
// first lowest. A last output word that a frame of FRAME_BITS bits does not fill ends in zeros.
// Cycles a frame: the input words that fill its output words, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"

namespace lutloom {

template <int IN_BITS, int OUT_BITS, int FRAME_BITS>
void widen(hls::stream<ap_uint<IN_BITS> >& in, hls::stream<ap_uint<OUT_BITS> >& out) {
  static_assert(OUT_BITS % IN_BITS == 0, "OUT_BITS should be a multiple of IN_BITS");
  static_assert(FRAME_BITS % IN_BITS == 0, "a frame should be whole input words");
  constexpr int kRatio = OUT_BITS / IN_BITS;
  ap_uint<OUT_BITS> word = 0;
  ap_uint<bits_for(kRatio - 1)> part = 0;

  // The highest `part` parts of word are those read so far, the newest highest.
  for (int beat = 0; beat < ceil_divide(FRAME_BITS, OUT_BITS) * kRatio; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    ap_uint<IN_BITS> next = 0;
    if (beat < FRAME_BITS / IN_BITS) {
      next = in.read();
    }
    word = word >> IN_BITS;
    word.range(OUT_BITS - 1, OUT_BITS - IN_BITS) = next;
    if (part == kRatio - 1) {
      out.write(word);
    }
    part = part == kRatio - 1 ? 0 : int(part) + 1;
  }
}

}  // namespace lutloom
