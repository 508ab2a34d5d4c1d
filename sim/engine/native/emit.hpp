// 32-bit sums emitted to any layout, a register's width or several at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "emission.hpp"
#include "emit_wide.hpp"

namespace lutloom {

template <int COUNT>
void count_reached(const Emission& e, const std::int32_t* sums, const Target& to,
                   std::int32_t* codes) {
  const std::int32_t* rows = e.thresholds + to.kind * e.levels * e.columns + to.column;
  for (int c = 0; c < COUNT; ++c) codes[c] = 0;
  for (std::int64_t t = 0; t < e.levels; ++t, rows += e.columns) {
    for (int c = 0; c < COUNT; ++c) codes[c] += sums[c] >= rows[c];
  }
}

template <int COUNT>
void search(const Emission& e, const std::int32_t* sums, const Target& to, std::int32_t* codes) {
  const std::int32_t* rows = e.thresholds + to.kind * e.levels * e.columns + to.column;
  for (int c = 0; c < COUNT; ++c) codes[c] = 0;
  for (std::int64_t step = (e.levels + 1) / 2; step > 0; step /= 2) {
    for (int c = 0; c < COUNT; ++c) {
      const std::int64_t next = codes[c] + step;
      codes[c] = static_cast<std::int32_t>(sums[c] >= rows[(next - 1) * e.columns + c] ? next
                                                                                       : codes[c]);
    }
  }
}

template <int COUNT, class Real>
void multiply(const Emission& e, const std::int32_t* sums, const Target& to,
              std::int32_t* codes) {
  const std::int64_t first = to.kind * e.columns + to.column;
  const Real* slopes = static_cast<const Real*>(e.slopes) + first;
  const Real* shifts = static_cast<const Real*>(e.shifts) + first;
  const std::int32_t levels = static_cast<std::int32_t>(e.levels);
  for (int c = 0; c < COUNT; ++c) {
    const Real level = slopes[c] * static_cast<Real>(sums[c]) + shifts[c];
    codes[c] = std::min(std::max(static_cast<std::int32_t>(level), 0), levels);
  }
}

// Store what `value(c)` makes of the first `count` of COUNT.
template <int COUNT, class T, class Value>
void put(T* y, std::int64_t count, Value value) {
  if (count == COUNT) {
    for (int c = 0; c < COUNT; ++c) y[c] = value(c);
  } else {
    for (int c = 0; c < count; ++c) y[c] = value(c);
  }
}

template <int COUNT, class T>
void emit_sums(const Emission& e, const std::int32_t* sums, const Target& to, T* y) {
  // Integers of y, whatever is carried out of them on the way.
  using Sum = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  const Sum* bias = static_cast<const Sum*>(e.bias) + to.kind * e.columns + to.column;
  const Sum scale = static_cast<Sum>(e.scale);
  put<COUNT>(y + to.place * e.outputs + to.output, to.count,
             [&](int c) { return static_cast<T>(bias[c] + scale * static_cast<Sum>(sums[c])); });
}

template <int COUNT, class T>
void emit_codes(const Emission& e, const std::int32_t* codes, const Target& to, T* y) {
  y += to.place * e.outputs + to.output;
  if (e.base == 0 && e.scale == 1) {
    put<COUNT>(y, to.count, [&](int c) { return static_cast<T>(codes[c]); });
  } else {
    put<COUNT>(y, to.count, [&](int c) { return static_cast<T>(e.base + e.scale * codes[c]); });
  }
}

#if !defined(__AVX512BW__)
// Which of the sums reach `thresholds`: a bit each.
template <int COUNT>
std::uint64_t reached(const std::int32_t* sums, const std::int32_t* thresholds) {
  std::uint64_t bits = 0;
  for (int c = 0; c < COUNT; ++c) bits |= std::uint64_t{sums[c] >= thresholds[c]} << c;
  return bits;
}
#endif

template <int COUNT>
void emit_bits(const Emission& e, const std::int32_t* sums, const Target& to, std::uint8_t* y) {
  const std::int32_t* rows = e.thresholds + to.kind * e.levels * e.columns + to.column;
  const std::int64_t bytes = (e.outputs + 63) / 64 * 8, first = to.output / 8;
  const bool is_last = to.output + to.count == e.outputs;
  y += to.place * e.levels * bytes + first;
  for (std::int64_t t = 0; t < e.levels; ++t, rows += e.columns, y += bytes) {
    const std::uint64_t bits = reached<COUNT>(sums, rows);
    // What lies behind the last output reaches nothing: the word's last bits become zero.
    std::memcpy(y, &bits, is_last ? bytes - first : COUNT / 8);
  }
}

// Call `body` with what emits sums to y, as `T`: `emit(width, sums, target)`.
template <class T, class Body>
void with_emission_as(const Emission& e, T* y, Body body) {
  const auto with_codes = [&](auto codes_of) {
    body([=](auto width, const std::int32_t* sums, const Target& to) {
      alignas(64) std::int32_t codes[width];
      codes_of(width, e, sums, to, codes);
      emit_codes<width>(e, codes, to, y);
    });
  };
  switch (e.kind) {
    case SUMS:
      return body([=](auto width, const std::int32_t* sums, const Target& to) {
        emit_sums<width>(e, sums, to, y);
      });
    case COMPARED:
      return with_codes([](auto width, auto&... all) { count_reached<width>(all...); });
    case SEARCHED:
      return with_codes([](auto width, auto&... all) { search<width>(all...); });
    case MULTIPLIED:
      return with_codes([](auto width, auto&... all) { multiply<width, float>(all...); });
    default:
      return with_codes([](auto width, auto&... all) { multiply<width, double>(all...); });
  }
}

// Call `body` with what emits sums to buffer `y`: `emit(width, sums, target)`.
template <class Body>
void with_emission(const Emission& e, const Frame& frame, std::int64_t y, Body body) {
  switch (e.layout) {
    case BYTES:
#if defined(__AVX512BW__)
      if (e.base == 0 && e.scale == 1 && (e.kind == COMPARED || e.kind == MULTIPLIED)) {
        return with_wide_emission(e, frame.at<std::uint8_t>(y), body);
      }
#endif
      return with_emission_as(e, frame.at<std::uint8_t>(y), body);
    case INT16:
      return with_emission_as(e, frame.at<std::int16_t>(y), body);
    case INT32:
      return with_emission_as(e, frame.at<std::int32_t>(y), body);
    case BITS:
      return body([&e, y = frame.at<std::uint8_t>(y)](auto width, const std::int32_t* sums,
                                                      const Target& to) {
        emit_bits<width>(e, sums, to, y);
      });
    default:
      return with_emission_as(e, frame.at<std::int64_t>(y), body);
  }
}

}  // namespace lutloom
