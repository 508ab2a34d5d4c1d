// A program of steps, run over blocks of images by as many threads as are asked for.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "engine.hpp"
#include "kernels.hpp"
#include "python.hpp"
#include "workers.hpp"

namespace lutloom {
namespace {

constexpr std::int64_t PAGE = 4096;
// As in program.py.
constexpr std::int64_t SLACK = 64;
// Seconds of work, of all images together: from here on other threads are woken for it.
constexpr double WORTH_WAKING = 60e-6;
// Below this Python's lock is kept.
constexpr double SHORT = 20e-6;

struct Step {
  Run run;
  const void* parameters;
};

// Steps `first` up to `last`, for `images` of a block at a time.
struct Stage {
  std::int64_t first, last, images;
};

enum Origin : std::int64_t { ARENA, INPUT, OUTPUT };

// A buffer: in a thread's arena at `offset`, or the caller's number `offset`. `bytes` are of an
// image; 0 if that does not matter, since it always begins where it is.
struct Buffer {
  std::int64_t origin, offset, bytes;
};

// A thread's memory: of its buffers, and where they are. It is made when it is first used.
struct Arena {
  Arena(std::int64_t bytes, std::size_t buffers)
      : memory(static_cast<std::uint8_t*>(std::aligned_alloc(PAGE, pages(bytes)))),
        bases(buffers),
        places(buffers) {
    if (memory == nullptr) throw std::bad_alloc();
    // Kernels may read, and never use, what nothing has written.
    std::memset(memory, 0, pages(bytes));
  }
  Arena(const Arena&) = delete;
  ~Arena() { std::free(memory); }

  static std::size_t pages(std::int64_t bytes) {
    return (static_cast<std::size_t>(bytes) + PAGE) / PAGE * PAGE;
  }

  std::uint8_t* memory;
  std::vector<std::uint8_t*> bases, places;
  std::vector<std::uint8_t> copies;
};

struct Program {
  std::vector<Step> steps;
  std::vector<Stage> stages;
  std::vector<Buffer> buffers;
  // Bytes of an image, of every input and output.
  std::vector<std::int64_t> inputs, outputs;
  std::int64_t arena_bytes, block;
  std::vector<std::unique_ptr<Arena>> arenas;
  // How long an image took the last time, on one thread; 0 before the first.
  std::atomic<double> seconds{0};

  // An arena, which nobody else has until it is given back.
  std::unique_ptr<Arena> take() {
    {
      const std::lock_guard<std::mutex> guard(Workers::shared().arenas());
      if (!arenas.empty()) {
        std::unique_ptr<Arena> arena = std::move(arenas.back());
        arenas.pop_back();
        return arena;
      }
    }
    return std::make_unique<Arena>(arena_bytes, buffers.size());
  }

  void give_back(std::unique_ptr<Arena> arena) {
    const std::lock_guard<std::mutex> guard(Workers::shared().arenas());
    arenas.push_back(std::move(arena));
  }
};

// The caller's arrays.
struct Arrays {
  std::vector<std::uint8_t*> inputs, outputs;
};

// Copy the inputs of a block whose last bytes lie so near the end of a page that kernels, which may
// read what is behind a buffer, would read another page: it may not be there.
void keep_off_the_edge(const Program& program, Arena& arena, std::int64_t count) {
  std::int64_t bytes = 0;
  for (const Buffer& buffer : program.buffers) {
    if (buffer.origin == INPUT) bytes += buffer.bytes * count + SLACK;
  }
  std::uint8_t* copy = nullptr;
  for (std::size_t b = 0; b < program.buffers.size(); ++b) {
    if (program.buffers[b].origin != INPUT) continue;
    const std::int64_t size = program.buffers[b].bytes * count;
    const auto end = reinterpret_cast<std::uintptr_t>(arena.bases[b] + size);
    if (PAGE - 1 - (end - 1) % PAGE >= SLACK) continue;
    if (copy == nullptr) {
      arena.copies.resize(static_cast<std::size_t>(bytes));
      copy = arena.copies.data();
    }
    arena.bases[b] = static_cast<std::uint8_t*>(std::memcpy(copy, arena.bases[b], size));
    copy += size + SLACK;
  }
}

// Run images `first` up to `first + count` of the caller's arrays.
void run_block(const Program& program, Arena& arena, const Arrays& arrays, std::int64_t first,
               std::int64_t count) {
  const std::size_t buffers = program.buffers.size();
  for (std::size_t b = 0; b < buffers; ++b) {
    const Buffer& buffer = program.buffers[b];
    arena.bases[b] =
        buffer.origin == ARENA
            ? arena.memory + buffer.offset
            : (buffer.origin == INPUT ? arrays.inputs : arrays.outputs)[buffer.offset] +
                  first * buffer.bytes;
  }
  keep_off_the_edge(program, arena, count);
  for (const Stage& stage : program.stages) {
    for (std::int64_t i = 0; i < count; i += stage.images) {
      for (std::size_t b = 0; b < buffers; ++b) {
        arena.places[b] = arena.bases[b] + i * program.buffers[b].bytes;
      }
      const Frame frame{arena.places.data(), std::min(stage.images, count - i), i};
      for (std::int64_t s = stage.first; s < stage.last; ++s) {
        program.steps[s].run(program.steps[s].parameters, frame);
      }
    }
  }
}

// Run `images` images by up to `threads` threads.
void run_program(Program& program, const Arrays& arrays, std::int64_t images, int threads) {
  if (images * program.seconds <= WORTH_WAKING && program.seconds > 0) threads = 1;
  // No more than a block at a time, and something for every thread.
  const std::int64_t share = (images + threads - 1) / threads;
  const std::int64_t size = std::max<std::int64_t>(1, std::min(program.block, share));
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  const auto task = [&] {
    try {
      std::unique_ptr<Arena> arena = program.take();
      for (std::int64_t first; (first = next.fetch_add(size)) < images;) {
        run_block(program, *arena, arrays, first, std::min(size, images - first));
      }
      program.give_back(std::move(arena));
    } catch (const std::bad_alloc&) {
      failed = true;
    }
  };
  const auto begin = std::chrono::steady_clock::now();
  const int helped = images > size ? Workers::shared().run(threads, task) : (task(), 1);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (failed) throw std::bad_alloc();
  if (images > 0) program.seconds = took.count() * helped / static_cast<double>(images);
}

}  // namespace
}  // namespace lutloom

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace lutloom;

