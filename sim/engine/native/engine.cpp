// A program of steps, run over blocks of images by as many threads as are asked for.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "engine.hpp"
#include "kernels.hpp"
#include "workers.hpp"

namespace lutloom {
namespace {

constexpr std::size_t PAGE = 4096;

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

// A thread's memory. It is left by whoever runs out of it, and made when it is first used.
struct Arena {
  explicit Arena(std::size_t bytes)
      : memory(static_cast<std::uint8_t*>(
            std::aligned_alloc(PAGE, (bytes + PAGE) / PAGE * PAGE))) {
    if (memory == nullptr) throw std::bad_alloc();
    // Kernels may read, and never use, what nothing has written.
    std::memset(memory, 0, (bytes + PAGE) / PAGE * PAGE);
  }
  Arena(const Arena&) = delete;
  ~Arena() { std::free(memory); }
  std::uint8_t* memory;
};

struct Program {
  std::vector<Step> steps;
  std::vector<Stage> stages;
  std::vector<Buffer> buffers;
  std::int64_t arena_bytes, block;
  std::mutex mutex;
  std::vector<Arena*> arenas;

  ~Program() {
    for (Arena* arena : arenas) delete arena;
  }

  // A thread's arena, which nobody else has until it is given back.
  Arena* take() {
    {
      const std::lock_guard<std::mutex> guard(mutex);
      if (!arenas.empty()) {
        Arena* arena = arenas.back();
        arenas.pop_back();
        return arena;
      }
    }
    return new Arena(static_cast<std::size_t>(arena_bytes));
  }

  void give_back(Arena* arena) {
    const std::lock_guard<std::mutex> guard(mutex);
    arenas.push_back(arena);
  }
};

// Run images `first` up to `first + count` of the caller's arrays.
void run_block(const Program& program, const Arena& arena, std::uint8_t* const* inputs,
               std::uint8_t* const* outputs, std::int64_t first, std::int64_t count) {
  const std::size_t buffers = program.buffers.size();
  std::vector<std::uint8_t*> bases(buffers), places(buffers);
  for (std::size_t b = 0; b < buffers; ++b) {
    const Buffer& buffer = program.buffers[b];
    bases[b] = buffer.origin == ARENA
                   ? arena.memory + buffer.offset
                   : (buffer.origin == INPUT ? inputs : outputs)[buffer.offset] +
                         first * buffer.bytes;
  }
  for (const Stage& stage : program.stages) {
    for (std::int64_t i = 0; i < count; i += stage.images) {
      for (std::size_t b = 0; b < buffers; ++b) {
        places[b] = bases[b] + i * program.buffers[b].bytes;
      }
      const Frame frame{places.data(), std::min(stage.images, count - i), i};
      for (std::int64_t s = stage.first; s < stage.last; ++s) {
        program.steps[s].run(program.steps[s].parameters, frame);
      }
    }
  }
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
  }
  program->arena_bytes = arena_bytes;
  program->block = block;
  return program;
} catch (const std::bad_alloc&) {
  return nullptr;
}

EXPORT void lutloom_program_delete(void* program) { delete static_cast<Program*>(program); }

// Run `images` images by up to `threads` threads. 0 if all is well, 1 without memory.
EXPORT int lutloom_program_run(void* handle, std::uint8_t* const* inputs,
                               std::uint8_t* const* outputs, std::int64_t images, int threads) try {
  Program& program = *static_cast<Program*>(handle);
  // No more than a block at a time, and something for every thread.
  const std::int64_t share = (images + threads - 1) / std::max(threads, 1);
  const std::int64_t size = std::max<std::int64_t>(1, std::min(program.block, share));
  std::atomic<std::int64_t> next{0};
  std::atomic<int> failed{0};
  const auto task = [&](int) {
    try {
      Arena* arena = program.take();
      for (std::int64_t first; (first = next.fetch_add(size)) < images;) {
        run_block(program, *arena, inputs, outputs, first, std::min(size, images - first));
      }
      program.give_back(arena);
    } catch (const std::bad_alloc&) {
      failed = 1;
    }
  };
  if (threads <= 1 || images <= size) {
    task(0);
  } else {
    Workers::shared().run(threads, task);
  }
  return failed;
} catch (const std::bad_alloc&) {
  return 1;
}
