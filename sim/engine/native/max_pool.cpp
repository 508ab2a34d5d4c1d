// The largest element of each window, channel by channel.
#include <algorithm>

#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// Pixel r of y is the largest of pixels `seen[ends[r - 1]]` up to `seen[ends[r]]` of x, one or
// more. Elements lie as they are stored, in the order of what they stand for: of `width` bytes.
struct MaxPool {
  std::int64_t x, y, width, x_elements, results, channels;
  const std::int64_t* ends;
  const std::int64_t* seen;
};

template <class T>
void run_as(const MaxPool& p, const Frame& frame) {
  T* y = frame.at<T>(p.y);
  for (std::int64_t i = 0; i < frame.images; ++i) {
    const T* x = frame.at<T>(p.x) + i * p.x_elements;
    std::int64_t tap = 0;
    for (std::int64_t r = 0; r < p.results; ++r, y += p.channels) {
      std::copy_n(x + p.seen[tap] * p.channels, p.channels, y);
      for (++tap; tap < p.ends[r]; ++tap) {
        const T* pixel = x + p.seen[tap] * p.channels;
        for (std::int64_t c = 0; c < p.channels; ++c) y[c] = std::max(y[c], pixel[c]);
      }
    }
  }
}

void run(const MaxPool& p, const Frame& frame) {
  of_width(p.width, [&](auto element) { run_as<decltype(element)>(p, frame); });
}

}  // namespace

Kernel max_pool_kernel() { return kernel<MaxPool, run>("max_pool"); }

}  // namespace lutloom
