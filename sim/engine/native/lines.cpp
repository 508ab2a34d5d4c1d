// Staircases of even steps as lines: multiplied, added and truncated.
#include <algorithm>

#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `base + height *` the integer part of `slope * x + shift`, that no less than 0 and no more than
// `levels`: with x, product and sum rounded to float32, and the result modulo 2^32. Element e has
// the line of `e % period`.
struct Lines {
  Operand x, y;
  std::int64_t elements, period, levels;
  const float* slopes;
  const float* shifts;
  const std::uint32_t* heights;
  const std::uint32_t* base;
};

void run(const Lines& p, const Frame& frame) {
  std::int32_t x[CHUNK];
  std::uint32_t y[CHUNK];
  const std::int32_t levels = static_cast<std::int32_t>(p.levels);
  in_periods(frame.images * p.elements, p.period,
             [&](std::int64_t first, std::int64_t place, std::int64_t count) {
               read(p.x, frame, first, count, x);
               for (std::int64_t e = 0; e < count; ++e) {
                 const float sum = p.slopes[place + e] * static_cast<float>(x[e]);
                 const std::int32_t level = static_cast<std::int32_t>(sum + p.shifts[place + e]);
                 const std::int32_t reached = std::min(std::max(level, 0), levels);
                 y[e] = p.base[place + e] +
                        p.heights[place + e] * static_cast<std::uint32_t>(reached);
               }
               write(p.y, frame, first, count, y);
             });
}

}  // namespace

Kernel lines_kernel() { return kernel<Lines, run>("lines"); }

}  // namespace lutloom
