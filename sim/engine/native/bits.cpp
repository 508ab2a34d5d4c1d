// Products of bits: weights of one magnitude by codes in thermometer rows, as counts of bits that
// differ.
#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "codes.hpp"
#include "kernels.hpp"
#include "words.hpp"

namespace lutloom {
namespace {

// Outputs that weights are laid out for, and results are written for, at a time.
constexpr std::int64_t PACK = 8;

// Registers of outputs that are counted at once: more of them would not be kept in registers.
#if defined(__AVX512VPOPCNTDQ__) && defined(__AVX512BW__)
constexpr std::int64_t BLOCK = 4;
#elif defined(__AVX512BW__)
constexpr std::int64_t BLOCK = 2;
#else
constexpr std::int64_t BLOCK = 1;
#endif

// Registers of outputs that results are written for: of a byte of bits at least.
constexpr std::int64_t FEW = PACK / WIDTH, MANY = std::max(BLOCK, FEW);

// A window is `words` words, word `k` of pixel p's being `x[origins[p] + offsets[s][k]] &
// masks[s][k]` with `s = shapes[p]`, plus `g * group_words` for group g. `weights [groups]
// [outputs / groups / 8, rounded up][words][8]` hold, as the window does here, the parity of all
// words up to each. Of `d` bits that differ, an output's sum is `base - slope * d`; with `levels`
// other than -1 the result is `lo + step *` its code, which is how many of `limits
// [classes][levels][outputs]` d is at most. `classes` are those of pixels. Outputs are rounded up
// to a multiple of eight.
struct Bits {
  Operand y;
  std::int64_t x, window, counts, x_words, pixels, words, groups, group_words, outputs, levels, lo,
      step;
  const std::int32_t* origins;
  const std::int32_t* shapes;
  const std::int32_t* classes;
  const std::int32_t* offsets;
  const std::uint64_t* masks;
  const std::uint64_t* weights;
  const std::int64_t* limits;
  const std::int64_t* base;
  const std::int64_t* slope;
};

std::int64_t padded(std::int64_t outputs) { return (outputs + PACK - 1) / PACK * PACK; }

// Registers of outputs from number `begin` on, and how many bits of the window they differ in.
template <std::int64_t N>
struct Outputs {
  const std::uint64_t* weights[N];
  Words parity[N];
  Counter counters[N];

  Outputs(const std::uint64_t* first, std::int64_t words, std::int64_t begin) {
#pragma GCC unroll 8
    for (std::int64_t n = 0; n < N; ++n) {
      const std::int64_t output = (begin + n) * WIDTH;
      weights[n] = first + output / PACK * words * PACK + output % PACK;
      parity[n] = zero();
    }
  }

  Words count(std::int64_t n) { return counters[n].total(parity[n]); }

  // The carry of words k and k + 1. Weights and window are parities, so that it is a function of
  // three of their sums, and no sum has to be computed.
  Words next(std::int64_t n, std::int64_t k, Words x0, Words x1) {
    const Words first = parity[n], two = differ(x0, load(weights[n] + k * PACK));
    parity[n] = differ(x1, load(weights[n] + (k + 1) * PACK));
    return carry(first, two, parity[n]);
  }

  void add_one(const std::uint64_t* window) {
    const Words x = same(window[0]);
#pragma GCC unroll 8
    for (std::int64_t n = 0; n < N; ++n) parity[n] = differ(x, load(weights[n]));
  }

  void add_two(const std::uint64_t* window, std::int64_t k) {
    const Words x0 = same(window[k]), x1 = same(window[k + 1]);
#pragma GCC unroll 8
    for (std::int64_t n = 0; n < N; ++n) counters[n].add_carry(next(n, k, x0, x1));
  }

  void add_eight(const std::uint64_t* window, std::int64_t k) {
#pragma GCC unroll 8
    for (std::int64_t n = 0; n < N; ++n) {
      const Words a = next(n, k, same(window[k]), same(window[k + 1]));
      const Words b = next(n, k + 2, same(window[k + 2]), same(window[k + 3]));
      const Words c = next(n, k + 4, same(window[k + 4]), same(window[k + 5]));
      const Words d = next(n, k + 6, same(window[k + 6]), same(window[k + 7]));
      counters[n].add_carries(a, b, c, d);
    }
  }

