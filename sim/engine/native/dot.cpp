// Sums of products of bytes, or of integers of 16 bits, with constant weights: four bytes of x at a
// time, with the weights of a block of outputs side by side.
#include <algorithm>
#include <cstring>

#include "emit.hpp"
#include "kernels.hpp"
#include "vectors.hpp"

namespace lutloom {
namespace {

// Positions that share the weights of a block of outputs before the next block's turn.
constexpr std::int64_t POSITIONS = 1024;

// Every output of a group is a sum over `runs` of `words * 4` bytes each. `offsets [pixels]` say at
// which byte of an image of x a window begins, `run_offsets [runs]` how much later each run does.
// `weights` are, for each block of up to BLOCK outputs of a group, `[runs][words][outputs][4 bytes]`.
// Groups have `columns / groups` outputs, those included that only fill a register.
struct Dot {
  std::int64_t x, y, x_bytes, pixels, groups, group_bytes, runs, words, is_short, positions;
  const std::int64_t* offsets;
  const std::int64_t* run_offsets;
  const std::int8_t* weights;
  const std::int32_t* classes;
  Emission emission;
};

#if defined(__AVX2__)
struct Bytes {
  static Vector dot(Vector sum, Vector x, Vector w) { return dot_bytes(sum, x, w); }
};
#endif

struct Shorts {
  static Vector dot(Vector sum, Vector x, Vector w) { return dot_shorts(sum, x, w); }
};

// The sums of VECTORS registers of outputs at PIXELS places, `sums [PIXELS][BLOCK]`.
template <class Products, int VECTORS, int PIXELS>
void tile(const Dot& p, const std::uint8_t* const* x, const std::int8_t* weights,
          std::int32_t* sums) {
  Vector sum[PIXELS][VECTORS];
  for (int i = 0; i < PIXELS; ++i) {
    for (int v = 0; v < VECTORS; ++v) sum[i][v] = zeros();
  }
  for (std::int64_t r = 0; r < p.runs; ++r) {
    const std::uint8_t* run[PIXELS];
    for (int i = 0; i < PIXELS; ++i) run[i] = x[i] + p.run_offsets[r];
    for (std::int64_t k = 0; k < p.words; ++k) {
      Vector w[VECTORS];
      for (int v = 0; v < VECTORS; ++v, weights += 4 * LANES_32) w[v] = load(weights);
      for (int i = 0; i < PIXELS; ++i) {
        const Vector four = broadcast(run[i] + 4 * k);
        for (int v = 0; v < VECTORS; ++v) sum[i][v] = Products::dot(sum[i][v], four, w[v]);
      }
    }
  }
  for (int i = 0; i < PIXELS; ++i) {
    for (int v = 0; v < VECTORS; ++v) store(sums + i * BLOCK + v * LANES_32, sum[i][v]);
  }
}

// Where windows begin, and their classes: of some places of some images, `first` the first of all.
struct Positions {
  std::int64_t first, count;
  const std::uint8_t* x[POSITIONS];
  std::int64_t kind[POSITIONS];
};

// A block of outputs at `places`: of VECTORS registers, `column` the first, `count` that count.
template <class Products, int VECTORS, int PIXELS, class Emit>
void block(const Dot& p, const Positions& places, std::int64_t group, std::int64_t column,
           std::int64_t output, std::int64_t count, Emit emit) {
  alignas(64) std::int32_t sums[PIXELS * BLOCK];
  const std::int8_t* weights = p.weights + column * p.runs * p.words * 4;
  for (std::int64_t q = 0; q < places.count;) {
    const std::uint8_t* x[PIXELS];
    const std::int64_t pixels = std::min<std::int64_t>(PIXELS, places.count - q);
    for (std::int64_t i = 0; i < PIXELS; ++i) {
      x[i] = places.x[std::min(q + i, places.count - 1)] + group * p.group_bytes;
    }
    if (pixels == 1) {
      tile<Products, VECTORS, 1>(p, x, weights, sums);
    } else if (pixels <= PIXELS / 2) {
      tile<Products, VECTORS, PIXELS / 2>(p, x, weights, sums);
    } else {
      tile<Products, VECTORS, PIXELS>(p, x, weights, sums);
    }
    for (std::int64_t i = 0; i < pixels; ++i, ++q) {
      const Target to{places.kind[q], column, places.first + q, output, count};
      emit(Width<VECTORS * LANES_32>(), sums + i * BLOCK, to);
    }
  }
}

template <class Products, class Emit>
void all_blocks(const Dot& p, const Positions& places, Emit emit) {
  const std::int64_t columns = p.emission.columns / p.groups;
  const std::int64_t outputs = p.emission.outputs / p.groups;
  for (std::int64_t g = 0; g < p.groups; ++g) {
    for (std::int64_t first = 0; first < columns; first += BLOCK) {
      const std::int64_t column = g * columns + first, output = g * outputs + first;
      const std::int64_t count = std::min(BLOCK, outputs - first);
      switch (std::min(BLOCK, columns - first) / LANES_32) {
        case 1:
          block<Products, 1, TILE_1>(p, places, g, column, output, count, emit);
          break;
        case 2:
          block<Products, 2, TILE_2>(p, places, g, column, output, count, emit);
          break;
        case 3:
          block<Products, 3, TILE_3>(p, places, g, column, output, count, emit);
          break;
        default:
          block<Products, 4, TILE_4>(p, places, g, column, output, count, emit);
      }
    }
  }
}

template <class Emit>
void all_positions(const Dot& p, const Frame& frame, Emit emit) {
  Positions places;
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  std::int64_t image = 0, pixel = 0;
  for (places.first = 0; image < frame.images; places.first += places.count) {
    places.count = 0;
    while (places.count < p.positions && image < frame.images) {
      places.x[places.count] = x + image * p.x_bytes + p.offsets[pixel];
      places.kind[places.count++] = p.classes[pixel];
      if (++pixel == p.pixels) ++image, pixel = 0;
    }
#if defined(__AVX2__)
    if (!p.is_short) {
      all_blocks<Bytes>(p, places, emit);
      continue;
    }
#endif
    all_blocks<Shorts>(p, places, emit);
  }
}

void run(const Dot& p, const Frame& frame) {
  with_emission(p.emission, frame, p.y, [&](auto emit) { all_positions(p, frame, emit); });
}

}  // namespace

Kernel dot_kernel() { return kernel<Dot, run>("dot"); }

}  // namespace lutloom
