// The number of ones in a word, as a tree of adders that are as wide as their sums.
#pragma once

#include <ap_int.h>

#include "lutloom/bits.hpp"

namespace lutloom {

// Three times the power of two that is at least half of `bits`: what is split there again and again
// ends in leaves of six bits, each of which is one level of look-up tables with six inputs, or of
// three, which are two with what makes each bit of two others. Halves would end in leaves that
// leave inputs free: 32 bits in eight of four.
constexpr int popcount_split(int bits, int low = 3) {
  return 2 * low < bits ? popcount_split(bits, 2 * low) : low;
}

// Up to six bits are one level of look-up tables; more are split.
template <int N, bool IS_LEAF = (N <= 6)>
struct Popcount {
  typedef ap_uint<bits_for(N)> Sum;
  static Sum of(const ap_uint<N>& word) {
#pragma HLS INLINE
    constexpr int kLow = popcount_split(N);
    const ap_uint<kLow> low_bits = word.range(kLow - 1, 0);
    const ap_uint<N - kLow> high_bits = word.range(N - 1, kLow);
    const typename Popcount<kLow>::Sum low = Popcount<kLow>::of(low_bits);
    const typename Popcount<N - kLow>::Sum high = Popcount<N - kLow>::of(high_bits);
    return Sum(low + high);
  }
};

template <int N>
struct Popcount<N, true> {
  typedef ap_uint<bits_for(N)> Sum;
  static Sum of(const ap_uint<N>& word) {
#pragma HLS INLINE
    Sum sum = 0;
    for (int bit = 0; bit < N; ++bit) {
#pragma HLS UNROLL
      sum += ap_uint<1>(word[bit]);
    }
    return sum;
  }
};

}  // namespace lutloom
