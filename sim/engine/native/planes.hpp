// Planes: a bit of each image of a block. Logic on them computes as many images at once as a
// register has bits.
#pragma once

#include <cstdint>

#include "engine.hpp"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace lutloom {
namespace planes {

constexpr std::int64_t PLANE_BYTES = LANES / 8;
constexpr std::int64_t PLANE_WORDS = LANES / 64;

#if defined(__AVX512F__)

using Plane = __m512i;

inline Plane load(const void* from) { return _mm512_load_si512(from); }
inline void store(void* to, Plane a) { _mm512_store_si512(to, a); }
inline Plane spread(std::int64_t word) { return _mm512_set1_epi64(word); }

inline Plane majority(Plane a, Plane b, Plane c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0xE8);
}

// The truth table of vpternlog, in which bit `4 a + 2 b + sum` is the carry of what has added up to
// `sum`: a and b, each of which may be complemented, and a third.
template <bool NOT_A, bool NOT_B>
constexpr int carry_table() {
  int table = 0;
  for (int i = 0; i < 8; ++i) {
    const int a = (i >> 2 & 1) ^ NOT_A, b = (i >> 1 & 1) ^ NOT_B;
    table |= (a + b + (a ^ b ^ (i & 1)) >= 2) << i;
  }
  return table;
}

// Add `a` and `b` to `sum`, a bit each, and return the carry. They may be complemented first.
template <bool NOT_A = false, bool NOT_B = false>
inline Plane full_add(Plane& sum, Plane a, Plane b) {
  sum = _mm512_ternarylogic_epi64(sum, a, b, NOT_A == NOT_B ? 0x96 : 0x69);
  // From the new sum, so that no register has to be copied.
  return _mm512_ternarylogic_epi64(a, b, sum, (carry_table<NOT_A, NOT_B>()));
}

inline Plane both(Plane a, Plane b) { return _mm512_and_si512(a, b); }
inline Plane either(Plane a, Plane b) { return _mm512_or_si512(a, b); }
inline Plane differ(Plane a, Plane b) { return _mm512_xor_si512(a, b); }
// `a & keep ^ flip`.
inline Plane masked(Plane a, Plane keep, Plane flip) {
  return _mm512_ternarylogic_epi64(a, keep, flip, 0x6A);
}

#else

#if defined(__AVX2__)

using Plane = __m256i;

inline Plane load(const void* from) {
  return _mm256_load_si256(static_cast<const __m256i*>(from));
}
inline void store(void* to, Plane a) { _mm256_store_si256(static_cast<__m256i*>(to), a); }
inline Plane spread(std::int64_t word) { return _mm256_set1_epi64x(word); }
inline Plane both(Plane a, Plane b) { return _mm256_and_si256(a, b); }
inline Plane either(Plane a, Plane b) { return _mm256_or_si256(a, b); }
inline Plane differ(Plane a, Plane b) { return _mm256_xor_si256(a, b); }

#else

using Plane = std::uint64_t;

inline Plane load(const void* from) { return *static_cast<const Plane*>(from); }
inline void store(void* to, Plane a) { *static_cast<Plane*>(to) = a; }
inline Plane spread(std::int64_t word) { return static_cast<Plane>(word); }
inline Plane both(Plane a, Plane b) { return a & b; }
inline Plane either(Plane a, Plane b) { return a | b; }
inline Plane differ(Plane a, Plane b) { return a ^ b; }

#endif

inline Plane complement(Plane a) { return differ(a, spread(-1)); }

inline Plane majority(Plane a, Plane b, Plane c) {
  return either(both(a, b), both(c, differ(a, b)));
}

template <bool NOT_A = false, bool NOT_B = false>
inline Plane full_add(Plane& sum, Plane a, Plane b) {
  const Plane x = NOT_A ? complement(a) : a, y = NOT_B ? complement(b) : b;
  const Plane odd = differ(x, y);
  const Plane carry = differ(x, both(odd, differ(x, sum)));
  sum = differ(odd, sum);
  return carry;
}

inline Plane masked(Plane a, Plane keep, Plane flip) { return differ(both(a, keep), flip); }

#endif

// Add `a` to `sum`, and return the carry.
inline Plane half_add(Plane& sum, Plane a) {
  const Plane carry = both(sum, a);
  sum = differ(sum, a);
  return carry;
}

}  // namespace planes
}  // namespace lutloom
