// Products with weights in {-1, 0, 1} on planes: the sums themselves, in a dense layout.
#include <algorithm>
#include <cstring>
#include <vector>

#include "codes.hpp"
#include "counting.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

using namespace planes;

// A sum is `scales [outputs]` times the number of the output, which `numbers` says as in
// plane_stairs.cpp, and `added [classes][outputs]`.
struct Sums {
  std::int64_t x;
  Operand y;
  std::int64_t pixels, outputs, outputs_per_bundle;
  Bundles bundles;
  const std::int64_t* windows;
  const std::int32_t* classes;
  const std::int32_t (*numbers)[2];
  const std::int64_t* scales;
  const std::int64_t* added;
};

// The numbers of all images: `number [LANES]`.
#if defined(__AVX512F__)
void gather(const Bits* bits, int width, std::int32_t* number) {
  for (std::int64_t first = 0; first < LANES; first += 16) {
    __m512i sum = _mm512_setzero_si512();
    for (int b = 0; b < width; ++b) {
      __mmask16 has;
      std::memcpy(&has, reinterpret_cast<const char*>(&bits[b].of[0]) + first / 8, sizeof has);
      sum = _mm512_mask_add_epi32(sum, has, sum, _mm512_set1_epi32(1 << b));
    }
    _mm512_storeu_si512(number + first, sum);
  }
}
#else
void gather(const Bits* bits, int width, std::int32_t* number) {
  std::fill_n(number, LANES, 0);
  for (int b = 0; b < width; ++b) {
    std::uint64_t words[PLANE_WORDS];
    std::memcpy(words, &bits[b].of[0], sizeof words);
    for (std::int64_t w = 0; w < PLANE_WORDS; ++w) {
      for (int i = 0; i < 64; ++i) {
        number[64 * w + i] += static_cast<std::int32_t>(words[w] >> i & 1) << b;
      }
    }
  }
}
#endif

void run(const Sums& p, const Frame& frame) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  Bits* bits = frame.at<Bits>(p.bundles.numbers);
  std::vector<std::int32_t> numbers(p.outputs * LANES);
  std::vector<std::int64_t> y(p.outputs);
  for (std::int64_t pixel = 0; pixel < p.pixels; ++pixel) {
    Windows windows;
    std::fill_n(windows.at, WINDOWS, x + p.windows[pixel]);
    Cursor at{0, 0, p.bundles.offsets, p.bundles.masks};
    for (std::int64_t bundle = 0; bundle < p.bundles.count; ++bundle) {
      count_bundle(p.bundles, bundle, windows, at, bits);
      const std::int64_t first = bundle * p.outputs_per_bundle;
      const std::int64_t last = std::min(first + p.outputs_per_bundle, p.outputs);
      for (std::int64_t o = first; o < last; ++o) {
        gather(bits + p.numbers[o][0], p.numbers[o][1], numbers.data() + o * LANES);
      }
    }
    const std::int64_t* added = p.added + p.classes[pixel] * p.outputs;
    for (std::int64_t i = 0; i < frame.images; ++i) {
      for (std::int64_t o = 0; o < p.outputs; ++o) {
        y[o] = p.scales[o] * numbers[o * LANES + i] + added[o];
      }
      write(p.y, frame, (i * p.pixels + pixel) * p.outputs, p.outputs, y.data());
    }
  }
}

}  // namespace

Kernel plane_sums_kernel() { return kernel<Sums, run>("plane_sums"); }

}  // namespace lutloom
