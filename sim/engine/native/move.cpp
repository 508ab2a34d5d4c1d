// Elements copied to other places: permute, concat, slice, upsample, window and padding alike.
#include <algorithm>

#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// Runs of elements of `width` bytes, from element `sources[r]` of x to `targets[r]` of y. Before
// them all of y may be set to `fill`, as it is stored.
struct Move {
  std::int64_t x, y, x_elements, y_elements, width, runs, is_filled, fill;
  const std::int64_t* sources;
  const std::int64_t* targets;
  const std::int64_t* lengths;
};

template <class T>
void run_as(const Move& p, const Frame& frame) {
  const T* x = frame.at<T>(p.x);
  T* y = frame.at<T>(p.y);
  for (std::int64_t i = 0; i < frame.images; ++i, x += p.x_elements, y += p.y_elements) {
    if (p.is_filled) std::fill_n(y, p.y_elements, static_cast<T>(p.fill));
    for (std::int64_t r = 0; r < p.runs; ++r) {
      std::copy_n(x + p.sources[r], p.lengths[r], y + p.targets[r]);
    }
  }
}

void run(const Move& p, const Frame& frame) {
  of_width(p.width, [&](auto element) { run_as<decltype(element)>(p, frame); });
}

}  // namespace

Kernel move_kernel() { return kernel<Move, run>("move"); }

}  // namespace lutloom
