// Products of two tensors, element by element.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `y = a * b`, modulo 2^bits, which leaves the products what they are.
struct Multiply {
  Operand a, b, y;
  std::int64_t elements, bits;
};

template <class T>
void run_as(const Multiply& p, const Frame& frame) {
  T a[CHUNK], b[CHUNK];
  in_chunks(frame.images * p.elements, [&](std::int64_t first, std::int64_t count) {
    read(p.a, frame, first, count, a);
    read(p.b, frame, first, count, b);
    for (std::int64_t e = 0; e < count; ++e) a[e] *= b[e];
    write(p.y, frame, first, count, a);
  });
}

void run(const Multiply& p, const Frame& frame) {
  p.bits == 32 ? run_as<std::uint32_t>(p, frame) : run_as<std::uint64_t>(p, frame);
}

}  // namespace

Kernel multiply_kernel() { return kernel<Multiply, run>("multiply"); }

}  // namespace lutloom
