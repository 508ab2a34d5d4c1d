// Products of any width with constant weights: what no faster kernel can compute.
#include <vector>

#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `places [pixels][taps]` are the pixels that windows see, -1 where that is `fill`; `weights
// [outputs][taps][channels / groups]`. With `levels` of -1 the sums themselves are the result, with
// `bias [classes][outputs]`; else `lo + step *` the number of `thresholds [classes][outputs]
// [levels]` that a sum reaches. `classes [pixels]` says whose.
struct Wide {
  Operand x, y;
  std::int64_t pixels, x_elements, outputs, groups, taps, channels, levels, lo, step, fill;
  const std::int32_t* classes;
  const std::int64_t* places;
  const std::uint64_t* weights;
  const std::uint64_t* bias;
  const std::int64_t* thresholds;
};

// The sum of a window, `taps [taps]` of which are its pixels' elements, or null. What wraps on the
// way to a sum that fits does no harm.
std::int64_t sum_of(const Wide& p, std::int64_t output, const std::uint64_t* const* taps) {
  const std::int64_t fan_in = p.channels / p.groups;
  const std::int64_t group = output / (p.outputs / p.groups);
  const std::uint64_t* weights = p.weights + output * p.taps * fan_in;
  const std::uint64_t fill = static_cast<std::uint64_t>(p.fill);
  std::uint64_t sum = 0;
  for (std::int64_t t = 0; t < p.taps; ++t, weights += fan_in) {
    if (taps[t] == nullptr) {
      for (std::int64_t c = 0; c < fan_in; ++c) sum += weights[c] * fill;
    } else {
      const std::uint64_t* x = taps[t] + group * fan_in;
      for (std::int64_t c = 0; c < fan_in; ++c) sum += weights[c] * x[c];
    }
  }
  return static_cast<std::int64_t>(sum);
}

void run(const Wide& p, const Frame& frame) {
  std::vector<std::uint64_t> image(p.x_elements);
  std::vector<std::int64_t> y(p.outputs);
  std::vector<const std::uint64_t*> taps(p.taps);
  for (std::int64_t i = 0; i < frame.images; ++i) {
    read(p.x, frame, i * p.x_elements, p.x_elements, image.data());
    for (std::int64_t pixel = 0; pixel < p.pixels; ++pixel) {
      for (std::int64_t t = 0; t < p.taps; ++t) {
        const std::int64_t place = p.places[pixel * p.taps + t];
        taps[t] = place < 0 ? nullptr : image.data() + place * p.channels;
      }
      const std::int64_t row = p.classes[pixel] * p.outputs;
      for (std::int64_t o = 0; o < p.outputs; ++o) {
        const std::int64_t sum = sum_of(p, o, taps.data());
        if (p.levels < 0) {
          y[o] = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) + p.bias[row + o]);
        } else {
          const std::int64_t* thresholds = p.thresholds + (row + o) * p.levels;
          y[o] = p.lo + p.step * (std::upper_bound(thresholds, thresholds + p.levels, sum) -
                                  thresholds);
        }
      }
      write(p.y, frame, (i * p.pixels + pixel) * p.outputs, p.outputs, y.data());
    }
  }
}

}  // namespace

Kernel wide_kernel() { return kernel<Wide, run>("wide"); }

}  // namespace lutloom
