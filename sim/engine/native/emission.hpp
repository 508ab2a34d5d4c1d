// What becomes of 32-bit sums: integers of some width, or codes by their thresholds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "engine.hpp"

namespace lutloom {

// Sums that are emitted at a time: channels side by side. Tables have as many columns as all blocks
// of them take, and what lies behind the last channel is never reached.
constexpr std::int64_t COLUMNS = 64;

enum EmissionKind : std::int64_t { SUMS, COMPARED, SEARCHED, MULTIPLIED, MULTIPLIED_WIDE };

// How sums become elements of y, by tables `[classes][columns]`, or `[classes][levels][columns]`:
// SUMS: `bias + scale * sum`.
// COMPARED, SEARCHED: `bias[0] + scale *` how many of `thresholds` a sum reaches. For a search
// there are 2^n - 1 of them, the largest 32-bit integer standing for never.
// MULTIPLIED: their number is the integer part of `slopes * sum + shifts`, no less than 0 and no more
// than `levels`: with sum, product and sum rounded to float32. MULTIPLIED_WIDE: to float64.
// In bits, row j says whether threshold j is reached.
struct Emission {
  std::int64_t kind, layout, outputs, columns, levels, scale;
  const std::int64_t* bias;
  const std::int32_t* thresholds;
  const void* slopes;
  const void* shifts;
};

// Where sums go: `element` of y is that of the first of `count` channels; its tables' `column`.
struct Target {
  std::int64_t kind, column, element, count;
};

inline void count_reached(const Emission& e, const std::int32_t* sums, const Target& to,
                          std::int32_t* codes) {
  const std::int32_t* rows = e.thresholds + to.kind * e.levels * e.columns + to.column;
  std::fill_n(codes, COLUMNS, 0);
  for (std::int64_t t = 0; t < e.levels; ++t, rows += e.columns) {
    for (std::int64_t c = 0; c < to.count; ++c) codes[c] += sums[c] >= rows[c];
  }
}

inline void search(const Emission& e, const std::int32_t* sums, const Target& to,
                   std::int32_t* codes) {
  const std::int32_t* rows = e.thresholds + to.kind * e.levels * e.columns + to.column;
  const std::int32_t columns = static_cast<std::int32_t>(e.columns);
  std::fill_n(codes, COLUMNS, 0);
  for (std::int32_t step = static_cast<std::int32_t>(e.levels + 1) / 2; step > 0; step /= 2) {
    for (std::int32_t c = 0; c < to.count; ++c) {
      const std::int32_t next = codes[c] + step;
      codes[c] = sums[c] >= rows[std::int64_t{next - 1} * columns + c] ? next : codes[c];
    }
  }
}

template <class Real>
void multiply(const Emission& e, const std::int32_t* sums, const Target& to,
                     std::int32_t* codes) {
  const std::int64_t first = to.kind * e.columns + to.column;
  const Real* slopes = static_cast<const Real*>(e.slopes) + first;
  const Real* shifts = static_cast<const Real*>(e.shifts) + first;
  const std::int32_t levels = static_cast<std::int32_t>(e.levels);
  for (std::int64_t c = 0; c < to.count; ++c) {
    const Real level = slopes[c] * static_cast<Real>(sums[c]) + shifts[c];
    codes[c] = std::min(std::max(static_cast<std::int32_t>(level), 0), levels);
  }
}

template <class T>
void emit_sums(const Emission& e, const std::int32_t* sums, const Target& to, T* y) {
  const std::int64_t* bias = e.bias + to.kind * e.columns + to.column;
  for (std::int64_t c = 0; c < to.count; ++c) {
    y[to.element + c] = static_cast<T>(bias[c] + e.scale * sums[c]);
  }
}

template <class T, class Codes>
void emit_codes(const Emission& e, const std::int32_t* sums, const Target& to, Codes codes_of,
                T* y) {
  std::int32_t codes[COLUMNS];
  codes_of(e, sums, to, codes);
  const std::int64_t base = e.bias[0];
  for (std::int64_t c = 0; c < to.count; ++c) {
    y[to.element + c] = static_cast<T>(base + e.scale * codes[c]);
  }
}

// Call `body` with what emits sums to y, as `T`: `emit(sums, target)`.
template <class T, class Body>
void with_emission_as(const Emission& e, T* y, Body body) {
  switch (e.kind) {
    case SUMS:
      return body([&](const std::int32_t* sums, const Target& to) { emit_sums(e, sums, to, y); });
    case COMPARED:
      return body([&](const std::int32_t* sums, const Target& to) {
        emit_codes(e, sums, to, count_reached, y);
      });
    case SEARCHED:
      return body([&](const std::int32_t* sums, const Target& to) {
        emit_codes(e, sums, to, search, y);
      });
    case MULTIPLIED:
      return body([&](const std::int32_t* sums, const Target& to) {
        emit_codes(e, sums, to, multiply<float>, y);
      });
    default:
      return body([&](const std::int32_t* sums, const Target& to) {
        emit_codes(e, sums, to, multiply<double>, y);
      });
  }
}

// Call `body` with what emits sums to buffer `y`: `emit(sums, target)`, for any layout.
template <class Body>
void with_emission(const Emission& e, const Frame& frame, std::int64_t y, Body body) {
  switch (e.layout) {
    case BYTES:
      return with_emission_as(e, frame.at<std::uint8_t>(y), body);
    case INT16:
      return with_emission_as(e, frame.at<std::int16_t>(y), body);
    case INT32:
      return with_emission_as(e, frame.at<std::int32_t>(y), body);
    default:
      return with_emission_as(e, frame.at<std::int64_t>(y), body);
  }
}

}  // namespace lutloom
