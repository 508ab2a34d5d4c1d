// The sum of each window: y[p, q, c] = sum over i, j of x[s p + d i - b, s q + d j - b, c].
// Specification: lutloom.core.ops.sum_pool.SumPool.reference
//
// PE channels at a time, in codes: the code of a result is `start + FACTOR * sum of code`, modulo
// 2^OUT_BITS. Masked taps add nothing; what the number of the others makes of the start differs by
// place: starts [classes], and Places says which is whose.
// Cycles a frame: SIZE * SIZE * FOLDS words where windows do not overlap, else the larger of words
// and taps, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/pool.hpp"

namespace lutloom {

template <typename Code, int OUT_BITS, long long FACTOR, int PE, typename Buffer, int BEATS,
          typename Start, int CLASSES, typename RowStart, int HEIGHT, typename ColumnStart,
          int WIDTH>
void sum_pool(hls::stream<ap_uint<PE * Code::width> >& in,
              hls::stream<ap_uint<PE * OUT_BITS> >& out,
              ap_uint<PE * Code::width> (&memory)[Buffer::kDepth],
              const Start (&starts)[CLASSES], const RowStart (&row_starts)[HEIGHT],
              const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  pool<Total<Code, OUT_BITS, FACTOR>, Buffer, BEATS, PE>(in, out, memory, starts, row_starts,
                                                         column_starts);
}

template <typename Code, int OUT_BITS, long long FACTOR, int PE, typename Rows, typename Columns,
          int FOLDS, typename Start, int CLASSES, typename RowStart, int HEIGHT,
          typename ColumnStart, int WIDTH>
void disjoint_sum_pool(hls::stream<ap_uint<PE * Code::width> >& in,
                       hls::stream<ap_uint<PE * OUT_BITS> >& out,
                       ap_uint<PE * OUT_BITS> (&line)[Columns::kResults * FOLDS],
                       const Start (&starts)[CLASSES], const RowStart (&row_starts)[HEIGHT],
                       const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  disjoint_pool<Total<Code, OUT_BITS, FACTOR>, Rows, Columns, FOLDS, PE>(
      in, out, line, starts, row_starts, column_starts);
}

}  // namespace lutloom
