// Bytes of codes as thermometer rows of bits.
#include <algorithm>
#include <cstring>

#include "at_least.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// Bit c of row j of a pixel, `y [pixels][levels][words]`, says whether the code of channel c,
// `x [pixels][channels]`, is at least `first [levels]`.
struct Pack {
  std::int64_t x, y, pixels, channels, levels;
  const std::uint8_t* first;
};

constexpr std::int64_t WORD = 64;

void run(const Pack& p, const Frame& frame) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  std::uint64_t* y = frame.at<std::uint64_t>(p.y);
  const std::int64_t words = (p.channels + WORD - 1) / WORD;
  for (std::int64_t pixel = 0; pixel < frame.images * p.pixels; ++pixel, x += p.channels) {
    for (std::int64_t w = 0; w < words; ++w) {
      const std::uint8_t* codes = x + w * WORD;
      const std::int64_t count = std::min(p.channels - w * WORD, WORD);
      std::uint8_t last[WORD] = {};
      // Behind the last pixel there may be nothing to read; no code of 0 reaches a threshold.
      if (count < WORD) codes = static_cast<std::uint8_t*>(std::memcpy(last, codes, count));
      for (std::int64_t j = 0; j < p.levels; ++j) y[j * words + w] = at_least(codes, p.first[j]);
    }
    y += p.levels * words;
  }
}

}  // namespace

Kernel pack_kernel() { return kernel<Pack, run>("pack"); }

}  // namespace lutloom
