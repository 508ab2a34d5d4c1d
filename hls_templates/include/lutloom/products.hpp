// What matvec, matmul and depthwise multiply with: each policy says how wide its lanes are and gives
// the sum of N products, `sum of weight[i] * code[i]`, as a tree of adders as wide as their sums.
#pragma once

#include <ap_int.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/popcount.hpp"

namespace lutloom {

// The sum of N products, lane by lane; up to four are one expression, more are split in halves.
template <typename Product, int N, bool IS_LEAF = (N <= 4)>
struct Dot {
  typedef ap_int<Product::kProductBits + bits_for(N - 1)> Sum;
  static Sum of(const ap_uint<N * Product::kInputBits>& x,
                const ap_uint<N * Product::kWeightBits>& weights) {
#pragma HLS INLINE
    constexpr int kHalf = N / 2;
    constexpr int kX = kHalf * Product::kInputBits;
    constexpr int kW = kHalf * Product::kWeightBits;
    const ap_uint<kX> low_x = x.range(kX - 1, 0);
    const ap_uint<kW> low_weights = weights.range(kW - 1, 0);
    const ap_uint<N * Product::kInputBits - kX> high_x =
        x.range(N * Product::kInputBits - 1, kX);
    const ap_uint<N * Product::kWeightBits - kW> high_weights =
        weights.range(N * Product::kWeightBits - 1, kW);
    const typename Dot<Product, kHalf>::Sum low = Dot<Product, kHalf>::of(low_x, low_weights);
    const typename Dot<Product, N - kHalf>::Sum high =
        Dot<Product, N - kHalf>::of(high_x, high_weights);
    return Sum(low + high);
  }
};

template <typename Product, int N>
struct Dot<Product, N, true> {
  typedef ap_int<Product::kProductBits + bits_for(N - 1)> Sum;
  static Sum of(const ap_uint<N * Product::kInputBits>& x,
                const ap_uint<N * Product::kWeightBits>& weights) {
#pragma HLS INLINE
    Sum sum = 0;
    for (int lane = 0; lane < N; ++lane) {
#pragma HLS UNROLL
      sum += Product::of(get_lane<typename Product::Input>(x, lane),
                         get_lane<typename Product::Weight>(weights, lane));
    }
    return sum;
  }
};

// One-bit codes by bipolar weights (code 1 is +1, code 0 is -1): the number of lanes that agree,
// which is the sum of the products plus the number of weights that are -1.
struct Xnor {
  static constexpr int kInputBits = 1;
  static constexpr int kWeightBits = 1;
  template <int N>
  static ap_uint<bits_for(N)> dot(const ap_uint<N>& x, const ap_uint<N>& weights) {
#pragma HLS INLINE
    const ap_uint<N> agree = ~(x ^ weights);
    return Popcount<N>::of(agree);
  }
};

// Bipolar weights: each code is added or subtracted.
template <typename Code>
struct Sign {
  typedef Code Input;
  typedef ap_uint<1> Weight;
  static constexpr int kInputBits = Code::width;
  static constexpr int kWeightBits = 1;
  static constexpr int kProductBits = Code::width + 1;
  static ap_int<kProductBits> of(const Code& x, const ap_uint<1>& weight) {
#pragma HLS INLINE
    const ap_int<kProductBits> plus = x;
    const ap_int<kProductBits> minus = -plus;
    return weight == 1 ? plus : minus;
  }
  template <int N>
  static typename Dot<Sign, N>::Sum dot(const ap_uint<N * kInputBits>& x,
                                        const ap_uint<N * kWeightBits>& weights) {
#pragma HLS INLINE
    return Dot<Sign, N>::of(x, weights);
  }
};

// Multiplication by whatever the tool prefers, by look-up tables, or by DSP slices.
struct AutoMultiplier {
  template <int BITS, typename A, typename B>
  static ap_int<BITS> multiply(const A& a, const B& b) {
#pragma HLS INLINE
    const ap_int<BITS> product = a * b;
    return product;
  }
};

struct FabricMultiplier {
  template <int BITS, typename A, typename B>
  static ap_int<BITS> multiply(const A& a, const B& b) {
#pragma HLS INLINE
    const ap_int<BITS> product = a * b;
#pragma HLS BIND_OP variable=product op=mul impl=fabric
    return product;
  }
};

struct DspMultiplier {
  template <int BITS, typename A, typename B>
  static ap_int<BITS> multiply(const A& a, const B& b) {
#pragma HLS INLINE
    const ap_int<BITS> product = a * b;
#pragma HLS BIND_OP variable=product op=mul impl=dsp
    return product;
  }
};

// Any weights, whose codes are the weights themselves.
template <typename Code, typename WeightCode, typename Multiplier>
struct Multiply {
  typedef Code Input;
  typedef WeightCode Weight;
  static constexpr int kInputBits = Code::width;
  static constexpr int kWeightBits = WeightCode::width;
  // The product of two unsigned numbers needs one more bit as a signed one.
  static constexpr int kProductBits = Code::width + WeightCode::width + 1;
  static ap_int<kProductBits> of(const Code& x, const WeightCode& weight) {
#pragma HLS INLINE
    return Multiplier::template multiply<kProductBits>(x, weight);
  }
  template <int N>
  static typename Dot<Multiply, N>::Sum dot(const ap_uint<N * kInputBits>& x,
                                            const ap_uint<N * kWeightBits>& weights) {
#pragma HLS INLINE
    return Dot<Multiply, N>::of(x, weights);
  }
};

template <typename Product, int N>
struct SumBits {
  static constexpr int kBits = decltype(Product::template dot<N>(
      ap_uint<N * Product::kInputBits>(), ap_uint<N * Product::kWeightBits>()))::width;
};

// FACTOR times each product, as FACTOR times their sum.
template <typename Product, long long FACTOR>
struct Multiple {
  static constexpr int kInputBits = Product::kInputBits;
  static constexpr int kWeightBits = Product::kWeightBits;
  static_assert(FACTOR >= 1, "the factor should be positive");
  static constexpr int kFactorBits = bits_for(FACTOR);
  template <int N>
  static ap_int<kFactorBits + SumBits<Product, N>::kBits + 1> dot(
      const ap_uint<N * kInputBits>& x, const ap_uint<N * kWeightBits>& weights) {
#pragma HLS INLINE
    const ap_uint<kFactorBits> factor = FACTOR;
    return factor * Product::template dot<N>(x, weights);
  }
};

// The sums of N products of PE rows, whose weights follow one another, with the same x.
template <typename Product, int PE, int N>
struct Rows {
  // As signed numbers.
  static constexpr int kBits = SumBits<Product, N>::kBits + 1;
  static void of(const ap_uint<N * Product::kInputBits>& x,
                 const ap_uint<PE * N * Product::kWeightBits>& weights, ap_int<kBits> (&sums)[PE]) {
#pragma HLS INLINE
    constexpr int kRow = N * Product::kWeightBits;
    for (int row = 0; row < PE; ++row) {
#pragma HLS UNROLL
      const ap_uint<kRow> row_weights = weights.range((row + 1) * kRow - 1, row * kRow);
      sums[row] = Product::template dot<N>(x, row_weights);
    }
  }
};

template <typename Product, long long FACTOR, int PE, int N>
struct Rows<Multiple<Product, FACTOR>, PE, N> {
  static constexpr int kFactorBits = Multiple<Product, FACTOR>::kFactorBits;
  static constexpr int kBits = kFactorBits + Rows<Product, PE, N>::kBits;
  static void of(const ap_uint<N * Product::kInputBits>& x,
                 const ap_uint<PE * N * Product::kWeightBits>& weights, ap_int<kBits> (&sums)[PE]) {
#pragma HLS INLINE
    ap_int<Rows<Product, PE, N>::kBits> single[PE];
#pragma HLS ARRAY_PARTITION variable=single type=complete dim=1
    Rows<Product, PE, N>::of(x, weights, single);
    const ap_uint<kFactorBits> factor = FACTOR;
    for (int row = 0; row < PE; ++row) {
#pragma HLS UNROLL
      sums[row] = factor * single[row];
    }
  }
};

}  // namespace lutloom
