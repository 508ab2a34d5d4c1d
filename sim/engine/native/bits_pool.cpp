// Max pools of thermometer rows: the largest code has every bit that any of them has.
#include <cstdint>

#include "kernels.hpp"

namespace lutloom {
namespace {

// Pixel r of y has the bits of pixels `seen [ends[r - 1]]` up to `seen[ends[r]]` of x, one or more,
// of `words` words each.
struct BitsPool {
  std::int64_t x, y, pixels, results, words;
  const std::int64_t* ends;
  const std::int64_t* seen;
};

void run(const BitsPool& p, const Frame& frame) {
  const std::uint64_t* x = frame.at<std::uint64_t>(p.x);
  std::uint64_t* y = frame.at<std::uint64_t>(p.y);
  for (std::int64_t i = 0; i < frame.images; ++i, x += p.pixels * p.words) {
    std::int64_t first = 0;
    for (std::int64_t r = 0; r < p.results; ++r, y += p.words) {
      for (std::int64_t w = 0; w < p.words; ++w) {
        std::uint64_t bits = 0;
        for (std::int64_t t = first; t < p.ends[r]; ++t) bits |= x[p.seen[t] * p.words + w];
        y[w] = bits;
      }
      first = p.ends[r];
    }
  }
}

}  // namespace

Kernel bits_pool_kernel() { return kernel<BitsPool, run>("bits_pool"); }

}  // namespace lutloom
