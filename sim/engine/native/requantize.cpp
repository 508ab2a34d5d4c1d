// Products and shifts, rounded and clamped.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

enum Rounding : std::int64_t { DOWN, TIES_TO_EVEN, TO_ZERO, FROM_ZERO };

// `clamp((x * m + b) >> shift, lowest, highest)`. Element e has the constants of `e % period`; of m
// and b there are the lower and the upper 64 bits, of sums of up to 94. They are `bits` wide.
struct Requantize {
  Operand x, y;
  std::int64_t elements, period, bits, shift, rounding;
  const std::int64_t* m;
  const std::int64_t* b;
  const std::int64_t* lowest;
  const std::int64_t* highest;
};

template <class Sum, class Unsigned>
Sum number(const std::int64_t* words, std::int64_t period, std::int64_t place) {
  Unsigned value = static_cast<std::uint64_t>(words[place]);
  if (sizeof(Sum) > 8) {
    value |= static_cast<Unsigned>(words[period + place]) << (sizeof(Sum) > 8 ? 64 : 0);
  }
  return static_cast<Sum>(value);
}

// Unsigned, so that what wraps on the way to a sum that fits is well defined.
template <class Sum, class Unsigned, Rounding ROUNDING>
void levels(const Requantize& p, std::int64_t place, std::int64_t count, std::int64_t* values) {
  for (std::int64_t e = 0; e < count; ++e) {
    const auto m = static_cast<Unsigned>(number<Sum, Unsigned>(p.m, p.period, place + e));
    const auto b = static_cast<Unsigned>(number<Sum, Unsigned>(p.b, p.period, place + e));
    const Sum sum = static_cast<Sum>(static_cast<Unsigned>(static_cast<Sum>(values[e])) * m + b);
    Sum level = sum >> p.shift;
    const bool rest = static_cast<Sum>(static_cast<Unsigned>(level) << p.shift) != sum;
    if (ROUNDING == TIES_TO_EVEN) level -= !rest & (level & 1);
    if (ROUNDING == TO_ZERO) level += rest & (sum < 0);
    if (ROUNDING == FROM_ZERO) level += rest & (sum > 0);
    const Sum lowest = p.lowest[place + e], highest = p.highest[place + e];
    values[e] = static_cast<std::int64_t>(level < lowest ? lowest : level > highest ? highest : level);
  }
}

template <class Sum, class Unsigned>
void run_as(const Requantize& p, const Frame& frame) {
  std::int64_t values[CHUNK];
  in_periods(frame.images * p.elements, p.period,
             [&](std::int64_t first, std::int64_t place, std::int64_t count) {
               read(p.x, frame, first, count, values);
               switch (p.rounding) {
                 case DOWN:
                   levels<Sum, Unsigned, DOWN>(p, place, count, values);
                   break;
                 case TIES_TO_EVEN:
                   levels<Sum, Unsigned, TIES_TO_EVEN>(p, place, count, values);
                   break;
                 case TO_ZERO:
                   levels<Sum, Unsigned, TO_ZERO>(p, place, count, values);
                   break;
                 default:
                   levels<Sum, Unsigned, FROM_ZERO>(p, place, count, values);
               }
               write(p.y, frame, first, count, values);
             });
}

void run(const Requantize& p, const Frame& frame) {
  p.bits == 64 ? run_as<std::int64_t, std::uint64_t>(p, frame)
               : run_as<__int128, unsigned __int128>(p, frame);
}

}  // namespace

Kernel requantize_kernel() { return kernel<Requantize, run>("requantize"); }

}  // namespace lutloom
