// The number of ones in a word, as a tree of adders that are as wide as their sums.
#pragma once

#include <ap_int.h>

#include "lutloom/bits.hpp"

namespace lutloom {

// Up to six bits are one level of look-up tables; more are split in halves.
template <int N, bool IS_LEAF = (N <= 6)>
struct Popcount {
  typedef ap_uint<bits_for(N)> Sum;
  static Sum of(const ap_uint<N>& word) {
#pragma HLS INLINE
    constexpr int kHalf = N / 2;
    const ap_uint<kHalf> low_bits = word.range(kHalf - 1, 0);
    const ap_uint<N - kHalf> high_bits = word.range(N - 1, kHalf);
    const typename Popcount<kHalf>::Sum low = Popcount<kHalf>::of(low_bits);
    const typename Popcount<N - kHalf>::Sum high = Popcount<N - kHalf>::of(high_bits);
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
