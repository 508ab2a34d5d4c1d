// The channels of the largest elements of each pixel.
#include <algorithm>
#include <numeric>
#include <vector>

#include "codes.hpp"
#include "kernels.hpp"

namespace lutloom {
namespace {

// `k` of `channels` channels, largest first; of equal ones the lowest comes first.
struct TopK {
  Operand x, y;
  std::int64_t pixels, channels, k;
};

void run(const TopK& p, const Frame& frame) {
  std::vector<std::int64_t> x(p.channels), order(p.channels);
  for (std::int64_t pixel = 0; pixel < frame.images * p.pixels; ++pixel) {
    read(p.x, frame, pixel * p.channels, p.channels, x.data());
    if (p.k == 1) {
      order[0] = std::max_element(x.begin(), x.end()) - x.begin();
    } else {
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(order.begin(), order.begin() + p.k, order.end(),
                        [&](std::int64_t a, std::int64_t b) {
                          return x[a] != x[b] ? x[a] > x[b] : a < b;
                        });
    }
    write(p.y, frame, pixel * p.k, p.k, order.data());
  }
}

}  // namespace

Kernel top_k_kernel() { return kernel<TopK, run>("top_k"); }

}  // namespace lutloom
