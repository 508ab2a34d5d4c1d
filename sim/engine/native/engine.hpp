// What kernels of the engine have in common: a step's parameters, a frame's buffers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lutloom {

// How a value is kept in memory; the numbers are those of storage.py.
enum Layout : std::int64_t { BYTES, INT16, INT32, INT64, BITS, PLANES, FLOAT32 };

// A value in a dense layout, read or written element by element: as Operand of program.py.
struct Operand {
  std::int64_t buffer;
  std::int64_t layout;
  std::int64_t lo;
  std::int64_t step;
};

// What a kernel is called for: `images` images, the first of which is number `first` of a block of
// up to `lanes`. Dense buffers and bits begin with that image; planes with image 0 of the block.
struct Frame {
  std::uint8_t* const* buffers;
  std::int64_t images;
  std::int64_t first;

  template <class T>
  T* at(std::int64_t buffer) const {
    return reinterpret_cast<T*>(buffers[buffer]);
  }
};

// Images of a block in planes: the bits of a plane.
#if defined(__AVX512F__)
constexpr std::int64_t LANES = 512;
#elif defined(__AVX2__)
constexpr std::int64_t LANES = 256;
#else
constexpr std::int64_t LANES = 64;
#endif

using Run = void (*)(const void* parameters, const Frame& frame);

// A kernel by its name, and how many words of parameters it takes.
struct Kernel {
  const char* name;
  std::size_t words;
  Run run;
};

// The kernel that runs `RUN(const Parameters&, const Frame&)`.
template <class Parameters, void (*RUN)(const Parameters&, const Frame&)>
Kernel kernel(const char* name) {
  static_assert(sizeof(Parameters) % 8 == 0, "every parameter takes eight bytes");
  const Run run = [](const void* parameters, const Frame& frame) {
    RUN(*static_cast<const Parameters*>(parameters), frame);
  };
  return {name, sizeof(Parameters) / 8, run};
}

}  // namespace lutloom
