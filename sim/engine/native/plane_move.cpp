// Planes copied to other places, or filled.
#include <algorithm>

#include "kernels.hpp"
#include "planes.hpp"

namespace lutloom {
namespace {

using namespace planes;

// Runs of planes, from plane `sources[r]` of x to `targets[r]` of y. Where the source is -1, the
// `levels` planes of what windows see in the padding go there, again and again: bits of `fill`.
struct Move {
  std::int64_t x, y, runs, levels, fill;
  const std::int64_t* sources;
  const std::int64_t* targets;
  const std::int64_t* lengths;
};

void run(const Move& p, const Frame& frame) {
  const Plane* x = frame.at<Plane>(p.x);
  Plane* y = frame.at<Plane>(p.y);
  for (std::int64_t r = 0; r < p.runs; ++r) {
    Plane* target = y + p.targets[r];
    if (p.sources[r] >= 0) {
      std::copy_n(x + p.sources[r], p.lengths[r], target);
    } else {
      // What windows see in the padding: the same code of every image.
      for (std::int64_t i = 0; i < p.lengths[r]; ++i) {
        target[i] = spread(-(p.fill >> i % p.levels & 1));
      }
    }
  }
}

}  // namespace

Kernel plane_move_kernel() { return kernel<Move, run>("plane_move"); }

}  // namespace lutloom
