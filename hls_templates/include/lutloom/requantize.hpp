// A quantizer as a product: y[c] = clamp((x[c] * m[c] + b[c]) / 2^SHIFT, lowest[c], highest[c]),
// rounded as a policy says.
// Specification: lutloom.core.ops.requantize.Requantize.reference
//
// PE channels at a time, in codes: multipliers and biases were rewritten for that when they were
// written down, bounds are codes of the output. SUM_BITS hold every sum, and every bound. Tables are
// [CHANNELS / PE][PE][..], or [1][1][..] if all channels share them.
// Cycles a frame: VECTORS * (CHANNELS / PE), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/products.hpp"

namespace lutloom {

// A constant of one machine word, or in digits of 32 bits, the lowest first and the last one signed.
template <typename Wide, typename Entry, int DIGITS>
Wide joined(const Entry (&digits)[DIGITS]) {
#pragma HLS INLINE
  Wide value = digits[DIGITS - 1];
  for (int place = DIGITS - 2; place >= 0; --place) {
#pragma HLS UNROLL
    const Wide digit = digits[place];
    value = (value << 32) + digit;
  }
  return value;
}

// How a sum becomes a level: `level` is rounded down, `is_exact` says that nothing was lost.
struct RoundDown {
  template <int BITS>
  static ap_int<BITS> rounded(const ap_int<BITS>& level, const ap_int<BITS>&, bool) {
#pragma HLS INLINE
    return level;
  }
};

// An odd level whose sum is a multiple of 2^SHIFT becomes the even one below it.
struct RoundTiesToEven {
  template <int BITS>
  static ap_int<BITS> rounded(const ap_int<BITS>& level, const ap_int<BITS>&, bool is_exact) {
#pragma HLS INLINE
    ap_int<BITS> even = level;
    const bool is_odd = level[0];
    even[0] = is_odd && !is_exact;
    return even;
  }
};

struct RoundToZero {
  template <int BITS>
  static ap_int<BITS> rounded(const ap_int<BITS>& level, const ap_int<BITS>& sum, bool is_exact) {
#pragma HLS INLINE
    const ap_uint<1> up = sum < 0 && !is_exact;
    return level + up;
  }
};

struct RoundFromZero {
  template <int BITS>
  static ap_int<BITS> rounded(const ap_int<BITS>& level, const ap_int<BITS>& sum, bool is_exact) {
#pragma HLS INLINE
    const ap_uint<1> up = sum > 0 && !is_exact;
    return level + up;
  }
};

template <int CHANNELS, int VECTORS, int PE, typename In, int OUT_BITS, int SHIFT,
          typename Rounding, int SUM_BITS, typename Factor, typename Multiplier,
          typename FactorEntry, typename BiasEntry, int FOLDS, int LANES, int FACTOR_DIGITS,
          int BIAS_DIGITS, typename Bound, int BOUND_FOLDS, int BOUND_LANES>
void requantize(hls::stream<ap_uint<PE * In::width> >& in,
                hls::stream<ap_uint<PE * OUT_BITS> >& out,
                const FactorEntry (&multipliers)[FOLDS][LANES][FACTOR_DIGITS],
                const BiasEntry (&biases)[FOLDS][LANES][BIAS_DIGITS],
                const Bound (&lowest)[BOUND_FOLDS][BOUND_LANES],
                const Bound (&highest)[BOUND_FOLDS][BOUND_LANES]) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert((FOLDS == CHANNELS / PE && LANES == PE) || (FOLDS == 1 && LANES == 1),
                "there should be a multiplier for each channel, or one for all of them");
  static_assert((BOUND_FOLDS == CHANNELS / PE && BOUND_LANES == PE) ||
                    (BOUND_FOLDS == 1 && BOUND_LANES == 1),
                "there should be bounds for each channel, or for all of them");
  static_assert(SHIFT < SUM_BITS, "a sum should be wider than its shift");
  constexpr int kFolds = CHANNELS / PE;
  ap_uint<bits_for(kFolds - 1)> fold = 0;

  // beat = vector * kFolds + fold
  for (int beat = 0; beat < VECTORS * kFolds; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * In::width> x = in.read();
    const int table_fold = FOLDS == 1 ? 0 : int(fold);
    const int bound_fold = BOUND_FOLDS == 1 ? 0 : int(fold);
    ap_uint<PE * OUT_BITS> y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const int table_lane = LANES == 1 ? 0 : lane;
      const int bound_lane = BOUND_LANES == 1 ? 0 : lane;
      const Factor factor = joined<Factor>(multipliers[table_fold][table_lane]);
      const ap_int<SUM_BITS> bias = joined<ap_int<SUM_BITS> >(biases[table_fold][table_lane]);
      const ap_int<SUM_BITS> product =
          Multiplier::template multiply<SUM_BITS>(get_lane<In>(x, lane), factor);
      const ap_int<SUM_BITS> sum = product + bias;
      const ap_int<SUM_BITS> whole = sum >> SHIFT;
      const ap_int<SUM_BITS> floor = whole << SHIFT;
      ap_int<SUM_BITS> level = Rounding::rounded(whole, sum, floor == sum);
      const ap_int<SUM_BITS> least = lowest[bound_fold][bound_lane];
      const ap_int<SUM_BITS> most = highest[bound_fold][bound_lane];
      if (level < least) {
        level = least;
      } else if (level > most) {
        level = most;
      }
      const ap_uint<OUT_BITS> code = level;
      set_lane(y, lane, code);
    }
    out.write(y);
    fold = fold == kFolds - 1 ? 0 : int(fold) + 1;
  }
}

}  // namespace lutloom
