// What counting.hpp says, by full adders on registers.
#include "counting.hpp"

#include <algorithm>

#define ALWAYS_INLINE inline __attribute__((always_inline))

namespace lutloom {
namespace planes {
namespace {

constexpr std::int64_t BYTE = 8;

ALWAYS_INLINE Bits zeros() {
  Bits bits;
  for (int w = 0; w < WINDOWS; ++w) bits.of[w] = spread(0);
  return bits;
}

ALWAYS_INLINE Bits read(const Windows& windows, std::uint32_t offset) {
  Bits bits;
  for (int w = 0; w < WINDOWS; ++w) bits.of[w] = load(windows.at[w] + offset);
  return bits;
}

ALWAYS_INLINE Bits masked(Bits a, const std::int64_t* masks) {
  const Plane keep = spread(masks[0]), flip = spread(masks[1]);
  for (int w = 0; w < WINDOWS; ++w) a.of[w] = planes::masked(a.of[w], keep, flip);
  return a;
}

template <bool NOT_A = false, bool NOT_B = false>
ALWAYS_INLINE Bits full_add(Bits& sum, Bits a, Bits b) {
  for (int w = 0; w < WINDOWS; ++w) {
    a.of[w] = planes::full_add<NOT_A, NOT_B>(sum.of[w], a.of[w], b.of[w]);
  }
  return a;
}

ALWAYS_INLINE Bits half_add(Bits& sum, Bits a) {
  for (int w = 0; w < WINDOWS; ++w) a.of[w] = planes::half_add(sum.of[w], a.of[w]);
  return a;
}

// A number of WIDTH bits, spread over planes. It has to stay in registers: so all that works on it
// is inlined, and goes through its bits by recursion.
template <int WIDTH>
struct Counter {
  Bits bits[WIDTH];

  template <int BIT = 0>
  ALWAYS_INLINE void clear() {
    if constexpr (BIT < WIDTH) {
      bits[BIT] = zeros();
      clear<BIT + 1>();
    }
  }

  template <int BIT = 0>
  ALWAYS_INLINE void save(Bits* number) const {
    if constexpr (BIT < WIDTH) {
      number[BIT] = bits[BIT];
      save<BIT + 1>(number);
    }
  }

  // Add `carry` to the bits from number BIT on.
  template <int BIT>
  ALWAYS_INLINE void ripple(Bits carry) {
    if constexpr (BIT < WIDTH) ripple<BIT + 1>(half_add(bits[BIT], carry));
  }

  // Add 2^LOG planes, complemented or not, and return the carry to bit LOG.
  template <int LOG, bool NOT, class Input>
  ALWAYS_INLINE Bits add(Input input, int first = 0) {
    if constexpr (LOG == 1) {
      return full_add<NOT, NOT>(bits[0], input(first), input(first + 1));
    } else {
      const Bits a = add<LOG - 1, NOT>(input, first);
      const Bits b = add<LOG - 1, NOT>(input, first + (1 << (LOG - 1)));
      return full_add(bits[LOG - 1], a, b);
    }
  }

  // Add the bits of a byte from number BIT on, complemented or not, and `carry`.
  template <bool NOT, int BIT = 0>
  ALWAYS_INLINE void add_byte(const Windows& windows, std::uint32_t offset, Bits carry) {
    if constexpr (BIT < BYTE) {
      const Bits bit = read(windows, offset + BIT * static_cast<std::uint32_t>(PLANE_BYTES));
      add_byte<NOT, BIT + 1>(windows, offset, full_add<NOT>(bits[BIT], bit, carry));
    } else {
      ripple<BIT>(carry);
    }
  }

