// Several products in the multiplier of one DSP slice: LANES rows multiply weights with one code.
// Specification, and proof: lutloom.codegen.kernels.packed
//
// Weights are stored as what they are above the least one, and codes of two's complement are read
// as what they are above theirs (a flipped sign bit): nothing is negative, so that lanes SPACING
// bits apart neither carry into each other nor borrow, and are cut apart as they are.
//
//     sum of weight[i] * v[i] = sum of u[i] * v[i] + LEAST * sum of v[i]
//
// where v is the code above its least one; what that is short of is part of what sums start from.
// Up to kChain words of all lanes are added before they are cut.
#pragma once

#include <ap_int.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/products.hpp"

namespace lutloom {

// Codes of CODE_BITS, two's complement or not, by stored weights of WEIGHT_BITS.
template <int CODE_BITS, bool IS_SIGNED, int WEIGHT_BITS, long long LEAST, int LANES, int SPACING>
struct Packed {
  static constexpr int kInputBits = CODE_BITS;
  static constexpr int kWeightBits = WEIGHT_BITS;
  static constexpr int kLanes = LANES;
  static constexpr int kSpacing = SPACING;
  static constexpr int kFactorBits = (LANES - 1) * SPACING + WEIGHT_BITS;
  static_assert(kFactorBits <= 26 && CODE_BITS <= 17,
                "both factors should fit the 27 x 18 bits of a slice, with a sign");
  static constexpr long long kLargestCode = (1LL << CODE_BITS) - 1;
  static constexpr long long kLargest = ((1LL << WEIGHT_BITS) - 1) * kLargestCode;
  static constexpr int kChain = static_cast<int>(((1LL << SPACING) - 1) / kLargest);
  static_assert(kChain >= 1, "a product should fit between its lane and the next one");
  static constexpr int kProductBits =
      bits_for(kLargest > -LEAST * kLargestCode ? kLargest : -LEAST * kLargestCode) + 1;
  static_assert(LEAST <= 0, "weights should count from the least one, or from 0");

  // A code by the weights of all lanes.
  struct Column {
    typedef ap_uint<CODE_BITS> Input;
    typedef ap_uint<LANES * WEIGHT_BITS> Weight;
    static constexpr int kInputBits = CODE_BITS;
    static constexpr int kWeightBits = LANES * WEIGHT_BITS;
    static constexpr int kProductBits = kFactorBits + CODE_BITS + 1;
    static ap_int<kProductBits> of(const Input& v, const Weight& weights) {
#pragma HLS INLINE
      ap_uint<kFactorBits> factor = 0;
      for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
        factor.range(lane * SPACING + WEIGHT_BITS - 1, lane * SPACING) =
            get_lane<ap_uint<WEIGHT_BITS> >(weights, lane);
      }
      return DspMultiplier::multiply<kProductBits>(factor, v);
    }
  };

  template <int N>
  static ap_uint<N * CODE_BITS> above_least(const ap_uint<N * CODE_BITS>& x) {
#pragma HLS INLINE
    ap_uint<N * CODE_BITS> v = x;
    for (int lane = 0; IS_SIGNED && lane < N; ++lane) {
#pragma HLS UNROLL
      v[(lane + 1) * CODE_BITS - 1] = !x[(lane + 1) * CODE_BITS - 1];
    }
    return v;
  }
};

