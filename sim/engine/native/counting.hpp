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

// Windows that are counted at once: each place in a list is looked up once for all of them. Two
// numbers take the registers that AVX-512 has.
constexpr int WINDOWS = LANES == 512 ? 2 : 1;

// A class: so many times eight inputs as they are, complemented, and each with its own masks. Of
// inputs of eight bits, it is so many as they are, and complemented.
struct Class {
  std::int32_t plain, complemented, mixed, place, width;
};

// `a` becomes `a + b`, or `a + ~b` of as many bits as b has, or `a` the one and `b` the other.
// Places and widths are in bits, `width` is that of the results.
enum Kind : std::int32_t { SUM, DIFFERENCE, SUM_AND_DIFFERENCE };
struct Addition {
  std::int32_t kind, a, a_width, b, b_width, width;
};

// A bundle has `ends [bundles][2]`: where its classes and additions end. `offsets` are of planes in
// bytes from where the window begins, class after class; `masks` two of each mixed input. Numbers
// are kept in a buffer of planes, from their lowest bit on.
struct Bundles {
  std::int64_t count, numbers, input_bits;
  const std::int32_t (*ends)[2];
  const Class* classes;
  const Addition* additions;
  const std::uint32_t* offsets;
  const std::int64_t (*masks)[2];
};

// Where the lists of a bundle begin.
struct Cursor {
  std::int32_t of_class, of_addition;
  const std::uint32_t* offset;
  const std::int64_t (*mask)[2];
};

// The same plane of each window.
struct Bits {
  Plane of[WINDOWS];
};

struct Windows {
  const std::uint8_t* at[WINDOWS];
};

// Compute the numbers of the outputs of bundle number `bundle`, the one behind `at`.
void count_bundle(const Bundles& p, std::int64_t bundle, const Windows& windows, Cursor& at,
                  Bits* numbers);

}  // namespace planes
}  // namespace lutloom
