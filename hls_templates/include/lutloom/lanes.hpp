// A stream carries words of lanes; lane 0 is in the lowest bits. Each lane holds the code of one
// element, so that elements in row-major order are lanes in ascending order.
#pragma once

#include <ap_int.h>

namespace lutloom {

// The bits of one lane as a `Code`: an ap_uint, or an ap_int where codes are two's complement.
template <typename Code, int WIDTH>
Code get_lane(const ap_uint<WIDTH>& word, int lane) {
#pragma HLS INLINE
  static_assert(WIDTH % Code::width == 0, "a word should consist of whole lanes");
  const ap_uint<Code::width> bits = word.range((lane + 1) * Code::width - 1, lane * Code::width);
  return Code(bits);
}

template <int BITS, int WIDTH>
void set_lane(ap_uint<WIDTH>& word, int lane, const ap_uint<BITS>& code) {
#pragma HLS INLINE
  static_assert(WIDTH % BITS == 0, "a word should consist of whole lanes");
  word.range((lane + 1) * BITS - 1, lane * BITS) = code;
}

}  // namespace lutloom
