// Registers of 32-bit sums, and what adds products of bytes or of 16-bit integers to them.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace lutloom {
// Names of its own: words.hpp has others for other registers, in other files of one library.
namespace vectors {

#if defined(__AVX512BW__)

using Vector = __m512i;

inline Vector zeros() { return _mm512_setzero_si512(); }
inline Vector load(const void* at) { return _mm512_loadu_si512(at); }
inline void store(void* at, Vector x) { _mm512_storeu_si512(at, x); }

// The same four bytes in every lane.
inline Vector broadcast(const void* at) {
  std::int32_t word;
  std::memcpy(&word, at, 4);
  return _mm512_set1_epi32(word);
}

// Add to each lane the products of two signed 16-bit integers.
inline Vector dot_shorts(Vector sum, Vector x, Vector w) {
#if defined(__AVX512VNNI__)
  return _mm512_dpwssd_epi32(sum, x, w);
#else
  return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w));
#endif
}

// Add to each lane the products of four bytes of x without a sign with four of w with one. Without
// VNNI, two products must add up to 16 bits. The narrowest registers have no such thing.
inline Vector dot_bytes(Vector sum, Vector x, Vector w) {
#if defined(__AVX512VNNI__)
  return _mm512_dpbusd_epi32(sum, x, w);
#else
  return dot_shorts(sum, _mm512_maddubs_epi16(x, w), _mm512_set1_epi16(1));
#endif
}

// Groups of four bytes put where the functions below take them from: those get them in order.
inline Vector spread(Vector x) {
  const Vector order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, x);
}

// Bytes, or pairs of them, of two registers alternately.
inline Vector low_bytes(Vector a, Vector b) { return _mm512_unpacklo_epi8(a, b); }
inline Vector high_bytes(Vector a, Vector b) { return _mm512_unpackhi_epi8(a, b); }
inline Vector low_pairs(Vector a, Vector b) { return _mm512_unpacklo_epi16(a, b); }
inline Vector high_pairs(Vector a, Vector b) { return _mm512_unpackhi_epi16(a, b); }

#elif defined(__AVX2__)

using Vector = __m256i;

inline Vector zeros() { return _mm256_setzero_si256(); }
inline Vector load(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}
inline void store(void* at, Vector x) { _mm256_storeu_si256(static_cast<__m256i*>(at), x); }

inline Vector broadcast(const void* at) {
  std::int32_t word;
  std::memcpy(&word, at, 4);
  return _mm256_set1_epi32(word);
}

inline Vector dot_shorts(Vector sum, Vector x, Vector w) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}

inline Vector dot_bytes(Vector sum, Vector x, Vector w) {
  return dot_shorts(sum, _mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1));
}

inline Vector spread(Vector x) {
  return _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
}

inline Vector low_bytes(Vector a, Vector b) { return _mm256_unpacklo_epi8(a, b); }
inline Vector high_bytes(Vector a, Vector b) { return _mm256_unpackhi_epi8(a, b); }
inline Vector low_pairs(Vector a, Vector b) { return _mm256_unpacklo_epi16(a, b); }
inline Vector high_pairs(Vector a, Vector b) { return _mm256_unpackhi_epi16(a, b); }

#elif defined(__SSE2__)

using Vector = __m128i;

inline Vector zeros() { return _mm_setzero_si128(); }
inline Vector load(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }
inline void store(void* at, Vector x) { _mm_storeu_si128(static_cast<__m128i*>(at), x); }

inline Vector broadcast(const void* at) {
  std::int32_t word;
  std::memcpy(&word, at, 4);
  return _mm_set1_epi32(word);
}

inline Vector dot_shorts(Vector sum, Vector x, Vector w) {
  return _mm_add_epi32(sum, _mm_madd_epi16(x, w));
}

#else

typedef std::int32_t Vector __attribute__((vector_size(16)));

inline Vector zeros() { return Vector{0, 0, 0, 0}; }

inline Vector load(const void* at) {
  Vector x;
  std::memcpy(&x, at, sizeof x);
  return x;
}

inline void store(void* at, Vector x) { std::memcpy(at, &x, sizeof x); }

inline Vector broadcast(const void* at) {
  std::int32_t word;
  std::memcpy(&word, at, 4);
  return Vector{word, word, word, word};
}

inline Vector dot_shorts(Vector sum, Vector x, Vector w) {
  // The lower half of a lane, with its sign, times the other's; then the upper half.
  return sum + (x << 16 >> 16) * (w << 16 >> 16) + (x >> 16) * (w >> 16);
}

#endif

// 32-bit sums that a register holds.
constexpr std::int64_t LANES_32 = sizeof(Vector) / 4;
// Outputs that are computed side by side: four registers. Python's `block_of` says the same.
constexpr std::int64_t BLOCK = 4 * LANES_32;
// Places that are computed at a time, for that many registers of outputs: as registers allow.
#if defined(__AVX512BW__)
constexpr int TILE_1 = 12, TILE_2 = 12, TILE_3 = 8, TILE_4 = 6;
#else
constexpr int TILE_1 = 8, TILE_2 = 4, TILE_3 = 3, TILE_4 = 2;
#endif

}  // namespace vectors

using namespace vectors;

}  // namespace lutloom
