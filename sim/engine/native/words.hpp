// Registers of words of 64 bits, a word of another output in each lane, and how many of their bits
// are set: as the instruction set has it.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace lutloom {
// Names of its own: vectors.hpp has others for other registers, in other files of one library.
namespace words {

#if defined(__AVX512BW__)

using Words = __m512i;

inline Words zero() { return _mm512_setzero_si512(); }
inline Words load(const void* words) { return _mm512_loadu_si512(words); }
inline Words same(std::uint64_t word) { return _mm512_set1_epi64(static_cast<long long>(word)); }
inline Words differ(Words a, Words b) { return _mm512_xor_si512(a, b); }
inline Words add(Words a, Words b) { return _mm512_add_epi64(a, b); }
inline void store(void* words, Words a) { _mm512_storeu_si512(words, a); }

// The carries of three bits of which are given: the first, the first two's parity, all parity.
inline Words carry(Words first, Words two, Words three) {
  return _mm512_ternarylogic_epi64(first, two, three, 0x74);
}

// Which lanes are at most `limits`, the first lane as the lowest bit.
inline unsigned at_most(Words counts, const std::int64_t* limits) {
  return _mm512_cmple_epi64_mask(counts, load(limits));
}

#elif defined(__AVX2__)

using Words = __m256i;

inline Words zero() { return _mm256_setzero_si256(); }
inline Words load(const void* words) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(words));
}
inline Words same(std::uint64_t word) { return _mm256_set1_epi64x(static_cast<long long>(word)); }
inline Words differ(Words a, Words b) { return _mm256_xor_si256(a, b); }
inline Words add(Words a, Words b) { return _mm256_add_epi64(a, b); }
inline void store(void* words, Words a) { _mm256_storeu_si256(static_cast<__m256i*>(words), a); }
inline Words carry(Words first, Words two, Words three) {
  return _mm256_or_si256(_mm256_andnot_si256(_mm256_and_si256(two, three), first),
                         _mm256_andnot_si256(three, two));
}
inline unsigned at_most(Words counts, const std::int64_t* limits) {
  const Words above = _mm256_cmpgt_epi64(counts, load(limits));
  return 15u ^ static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(above)));
}

#else

using Words __attribute__((vector_size(16))) = std::uint64_t;

inline Words zero() { return Words{}; }
inline Words load(const void* words) {
  Words a;
  std::memcpy(&a, words, sizeof(a));
  return a;
}
inline Words same(std::uint64_t word) { return Words{word, word}; }
inline Words differ(Words a, Words b) { return a ^ b; }
inline Words add(Words a, Words b) { return a + b; }
inline void store(void* words, Words a) { std::memcpy(words, &a, sizeof(a)); }
inline Words carry(Words first, Words two, Words three) {
  return (first & ~(two & three)) | (two & ~three);
}
inline unsigned at_most(Words counts, const std::int64_t* limits) {
  const auto reaches = [&](int lane) -> unsigned {
    return static_cast<std::int64_t>(counts[lane]) <= limits[lane];
  };
  return reaches(0) | reaches(1) << 1;
}

#endif

// Outputs of a register.
constexpr std::int64_t WIDTH = sizeof(Words) / 8;

#if defined(__AVX512VPOPCNTDQ__) && defined(__AVX512BW__)

// Counts the bits of carries, each of which stands for two bits.
class Counter {
 public:
  static constexpr std::int64_t MOST = 0;  // as often as may be
  void add_carry(Words carry) { pairs_ = add(pairs_, _mm512_popcnt_epi64(carry)); }
  void add_carries(Words a, Words b, Words c, Words d) {
    add_carry(a);
    add_carry(b);
    add_carry(c);
    add_carry(d);
  }
  // How many bits there are, with those of a parity that no carry stands for.
  Words total(Words parity) const {
    return add(_mm512_popcnt_epi64(parity), add(pairs_, pairs_));
  }

 private:
  Words pairs_ = zero();
};

#else

#if defined(__AVX512BW__)