  // Add `blocks` times eight planes, at places of windows that `offsets` say.
  template <bool NOT>
  ALWAYS_INLINE const std::uint32_t* add_blocks(std::int32_t blocks, const Windows& windows,
                                                const std::uint32_t* offsets) {
    const auto input = [&](int i) { return read(windows, offsets[i]); };
    if constexpr (WIDTH > 4) {
      for (; blocks > 3; blocks -= 4, offsets += 32) ripple<5>(add<5, NOT>(input));
    }
    if constexpr (WIDTH > 3) {
      for (; blocks > 1; blocks -= 2, offsets += 16) ripple<4>(add<4, NOT>(input));
    }
    if (blocks > 0) {
      ripple<3>(add<3, NOT>(input));
      offsets += 8;
    }
    return offsets;
  }
};

template <int WIDTH>
void count_class(const Class& c, const Windows& windows, Cursor& at, Bits* numbers) {
  Counter<WIDTH> counter;
  counter.clear();
  const std::uint32_t* offsets = counter.template add_blocks<false>(c.plain, windows, at.offset);
  offsets = counter.template add_blocks<true>(c.complemented, windows, offsets);
  const std::int64_t(*masks)[2] = at.mask;
  for (int i = 0; i < c.mixed; ++i, offsets += 8, masks += 8) {
    const auto input = [&](int k) { return masked(read(windows, offsets[k]), masks[k]); };
    counter.template ripple<3>(counter.template add<3, false>(input));
  }
  at.offset = offsets;
  at.mask = masks;
  counter.save(numbers + c.place);
}

template <int WIDTH>
void sum_class(const Class& c, const Windows& windows, Cursor& at, Bits* numbers) {
  Counter<WIDTH> counter;
  counter.clear();
  const std::uint32_t* offsets = at.offset;
  for (int i = 0; i < c.plain; ++i) {
    counter.template add_byte<false>(windows, *offsets++, zeros());
  }
  for (int i = 0; i < c.complemented; ++i) {
    counter.template add_byte<true>(windows, *offsets++, zeros());
  }
  at.offset = offsets;
  counter.save(numbers + c.place);
}

// Sum a class of bytes, whose number has at least as many bits.
inline void sum_class(const Class& c, const Windows& windows, Cursor& at, Bits* numbers) {
  using Sum = void (*)(const Class&, const Windows&, Cursor&, Bits*);
  static constexpr Sum SUMS[] = {
      sum_class<8>,  sum_class<9>,  sum_class<10>, sum_class<11>, sum_class<12>, sum_class<13>,
      sum_class<14>, sum_class<15>, sum_class<16>, sum_class<17>, sum_class<18>, sum_class<19>,
      sum_class<20>,
  };
  SUMS[c.width - BYTE](c, windows, at, numbers);
}

// Count a class, whose number has at least three bits.
inline void count_class(const Class& c, const Windows& windows, Cursor& at, Bits* numbers) {
  using Count = void (*)(const Class&, const Windows&, Cursor&, Bits*);
  static constexpr Count COUNTS[] = {
      count_class<3>,  count_class<4>,  count_class<5>,  count_class<6>,  count_class<7>,
      count_class<8>,  count_class<9>,  count_class<10>, count_class<11>, count_class<12>,
      count_class<13>, count_class<14>, count_class<15>, count_class<16>,
  };
  COUNTS[c.width - 3](c, windows, at, numbers);
}

// What is carried from bit to bit.
struct Carries {
  Bits of_sum = zeros(), of_difference = zeros();
};

// Add bits `x` and `y` of two numbers, which become what KIND says.
template <Kind KIND>
ALWAYS_INLINE void add_bit(Bits& x, Bits& y, Carries& carries) {
  Bits sum = carries.of_sum, difference = carries.of_difference;
  if constexpr (KIND != DIFFERENCE) carries.of_sum = full_add(sum, y, x);
  if constexpr (KIND != SUM) carries.of_difference = full_add<true>(difference, y, x);
  x = KIND == DIFFERENCE ? difference : sum;
  if constexpr (KIND == SUM_AND_DIFFERENCE) y = difference;
}

template <Kind KIND, int BITS>
ALWAYS_INLINE void add_bits(Bits* a, Bits* b, Carries& carries) {
  if constexpr (BITS > 0) {
    add_bit<KIND>(*a, *b, carries);
    add_bits<KIND, BITS - 1>(a + 1, b + 1, carries);
  }
}

template <Kind KIND, int BITS>
void add_numbers(const Addition& p, Bits* numbers) {
  Bits *a = numbers + p.a, *b = numbers + p.b;
  const int a_width = p.a_width, b_width = p.b_width, width = p.width;
  Carries carries;
  add_bits<KIND, BITS>(a, b, carries);
  for (int i = BITS; i < width; ++i) {
    if (i >= a_width) a[i] = zeros();
    if (i < b_width) {
      add_bit<KIND>(a[i], b[i], carries);
    } else {
      // Behind its bits, b is not complemented any more.
      Bits sum = a[i], difference = a[i];
      carries.of_sum = half_add(sum, carries.of_sum);
      carries.of_difference = half_add(difference, carries.of_difference);
      a[i] = KIND == DIFFERENCE ? difference : sum;
      if (KIND == SUM_AND_DIFFERENCE) b[i] = difference;
    }
  }
}

template <Kind KIND>
void add_numbers(const Addition& p, Bits* numbers) {
  using Add = void (*)(const Addition&, Bits*);
  static constexpr Add ADDS[] = {
      add_numbers<KIND, 0>,  add_numbers<KIND, 1>,  add_numbers<KIND, 2>,
      add_numbers<KIND, 3>,  add_numbers<KIND, 4>,  add_numbers<KIND, 5>,
      add_numbers<KIND, 6>,  add_numbers<KIND, 7>,  add_numbers<KIND, 8>,
      add_numbers<KIND, 9>,  add_numbers<KIND, 10>, add_numbers<KIND, 11>,
      add_numbers<KIND, 12>,
  };
  constexpr int MOST = sizeof(ADDS) / sizeof(ADDS[0]) - 1;
  ADDS[std::min({p.a_width, p.b_width, MOST})](p, numbers);
}

}  // namespace

void count_bundle(const Bundles& p, std::int64_t bundle, const Windows& windows, Cursor& at,
                  Bits* numbers) {
  const std::int32_t last_class = p.ends[bundle][0], last_addition = p.ends[bundle][1];
  for (; at.of_class < last_class; ++at.of_class) {
    const Class& c = p.classes[at.of_class];
    if (p.input_bits == BYTE) {
      sum_class(c, windows, at, numbers);
    } else {
      count_class(c, windows, at, numbers);
    }
  }
  for (; at.of_addition < last_addition; ++at.of_addition) {
    const Addition& addition = p.additions[at.of_addition];
    switch (addition.kind) {
      case SUM:
        add_numbers<SUM>(addition, numbers);
        break;
      case DIFFERENCE:
        add_numbers<DIFFERENCE>(addition, numbers);
        break;
      default:
        add_numbers<SUM_AND_DIFFERENCE>(addition, numbers);
    }
  }
}

}  // namespace planes
}  // namespace lutloom
