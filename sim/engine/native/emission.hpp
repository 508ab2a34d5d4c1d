// What becomes of 32-bit sums: integers of some width, or codes by their thresholds.
#pragma once

#include <cstdint>
#include <type_traits>

#include "engine.hpp"

namespace lutloom {

enum EmissionKind : std::int64_t { SUMS, COMPARED, SEARCHED, MULTIPLIED, MULTIPLIED_WIDE };

// How sums become elements of y, by tables `[classes][columns]`, or `[classes][levels][columns]`.
// They have columns for whole registers of sums: what lies behind the last output is not used.
// SUMS: `bias + scale * sum`; the table is of 64 bits for INT64, else of 32, with which it is
// computed modulo 2^32.
// COMPARED, SEARCHED: `base + scale *` how many of `thresholds` a sum reaches. For a search there
// are 2^n - 1 of them, the largest 32-bit integer standing for never.
// MULTIPLIED: their number is the integer part of `slopes * sum + shifts`, no less than 0 and no more
// than `levels`: with sum, product and sum rounded to float32. MULTIPLIED_WIDE: to float64.
// In BITS row j says whether threshold j is reached. Outputs in blocks then follow each other.
struct Emission {
  std::int64_t kind, layout, outputs, columns, levels, base, scale;
  const void* bias;
  const std::int32_t* thresholds;
  const void* slopes;
  const void* shifts;
};

// Where sums go: to `count` outputs from number `output` on, at a place of all images of y. Their
// tables are those of class `kind`, from `column` on.
struct Target {
  std::int64_t kind, column, place, output, count;
};

// How many sums are emitted at a time, of which `Target::count` are outputs.
template <int COUNT>
using Width = std::integral_constant<int, COUNT>;

}  // namespace lutloom
