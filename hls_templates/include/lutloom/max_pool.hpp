// The largest in each window: y[p, q, c] = max over i, j of x[s p + d i - b, s q + d j - b, c].
// Specification: lutloom.core.ops.max_pool.MaxPool.reference
//
// PE channels at a time, in codes, whose order is that of the values. Masked taps are the code of
// the least value: each window sees a pixel, so that they never are what is largest alone.
// Cycles a frame: SIZE * SIZE * FOLDS words where windows do not overlap, else the larger of words
// and taps, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/places.hpp"
#include "lutloom/pool.hpp"

namespace lutloom {

template <typename Code, long long LEAST, int PE, typename Buffer, int BEATS>
void max_pool(hls::stream<ap_uint<PE * Code::width> >& in,
              hls::stream<ap_uint<PE * Code::width> >& out,
              ap_uint<PE * Code::width> (&memory)[Buffer::kDepth]) {
#pragma HLS INLINE
  const long long starts[1] = {LEAST};
  pool<Largest<Code, LEAST>, Buffer, BEATS, PE>(in, out, memory, starts, kEverywhere, kEverywhere);
}

template <typename Code, long long LEAST, int PE, typename Rows, typename Columns, int FOLDS>
void disjoint_max_pool(hls::stream<ap_uint<PE * Code::width> >& in,
                       hls::stream<ap_uint<PE * Code::width> >& out,
                       ap_uint<PE * Code::width> (&line)[Columns::kResults * FOLDS]) {
#pragma HLS INLINE
  const long long starts[1] = {LEAST};
  disjoint_pool<Largest<Code, LEAST>, Rows, Columns, FOLDS, PE>(in, out, line, starts, kEverywhere,
                                                                kEverywhere);
}

}  // namespace lutloom
