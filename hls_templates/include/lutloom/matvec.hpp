// A constant matrix times a stream of vectors: y[r] = sum over c of matrix[r, c] * x[c].
// Specification: lutloom.core.ops.matvec.MatVec.reference
//
// PE rows are computed at a time, from SIMD columns at a time, in codes: the code of a result is
// `start[r] + sum over c of weight[r, c] * code[c]`, modulo 2^OUT_BITS, with weights and starts
// that were rewritten for that when they were packed. A vector is read once, while its first
// rows are computed, and kept for the others.
// Cycles a frame: VECTORS * (ROWS / PE) * (COLUMNS / SIMD), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/products.hpp"
#include "lutloom/rom.hpp"

namespace lutloom {

// weights: words of PE * SIMD lanes, row-major, in the order in which the loop needs them.
// starts [ROWS / PE][PE], or [1][1] if all rows share one.
template <int ROWS, int COLUMNS, int VECTORS, int PE, int SIMD, typename Product, int OUT_BITS,
          typename Entry, int ENTRIES, int CHUNKS, typename Start, int START_FOLDS,
          int START_LANES>
void matvec(hls::stream<ap_uint<SIMD * Product::kInputBits> >& in,
            hls::stream<ap_uint<PE * OUT_BITS> >& out, const Entry (&weights)[ENTRIES][CHUNKS],
            const Start (&starts)[START_FOLDS][START_LANES]) {
#pragma HLS INLINE
  static_assert(ROWS % PE == 0, "PE should divide the number of rows");
  static_assert(COLUMNS % SIMD == 0, "SIMD should divide the number of columns");
  constexpr int kRowFolds = ROWS / PE;
  constexpr int kColumnFolds = COLUMNS / SIMD;
  constexpr int kRowWeightBits = SIMD * Product::kWeightBits;
  typedef Rom<Entry, CHUNKS, PE * kRowWeightBits> Weights;
  static_assert(ENTRIES == ceil_divide(kRowFolds * kColumnFolds, Weights::kGroup),
                "the weights should be one word for each cycle of a vector");
  static_assert((START_FOLDS == kRowFolds && START_LANES == PE) ||
                    (START_FOLDS == 1 && START_LANES == 1),
                "there should be one start for each row, or one for all");

  ap_uint<SIMD * Product::kInputBits> vector[kColumnFolds];
  ap_uint<OUT_BITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums type=complete dim=1
  ap_uint<Weights::kEntryBits> entry = 0;
  ap_uint<bits_for(kRowFolds - 1)> row = 0;
  ap_uint<bits_for(kColumnFolds - 1)> column = 0;
  ap_uint<bits_for(ENTRIES)> address = 0;
  ap_uint<bits_for(Weights::kGroup - 1)> slot = 0;

  // tile = (vector * kRowFolds + row) * kColumnFolds + column
  // address * kGroup + slot = row * kColumnFolds + column, until slot 0 loads its entry
  for (int tile = 0; tile < VECTORS * kRowFolds * kColumnFolds; ++tile) {
#pragma HLS PIPELINE II=1 style=flp
    ap_uint<SIMD * Product::kInputBits> x;
    if (row == 0) {
      x = in.read();
      vector[column] = x;
    } else {
      x = vector[column];
    }
    if (slot == 0) {
      entry = Weights::entry(weights, address);
    }
    ap_uint<PE * OUT_BITS> y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const ap_uint<kRowWeightBits> row_weights =
          entry.range((lane + 1) * kRowWeightBits - 1, lane * kRowWeightBits);
      const ap_uint<OUT_BITS> start =
          starts[START_FOLDS == 1 ? 0 : int(row)][START_LANES == 1 ? 0 : lane];
      const ap_uint<OUT_BITS> before = column == 0 ? start : sums[lane];
      const ap_uint<OUT_BITS> after = before + Product::template dot<SIMD>(x, row_weights);
      sums[lane] = after;
      set_lane(y, lane, after);
    }
    if (column == kColumnFolds - 1) {
      out.write(y);
    }
    const bool is_row_done = column == kColumnFolds - 1;
    const bool is_vector_done = is_row_done && row == kRowFolds - 1;
    if (is_vector_done || slot == Weights::kGroup - 1) {
      slot = 0;
      address = is_vector_done ? 0 : int(address) + 1;
    } else {
      slot = slot + 1;
      entry = entry >> (PE * kRowWeightBits);
    }
    column = is_row_done ? 0 : int(column) + 1;
    if (is_row_done) {
      row = is_vector_done ? 0 : int(row) + 1;
    }
  }
}

}  // namespace lutloom
