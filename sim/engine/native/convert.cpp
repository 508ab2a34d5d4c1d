// The same integers in another dense layout.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

struct Convert {
  Operand x, y;
  std::int64_t elements;
};

void run(const Convert& p, const Frame& frame) {
  std::int64_t values[CHUNK];
  in_chunks(frame.images * p.elements, [&](std::int64_t first, std::int64_t count) {
    read(p.x, frame, first, count, values);
    write(p.y, frame, first, count, values);
  });
}

}  // namespace

Kernel convert_kernel() { return kernel<Convert, run>("convert"); }

}  // namespace lutloom
