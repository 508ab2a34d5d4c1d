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

// Windows that follow each other while the lists of a bundle are in the cache.
constexpr std::int64_t AT_ONCE = 4;

// Whether the number of window `w` is above what masks say.
inline Plane is_above(const Bits* number, int width, const std::int64_t* masks, int w) {
  Plane above = spread(masks[0]);
  for (int b = 0; b < width; ++b) {
    above = majority(number[b].of[w], spread(masks[1 + b]), above);
  }
  return above;
}

// The planes of the outputs of a bundle, for window `w` of those whose numbers are given.
void emit(const Stairs& p, std::int64_t bundle, std::int64_t window, const Bits* numbers, int w,
          Plane* y) {
  const std::int64_t stride = 1 + p.most, levels = p.levels;
  const std::int64_t first = bundle * p.outputs_per_bundle;
  const std::int64_t last = std::min(first + p.outputs_per_bundle, p.outputs);
  const std::int64_t* masks =
      p.compares + (p.classes[window] * p.outputs + first) * levels * stride;
  const bool is_first = window % p.pooled == 0;
  y += (window / p.pooled * p.outputs + first) * levels;
  for (std::int64_t o = first; o < last; ++o) {
    const Bits* number = numbers + p.numbers[o][0];
    const int width = p.numbers[o][1];
    for (std::int64_t j = 0; j < levels; ++j, masks += stride, ++y) {
      const Plane above = is_above(number, width, masks, w);
      *y = is_first ? above : either(*y, above);
    }
  }
}

void run(const Stairs& p, const Frame& frame) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  Plane* y = frame.at<Plane>(p.y);
  Bits* numbers = frame.at<Bits>(p.bundles.numbers);
  const std::int64_t count = p.pixels * p.pooled;
  for (std::int64_t begin = 0; begin < count; begin += AT_ONCE) {
    const std::int64_t end = std::min(begin + AT_ONCE, count);
    Cursor next{0, 0, p.bundles.offsets, p.bundles.masks};
    for (std::int64_t bundle = 0; bundle < p.bundles.count; ++bundle) {
      Cursor at = next;
      for (std::int64_t window = begin; window < end; window += WINDOWS) {
        Windows windows;
        for (int w = 0; w < WINDOWS; ++w) {
          windows.at[w] = x + p.windows[std::min(window + w, end - 1)];
        }
        at = next;
        count_bundle(p.bundles, bundle, windows, at, numbers);
        for (int w = 0; w < WINDOWS && window + w < end; ++w) {
          emit(p, bundle, window + w, numbers, w, y);
        }
      }
      next = at;
    }
  }
}

}  // namespace

Kernel plane_stairs_kernel() { return kernel<Stairs, run>("plane_stairs"); }

}  // namespace lutloom
