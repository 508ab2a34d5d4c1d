// Elements of dense layouts as integers: read and written a chunk at a time, so that a kernel has
// one loop, whatever its operands are stored as.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine.hpp"

namespace lutloom {

// Elements that a kernel takes at a time: they stay in the first-level cache.
constexpr std::int64_t CHUNK = 1024;

template <class T, class Stored>
void widen(const Stored* stored, std::int64_t count, T* values) {
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<T>(stored[i]);
}

// Read elements `first` up to `first + count`: modulo 2^bits, where T does not hold them.
template <class T>
void read(const Operand& x, const Frame& frame, std::int64_t first, std::int64_t count, T* values) {
  switch (x.layout) {
    case BYTES: {
      const std::uint8_t* codes = frame.at<std::uint8_t>(x.buffer) + first;
      const T lo = static_cast<T>(x.lo), step = static_cast<T>(x.step);
      for (std::int64_t i = 0; i < count; ++i) values[i] = lo + step * static_cast<T>(codes[i]);
      break;
    }
    case INT16:
      return widen(frame.at<std::int16_t>(x.buffer) + first, count, values);
    case INT32:
      return widen(frame.at<std::int32_t>(x.buffer) + first, count, values);
    default:
      return widen(frame.at<std::int64_t>(x.buffer) + first, count, values);
  }
}

template <class T, class Stored>
void narrow(const T* values, std::int64_t count, Stored* stored) {
  for (std::int64_t i = 0; i < count; ++i) stored[i] = static_cast<Stored>(values[i]);
}

// Write elements `first` up to `first + count`: all of them are integers of the operand, or, where
// T is unsigned, equal to one modulo 2^bits, and T holds the reach of those.
template <class T>
void write(const Operand& y, const Frame& frame, std::int64_t first, std::int64_t count,
           const T* values) {
  switch (y.layout) {
    case BYTES: {
      std::uint8_t* codes = frame.at<std::uint8_t>(y.buffer) + first;
      const T lo = static_cast<T>(y.lo), step = static_cast<T>(y.step);
      if (step == 1) {
        for (std::int64_t i = 0; i < count; ++i) {
          codes[i] = static_cast<std::uint8_t>(values[i] - lo);
        }
      } else {
        for (std::int64_t i = 0; i < count; ++i) {
          codes[i] = static_cast<std::uint8_t>((values[i] - lo) / step);
        }
      }
      break;
    }
    case INT16:
      return narrow(values, count, frame.at<std::int16_t>(y.buffer) + first);
    case INT32:
      return narrow(values, count, frame.at<std::int32_t>(y.buffer) + first);
    default:
      return narrow(values, count, frame.at<std::int64_t>(y.buffer) + first);
  }
}

// Call `body(T{})` for T of `width` bytes.
template <class Body>
void of_width(std::int64_t width, Body body) {
  switch (width) {
    case 1:
      return body(std::uint8_t{});
    case 2:
      return body(std::int16_t{});
    case 4:
      return body(std::int32_t{});
    default:
      return body(std::int64_t{});
  }
}

// Call `body(first, count)` for chunks of `elements` elements.
template <class Body>
void in_chunks(std::int64_t elements, Body body) {
  for (std::int64_t first = 0; first < elements; first += CHUNK) {
    body(first, std::min(CHUNK, elements - first));
  }
}

// Call `body(first, place, count)` for chunks of `elements` elements that do not go beyond the end
// of a period, `place` being where in it they begin.
template <class Body>
void in_periods(std::int64_t elements, std::int64_t period, Body body) {
  for (std::int64_t begin = 0; begin < elements; begin += period) {
    in_chunks(std::min(period, elements - begin), [&](std::int64_t place, std::int64_t count) {
      body(begin + place, place, count);
    });
  }
}

}  // namespace lutloom
