// The product of two streams, element by element: y = a * b.
// Specification: lutloom.core.ops.multiply.Multiply.reference
//
// PE elements at a time, in codes: the code of a result is `START + OF_A * code_a + OF_B * code_b +
// OF_BOTH * code_a * code_b`, modulo 2^OUT_BITS. Where codes are the values that is their product;
// of signs it is their XNOR, without one.
// Cycles a frame: WORDS, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/lanes.hpp"
#include "lutloom/products.hpp"

namespace lutloom {

template <int WORDS, int PE, typename A, typename B, int OUT_BITS, typename Multiplier,
          long long START, long long OF_A, long long OF_B, long long OF_BOTH>
void multiply(hls::stream<ap_uint<PE * A::width> >& in_a,
              hls::stream<ap_uint<PE * B::width> >& in_b,
              hls::stream<ap_uint<PE * OUT_BITS> >& out) {
#pragma HLS INLINE
  // The product of two unsigned numbers needs one more bit as a signed one.
  constexpr int kProductBits = A::width + B::width + 1;

  for (int beat = 0; beat < WORDS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * A::width> a = in_a.read();
    const ap_uint<PE * B::width> b = in_b.read();
    ap_uint<PE * OUT_BITS> y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const A code_a = get_lane<A>(a, lane);
      const B code_b = get_lane<B>(b, lane);
      const ap_int<kProductBits> product =
          Multiplier::template multiply<kProductBits>(code_a, code_b);
      const ap_int<OUT_BITS> start = START;
      const ap_int<OUT_BITS> of_a = OF_A;
      const ap_int<OUT_BITS> of_b = OF_B;
      const ap_int<OUT_BITS> of_both = OF_BOTH;
      const ap_int<OUT_BITS> term_a = of_a * code_a;
      const ap_int<OUT_BITS> term_b = of_b * code_b;
      const ap_int<OUT_BITS> term_both = of_both * product;
      const ap_uint<OUT_BITS> sum = start + term_a + term_b + term_both;
      set_lane(y, lane, sum);
    }
    out.write(y);
  }
}

}  // namespace lutloom
