// A constant matrix times a stream of vectors: y[r] = sum over c of matrix[r, c] * x[c].
// Specification: lutloom.core.ops.matvec.MatVec.reference
//
// PE rows are computed at a time, from SIMD columns at a time, in codes: the code of a result is
// `start[r] + sum over c of weight[r, c] * code[c]`, modulo 2^OUT_BITS, with weights and starts
// that were rewritten for that when they were packed. A vector is read once, while its first
// rows are computed, and kept for the others. With groups each has its rows and its part of the
// vector; starts may differ by place of an image, which is how borders of windows are corrected.
// Cycles a frame: VECTORS * (ROWS / PE) * (COLUMNS / SIMD), plus a constant.
//
// Beside Matrix_Vector_Activate_Batch of finn-hlslib's mvau.hpp: the same single loop over tiles,
// rows outside and columns inside, a vector kept while its rows are computed, II=1. Other than
// there
// - the kept vector is a memory of words, not registers: only one word of it is used in a cycle,
//   and a multiplexer over C / SIMD registers grows with the layer;
// - the pipeline is style=flp: the default differs by version, and a stalled one must drain;
// - sums start from constants, are as wide as the result and wrap: nothing is lost modulo
//   2^OUT_BITS, and offsets of codes, -1 weights and borders cost nothing in the loop;
// - thresholds are a process of their own, which can be folded and built differently;
// - weights of narrow words share an entry of the memory, which is read once for all of them;
// - rows may share DSP slices (packed.hpp);
// - several pixels of a word (MMV) are a loop of their own, with all rows and columns at work
//   (parallel_matvec.hpp); a word of several taps is the window's.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/places.hpp"
#include "lutloom/products.hpp"
#include "lutloom/rom.hpp"

namespace lutloom {

// `vector` keeps the words of a group for its other rows. COLUMNS are those of a group, ROWS those of all groups; VECTORS have parts for all groups.
// weights: words of PE * SIMD lanes, row-major, in the order in which the loop needs them.
// starts [classes * ROWS / PE][PE], or [1][1] if all rows and places share one; Places says where
// those of a class begin.
template <int ROWS, int COLUMNS, int GROUPS, int VECTORS, int PE, int SIMD, typename Product,
          int OUT_BITS, typename Entry, int ENTRIES, int CHUNKS, typename Start, int START_FOLDS,
          int START_LANES, typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void grouped_matvec(hls::stream<ap_uint<SIMD * Product::kInputBits> >& in,
                    hls::stream<ap_uint<PE * OUT_BITS> >& out,
                    ap_uint<SIMD * Product::kInputBits> (&vector)[COLUMNS / SIMD],
                    const Entry (&weights)[ENTRIES][CHUNKS],
                    const Start (&starts)[START_FOLDS][START_LANES],
                    const RowStart (&row_starts)[HEIGHT],
                    const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  static_assert(ROWS % (GROUPS * PE) == 0, "PE should divide the number of rows of a group");
  static_assert(COLUMNS % SIMD == 0, "SIMD should divide the number of columns");
  static_assert(VECTORS % (HEIGHT * WIDTH) == 0, "there should be a vector for each place");
  constexpr int kRowFolds = ROWS / PE;
  constexpr int kGroupFolds = kRowFolds / GROUPS;
  constexpr int kColumnFolds = COLUMNS / SIMD;
  constexpr int kRowWeightBits = SIMD * Product::kWeightBits;
  typedef RomReader<Entry, CHUNKS, PE * kRowWeightBits, ENTRIES> Weights;
  static_assert(ENTRIES == ceil_divide(kRowFolds * kColumnFolds, Weights::Layout::kGroup),
                "the weights should be one word for each cycle of a vector");
  static_assert((START_FOLDS % kRowFolds == 0 && START_LANES == PE) ||
                    (START_FOLDS == 1 && START_LANES == 1),
                "there should be one start for each row, or one for all");

  ap_uint<OUT_BITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums type=complete dim=1
  Weights reader;
  Places<HEIGHT, WIDTH> place;
  ap_uint<bits_for(kRowFolds - 1)> row = 0;
  ap_uint<bits_for(kGroupFolds - 1)> group_row = 0;
  ap_uint<bits_for(kColumnFolds - 1)> column = 0;

  // tile = (vector * kRowFolds + row) * kColumnFolds + column,
  // row = group * kGroupFolds + group_row
  for (int tile = 0; tile < VECTORS * kRowFolds * kColumnFolds; ++tile) {
#pragma HLS PIPELINE II=1 style=flp
    ap_uint<SIMD * Product::kInputBits> x;
    if (group_row == 0) {
      x = in.read();
      vector[column] = x;
    } else {
      x = vector[column];
    }
    const ap_uint<PE * kRowWeightBits> word = reader.word(weights);
    const int start_fold = START_FOLDS == 1 ? 0 : place.first(row_starts, column_starts) + int(row);
    ap_int<Rows<Product, PE, SIMD>::kBits> products[PE];
#pragma HLS ARRAY_PARTITION variable=products type=complete dim=1
    Rows<Product, PE, SIMD>::of(x, word, products);
    ap_uint<PE * OUT_BITS> y = 0;
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const ap_uint<OUT_BITS> start = starts[start_fold][START_LANES == 1 ? 0 : lane];
      const ap_uint<OUT_BITS> before = column == 0 ? start : sums[lane];
      const ap_uint<OUT_BITS> after = before + products[lane];
      sums[lane] = after;
      set_lane(y, lane, after);
    }
    if (column == kColumnFolds - 1) {
      out.write(y);
    }
    const bool is_row_done = column == kColumnFolds - 1;
    const bool is_group_done = is_row_done && group_row == kGroupFolds - 1;
    const bool is_vector_done = is_row_done && row == kRowFolds - 1;
    reader.next(is_vector_done);
    column = is_row_done ? 0 : int(column) + 1;
    if (is_row_done) {
      row = is_vector_done ? 0 : int(row) + 1;
      group_row = is_group_done ? 0 : int(group_row) + 1;
    }
    if (is_vector_done) {
      place.next();
    }
  }
}

// One group, and the same starts everywhere.
template <int ROWS, int COLUMNS, int VECTORS, int PE, int SIMD, typename Product, int OUT_BITS,
          typename Entry, int ENTRIES, int CHUNKS, typename Start, int START_FOLDS,
          int START_LANES>
void matvec(hls::stream<ap_uint<SIMD * Product::kInputBits> >& in,
            hls::stream<ap_uint<PE * OUT_BITS> >& out,
            ap_uint<SIMD * Product::kInputBits> (&vector)[COLUMNS / SIMD],
            const Entry (&weights)[ENTRIES][CHUNKS], const Start (&starts)[START_FOLDS][START_LANES]) {
#pragma HLS INLINE
  grouped_matvec<ROWS, COLUMNS, 1, VECTORS, PE, SIMD, Product, OUT_BITS>(
      in, out, vector, weights, starts, kEverywhere, kEverywhere);
}

}  // namespace lutloom