  void add(const std::uint64_t* window, std::int64_t words) {
    std::int64_t k = words & 1;
    if (k == 1) add_one(window);
    if constexpr (Counter::MOST > 0) {
      for (; k + 8 * Counter::MOST < words;) {
        for (const std::int64_t end = k + 8 * Counter::MOST; k < end; k += 8) add_eight(window, k);
#pragma GCC unroll 8
        for (std::int64_t n = 0; n < N; ++n) counters[n].flush();
      }
    }
    for (; k + 8 <= words; k += 8) add_eight(window, k);
    for (; k < words; k += 2) add_two(window, k);
  }
};

// The window of a pixel.
inline void gather(const std::uint64_t* x, const std::int32_t* offsets, const std::uint64_t* masks,
                   std::int64_t words, std::uint64_t* window) {
  std::uint64_t parity = 0;
  for (std::int64_t k = 0; k < words; ++k) {
    parity ^= x[offsets[k]] & masks[k];
    window[k] = parity;
  }
}

// Call `body(first, counts)` for registers of outputs, of eight outputs or more at a time.
template <class Body>
inline void for_outputs(const std::uint64_t* window, const std::uint64_t* weights,
                        std::int64_t words, std::int64_t outputs, Body body) {
  std::int64_t o = 0;
  const auto next = [&](auto registers, auto at_once) {
    constexpr std::int64_t N = registers, STEP = at_once;
    std::array<Words, N> counts;
#pragma GCC unroll 8
    for (std::int64_t n = 0; n < N; n += STEP) {
      Outputs<STEP> some(weights + o * words, words, n);
      some.add(window, words);
#pragma GCC unroll 8
      for (std::int64_t i = 0; i < STEP; ++i) counts[n + i] = some.count(i);
    }
    body(o, counts);
    o += N * WIDTH;
  };
  using std::integral_constant;
  while (o + MANY * WIDTH <= outputs) {
    next(integral_constant<std::int64_t, MANY>(), integral_constant<std::int64_t, BLOCK>());
  }
  while (o < outputs) {
    next(integral_constant<std::int64_t, FEW>(),
         integral_constant<std::int64_t, std::min(BLOCK, FEW)>());
  }
}

// Call `body(pixel, group, window)` for all windows of an image.
template <class Body>
inline void for_windows(const Bits& p, const std::uint64_t* x, std::uint64_t* window, Body body) {
  const std::int64_t pixels = p.pixels, words = p.words, groups = p.groups;
  const std::int64_t group_words = p.group_words;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    const std::int64_t shape = p.shapes[pixel] * words;
    const std::uint64_t* from = x + p.origins[pixel];
    for (std::int64_t group = 0; group < groups; ++group, from += group_words) {
      gather(from, p.offsets + shape, p.masks + shape, words, window);
      body(pixel, group);
    }
  }
}

// Thermometer rows of bits.
void run_bits(const Bits& p, const Frame& frame) {
  const std::uint64_t* x = frame.at<std::uint64_t>(p.x);
  std::uint8_t* y = frame.at<std::uint8_t>(p.y.buffer);
  std::uint64_t* window = frame.at<std::uint64_t>(p.window);
  const std::int64_t all = padded(p.outputs), own = padded(p.outputs / p.groups);
  const std::int64_t words = p.words, levels = p.levels;
  const std::int64_t row_bytes = (p.outputs + 63) / 64 * 8, used = all / PACK;
  for (std::int64_t i = 0; i < frame.images; ++i, x += p.x_words) {
    for_windows(p, x, window, [&](std::int64_t pixel, std::int64_t group) {
      const std::int64_t* limits = p.limits + p.classes[pixel] * levels * all + group * own;
      std::uint8_t* rows = y + pixel * levels * row_bytes + group * own / PACK;
      const std::uint64_t* weights = p.weights + group * own * words;
      for_outputs(window, weights, words, own, [&](std::int64_t first, auto& found) {
        constexpr std::int64_t N = std::tuple_size_v<std::decay_t<decltype(found)>>;
        for (std::int64_t j = 0; j < levels; ++j) {
          std::uint64_t bits = 0;
#pragma GCC unroll 8
          for (std::int64_t n = 0; n < N; ++n) {
            const std::int64_t* least = limits + j * all + first + n * WIDTH;
            bits |= std::uint64_t{at_most(found[n], least)} << (n * WIDTH);
          }
          std::memcpy(rows + j * row_bytes + first / PACK, &bits, N * WIDTH / PACK);
        }
      });
    });
    if (used < row_bytes) {
      for (std::int64_t row = 0; row < p.pixels * levels; ++row) {
        std::memset(y + row * row_bytes + used, 0, row_bytes - used);
      }
    }
    y += p.pixels * levels * row_bytes;
  }
}

// The integers that counts stand for, in their place.
void integers_of(const Bits& p, std::int64_t kind, std::int64_t* counts) {
  const std::int64_t stride = padded(p.outputs);
  if (p.levels < 0) {
    const std::int64_t* base = p.base + kind * stride;
    for (std::int64_t o = 0; o < p.outputs; ++o) counts[o] = base[o] - p.slope[o] * counts[o];
    return;
  }
  std::int64_t codes[CHUNK];
  in_chunks(p.outputs, [&](std::int64_t first, std::int64_t size) {
    std::fill_n(codes, size, 0);
    for (std::int64_t j = 0; j < p.levels; ++j) {
      const std::int64_t* limits = p.limits + (kind * p.levels + j) * stride + first;
      for (std::int64_t o = 0; o < size; ++o) codes[o] += counts[first + o] <= limits[o];
    }
    for (std::int64_t o = 0; o < size; ++o) counts[first + o] = p.lo + p.step * codes[o];
  });
}

// Integers in a dense layout: codes or sums.
void run_dense(const Bits& p, const Frame& frame) {
  const std::uint64_t* x = frame.at<std::uint64_t>(p.x);
  std::uint64_t* window = frame.at<std::uint64_t>(p.window);
  std::int64_t* counts = frame.at<std::int64_t>(p.counts);
  const std::int64_t own = padded(p.outputs / p.groups);
  for (std::int64_t i = 0; i < frame.images; ++i, x += p.x_words) {
    for_windows(p, x, window, [&](std::int64_t pixel, std::int64_t group) {
      const std::uint64_t* weights = p.weights + group * own * p.words;
      for_outputs(window, weights, p.words, own, [&](std::int64_t first, auto& found) {
        std::int64_t* to = counts + group * own + first;
        for (const Words& some : found) {
          store(to, some);
          to += WIDTH;
        }
      });
      if (group + 1 < p.groups) return;
      integers_of(p, p.classes[pixel], counts);
      write(p.y, frame, (i * p.pixels + pixel) * p.outputs, p.outputs, counts);
    });
  }
}

void run(const Bits& p, const Frame& frame) {
  return p.y.layout == BITS ? run_bits(p, frame) : run_dense(p, frame);
}

}  // namespace

Kernel bits_kernel() { return kernel<Bits, run>("bits"); }

}  // namespace lutloom
