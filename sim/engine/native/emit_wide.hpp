// Codes of 64 sums at a time, as bytes or bits, where registers are that wide.
#pragma once

#include <cstdint>

#include "emission.hpp"

#if defined(__AVX512BW__)

#include <immintrin.h>

namespace lutloom {

// The sums of up to four registers, as codes between 0 and 255: those below count as 0.
template <int COUNT, class Codes>
__m512i bytes_of(Codes codes_of) {
  __m512i codes[4];
  for (int v = 0; v < 4; ++v) codes[v] = v < COUNT / 16 ? codes_of(v) : _mm512_setzero_si512();
  // Each quarter gets those of all four registers: they are put in order at the end.
  const __m512i mixed = _mm512_packus_epi16(_mm512_packs_epi32(codes[0], codes[1]),
                                            _mm512_packs_epi32(codes[2], codes[3]));
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, mixed);
}

inline void store_bytes(std::uint8_t* y, __m512i bytes, std::int64_t count) {
  if (count == 64) {
    _mm512_storeu_si512(y, bytes);
  } else {
    _mm512_mask_storeu_epi8(y, (std::uint64_t{1} << count) - 1, bytes);
  }
}

// Which of the sums reach `thresholds`: a bit each.
template <int COUNT>
std::uint64_t reached(const std::int32_t* sums, const std::int32_t* thresholds) {
  std::uint64_t bits = 0;
  for (int v = 0; v < COUNT / 16; ++v) {
    const __mmask16 mask = _mm512_cmpge_epi32_mask(_mm512_loadu_si512(sums + 16 * v),
                                                   _mm512_loadu_si512(thresholds + 16 * v));
    bits |= std::uint64_t{mask} << (16 * v);
  }
  return bits;
}

template <int COUNT>
__m512i compared(const Emission& e, const std::int32_t* sums, const Target& to) {
  const std::int32_t* rows = e.thresholds + to.kind * e.levels * e.columns + to.column;
  if (e.levels == 1) return _mm512_maskz_set1_epi8(reached<COUNT>(sums, rows), 1);
  return bytes_of<COUNT>([&](int v) {
    const __m512i sum = _mm512_loadu_si512(sums + 16 * v);
    __m512i codes = _mm512_setzero_si512();
    for (std::int64_t t = 0; t < e.levels; ++t) {
      const __m512i threshold = _mm512_loadu_si512(rows + t * e.columns + 16 * v);
      codes = _mm512_mask_add_epi32(codes, _mm512_cmpge_epi32_mask(sum, threshold), codes,
                                    _mm512_set1_epi32(1));
    }
    return codes;
  });
}

template <int COUNT>
__m512i multiplied(const Emission& e, const std::int32_t* sums, const Target& to) {
  const std::int64_t first = to.kind * e.columns + to.column;
  const float* slopes = static_cast<const float*>(e.slopes) + first;
  const float* shifts = static_cast<const float*>(e.shifts) + first;
  const __m512i codes = bytes_of<COUNT>([&](int v) {
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + 16 * v));
    const __m512 product = _mm512_mul_ps(sum, _mm512_loadu_ps(slopes + 16 * v));
    return _mm512_cvttps_epi32(_mm512_add_ps(product, _mm512_loadu_ps(shifts + 16 * v)));
  });
  return _mm512_min_epu8(codes, _mm512_set1_epi8(static_cast<char>(e.levels)));
}

// Call `body` with what emits codes as bytes that are compared or multiplied, and stored as they are:
// `emit(width, sums, target)`.
template <class Body>
void with_wide_emission(const Emission& e, std::uint8_t* y, Body body) {
  const auto with = [&](auto bytes) {
    body([=](auto width, const std::int32_t* sums, const Target& to) {
      store_bytes(y + to.place * e.outputs + to.output, bytes(width, e, sums, to), to.count);
    });
  };
  if (e.kind == COMPARED) {
    with([](auto width, auto&... all) { return compared<width>(all...); });
  } else {
    with([](auto width, auto&... all) { return multiplied<width>(all...); });
  }
}

}  // namespace lutloom

#endif