// The sums of N columns, cut into lanes of kBits; of more than a chain in two parts.
template <typename Product, int N, bool IS_CHAIN = (N <= Product::kChain)>
struct PackedSums {
  static constexpr int kBits = bits_for(N * Product::kLargest);
  static ap_uint<Product::kLanes * kBits> of(
      const ap_uint<N * Product::kInputBits>& v,
      const ap_uint<N * Product::Column::kWeightBits>& columns) {
#pragma HLS INLINE
    // Whole chains, but for the last one.
    constexpr int kChains = ceil_divide(N, Product::kChain);
    constexpr int kLow = kChains / 2 * Product::kChain;
    constexpr int kX = kLow * Product::kInputBits;
    constexpr int kW = kLow * Product::Column::kWeightBits;
    typedef PackedSums<Product, kLow> Low;
    typedef PackedSums<Product, N - kLow> High;
    const ap_uint<kX> low_v = v.range(kX - 1, 0);
    const ap_uint<kW> low_columns = columns.range(kW - 1, 0);
    const ap_uint<N * Product::kInputBits - kX> high_v = v.range(N * Product::kInputBits - 1, kX);
    const ap_uint<N * Product::Column::kWeightBits - kW> high_columns =
        columns.range(N * Product::Column::kWeightBits - 1, kW);
    const ap_uint<Product::kLanes * Low::kBits> low = Low::of(low_v, low_columns);
    const ap_uint<Product::kLanes * High::kBits> high = High::of(high_v, high_columns);
    ap_uint<Product::kLanes * kBits> sums = 0;
    for (int lane = 0; lane < Product::kLanes; ++lane) {
#pragma HLS UNROLL
      const ap_uint<kBits> sum = get_lane<ap_uint<Low::kBits> >(low, lane) +
                                 get_lane<ap_uint<High::kBits> >(high, lane);
      set_lane(sums, lane, sum);
    }
    return sums;
  }
};

template <typename Product, int N>
struct PackedSums<Product, N, true> {
  static constexpr int kBits = bits_for(N * Product::kLargest);
  static_assert(kBits <= Product::kSpacing, "a lane should not reach into the next one");
  static ap_uint<Product::kLanes * kBits> of(
      const ap_uint<N * Product::kInputBits>& v,
      const ap_uint<N * Product::Column::kWeightBits>& columns) {
#pragma HLS INLINE
    const typename Dot<typename Product::Column, N>::Sum all =
        Dot<typename Product::Column, N>::of(v, columns);
    ap_uint<Product::kLanes * kBits> sums = 0;
    for (int lane = 0; lane < Product::kLanes; ++lane) {
#pragma HLS UNROLL
      const int first = lane * Product::kSpacing;
      const ap_uint<kBits> sum = all.range(first + kBits - 1, first);
      set_lane(sums, lane, sum);
    }
    return sums;
  }
};

// Rows in groups of LANES; lanes of the last group that have no row multiply with 0.
template <int CODE_BITS, bool IS_SIGNED, int WEIGHT_BITS, long long LEAST, int LANES, int SPACING,
          int PE, int N>
struct Rows<Packed<CODE_BITS, IS_SIGNED, WEIGHT_BITS, LEAST, LANES, SPACING>, PE, N> {
  typedef Packed<CODE_BITS, IS_SIGNED, WEIGHT_BITS, LEAST, LANES, SPACING> Product;
  typedef PackedSums<Product, N> Sums;
  static constexpr int kBits = Product::kProductBits + bits_for(N - 1);

  static void of(const ap_uint<N * CODE_BITS>& x, const ap_uint<PE * N * WEIGHT_BITS>& weights,
                 ap_int<kBits> (&sums)[PE]) {
#pragma HLS INLINE
    const ap_uint<N * CODE_BITS> v = Product::template above_least<N>(x);
    // Every code is added.
    const ap_uint<N> plus = ~ap_uint<N>(0);
    const ap_int<kBits> least = LEAST;
    constexpr int kRow = N * WEIGHT_BITS;
    const ap_int<kBits> missing = least * Sign<ap_uint<CODE_BITS> >::template dot<N>(v, plus);
    for (int group = 0; group < ceil_divide(PE, LANES); ++group) {
#pragma HLS UNROLL
      ap_uint<N * LANES * WEIGHT_BITS> columns = 0;
      for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
        const int row = group * LANES + lane;
        if (row < PE) {
          const ap_uint<kRow> row_weights = weights.range((row + 1) * kRow - 1, row * kRow);
          for (int column = 0; column < N; ++column) {
#pragma HLS UNROLL
            set_lane(columns, column * LANES + lane,
                     get_lane<ap_uint<WEIGHT_BITS> >(row_weights, column));
          }
        }
      }
      const ap_uint<LANES * Sums::kBits> cut = Sums::of(v, columns);
      for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
        if (group * LANES + lane < PE) {
          sums[group * LANES + lane] = get_lane<ap_uint<Sums::kBits> >(cut, lane) + missing;
        }
      }
    }
  }
};

}  // namespace lutloom
