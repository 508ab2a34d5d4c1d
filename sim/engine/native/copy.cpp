// Elements copied from places that lie a stride apart to others that do: permute, concat, slice,
// split and upsample alike.
#include <algorithm>

#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// Element `x_first + sum of i[a] * x_strides[a]` of x becomes `y_first + sum of i[a] *
// y_strides[a]` of y, for every `i[a]` below `sizes[a]`. Elements have `width` bytes.
struct Copy {
  std::int64_t x, y, width, x_elements, y_elements, x_first, y_first, rank;
  const std::int64_t* sizes;
  const std::int64_t* x_strides;
  const std::int64_t* y_strides;
};

template <class T>
void walk(const Copy& p, std::int64_t axis, const T* x, T* y) {
  const std::int64_t size = p.sizes[axis], dx = p.x_strides[axis], dy = p.y_strides[axis];
  if (axis + 1 < p.rank) {
    for (std::int64_t i = 0; i < size; ++i) walk(p, axis + 1, x + i * dx, y + i * dy);
  } else if (dx == 1 && dy == 1) {
    std::copy_n(x, size, y);
  } else if (dx == 0 && dy == 1) {
    std::fill_n(y, size, *x);
  } else {
    for (std::int64_t i = 0; i < size; ++i) y[i * dy] = x[i * dx];
  }
}

template <class T>
void run_as(const Copy& p, const Frame& frame) {
  const T* x = frame.at<T>(p.x) + p.x_first;
  T* y = frame.at<T>(p.y) + p.y_first;
  for (std::int64_t i = 0; i < frame.images; ++i) {
    walk(p, 0, x + i * p.x_elements, y + i * p.y_elements);
  }
}

void run(const Copy& p, const Frame& frame) {
  of_width(p.width, [&](auto element) { run_as<decltype(element)>(p, frame); });
}

}  // namespace

Kernel copy_kernel() { return kernel<Copy, run>("copy"); }

}  // namespace lutloom
