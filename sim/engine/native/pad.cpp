// Images with what windows see around them, and between pixels, physically there.
#include <algorithm>

#include "kernels.hpp"

namespace lutloom {
namespace {

// An image of y is `segments` one behind the other: `lengths[s]` elements from element `sources[s]`
// of x on, or `fill`, as it is stored, where that is -1. Elements of x are of `x_width` bytes, those
// of y of `y_width`; bytes become 16 bits without a sign.
struct Pad {
  std::int64_t x, y, x_elements, x_width, y_width, fill, segments;
  const std::int64_t* sources;
  const std::int64_t* lengths;
};

template <class From, class To>
void run_as(const Pad& p, const Frame& frame) {
  const From* x = frame.at<From>(p.x);
  To* y = frame.at<To>(p.y);
  for (std::int64_t i = 0; i < frame.images; ++i, x += p.x_elements) {
    for (std::int64_t s = 0; s < p.segments; ++s) {
      if (p.sources[s] < 0) {
        std::fill_n(y, p.lengths[s], static_cast<To>(p.fill));
      } else {
        std::copy_n(x + p.sources[s], p.lengths[s], y);
      }
      y += p.lengths[s];
    }
  }
}

void run(const Pad& p, const Frame& frame) {
  if (p.y_width == 1) return run_as<std::uint8_t, std::uint8_t>(p, frame);
  if (p.x_width == 1) return run_as<std::uint8_t, std::int16_t>(p, frame);
  return run_as<std::int16_t, std::int16_t>(p, frame);
}

}  // namespace

Kernel pad_kernel() { return kernel<Pad, run>("pad"); }

}  // namespace lutloom
