// Codes of one type as codes of another, which holds its values; and that of masked taps.
#pragma once

#include <ap_int.h>

#include "lutloom/lanes.hpp"

namespace lutloom {

// A code of OUT_BITS bits is `BASE + FACTOR * code`, that of masked taps FILL.
template <typename In, int OUT_BITS, long long BASE, long long FACTOR, long long FILL = 0>
struct Recode {
  static constexpr int kInBits = In::width;
  static constexpr int kOutBits = OUT_BITS;
  static constexpr bool kIsSame = BASE == 0 && FACTOR == 1 && In::width == OUT_BITS;

  // LANES codes.
  template <int LANES>
  static ap_uint<LANES * OUT_BITS> of(const ap_uint<LANES * In::width>& word) {
#pragma HLS INLINE
    if (kIsSame) {
      return ap_uint<LANES * OUT_BITS>(word);
    }
    const ap_int<OUT_BITS + 1> factor = FACTOR;
    ap_uint<LANES * OUT_BITS> result = 0;
    for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
      const ap_int<OUT_BITS + 1> product = factor * get_lane<In>(word, lane);
      set_lane(result, lane, ap_uint<OUT_BITS>(product + BASE));
    }
    return result;
  }

  // LANES masked taps.
  template <int LANES>
  static ap_uint<LANES * OUT_BITS> fill() {
#pragma HLS INLINE
    ap_uint<LANES * OUT_BITS> result = 0;
    for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
      set_lane(result, lane, ap_uint<OUT_BITS>(FILL));
    }
    return result;
  }
};

}  // namespace lutloom
