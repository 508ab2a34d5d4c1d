// A staircase a channel: y[c] = base[c] + sum over t of deltas[c, t] * (x[c] >= thresholds[c, t]).
// Specification: lutloom.core.ops.threshold.Threshold.reference
//
// PE channels at a time, all steps of a channel in parallel, in codes: thresholds are codes of the
// input, levels codes of the output. A threshold that the input can't reach lies one above its
// largest code. Tables are [CHANNELS / PE][PE][..], or [1][1][..] if all channels share them. The
// loop is that of border_threshold, with the same staircases everywhere.
// Cycles a frame: VECTORS * (CHANNELS / PE), plus a constant.
//
// Beside Thresholding_Batch and ThresholdsActivation of finn-hlslib's activations.hpp: the same
// loop over words with a counter of folds, PE lanes and all thresholds of a lane unrolled. Other
// than there
// - the loop says PIPELINE II=1 style=flp, and its bound is constant: nothing depends on defaults;
// - a step is x >= t, as in the specification, and codes start from any level;
// - comparisons are summed as a popcount, a tree of adders that are as wide as their sums, not one
//   after the other in a variable as wide as the result; other heights have a form of their own;
// - tables have folds outside and lanes inside: a fold is one word over all lanes;
// - the shape is channels and vectors, not the side of a square image.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/border_threshold.hpp"
#include "lutloom/places.hpp"

namespace lutloom {

// Steps of one code up from a base that all channels share: the code of the output is BASE plus
// the number of steps reached.
template <int CHANNELS, int VECTORS, int PE, typename In, typename Limit, int OUT_BITS,
          long long BASE, typename Entry, int FOLDS, int LANES, int STEPS>
void threshold(hls::stream<ap_uint<PE * In::width> >& in,
               hls::stream<ap_uint<PE * OUT_BITS> >& out,
               const Entry (&thresholds)[FOLDS][LANES][STEPS]) {
#pragma HLS INLINE
  border_threshold<CHANNELS, VECTORS, PE, FOLDS == 1 && LANES == 1, In, Limit, OUT_BITS, BASE>(
      in, out, kEverywhere, kEverywhere, thresholds);
}

// Any levels: each step that is reached adds its height.
template <int CHANNELS, int VECTORS, int PE, typename In, typename Limit, int OUT_BITS,
          typename Entry, typename Level, int FOLDS, int LANES, int STEPS>
void threshold_levels(hls::stream<ap_uint<PE * In::width> >& in,
                      hls::stream<ap_uint<PE * OUT_BITS> >& out,
                      const Entry (&thresholds)[FOLDS][LANES][STEPS],
                      const Level (&bases)[FOLDS][LANES],
                      const Level (&heights)[FOLDS][LANES][STEPS]) {
#pragma HLS INLINE
  border_threshold_levels<CHANNELS, VECTORS, PE, FOLDS == 1 && LANES == 1, In, Limit, OUT_BITS>(
      in, out, kEverywhere, kEverywhere, thresholds, bases, heights);
}

}  // namespace lutloom
