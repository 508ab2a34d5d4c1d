// Weighted sums of tensors.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `y = sum over i of multipliers[i] * x_i`, with `multipliers [inputs][period]`: element e has those
// of `e % period`. Modulo 2^bits, which leaves the sums what they are.
struct Add {
  Operand y;
  std::int64_t inputs, elements, period, bits;
  const Operand* x;
  const std::int64_t* multipliers;
};

template <class T>
void run_as(const Add& p, const Frame& frame) {
  T x[CHUNK], y[CHUNK];
  in_periods(frame.images * p.elements, p.period,
             [&](std::int64_t first, std::int64_t place, std::int64_t count) {
               std::fill_n(y, count, T{0});
               for (std::int64_t i = 0; i < p.inputs; ++i) {
                 const std::int64_t* multipliers = p.multipliers + i * p.period + place;
                 read(p.x[i], frame, first, count, x);
                 for (std::int64_t e = 0; e < count; ++e) {
                   y[e] += static_cast<T>(multipliers[e]) * x[e];
                 }
               }
               write(p.y, frame, first, count, y);
             });
}

void run(const Add& p, const Frame& frame) {
  p.bits == 32 ? run_as<std::uint32_t>(p, frame) : run_as<std::uint64_t>(p, frame);
}

}  // namespace

Kernel add_kernel() { return kernel<Add, run>("add"); }

}  // namespace lutloom
