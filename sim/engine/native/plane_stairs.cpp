// Products with weights in {-1, 0, 1} on planes, and the staircases behind them: planes again.
#include <algorithm>

#include "counting.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

using namespace planes;

// Of each output, `numbers` says where its number is, and its width. Its code is above `j` if the
// number is above `compares [classes][outputs][levels][1 + most]`: masks of the bits that are 0 in
// what it is compared with, behind a mask that says whether equal is enough. `windows [pixels]
// [pooled]` are where windows begin, in bytes, and `classes` theirs: of the results of several
// windows the largest is kept.
struct Stairs {
  std::int64_t x, y, pixels, pooled, outputs, outputs_per_bundle, levels, most;
  Bundles bundles;
  const std::int64_t* windows;
  const std::int32_t* classes;
  const std::int32_t (*numbers)[2];
  const std::int64_t* compares;
};

inline Plane is_above(const Plane* number, int width, const std::int64_t* masks) {
  Plane above = spread(masks[0]);
  for (int b = 0; b < width; ++b) {
    above = majority<false, false>(number[b], spread(masks[1 + b]), above);
  }
  return above;
}

// The planes of the outputs of a bundle, for one window; joined with what is there, if told.
void emit(const Stairs& p, std::int64_t first, std::int64_t last, std::int64_t kind, bool is_joined,
          const Plane* numbers, Plane* y) {
  const std::int64_t stride = 1 + p.most;
  for (std::int64_t o = first; o < last; ++o) {
    const Plane* number = numbers + p.numbers[o][0];
    const std::int64_t* masks = p.compares + (kind * p.outputs + o) * p.levels * stride;
    for (std::int64_t j = 0; j < p.levels; ++j, masks += stride) {
      Plane& target = y[o * p.levels + j];
      const Plane above = is_above(number, p.numbers[o][1], masks);
      target = is_joined ? either(target, above) : above;
    }
  }
}

void run(const Stairs& p, const Frame& frame) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  Plane* numbers = frame.at<Plane>(p.bundles.numbers);
  for (std::int64_t pixel = 0; pixel < p.pixels; ++pixel) {
    Plane* y = frame.at<Plane>(p.y) + pixel * p.outputs * p.levels;
    Cursor begin{0, 0, p.bundles.offsets, p.bundles.masks};
    for (std::int64_t bundle = 0; bundle < p.bundles.count; ++bundle) {
      const std::int64_t first = bundle * p.outputs_per_bundle;
      const std::int64_t last = std::min(first + p.outputs_per_bundle, p.outputs);
      Cursor at = begin;
      for (std::int64_t i = 0; i < p.pooled; ++i) {
        const std::int64_t window = pixel * p.pooled + i;
        at = begin;
        count_bundle(p.bundles, bundle, x + p.windows[window], at, numbers);
        emit(p, first, last, p.classes[window], i > 0, numbers, y);
      }
      begin = at;
    }
  }
}

}  // namespace

Kernel plane_stairs_kernel() { return kernel<Stairs, run>("plane_stairs"); }

}  // namespace lutloom
