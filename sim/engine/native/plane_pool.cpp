// The largest element of every window, in planes: a code is above `j` if any of them is.
#include "kernels.hpp"
#include "planes.hpp"

namespace lutloom {
namespace {

using namespace planes;

// `places [pixels][taps]` are the pixels that windows see, -1 where there is none; a pixel has
// `planes` of its channels and levels.
struct Pool {
  std::int64_t x, y, pixels, taps, planes;
  const std::int64_t* places;
};

void run(const Pool& p, const Frame& frame) {
  const Plane* x = frame.at<Plane>(p.x);
  Plane* y = frame.at<Plane>(p.y);
  for (std::int64_t pixel = 0; pixel < p.pixels; ++pixel, y += p.planes) {
    const std::int64_t* places = p.places + pixel * p.taps;
    for (std::int64_t c = 0; c < p.planes; ++c) {
      Plane any = spread(0);
      for (std::int64_t t = 0; t < p.taps; ++t) {
        if (places[t] >= 0) any = either(any, x[places[t] * p.planes + c]);
      }
      y[c] = any;
    }
  }
}

}  // namespace

Kernel plane_pool_kernel() { return kernel<Pool, run>("plane_pool"); }

}  // namespace lutloom
