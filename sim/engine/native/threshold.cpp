// Staircases: the level of every element, by comparing it with the thresholds of its channel.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `y = base + sum over t of deltas[t] * (x >= thresholds[t])`, with tables `[classes][levels]
// [channels]` and `base [classes][channels]`. `classes [pixels]` says whose tables a pixel has.
struct Threshold {
  Operand x, y;
  std::int64_t pixels, channels, levels;
  const std::int32_t* classes;
  const std::int64_t* thresholds;
  const std::int64_t* deltas;
  const std::int64_t* base;
};

// The levels of `count` channels from channel `first` on.
void levels_of(const Threshold& p, std::int64_t kind, std::int64_t first, std::int64_t count,
               const std::int64_t* x, std::int64_t* y) {
  const std::int64_t* base = p.base + kind * p.channels + first;
  std::copy_n(base, count, y);
  for (std::int64_t t = 0; t < p.levels; ++t) {
    const std::int64_t row = (kind * p.levels + t) * p.channels + first;
    const std::int64_t* thresholds = p.thresholds + row;
    const std::int64_t* deltas = p.deltas + row;
    for (std::int64_t c = 0; c < count; ++c) y[c] += x[c] >= thresholds[c] ? deltas[c] : 0;
  }
}

void run(const Threshold& p, const Frame& frame) {
  std::int64_t x[CHUNK], y[CHUNK];
  for (std::int64_t pixel = 0; pixel < frame.images * p.pixels; ++pixel) {
    const std::int64_t kind = p.classes[pixel % p.pixels];
    in_chunks(p.channels, [&](std::int64_t first, std::int64_t count) {
      const std::int64_t element = pixel * p.channels + first;
      read(p.x, frame, element, count, x);
      levels_of(p, kind, first, count, x, y);
      write(p.y, frame, element, count, y);
    });
  }
}

}  // namespace

Kernel threshold_kernel() { return kernel<Threshold, run>("threshold"); }

}  // namespace lutloom
