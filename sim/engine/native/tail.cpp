// What the host makes of an output's integers: the reals they stand for, and arithmetic on those.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

enum Operation : std::int64_t { ADD, SUB, MUL, DIV, SUB_FROM, DIVIDE };

// `y = scale * x + bias` in float64, rounded once to float32; then `operations` of float32 numbers,
// rounded each: what NumPy computes on the same machine, bit for bit. A table of `periods` 1 holds
// one number for all elements, else one for each.
struct Tail {
  Operand x;
  std::int64_t y, elements, period;
  const double* scale;
  const double* bias;
  std::int64_t operations;
  const std::int64_t* kinds;
  const std::int64_t* periods;
  const std::int64_t* offsets;
  const float* operands;
};

template <class Operate>
void apply(const float* operands, bool is_one, std::int64_t count, float* y, Operate operate) {
  if (is_one) {
    const float operand = *operands;
    for (std::int64_t i = 0; i < count; ++i) y[i] = operate(y[i], operand);
  } else {
    for (std::int64_t i = 0; i < count; ++i) y[i] = operate(y[i], operands[i]);
  }
}

// Operation `o` on elements `first` up to `first + count` of an image.
void operate(const Tail& p, std::int64_t o, std::int64_t first, std::int64_t count, float* y) {
  const bool is_one = p.periods[o] == 1;
  const float* operands = p.operands + p.offsets[o] + (is_one ? 0 : first);
  switch (p.kinds[o]) {
    case ADD:
      return apply(operands, is_one, count, y, [](float a, float b) { return a + b; });
    case SUB:
      return apply(operands, is_one, count, y, [](float a, float b) { return a - b; });
    case MUL:
      return apply(operands, is_one, count, y, [](float a, float b) { return a * b; });
    case DIV:
      return apply(operands, is_one, count, y, [](float a, float b) { return a / b; });
    case SUB_FROM:
      return apply(operands, is_one, count, y, [](float a, float b) { return b - a; });
    default:
      return apply(operands, is_one, count, y, [](float a, float b) { return b / a; });
  }
}

void run(const Tail& p, const Frame& frame) {
  std::int64_t x[CHUNK];
  for (std::int64_t i = 0; i < frame.images; ++i) {
    float* image = frame.at<float>(p.y) + i * p.elements;
    in_chunks(p.elements, [&](std::int64_t first, std::int64_t count) {
      read(p.x, frame, i * p.elements + first, count, x);
      float* y = image + first;
      for (std::int64_t e = 0; e < count; ++e) {
        const std::int64_t entry = p.period == 1 ? 0 : first + e;
        y[e] = static_cast<float>(static_cast<double>(x[e]) * p.scale[entry] + p.bias[entry]);
      }
      for (std::int64_t o = 0; o < p.operations; ++o) operate(p, o, first, count, y);
    });
  }
}

}  // namespace

Kernel tail_kernel() { return kernel<Tail, run>("tail"); }

}  // namespace lutloom
