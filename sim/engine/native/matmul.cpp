// Products of two matrices that both depend on the data.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `y[i, j] = sum over k of a[i, k] * b[j, k]` for each of `matrices` pairs. The factors are widened
// to `bits` each, the sums computed modulo twice that, or 2^64, which leaves them what they are.
// `a_values` and `b_values` are buffers for the factors of an image.
struct MatMul {
  Operand a, b, y;
  std::int64_t matrices, rows, columns, terms, bits, a_values, b_values;
};

template <class Factor, class Sum>
void run_as(const MatMul& p, const Frame& frame) {
  Factor* a = frame.at<Factor>(p.a_values);
  Factor* b = frame.at<Factor>(p.b_values);
  const std::int64_t a_count = p.matrices * p.rows * p.terms;
  const std::int64_t b_count = p.matrices * p.columns * p.terms;
  Sum y[CHUNK];
  for (std::int64_t i = 0; i < frame.images; ++i) {
    read(p.a, frame, i * a_count, a_count, a);
    read(p.b, frame, i * b_count, b_count, b);
    for (std::int64_t row = 0; row < p.matrices * p.rows; ++row) {
      const Factor* left = a + row * p.terms;
      const Factor* matrix = b + row / p.rows * p.columns * p.terms;
      in_chunks(p.columns, [&](std::int64_t first, std::int64_t count) {
        for (std::int64_t j = 0; j < count; ++j) {
          const Factor* right = matrix + (first + j) * p.terms;
          Sum sum = 0;
          for (std::int64_t k = 0; k < p.terms; ++k) {
            sum += static_cast<Sum>(left[k]) * static_cast<Sum>(right[k]);
          }
          y[j] = sum;
        }
        write(p.y, frame, (i * p.matrices * p.rows + row) * p.columns + first, count, y);
      });
    }
  }
}

void run(const MatMul& p, const Frame& frame) {
  p.bits == 16 ? run_as<std::int16_t, std::int32_t>(p, frame)
               : run_as<std::uint64_t, std::uint64_t>(p, frame);
}

}  // namespace

Kernel matmul_kernel() { return kernel<MatMul, run>("matmul"); }

}  // namespace lutloom
