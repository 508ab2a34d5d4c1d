// Products of bits: weights of one magnitude by codes in thermometer rows, as counts of bits that
// differ.
#include <algorithm>
#include <cstring>

#include "codes.hpp"
#include "kernels.hpp"
#include "words.hpp"

namespace lutloom {
namespace {

// Outputs that weights are laid out for, and results are written for, at a time.
constexpr std::int64_t PACK = 8;

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

// How many bits of `words` words differ for N registers of outputs, the weights of which begin
// `weights`. Both are parities, so that the carry of two more bits is a function of three of them,
// and no sum has to be computed.
template <std::int64_t N>
inline void count(const std::uint64_t* window, const std::uint64_t* weights, std::int64_t words,
                  Words* counts) {
  const std::uint64_t* w[N];
  Words parity[N];
  Counter counters[N];
  for (std::int64_t n = 0; n < N; ++n) {
    w[n] = weights + n * WIDTH / PACK * words * PACK + n * WIDTH % PACK;
    parity[n] = zero();
  }
  std::int64_t k = words % 2;
  if (k == 1) {
    const Words x = same(window[0]);
    for (std::int64_t n = 0; n < N; ++n) parity[n] = differ(x, load(w[n]));
  }
  const auto next = [&](std::int64_t n, std::int64_t at, Words x0, Words x1) {
    const Words two = differ(x0, load(w[n] + at * PACK));
    const Words three = differ(x1, load(w[n] + (at + 1) * PACK));
    const Words carries = carry(parity[n], two, three);
    parity[n] = three;
    return carries;
  };
  while (k + 8 <= words) {
    const std::int64_t end = std::min(words - 7, k + 8 * Counter::MOST);
    for (; k < end; k += 8) {
      for (std::int64_t n = 0; n < N; ++n) {
        Words carries[4];
        for (std::int64_t i = 0; i < 4; ++i) {
          carries[i] = next(n, k + 2 * i, same(window[k + 2 * i]), same(window[k + 2 * i + 1]));
        }
        counters[n].add_carries(carries[0], carries[1], carries[2], carries[3]);
      }
    }
    for (std::int64_t n = 0; n < N; ++n) counters[n].flush();
  }
  for (; k < words; k += 2) {
    const Words x0 = same(window[k]), x1 = same(window[k + 1]);
    for (std::int64_t n = 0; n < N; ++n) counters[n].add_carry(next(n, k, x0, x1));
  }
  for (std::int64_t n = 0; n < N; ++n) counts[n] = counters[n].total(parity[n]);
}

// The window of a pixel of group `group`.
void gather(const Bits& p, const std::uint64_t* x, std::int64_t pixel, std::int64_t group,
            std::uint64_t* window) {
  const std::int64_t shape = p.shapes[pixel];
  const std::int32_t* offsets = p.offsets + shape * p.words;
  const std::uint64_t* masks = p.masks + shape * p.words;
  x += p.origins[pixel] + group * p.group_words;
  std::uint64_t parity = 0;
  for (std::int64_t k = 0; k < p.words; ++k) {
    parity ^= x[offsets[k]] & masks[k];
    window[k] = parity;
  }
}

// Call `body(first, counts)` for N registers of outputs after the other, then for what is left.
template <class Body>
inline void for_outputs(const Bits& p, const std::uint64_t* window, std::int64_t group, Body body) {
#if defined(__AVX512F__)
  constexpr std::int64_t MANY = 4, FEW = 1;
#else
  constexpr std::int64_t MANY = PACK / WIDTH, FEW = MANY;
#endif
  const std::int64_t outputs = padded(p.outputs / p.groups);
  const std::uint64_t* weights = p.weights + group * outputs * p.words;
  std::int64_t o = 0;
  for (; o + MANY * WIDTH <= outputs; o += MANY * WIDTH) {
    Words counts[MANY];
    count<MANY>(window, weights + o * p.words, p.words, counts);
    body(group * outputs + o, counts, std::integral_constant<std::int64_t, MANY>());
  }
  for (; o < outputs; o += FEW * WIDTH) {
    Words counts[FEW];
    count<FEW>(window, weights + o * p.words, p.words, counts);
    body(group * outputs + o, counts, std::integral_constant<std::int64_t, FEW>());
  }
}

// Thermometer rows of a pixel: `y [levels][row_bytes]`.
void write_rows(const Bits& p, const std::uint64_t* window, std::int64_t group,
                const std::int64_t* limits, std::int64_t row_bytes, std::uint8_t* y) {
  const std::int64_t stride = padded(p.outputs);
  for_outputs(p, window, group, [&](std::int64_t first, const Words* counts, auto registers) {
    for (std::int64_t j = 0; j < p.levels; ++j) {
      const std::int64_t* row = limits + j * stride + first;
      std::uint64_t bits = 0;
      for (std::int64_t n = 0; n < registers; ++n) {
        bits |= std::uint64_t{at_most(counts[n], row + n * WIDTH)} << (n * WIDTH);
      }
      std::memcpy(y + j * row_bytes + first / PACK, &bits, registers * WIDTH / PACK);
    }
  });
}

void run_bits(const Bits& p, const Frame& frame) {
  const std::uint64_t* x = frame.at<std::uint64_t>(p.x);
  std::uint8_t* y = frame.at<std::uint8_t>(p.y.buffer);
  std::uint64_t* window = frame.at<std::uint64_t>(p.window);
  const std::int64_t row_bytes = (p.outputs + 63) / 64 * 8;
  const std::int64_t used = padded(p.outputs) / PACK;
  for (std::int64_t i = 0; i < frame.images; ++i, x += p.x_words) {
    for (std::int64_t pixel = 0; pixel < p.pixels; ++pixel, y += p.levels * row_bytes) {
      const std::int64_t* limits = p.limits + p.classes[pixel] * p.levels * padded(p.outputs);
      for (std::int64_t group = 0; group < p.groups; ++group) {
        gather(p, x, pixel, group, window);
        write_rows(p, window, group, limits, row_bytes, y);
      }
      for (std::int64_t j = 0; used < row_bytes && j < p.levels; ++j) {
        std::memset(y + j * row_bytes + used, 0, row_bytes - used);
      }
    }
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

void run_dense(const Bits& p, const Frame& frame) {
  const std::uint64_t* x = frame.at<std::uint64_t>(p.x);
  std::uint64_t* window = frame.at<std::uint64_t>(p.window);
  std::int64_t* counts = frame.at<std::int64_t>(p.counts);
  for (std::int64_t i = 0; i < frame.images; ++i, x += p.x_words) {
    for (std::int64_t pixel = 0; pixel < p.pixels; ++pixel) {
      for (std::int64_t group = 0; group < p.groups; ++group) {
        gather(p, x, pixel, group, window);
        for_outputs(p, window, group, [&](std::int64_t first, const Words* found, auto registers) {
          for (std::int64_t n = 0; n < registers; ++n) store(counts + first + n * WIDTH, found[n]);
        });
      }
      integers_of(p, p.classes[pixel], counts);
      write(p.y, frame, (i * p.pixels + pixel) * p.outputs, p.outputs, counts);
    }
  }
}

void run(const Bits& p, const Frame& frame) {
  return p.y.layout == BITS ? run_bits(p, frame) : run_dense(p, frame);
}

}  // namespace

Kernel bits_kernel() { return kernel<Bits, run>("bits"); }

}  // namespace lutloom
