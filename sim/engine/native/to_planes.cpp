// Bytes of codes as planes.
#include <algorithm>
#include <cstring>

#include "at_least.hpp"
#include "kernels.hpp"
#include "planes.hpp"
#include "transpose.hpp"

namespace lutloom {
namespace {

using namespace planes;

// Plane j of an element says whether its byte is at least `first [levels]`, or, if it `is_binary`,
// whether it has that bit. Images come by 64.
struct ToPlanes {
  std::int64_t x, y, elements, levels, is_binary;
  const std::uint8_t* first;
};

constexpr std::int64_t SQUARE = 64;

// Which of 64 bytes have a bit.
std::uint64_t having(const std::uint8_t* bytes, std::uint8_t bit) {
#if defined(__AVX512BW__)
  return _mm512_test_epi8_mask(_mm512_loadu_si512(bytes),
                               _mm512_set1_epi8(static_cast<char>(bit)));
#else
  std::uint64_t bits = 0;
  for (std::int64_t c = 0; c < SQUARE; ++c) bits |= std::uint64_t{(bytes[c] & bit) != 0} << c;
  return bits;
#endif
}

// The bits of `count` elements of an image for plane j, and of nothing behind them.
std::uint64_t bits_of(const ToPlanes& p, const std::uint8_t* bytes, std::int64_t count,
                      std::int64_t j) {
  std::uint8_t copy[SQUARE] = {};
  if (count < SQUARE) {
    std::memcpy(copy, bytes, static_cast<std::size_t>(count));
    bytes = copy;
  }
  return p.is_binary ? having(bytes, p.first[j]) : at_least(bytes, p.first[j]);
}

// 64 images or fewer, from number `frame.first` of the block on: as many squares of elements at
// once as a plane has words.
void run_square(const ToPlanes& p, const Frame& frame) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  std::uint64_t* y = frame.at<std::uint64_t>(p.y) + frame.first / SQUARE;
  alignas(PLANE_BYTES) std::uint64_t words[SQUARE][PLANE_WORDS] = {};
  Plane rows[SQUARE];
  for (std::int64_t begin = 0; begin < p.elements; begin += LANES) {
    const std::int64_t end = std::min(begin + LANES, p.elements);
    for (std::int64_t j = 0; j < p.levels; ++j) {
      for (std::int64_t i = 0; i < frame.images; ++i) {
        for (std::int64_t e = begin; e < end; e += SQUARE) {
          words[i][(e - begin) / SQUARE] =
              bits_of(p, x + i * p.elements + e, std::min(SQUARE, end - e), j);
        }
      }
      for (std::int64_t r = 0; r < SQUARE; ++r) rows[r] = load(words[r]);
      transpose(rows, spread);
      for (std::int64_t r = 0; r < SQUARE; ++r) store(words[r], rows[r]);
      for (std::int64_t e = begin; e < end; ++e) {
        y[(e * p.levels + j) * PLANE_WORDS] = words[(e - begin) % SQUARE][(e - begin) / SQUARE];
      }
      std::memset(words, 0, sizeof words);
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
        words[i % SQUARE][i / SQUARE] = bits_of(p, x + i * p.elements + e, count, j);
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
