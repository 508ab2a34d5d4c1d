// Planes as bytes of codes.
#include <algorithm>
#include <cstring>

#include "kernels.hpp"
#include "planes.hpp"
#include "transpose.hpp"

namespace lutloom {
namespace {

using namespace planes;

// The byte of an element is `lowest`, and `step` more for each of its planes that says so. Images
// come by 64.
struct FromPlanes {
  std::int64_t x, y, elements, levels, lowest, step;
};

constexpr std::int64_t SQUARE = 64;

// Add `step` to those of 64 bytes that have a bit.
void add_where(std::uint64_t bits, std::uint8_t step, std::uint8_t* bytes) {
#if defined(__AVX512BW__)
  const __m512i x = _mm512_loadu_si512(bytes);
  _mm512_storeu_si512(
      bytes, _mm512_mask_add_epi8(x, bits, x, _mm512_set1_epi8(static_cast<char>(step))));
#else
  for (std::int64_t c = 0; c < SQUARE; ++c) {
    bytes[c] = static_cast<std::uint8_t>(bytes[c] + (bits >> c & 1) * step);
  }
#endif
}

std::uint64_t spread_word(std::int64_t word) { return static_cast<std::uint64_t>(word); }

void run(const FromPlanes& p, const Frame& frame) {
  const std::uint64_t* x = frame.at<std::uint64_t>(p.x) + frame.first / SQUARE;
  std::uint8_t* y = frame.at<std::uint8_t>(p.y);
  for (std::int64_t e = 0; e < p.elements; e += SQUARE) {
    const std::int64_t count = std::min(SQUARE, p.elements - e);
    std::uint8_t bytes[SQUARE][SQUARE];
    std::memset(bytes, static_cast<int>(p.lowest), sizeof bytes);
    for (std::int64_t j = 0; j < p.levels; ++j) {
      std::uint64_t rows[SQUARE] = {};
      for (std::int64_t k = 0; k < count; ++k) {
        rows[k] = x[((e + k) * p.levels + j) * PLANE_WORDS];
      }
      transpose(rows, spread_word);
      for (std::int64_t i = 0; i < frame.images; ++i) {
        add_where(rows[i], static_cast<std::uint8_t>(p.step), bytes[i]);
      }
    }
    for (std::int64_t i = 0; i < frame.images; ++i) {
      std::memcpy(y + i * p.elements + e, bytes[i], static_cast<std::size_t>(count));
    }
  }
}

}  // namespace

Kernel from_planes_kernel() { return kernel<FromPlanes, run>("from_planes"); }

}  // namespace lutloom