inline Words add_bytes(Words a, Words b) { return _mm512_add_epi8(a, b); }
inline Words sum_bytes(Words a) { return _mm512_sad_epu8(a, zero()); }
inline Words eight_times(Words a) { return _mm512_slli_epi64(a, 3); }
inline Words parity(Words a, Words b, Words c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}
inline Words majority(Words a, Words b, Words c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0xE8);
}
inline Words count_bytes(Words a) {
  const Words low = _mm512_set1_epi8(15);
  const Words bits = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  return add_bytes(
      _mm512_shuffle_epi8(bits, _mm512_and_si512(a, low)),
      _mm512_shuffle_epi8(bits, _mm512_and_si512(_mm512_srli_epi16(a, 4), low)));
}

#elif defined(__AVX2__)

inline Words add_bytes(Words a, Words b) { return _mm256_add_epi8(a, b); }
inline Words sum_bytes(Words a) { return _mm256_sad_epu8(a, zero()); }
inline Words eight_times(Words a) { return _mm256_slli_epi64(a, 3); }
inline Words parity(Words a, Words b, Words c) { return differ(differ(a, b), c); }
inline Words majority(Words a, Words b, Words c) {
  const Words unequal = differ(a, b);
  return _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(unequal, c));
}
inline Words count_bytes(Words a) {
  const Words low = _mm256_set1_epi8(15);
  const Words bits = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                      0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  return add_bytes(
      _mm256_shuffle_epi8(bits, _mm256_and_si256(a, low)),
      _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16(a, 4), low)));
}

#else

// Bytes never carry into the next one: none of their sums is above 255.
inline Words add_bytes(Words a, Words b) { return a + b; }
inline Words sum_bytes(Words a) {
  const std::uint64_t bytes = 0x00FF00FF00FF00FF, pairs = 0x0000FFFF0000FFFF;
  a = (a & bytes) + (a >> 8 & bytes);
  a = (a & pairs) + (a >> 16 & pairs);
  return (a & 0xFFFFFFFF) + (a >> 32);
}
inline Words eight_times(Words a) { return a << 3; }
inline Words parity(Words a, Words b, Words c) { return a ^ b ^ c; }
inline Words majority(Words a, Words b, Words c) { return (a & b) | ((a ^ b) & c); }
inline Words count_bytes(Words a) {
  a -= a >> 1 & 0x5555555555555555;
  a = (a & 0x3333333333333333) + (a >> 2 & 0x3333333333333333);
  return (a + (a >> 4)) & 0x0F0F0F0F0F0F0F0F;
}

#endif

// Counts the bits of carries, each of which stands for two bits. Full adders leave one carry of
// four to be counted: counting the bits of bytes takes seven instructions, an adder two.
class Counter {
 public:
  // How often `add_carries` may be called before `flush` is: a byte holds eight bits as often.
  static constexpr std::int64_t MOST = 31;
  // No more than three of them.
  void add_carry(Words carry) { pairs_ = add_bytes(pairs_, count_bytes(carry)); }
  void add_carries(Words a, Words b, Words c, Words d) {
    const Words first = majority(twos_, a, b);
    twos_ = parity(twos_, a, b);
    const Words second = majority(twos_, c, d);
    twos_ = parity(twos_, c, d);
    eights_ = add_bytes(eights_, count_bytes(majority(fours_, first, second)));
    fours_ = parity(fours_, first, second);
  }
  void flush() {
    sum_ = add(sum_, eight_times(sum_bytes(eights_)));
    eights_ = zero();
  }
  // How many bits there are, with those of a parity that no carry stands for.
  Words total(Words parity) {
    const Words fours = count_bytes(fours_);
    const Words twos = add_bytes(add_bytes(pairs_, count_bytes(twos_)), add_bytes(fours, fours));
    flush();
    return add(sum_bytes(add_bytes(count_bytes(parity), add_bytes(twos, twos))), sum_);
  }

 private:
  Words pairs_ = zero(), twos_ = zero(), fours_ = zero(), eights_ = zero(), sum_ = zero();
};

#endif

}  // namespace words

using namespace words;

}  // namespace lutloom
