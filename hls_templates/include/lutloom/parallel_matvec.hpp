// A constant matrix times several vectors of a stream at once.
// Specification: lutloom.core.ops.matvec.MatVec.reference
//
// The rows, columns and codes of `matvec` (matvec.hpp), all rows and columns in each cycle, of the
// vectors of PIXELS pixels that stand side by side. The weights are one word, which is there once;
// each vector has its own products with it. Starts may differ by place of an image; those of the
// pixels of a word are one entry, so that PIXELS should divide the pixels of a row.
// Cycles a frame: VECTORS / PIXELS, plus a constant.
//
// Beside Matrix_Vector_Activate_Batch of finn-hlslib's mvau.hpp, whose MMV is the same loop over
// vectors inside of a beat: there rows and columns may be folded too, and a vector for each pixel
// is kept; here a layer that is not all at work has one pixel a cycle, and is cheaper so.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"
#include "lutloom/places.hpp"
#include "lutloom/products.hpp"
#include "lutloom/rom.hpp"

namespace lutloom {

// weights: one word of ROWS * COLUMNS lanes, row-major. starts [classes][PIXELS * ROWS], or [1][1]
// if all rows and places share one; Places says which is that of a word of pixels.
template <int ROWS, int COLUMNS, int VECTORS, int PIXELS, typename Product, int OUT_BITS,
          typename Entry, int ENTRIES, int CHUNKS, typename Start, int CLASSES, int START_LANES,
          typename RowStart, int HEIGHT, typename ColumnStart, int WIDTH>
void parallel_matvec(hls::stream<ap_uint<PIXELS * COLUMNS * Product::kInputBits> >& in,
                     hls::stream<ap_uint<PIXELS * ROWS * OUT_BITS> >& out,
                     const Entry (&weights)[ENTRIES][CHUNKS],
                     const Start (&starts)[CLASSES][START_LANES],
                     const RowStart (&row_starts)[HEIGHT],
                     const ColumnStart (&column_starts)[WIDTH]) {
#pragma HLS INLINE
  static_assert(VECTORS % PIXELS == 0, "words should be whole");
  static_assert(VECTORS / PIXELS % (HEIGHT * WIDTH) == 0, "there should be a word for each place");
  static_assert(ENTRIES == 1, "the weights should be one word");
  static_assert(START_LANES == PIXELS * ROWS || (CLASSES == 1 && START_LANES == 1),
                "there should be a start for each row of each pixel, or one for all");
  constexpr int kVectorBits = COLUMNS * Product::kInputBits;
  constexpr int kWeightBits = ROWS * COLUMNS * Product::kWeightBits;
  typedef Rows<Product, ROWS, COLUMNS> Sums;
  Places<HEIGHT, WIDTH> place;

  for (int beat = 0; beat < VECTORS / PIXELS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PIXELS * kVectorBits> x = in.read();
    const ap_uint<kWeightBits> word = Rom<Entry, CHUNKS, kWeightBits>::entry(weights, 0);
    const int start_class = CLASSES == 1 ? 0 : place.first(row_starts, column_starts);
    ap_uint<PIXELS * ROWS * OUT_BITS> y = 0;
    for (int pixel = 0; pixel < PIXELS; ++pixel) {
#pragma HLS UNROLL
      const ap_uint<kVectorBits> vector =
          x.range((pixel + 1) * kVectorBits - 1, pixel * kVectorBits);
      ap_int<Sums::kBits> products[ROWS];
#pragma HLS ARRAY_PARTITION variable=products type=complete dim=1
      Sums::of(vector, word, products);
      for (int row = 0; row < ROWS; ++row) {
#pragma HLS UNROLL
        const int lane = pixel * ROWS + row;
        const ap_uint<OUT_BITS> start = starts[start_class][START_LANES == 1 ? 0 : lane];
        const ap_uint<OUT_BITS> sum = start + products[row];
        set_lane(y, lane, sum);
      }
    }
    out.write(y);
    place.next();
  }
}

}  // namespace lutloom
