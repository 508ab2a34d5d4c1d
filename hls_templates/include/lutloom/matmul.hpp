// The product of two matrices from two streams: y[i, j] = sum over k of a[i, k] * b[j, k].
// Specification: lutloom.core.ops.matmul.MatMul.reference
//
// First b is read and stored, then a row after row: as in matvec PE rows of b are computed at a
// time, from SIMD columns at a time, and a row of a is read once, and kept. All in codes: what is
// stored of b are weights, the code of a result is `START + OF_B * sum of code_b + sum of weight *
// code_a`, modulo 2^OUT_BITS, and what does not depend on a is summed up while b is stored.
// Cycles a frame: REPEATS * (ROWS_B + ROWS_A * (ROWS_B / PE)) * (COLUMNS / SIMD), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/products.hpp"
#include "lutloom/recode.hpp"

namespace lutloom {

// B are codes of b, Codes makes weights of them. `memory` has a bank for each of PE rows that are
// computed together: row j of b is in bank j modulo PE.
template <int REPEATS, int ROWS_A, int ROWS_B, int COLUMNS, int PE, int SIMD, typename Product,
          typename B, typename Codes, int OUT_BITS, long long START, long long OF_B>
void matmul(hls::stream<ap_uint<SIMD * Product::kInputBits> >& in_a,
            hls::stream<ap_uint<SIMD * B::width> >& in_b,
            hls::stream<ap_uint<PE * OUT_BITS> >& out,
            ap_uint<SIMD * Product::kInputBits> (&vector)[COLUMNS / SIMD],
            ap_uint<SIMD * Product::kWeightBits> (
                &memory)[PE][(ROWS_B / PE) * (COLUMNS / SIMD)]) {
#pragma HLS INLINE
  static_assert(ROWS_B % PE == 0, "PE should divide the rows of the second matrix");
  static_assert(COLUMNS % SIMD == 0, "SIMD should divide the number of columns");
  static_assert(Codes::kOutBits == Product::kWeightBits, "weights should be stored");
  constexpr int kRowFolds = ROWS_B / PE;
  constexpr int kColumnFolds = COLUMNS / SIMD;
  constexpr int kBeats = (ROWS_B + ROWS_A * kRowFolds) * kColumnFolds;
  constexpr bool kStartsDiffer = OF_B != 0;

  constexpr bool kIsOneWord = kRowFolds * kColumnFolds == 1;

  // A bank of a single word is read in the beat after it was written: that is a register.
  ap_uint<SIMD * Product::kWeightBits> only[PE];
#pragma HLS ARRAY_PARTITION variable=only type=complete dim=1
  ap_uint<OUT_BITS> starts[PE][kRowFolds];
#pragma HLS ARRAY_PARTITION variable=starts type=complete dim=1
#pragma HLS BIND_STORAGE variable=starts type=ram_s2p impl=lutram
  ap_uint<OUT_BITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums type=complete dim=1
  ap_uint<OUT_BITS> start_so_far = 0;
  bool is_stored = false;
  ap_uint<bits_for(PE - 1)> bank = 0;
  ap_uint<bits_for(kRowFolds * kColumnFolds)> first = 0;
  ap_uint<bits_for(kRowFolds - 1)> fold = 0;
  ap_uint<bits_for(kColumnFolds - 1)> column = 0;
  ap_uint<bits_for(ROWS_A - 1)> row = 0;

  // While b is stored: row of b = fold * PE + bank. Then: rows fold * PE, ... of b by row of a.
  // Words of these rows begin at `first` = fold * kColumnFolds.
  for (int beat = 0; beat < REPEATS * kBeats; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
// The first words are read when all have been written: of a bank of two words or more, two beats
// after they came, or later.
#pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
    const int address = int(first) + int(column);
    const bool is_row_done = column == kColumnFolds - 1;
    const bool is_fold_done = is_row_done && (is_stored || bank == PE - 1);
    const bool is_matrix_done = is_fold_done && fold == kRowFolds - 1;
    if (!is_stored) {
      const ap_uint<SIMD * B::width> b = in_b.read();
      // Every code is added.
      const ap_uint<SIMD> plus = ~ap_uint<SIMD>(0);
      const ap_int<OUT_BITS> of_b = OF_B;
      const ap_int<OUT_BITS> of_word = of_b * Sign<B>::template dot<SIMD>(b, plus);
      const ap_uint<OUT_BITS> start = START;
      const ap_uint<OUT_BITS> before = column == 0 ? start : start_so_far;
      start_so_far = before + of_word;
      for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
        if (bank == lane) {
          only[lane] = Codes::template of<SIMD>(b);
          memory[lane][address] = only[lane];
          starts[lane][fold] = start_so_far;
        }
      }
    } else {
      ap_uint<SIMD * Product::kInputBits> x;
      if (fold == 0) {
        x = in_a.read();
        vector[column] = x;
      } else {
        x = vector[column];
      }
      ap_uint<PE * SIMD * Product::kWeightBits> weights = 0;
      for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
        set_lane(weights, lane, kIsOneWord ? only[lane] : memory[lane][address]);
      }
      ap_int<Rows<Product, PE, SIMD>::kBits> products[PE];
#pragma HLS ARRAY_PARTITION variable=products type=complete dim=1
      Rows<Product, PE, SIMD>::of(x, weights, products);
      ap_uint<PE * OUT_BITS> y = 0;
      for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
        const ap_uint<OUT_BITS> shared = START;
        const ap_uint<OUT_BITS> start = kStartsDiffer ? starts[lane][fold] : shared;
        const ap_uint<OUT_BITS> before = column == 0 ? start : sums[lane];
        const ap_uint<OUT_BITS> after = before + products[lane];
        sums[lane] = after;
        set_lane(y, lane, after);
      }
      if (is_row_done) {
        out.write(y);
      }
    }
    column = is_row_done ? 0 : int(column) + 1;
    if (is_row_done) {
      bank = is_fold_done ? 0 : int(bank) + 1;
    }
    if (is_fold_done) {
      first = is_matrix_done ? 0 : int(first) + kColumnFolds;
      fold = is_matrix_done ? 0 : int(fold) + 1;
    }
    if (is_matrix_done) {
      const bool is_product_done = is_stored && row == ROWS_A - 1;
      row = is_stored && !is_product_done ? int(row) + 1 : 0;
      is_stored = !is_product_done;
    }
  }
}

}  // namespace lutloom
