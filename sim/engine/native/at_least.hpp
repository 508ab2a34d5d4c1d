// Which of 64 bytes are at least as large as another.
#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace lutloom {

inline std::uint64_t at_least(const std::uint8_t* bytes, std::uint8_t first) {
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
  for (int c = 0; c < 64; ++c) bits |= std::uint64_t{bytes[c] >= first} << c;
  return bits;
#endif
}

}  // namespace lutloom
