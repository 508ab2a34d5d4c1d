// Bytes of codes as planes.
#include <algorithm>
#include <cstring>

#include "kernels.hpp"
#include "planes.hpp"
#include "transpose.hpp"

namespace lutloom {
namespace {

using namespace planes;

// Plane j of an element says whether its byte is at least `first [levels]`. Images come by 64.
struct ToPlanes {
  std::int64_t x, y, elements, levels;
  const std::uint8_t* first;
};

constexpr std::int64_t SQUARE = 64;

// Which of 64 bytes are at least `first`.
std::uint64_t at_least(const std::uint8_t* bytes, std::uint8_t first) {
#if defined(__AVX512BW__)
  return _mm512_cmpge_epu8_mask(_mm512_loadu_si512(bytes),
                                _mm512_set1_epi8(static_cast<char>(first)));
#elif defined(__AVX2__)
  const __m256i least = _mm256_set1_epi8(static_cast<char>(first));
  std::uint64_t bits = 0;
  for (int half = 0; half < 2; ++half) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes) + half);
    const __m256i reached = _mm256_cmpeq_epi8(_mm256_max_epu8(x, least), x);
    bits |= std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(reached))} << 32 * half;
  }
  return bits;
#else
  std::uint64_t bits = 0;
  for (std::int64_t c = 0; c < SQUARE; ++c) bits |= std::uint64_t{bytes[c] >= first} << c;
  return bits;
#endif
}

// The bits of `count` elements of an image, and of nothing behind them.
std::uint64_t bits_of(const std::uint8_t* bytes, std::int64_t count, std::uint8_t first) {
  if (count == SQUARE) return at_least(bytes, first);
  std::uint8_t copy[SQUARE] = {};
  std::memcpy(copy, bytes, static_cast<std::size_t>(count));
  return at_least(copy, first);
}

std::uint64_t spread_word(std::int64_t word) { return static_cast<std::uint64_t>(word); }

// 64 images or fewer, from number `frame.first` of the block on.
void run_square(const ToPlanes& p, const Frame& frame) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  std::uint64_t* y = frame.at<std::uint64_t>(p.y) + frame.first / SQUARE;
  for (std::int64_t e = 0; e < p.elements; e += SQUARE) {
    const std::int64_t count = std::min(SQUARE, p.elements - e);
    for (std::int64_t j = 0; j < p.levels; ++j) {
      std::uint64_t rows[SQUARE] = {};
      for (std::int64_t i = 0; i < frame.images; ++i) {
        rows[i] = bits_of(x + i * p.elements + e, count, p.first[j]);
      }
      transpose(rows, spread_word);
      for (std::int64_t k = 0; k < count; ++k) {
        y[((e + k) * p.levels + j) * PLANE_WORDS] = rows[k];
      }
    }
  }
}

// A block.
void run_block(const ToPlanes& p, const Frame& frame) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  Plane* y = frame.at<Plane>(p.y);
  alignas(PLANE_BYTES) std::uint64_t words[SQUARE][PLANE_WORDS] = {};
  Plane rows[SQUARE];
  for (std::int64_t e = 0; e < p.elements; e += SQUARE) {
    const std::int64_t count = std::min(SQUARE, p.elements - e);
    for (std::int64_t j = 0; j < p.levels; ++j) {
      for (std::int64_t i = 0; i < frame.images; ++i) {
        words[i % SQUARE][i / SQUARE] = bits_of(x + i * p.elements + e, count, p.first[j]);
      }
      for (std::int64_t r = 0; r < SQUARE; ++r) rows[r] = load(words[r]);
      transpose(rows, spread);
      for (std::int64_t k = 0; k < count; ++k) y[(e + k) * p.levels + j] = rows[k];
    }
  }
}

void run(const ToPlanes& p, const Frame& frame) {
  if (frame.images <= SQUARE) {
    run_square(p, frame);
  } else {
    run_block(p, frame);
  }
}

}  // namespace

Kernel to_planes_kernel() { return kernel<ToPlanes, run>("to_planes"); }

}  // namespace lutloom
