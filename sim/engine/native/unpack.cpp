// Thermometer rows of bits as bytes of codes.
#include <algorithm>

#include "kernels.hpp"

namespace lutloom {
namespace {

// `y [pixels][channels]` is `first + step *` the number of rows, `x [pixels][levels][words]`, that
// have a channel's bit.
struct Unpack {
  std::int64_t x, y, pixels, channels, levels, first, step;
};

constexpr std::int64_t WORD = 64;

void run(const Unpack& p, const Frame& frame) {
  const std::uint64_t* x = frame.at<std::uint64_t>(p.x);
  std::uint8_t* y = frame.at<std::uint8_t>(p.y);
  const std::int64_t words = (p.channels + WORD - 1) / WORD;
  const auto step = static_cast<std::uint8_t>(p.step);
  for (std::int64_t pixel = 0; pixel < frame.images * p.pixels; ++pixel) {
    std::fill_n(y, p.channels, static_cast<std::uint8_t>(p.first));
    for (std::int64_t j = 0; j < p.levels; ++j, x += words) {
      for (std::int64_t c = 0; c < p.channels; ++c) {
        y[c] = static_cast<std::uint8_t>(y[c] + step * (x[c / WORD] >> (c % WORD) & 1));
      }
    }
    y += p.channels;
  }
}

}  // namespace

Kernel unpack_kernel() { return kernel<Unpack, run>("unpack"); }

}  // namespace lutloom
