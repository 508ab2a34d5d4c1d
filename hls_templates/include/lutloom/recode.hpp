// Codes of one type as codes of another, which holds its values and one more: that of masked taps.
#pragma once

#include <ap_int.h>

namespace lutloom {

// A code of OUT_BITS bits is `BASE + FACTOR * code`, that of masked taps FILL.
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

}  // namespace lutloom
