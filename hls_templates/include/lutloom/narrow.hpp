// A width converter on an edge: words of IN_BITS bits become several of OUT_BITS bits, low bits
// first. What a last input word holds beyond the FRAME_BITS bits of a frame is dropped.
// Cycles a frame: its output words, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"

namespace lutloom {

template <int IN_BITS, int OUT_BITS, int FRAME_BITS>
void narrow(hls::stream<ap_uint<IN_BITS> >& in, hls::stream<ap_uint<OUT_BITS> >& out) {
  static_assert(IN_BITS % OUT_BITS == 0, "IN_BITS should be a multiple of OUT_BITS");
  constexpr int kRatio = IN_BITS / OUT_BITS;
  ap_uint<IN_BITS> rest = 0;
  ap_uint<bits_for(kRatio - 1)> part = 0;

  // rest holds the parts from `part` on, the next one lowest.
  for (int beat = 0; beat < ceil_divide(FRAME_BITS, OUT_BITS); ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    if (part == 0) {
      rest = in.read();
    }
    const ap_uint<OUT_BITS> word = rest.range(OUT_BITS - 1, 0);
    out.write(word);
    rest = rest >> OUT_BITS;
    part = part == kRatio - 1 ? 0 : int(part) + 1;
  }
}

}  // namespace lutloom
