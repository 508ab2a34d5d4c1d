// Bytes of codes as thermometer rows of bits.
#include <algorithm>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

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

// Which of 64 codes are at least `first`.
#if defined(__AVX512BW__)
std::uint64_t at_least(const std::uint8_t* codes, std::uint8_t first) {
  return _mm512_cmpge_epu8_mask(_mm512_loadu_si512(codes),
                                _mm512_set1_epi8(static_cast<char>(first)));
}
#elif defined(__AVX2__)
std::uint64_t at_least(const std::uint8_t* codes, std::uint8_t first) {
  const __m256i least = _mm256_set1_epi8(static_cast<char>(first));
  std::uint64_t bits = 0;
  for (int half = 0; half < 2; ++half) {
    const auto* from = reinterpret_cast<const __m256i*>(codes) + half;
    const __m256i x = _mm256_loadu_si256(from);
    const __m256i reached = _mm256_cmpeq_epi8(_mm256_max_epu8(x, least), x);
    const auto mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(reached));
    bits |= std::uint64_t{mask} << (32 * half);
  }
  return bits;
}
#else
std::uint64_t at_least(const std::uint8_t* codes, std::uint8_t first) {
  std::uint64_t bits = 0;
  for (std::int64_t c = 0; c < WORD; ++c) bits |= std::uint64_t{codes[c] >= first} << c;
  return bits;
}
#endif

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
