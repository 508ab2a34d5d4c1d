// Counting the ones of many planes, image by image, for several outputs at once.
//
// Outputs come in bundles. The inputs of a bundle fall into classes: within a class, every output
// of the bundle has the same weight in {-1, 0, 1}, or every one has the opposite one. So the ones
// of a class are counted once, those of opposite weights complemented, and the outputs are sums and
// differences of the classes' counts, which share what they have in common.
#pragma once

#include <cstdint>

#include "planes.hpp"

namespace lutloom {
namespace planes {

// A class: so many times eight inputs as they are, complemented, and each with its own masks.
struct Class {
  std::int32_t plain, complemented, mixed, place, width;
};

// `target` becomes `a + b`, or `a + ~b` of as many bits as b has. Widths are in bits.
struct Addition {
  std::int32_t is_difference, a, a_width, b, b_width, target, width;
};

// A bundle has `ends [bundles][2]`: where its classes and additions end. `offsets` are of planes in
// bytes from where the window begins, class after class; `masks` two of each mixed input. Numbers
// are kept in a buffer of planes, from their lowest bit on.
struct Bundles {
  std::int64_t count, numbers;
  const std::int32_t (*ends)[2];
  const Class* classes;
  const Addition* additions;
  const std::uint32_t* offsets;
  const std::int64_t (*masks)[2];
};

// Where the lists of a bundle begin.
struct Cursor {
  std::int32_t of_class = 0, of_addition = 0;
  const std::uint32_t* offset;
  const std::int64_t (*mask)[2];
};

constexpr int MOST_BITS = 32;

// A number whose bits are spread over planes.
struct Counter {
  Plane bits[MOST_BITS];
  int width;

  // Add `carry` to the bits from number `bit` on.
  void ripple(Plane carry, int bit) {
    for (; bit < width; ++bit) carry = half_add(bits[bit], carry);
  }

  // Add eight planes, complemented or not.
  template <bool NOT, class Input>
  void add8(Input input) {
    const Plane two0 = full_add<NOT, NOT>(bits[0], input(0), input(1));
    const Plane two1 = full_add<NOT, NOT>(bits[0], input(2), input(3));
    const Plane four0 = full_add(bits[1], two0, two1);
    const Plane two2 = full_add<NOT, NOT>(bits[0], input(4), input(5));
    const Plane two3 = full_add<NOT, NOT>(bits[0], input(6), input(7));
    const Plane four1 = full_add(bits[1], two2, two3);
    ripple(full_add(bits[2], four0, four1), 3);
  }
};

inline void count_class(const Class& c, const std::uint8_t* window, Cursor& at, Plane* numbers) {
  Counter counter;
  counter.width = c.width;
  for (int b = 0; b < c.width || b < 3; ++b) counter.bits[b] = spread(0);
  const auto input = [&](int i) { return load(window + at.offset[i]); };
  for (int i = 0; i < c.plain; ++i, at.offset += 8) counter.add8<false>(input);
  for (int i = 0; i < c.complemented; ++i, at.offset += 8) counter.add8<true>(input);
  for (int i = 0; i < c.mixed; ++i, at.offset += 8, at.mask += 8) {
    counter.add8<false>([&](int k) {
      return masked(input(k), spread(at.mask[k][0]), spread(at.mask[k][1]));
    });
  }
  for (int b = 0; b < c.width; ++b) store(numbers + c.place + b, counter.bits[b]);
}

template <bool IS_DIFFERENCE>
inline void add_numbers(const Addition& p, Plane* numbers) {
  const Plane *a = numbers + p.a, *b = numbers + p.b;
  Plane* target = numbers + p.target;
  Plane carry = spread(0);
  for (int i = 0; i < p.width; ++i) {
    const Plane x = i < p.a_width ? a[i] : spread(0);
    if (i < p.b_width) {
      const Plane y = b[i], sum = carry;
      carry = majority<IS_DIFFERENCE, false>(y, x, sum);
      target[i] = parity<IS_DIFFERENCE>(y, x, sum);
    } else {
      const Plane sum = carry;
      carry = both(x, sum);
      target[i] = differ(x, sum);
    }
  }
}

// Compute the numbers of the outputs of bundle number `bundle`, the one behind `at`.
inline void count_bundle(const Bundles& p, std::int64_t bundle, const std::uint8_t* window,
                         Cursor& at, Plane* numbers) {
  for (; at.of_class < p.ends[bundle][0]; ++at.of_class) {
    count_class(p.classes[at.of_class], window, at, numbers);
  }
  for (; at.of_addition < p.ends[bundle][1]; ++at.of_addition) {
    const Addition& addition = p.additions[at.of_addition];
    if (addition.is_difference) {
      add_numbers<true>(addition, numbers);
    } else {
      add_numbers<false>(addition, numbers);
    }
  }
}

}  // namespace planes
}  // namespace lutloom