// How many words of parameters the kernel `name` takes; -1 if there is none of that name.
EXPORT std::int64_t lutloom_kernel_words(const char* name) {
  std::size_t count;
  const Kernel* kernels = all_kernels(count);
  for (std::size_t k = 0; k < count; ++k) {
    if (std::strcmp(kernels[k].name, name) == 0) return static_cast<std::int64_t>(kernels[k].words);
  }
  return -1;
}

// A program of steps by their kernels' names and parameters, which the caller keeps. `stages` and
// `buffers` are three words each. Null without memory.
EXPORT void* lutloom_program_new(std::int64_t steps, const char* const* names,
                                 const void* const* parameters, std::int64_t stages,
                                 const std::int64_t* stage_words, std::int64_t buffers,
                                 const std::int64_t* buffer_words, std::int64_t arena_bytes,
                                 std::int64_t block) try {
  auto* program = new Program;
  std::size_t count;
  const Kernel* kernels = all_kernels(count);
  for (std::int64_t s = 0; s < steps; ++s) {
    const Kernel* found = std::find_if(
        kernels, kernels + count, [&](const Kernel& k) { return !std::strcmp(k.name, names[s]); });
    program->steps.push_back({found->run, parameters[s]});
  }
  for (const std::int64_t* w = stage_words; w < stage_words + 3 * stages; w += 3) {
    program->stages.push_back({w[0], w[1], w[2]});
  }
  for (const std::int64_t* w = buffer_words; w < buffer_words + 3 * buffers; w += 3) {
    program->buffers.push_back({w[0], w[1], w[2]});
    if (w[0] == ARENA) continue;
    std::vector<std::int64_t>& bytes = w[0] == INPUT ? program->inputs : program->outputs;
    bytes.resize(std::max(bytes.size(), static_cast<std::size_t>(w[1]) + 1));
    bytes[w[1]] = w[2];
  }
  program->arena_bytes = arena_bytes;
  program->block = block;
  return program;
} catch (const std::bad_alloc&) {
  return nullptr;
}

EXPORT void lutloom_program_delete(void* program) { delete static_cast<Program*>(program); }

// Run `images` images by up to `threads` threads, from a tuple of arrays into another one: each
// contiguous, of the storage's type and the port's shape. 0 if all is well, 1 without memory, 2 if
// the arrays hold another number of images. The caller holds Python's lock.
EXPORT int lutloom_program_run(void* handle, PyObject* inputs, PyObject* outputs,
                               std::int64_t images, int threads) try {
  Program& program = *static_cast<Program*>(handle);
  Memory given, results;
  if (!given.borrow(inputs, program.inputs, images, false) ||
      !results.borrow(outputs, program.outputs, images, true)) {
    return 2;
  }
  const Arrays arrays{given.pointers(), results.pointers()};
  // Who gives the lock away for a moment may wait long for it.
  const bool is_short = program.seconds > 0 && images * program.seconds < SHORT;
  const Unlocked unlocked(!is_short);
  run_program(program, arrays, images, std::max(threads, 1));
  return 0;
} catch (const std::bad_alloc&) {
  return 1;
}
