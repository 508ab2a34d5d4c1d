// Weighted sums of tensors.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `y = offsets + sum over i of multipliers[i] * x_i`, as integers of `bits`, modulo which it is
// computed, with `multipliers [inputs][period]`: element e has those of `e % period`.
struct Add {
  Operand y;
  std::int64_t inputs, elements, period, bits;
  const Operand* x;
  const void* multipliers;
  const void* offsets;
};

template <class T>
void run_as(const Add& p, const Frame& frame) {
  T x[CHUNK], y[CHUNK];
  const T* multipliers = static_cast<const T*>(p.multipliers);
  const T* offsets = static_cast<const T*>(p.offsets);
  const std::int64_t elements = frame.images * p.elements;
  if (p.period == 1) {
    in_chunks(elements, [&](std::int64_t first, std::int64_t count) {
      std::fill_n(y, count, *offsets);
      for (std::int64_t i = 0; i < p.inputs; ++i) {
        read(p.x[i], frame, first, count, x);
        const T multiplier = multipliers[i];
        for (std::int64_t e = 0; e < count; ++e) y[e] += multiplier * x[e];
      }
      write(p.y, frame, first, count, y);
    });
    return;
  }
  in_periods(elements, p.period, [&](std::int64_t first, std::int64_t place, std::int64_t count) {
    std::copy_n(offsets + place, count, y);
    for (std::int64_t i = 0; i < p.inputs; ++i) {
      read(p.x[i], frame, first, count, x);
      const T* factors = multipliers + i * p.period + place;
      for (std::int64_t e = 0; e < count; ++e) y[e] += factors[e] * x[e];
    }
    write(p.y, frame, first, count, y);
  });
}

void run(const Add& p, const Frame& frame) {
  switch (p.bits) {
    case 16:
      return run_as<std::uint16_t>(p, frame);
    case 32:
      return run_as<std::uint32_t>(p, frame);
    default:
      return run_as<std::uint64_t>(p, frame);
  }
}

}  // namespace

Kernel add_kernel() { return kernel<Add, run>("add"); }

}  // namespace lutloom
