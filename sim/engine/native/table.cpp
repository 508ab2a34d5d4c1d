// Whatever is a function of a byte, from a table.
#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `rows [kinds][channels][256]`, in elements of `width` bytes as y stores them, say what becomes of
// a code: of that channel, in a pixel of that kind by `kinds [pixels]`. A row may be of many
// channels of x: then there are as many more pixels.
struct Table {
  std::int64_t x, y, width, pixels, channels, kinds;
  const std::int32_t* kind_of;
  const void* rows;
};

template <class T>
void run_as(const Table& p, const Frame& frame) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  T* y = frame.at<T>(p.y);
  const T* rows = static_cast<const T*>(p.rows);
  const std::int64_t pixels = frame.images * p.pixels;
  if (p.channels == 1 && p.kinds == 1) {
    for (std::int64_t i = 0; i < pixels; ++i) y[i] = rows[x[i]];
    return;
  }
  for (std::int64_t i = 0; i < pixels; ++i, x += p.channels, y += p.channels) {
    const std::int64_t kind = p.kinds == 1 ? 0 : p.kind_of[i % p.pixels];
    const T* row = rows + kind * p.channels * 256;
    for (std::int64_t c = 0; c < p.channels; ++c, row += 256) y[c] = row[x[c]];
  }
}

void run(const Table& p, const Frame& frame) {
  of_width(p.width, [&](auto element) { run_as<decltype(element)>(p, frame); });
}

}  // namespace

Kernel table_kernel() { return kernel<Table, run>("table"); }

}  // namespace lutloom
