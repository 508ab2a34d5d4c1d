// Rows of a table.
#include <cstring>

#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// The row `x - first` of `rows`, `width` bytes each, for every element of x; they are of elements
// as y stores them.
struct Lookup {
  Operand x;
  std::int64_t y, elements, first, width;
  const std::uint8_t* rows;
};

void run(const Lookup& p, const Frame& frame) {
  std::int64_t x[CHUNK];
  std::uint8_t* y = frame.at<std::uint8_t>(p.y);
  in_chunks(frame.images * p.elements, [&](std::int64_t first, std::int64_t count) {
    read(p.x, frame, first, count, x);
    for (std::int64_t e = 0; e < count; ++e, y += p.width) {
      std::memcpy(y, p.rows + (x[e] - p.first) * p.width, p.width);
    }
  });
}

}  // namespace

Kernel lookup_kernel() { return kernel<Lookup, run>("lookup"); }

}  // namespace lutloom
