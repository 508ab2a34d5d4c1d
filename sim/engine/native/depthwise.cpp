// Convolutions of every channel by itself. Four pixels of a column of the window lie side by side in
// a lane; a row of the image is laid out like that once, and read by all windows that see it.
#include <algorithm>
#include <vector>

#include "emit.hpp"
#include "kernels.hpp"
#include "vectors.hpp"

namespace lutloom {
namespace {

// Windows of `kernel` columns, each of `words` times four rows. `row_places [height][words * 4]` say
// at which byte of an image of x the rows begin that a row of results sees, `column_places
// [columns]` at which byte of a row each column does: -1 where all is `fill`. Window w begins at
// column `stride * w`, and goes on every `dilation`. `weights` are, for each block of up to BLOCK
// channels, `[kernel][words][channels][4]`.
struct Depthwise {
  std::int64_t x, y, x_bytes, channels, height, width, columns, kernel, words, stride, dilation,
      fill;
  const std::int64_t* row_places;
  const std::int64_t* column_places;
  const std::int8_t* weights;
  const std::int32_t* classes;
  Emission emission;
};

// A block of channels in one row of results: of image `image`.
struct Row {
  std::int64_t image, row, channel;
};

#if defined(__AVX2__)

// Four rows as lanes of four bytes, in the order of the channels.
template <int VECTORS>
void lay_out(const Vector* four, Vector* made) {
  const Vector low[2] = {low_bytes(four[0], four[1]), low_bytes(four[2], four[3])};
  made[0] = low_pairs(low[0], low[1]);
  if (VECTORS > 1) made[1] = high_pairs(low[0], low[1]);
  if (VECTORS > 2) {
    const Vector high[2] = {high_bytes(four[0], four[1]), high_bytes(four[2], four[3])};
    made[2] = low_pairs(high[0], high[1]);
    if (VECTORS > 3) made[3] = high_pairs(high[0], high[1]);
  }
}

template <int VECTORS>
void lay_out_row(const Depthwise& p, const Frame& frame, const Row& row, Vector* lanes) {
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x) + row.image * p.x_bytes + row.channel;
  const std::int32_t word = static_cast<std::int32_t>(p.fill * 0x01010101);
  const Vector fill = broadcast(&word);
  for (std::int64_t k = 0; k < p.words; ++k) {
    const std::int64_t* places = p.row_places + (row.row * p.words + k) * 4;
    // A row of the fill has it in all of its columns: at its beginning.
    const std::uint8_t* rows[4];
    std::int64_t moving[4];
    for (int r = 0; r < 4; ++r) {
      rows[r] = places[r] < 0 ? reinterpret_cast<const std::uint8_t*>(&fill) : x + places[r];
      moving[r] = places[r] < 0 ? 0 : -1;
    }
    Vector* made = lanes + k * VECTORS;
    for (std::int64_t c = 0; c < p.columns; ++c, made += p.words * VECTORS) {
      const std::int64_t column = p.column_places[c];
      Vector four[4] = {fill, fill, fill, fill};
      if (column >= 0) {
        for (int r = 0; r < 4; ++r) four[r] = spread(load(rows[r] + (column & moving[r])));
      }
      lay_out<VECTORS>(four, made);
    }
  }
}

// The sums of PIXELS windows, the first of which begins with `lanes`.
template <int VECTORS, int PIXELS>
void windows(const Depthwise& p, const Vector* lanes, const std::int8_t* weights,
             std::int32_t* sums) {
  Vector sum[PIXELS][VECTORS];
  for (int i = 0; i < PIXELS; ++i) {
    for (int v = 0; v < VECTORS; ++v) sum[i][v] = zeros();
  }
  const std::int64_t column = p.words * VECTORS;
  for (std::int64_t j = 0; j < p.kernel; ++j) {
    for (std::int64_t k = 0; k < p.words; ++k) {
      Vector w[VECTORS];
      for (int v = 0; v < VECTORS; ++v, weights += 4 * LANES_32) w[v] = load(weights);
      const Vector* at = lanes + j * p.dilation * column + k * VECTORS;
      for (int i = 0; i < PIXELS; ++i, at += p.stride * column) {
        for (int v = 0; v < VECTORS; ++v) sum[i][v] = dot_bytes(sum[i][v], at[v], w[v]);
      }
    }
  }
  for (int i = 0; i < PIXELS; ++i) {
    for (int v = 0; v < VECTORS; ++v) store(sums + i * BLOCK + v * LANES_32, sum[i][v]);
  }
}

template <int VECTORS, class Emit>
void run_row(const Depthwise& p, const Frame& frame, const Row& row, Vector* lanes, Emit emit) {
  constexpr int PIXELS = VECTORS > 2 ? TILE_4 : 4;
  lay_out_row<VECTORS>(p, frame, row, lanes);
  alignas(64) std::int32_t sums[PIXELS * BLOCK];
  const std::int8_t* weights = p.weights + row.channel * p.kernel * p.words * 4;
  const std::int64_t count = std::min(BLOCK, p.channels - row.channel);
  for (std::int64_t w = 0; w < p.width;) {
    const Vector* first = lanes + w * p.stride * p.words * VECTORS;
    const std::int64_t left = p.width - w, pixels = left < 2 ? 1 : left < PIXELS ? 2 : PIXELS;
    if (pixels == 1) {
      windows<VECTORS, 1>(p, first, weights, sums);
    } else if (pixels == 2) {
      windows<VECTORS, 2>(p, first, weights, sums);
    } else {
      windows<VECTORS, PIXELS>(p, first, weights, sums);
    }
    for (std::int64_t i = 0; i < pixels; ++i, ++w) {
      const std::int64_t pixel = row.row * p.width + w;
      const Target to{p.classes[pixel], row.channel, row.image * p.height * p.width + pixel,
                      row.channel, count};
      emit(Width<VECTORS * LANES_32>(), sums + i * BLOCK, to);
    }
  }
}

template <class Emit>
void all_rows(const Depthwise& p, const Frame& frame, Emit emit) {
  std::vector<Vector> lanes(p.columns * p.words * 4);
  for (std::int64_t i = 0; i < frame.images; ++i) {
    for (std::int64_t h = 0; h < p.height; ++h) {
      for (std::int64_t c = 0; c < p.emission.columns; c += BLOCK) {
        const Row row{i, h, c};
        switch (std::min(BLOCK, p.emission.columns - c) / LANES_32) {
          case 1:
            run_row<1>(p, frame, row, lanes.data(), emit);
            break;
          case 2:
            run_row<2>(p, frame, row, lanes.data(), emit);
            break;
          case 3:
            run_row<3>(p, frame, row, lanes.data(), emit);
            break;
          default:
            run_row<4>(p, frame, row, lanes.data(), emit);
        }
      }
    }
  }
}

#else

// The sums of LANES_32 channels of a window.
void window(const Depthwise& p, const std::uint8_t* x, const Row& row, std::int64_t first,
            std::int64_t count, std::int32_t* sums) {
  const std::int8_t* weights = p.weights + row.channel * p.kernel * p.words * 4;
  const std::int64_t block = std::min(BLOCK, p.emission.columns - row.channel);
  std::fill_n(sums, BLOCK, 0);
  for (std::int64_t j = 0; j < p.kernel; ++j) {
    const std::int64_t column = p.column_places[first + j * p.dilation];
    for (std::int64_t r = 0; r < 4 * p.words; ++r) {
      const std::int64_t place = p.row_places[row.row * p.words * 4 + r];
      const std::int8_t* w = weights + (j * p.words + r / 4) * block * 4 + r % 4;
      const std::uint8_t* seen = place < 0 || column < 0 ? nullptr : x + place + column;
      for (std::int64_t c = 0; c < count; ++c) {
        const auto code = static_cast<std::int32_t>(seen == nullptr ? p.fill : seen[c]);
        sums[c] += w[4 * c] * code;
      }
    }
  }
}

template <class Emit>
void all_rows(const Depthwise& p, const Frame& frame, Emit emit) {
  alignas(64) std::int32_t sums[BLOCK];
  const std::uint8_t* x = frame.at<std::uint8_t>(p.x);
  for (std::int64_t i = 0; i < frame.images; ++i, x += p.x_bytes) {
    for (std::int64_t pixel = 0; pixel < p.height * p.width; ++pixel) {
      for (std::int64_t c = 0; c < p.channels; c += BLOCK) {
        const Row row{i, pixel / p.width, c};
        const std::int64_t count = std::min(BLOCK, p.channels - c);
        window(p, x + c, row, pixel % p.width * p.stride, count, sums);
        const std::int64_t place = i * p.height * p.width + pixel;
        emit(Width<BLOCK>(), sums, Target{p.classes[pixel], c, place, c, count});
      }
    }
  }
}

#endif

void run(const Depthwise& p, const Frame& frame) {
  with_emission(p.emission, frame, p.y, [&](auto emit) { all_rows(p, frame, emit); });
}

}  // namespace

Kernel depthwise_kernel() { return kernel<Depthwise, run>("depthwise"); }

}  // namespace lutloom
