// Which place of an image comes next, where constants differ along its border.
#pragma once

#include <ap_int.h>

#include <cstdint>

#include "lutloom/bits.hpp"

namespace lutloom {

// What all places share, as tables of one row and one column.
static const std::uint8_t kEverywhere[1] = {0};

// Counts the places of an image row by row. The constants of a place begin at
// `row_starts[row] + column_starts[column]` of a table that has those of all its classes. Where
// all rows are alike HEIGHT is 1; where all columns are too, so is WIDTH.
template <int HEIGHT, int WIDTH>
struct Places {
  ap_uint<bits_for(HEIGHT - 1)> row;
  ap_uint<bits_for(WIDTH - 1)> column;

  Places() : row(0), column(0) {}

  template <typename RowStart, typename ColumnStart>
  int first(const RowStart (&row_starts)[HEIGHT],
            const ColumnStart (&column_starts)[WIDTH]) const {
#pragma HLS INLINE
    return int(row_starts[row]) + int(column_starts[column]);
  }

  void next() {
#pragma HLS INLINE
    const bool is_row_done = column == WIDTH - 1;
    if (is_row_done) {
      row = row == HEIGHT - 1 ? 0 : int(row) + 1;
    }
    column = is_row_done ? 0 : int(column) + 1;
  }
};

}  // namespace lutloom
