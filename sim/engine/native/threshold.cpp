// Staircases: the level of every element, by comparing it with the thresholds of its channel.
#include <cstring>

#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `y = base + sum over t of heights[t] * (x > limits[t])`, as integers of `bits`, modulo which y is
// computed: tables `[kinds][levels][period]` and `base [kinds][period]`. Element e has entry `e %
// period` of one kind, or, of several, that of its channel, of the kind that its pixel has by `kinds
// [pixels]`. In tables of a `period` of 1, `channels` share them.
struct Threshold {
  Operand x, y;
  std::int64_t pixels, channels, levels, period, kinds, bits;
  const std::int32_t* kind_of;
  const void* limits;
  const void* heights;
  const void* base;
};

// The tables of a kind, from some place on.
template <class T, class U>
struct Tables {
  const T* limits;
  const U* heights;
  const U* base;
  std::int64_t levels, period;
};

// Elements that are compared at a time: their levels stay in registers.
constexpr std::int64_t SIZE = 64;

// The levels of `count` elements; behind x, y and tables there is room for SIZE.
template <bool SHARED, class T, class U>
void levels_of(const Tables<T, U>& tables, std::int64_t count, const T* x, U* y) {
  for (std::int64_t e = 0; e < count; e += SIZE) {
    U level[SIZE];
    for (std::int64_t i = 0; i < SIZE; ++i) level[i] = tables.base[SHARED ? 0 : e + i];
    for (std::int64_t t = 0; t < tables.levels; ++t) {
      const T* limits = tables.limits + t * tables.period + (SHARED ? 0 : e);
      const U* heights = tables.heights + t * tables.period + (SHARED ? 0 : e);
      for (std::int64_t i = 0; i < SIZE; ++i) {
        const U height = heights[SHARED ? 0 : i];
        level[i] += x[e + i] > limits[SHARED ? 0 : i] ? height : U{0};
      }
    }
    std::memcpy(y + e, level, sizeof level);
  }
}

template <class T, class U>
void run_as(const Threshold& p, const Frame& frame) {
  alignas(64) T x[CHUNK + SIZE];
  alignas(64) U y[CHUNK + SIZE];
  const auto compute = p.period == 1 ? levels_of<true, T, U> : levels_of<false, T, U>;
  const auto tables_at = [&](std::int64_t kind, std::int64_t place) {
    const std::int64_t row = kind * p.levels * p.period + place;
    return Tables<T, U>{static_cast<const T*>(p.limits) + row,
                        static_cast<const U*>(p.heights) + row,
                        static_cast<const U*>(p.base) + kind * p.period + place, p.levels,
                        p.period};
  };
  const std::int64_t elements = frame.images * p.pixels * p.channels;
  if (p.kinds == 1 && p.period <= CHUNK) {
    const std::int64_t whole = CHUNK / p.period * p.period;
    in_periods(elements, whole, [&](std::int64_t first, std::int64_t, std::int64_t count) {
      read(p.x, frame, first, count, x);
      const std::int64_t size = p.period == 1 ? count : p.period;
      for (std::int64_t e = 0; e < count; e += size) {
        compute(tables_at(0, 0), std::min(size, count - e), x + e, y + e);
      }
      write(p.y, frame, first, count, y);
    });
    return;
  }
  for (std::int64_t pixel = 0; pixel < frame.images * p.pixels; ++pixel) {
    const std::int64_t kind = p.kind_of[pixel % p.pixels];
    in_chunks(p.channels, [&](std::int64_t first, std::int64_t count) {
      const std::int64_t element = pixel * p.channels + first;
      read(p.x, frame, element, count, x);
      compute(tables_at(kind, p.period == 1 ? 0 : first), count, x, y);
      write(p.y, frame, element, count, y);
    });
  }
}

void run(const Threshold& p, const Frame& frame) {
  switch (p.bits) {
    case 16:
      return run_as<std::int16_t, std::uint16_t>(p, frame);
    case 32:
      return run_as<std::int32_t, std::uint32_t>(p, frame);
    default:
      return run_as<std::int64_t, std::uint64_t>(p, frame);
  }
}

}  // namespace

Kernel threshold_kernel() { return kernel<Threshold, run>("threshold"); }

}  // namespace lutloom
