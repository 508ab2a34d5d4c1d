// A width converter on an edge between words neither of which is a multiple of the other: a shift
// register of IN_BITS + OUT_BITS - gcd bits, low bits first. Bits of a last input word beyond the
// FRAME_BITS bits of a frame are dropped; a last output word ends in zeros.
// Cycles a frame: its input or its output words, whichever are more, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"

namespace lutloom {

template <int IN_BITS, int OUT_BITS, int FRAME_BITS>
void gearbox(hls::stream<ap_uint<IN_BITS> >& in, hls::stream<ap_uint<OUT_BITS> >& out) {
  constexpr int kUnit = greatest_common_divisor(IN_BITS, OUT_BITS);
  constexpr int kBits = IN_BITS + OUT_BITS - kUnit;
  constexpr int kIn = ceil_divide(FRAME_BITS, IN_BITS);
  constexpr int kOut = ceil_divide(FRAME_BITS, OUT_BITS);
  // Growing words take one input a beat, and one beat more where the last input ends one output
  // word and begins another; shrinking ones give one output a beat.
  constexpr int kGrowing = kIn + kOut - ((kIn - 1) * IN_BITS / OUT_BITS + 1);
  constexpr int kBeats = IN_BITS < OUT_BITS ? kGrowing : kOut;
  ap_uint<kBits> store = 0;
  // In units of kUnit bits.
  ap_uint<bits_for(kBits / kUnit)> fill = 0;
  ap_uint<bits_for(kIn)> taken = 0;

  // The lowest fill * kUnit bits of store are those read and not yet written, the rest is zero.
  for (int beat = 0; beat < kBeats; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    if (fill < OUT_BITS / kUnit && taken != kIn) {
      const ap_uint<kBits> word = in.read();
      store = store | (word << (int(fill) * kUnit));
      fill = fill + IN_BITS / kUnit;
      taken = taken + 1;
    }
    if (fill >= OUT_BITS / kUnit || taken == kIn) {
      const ap_uint<OUT_BITS> word = store.range(OUT_BITS - 1, 0);
      out.write(word);
      store = store >> OUT_BITS;
      fill = fill >= OUT_BITS / kUnit ? int(fill) - OUT_BITS / kUnit : 0;
    }
  }
}

}  // namespace lutloom
