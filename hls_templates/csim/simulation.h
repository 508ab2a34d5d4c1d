// What C simulation without Vitis adds to the generated design: problems found, values traced, and
// with LUTLOOM_BOUNDED processes that run beside each other.
#ifndef LUTLOOM_CSIM_SIMULATION_H
#define LUTLOOM_CSIM_SIMULATION_H

#include <ap_int.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef LUTLOOM_BOUNDED
#include <sys/mman.h>
#include <ucontext.h>

#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <random>
#endif

namespace lutloom_csim {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Problems that do not stop the simulation.
inline std::vector<std::string>& problems() {
  static std::vector<std::string> list;
  return list;
}

// Whether a failure is under way: streams are then destroyed as they are.
inline bool& is_failing() {
  static bool value = false;
  return value;
}

inline bool& is_tracing() {
  static bool value = false;
  return value;
}

// Words written to each stream while tracing, as 64-bit pieces, the lowest first.
inline std::map<std::string, std::vector<std::uint64_t> >& traces() {
  static std::map<std::string, std::vector<std::uint64_t> > map;
  return map;
}

template <int BITS>
void append_pieces(std::vector<std::uint64_t>& pieces, const ap_uint<BITS>& word) {
  for (int low = 0; low < BITS; low += 64) {
    const int high = low + 63 < BITS ? low + 63 : BITS - 1;
    pieces.push_back(word.range(high, low).to_uint64());
  }
}

template <int BITS>
ap_uint<BITS> join_pieces(const std::uint64_t* pieces) {
  ap_uint<BITS> word = 0;
  for (int low = 0; low < BITS; low += 64) {
    const int high = low + 63 < BITS ? low + 63 : BITS - 1;
    word.range(high, low) = ap_uint<64>(pieces[low / 64]);
  }
  return word;
}

template <int BITS>
void record(const std::string& name, const ap_uint<BITS>& word) {
  append_pieces(traces()[name], word);
}

// AXI transfers are checked at the borders, not traced.
template <typename Other>
void record(const std::string&, const Other&) {}

#ifdef LUTLOOM_BOUNDED

class Fiber;

// What the scheduler has to know of a stream.
class Channel {
 public:
  virtual ~Channel() {}
  virtual std::string name() const = 0;
  virtual bool has_word() const = 0;
  virtual bool has_room() const = 0;
  virtual std::size_t held() const = 0;
  // A word that was read gives up its place; one that was withheld takes a place.
  virtual void leave() = 0;
  virtual void enter() = 0;

  std::size_t depth = static_cast<std::size_t>(-1);
  // Its number among the FIFOs of the design whose depths are planned, or -1.
  int number = -1;
  // Who waits to read it, and to write it.
  Fiber* waiting[2] = {nullptr, nullptr};
};

// A process, or a unit: a function on a stack of its own. One runs at a time, until it waits.
class Fiber {
 public:
  Fiber(const std::string& name, std::function<void()> body) : name(name), body(body) {
    stack_ = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack_ == MAP_FAILED) {
      throw Failure("there is not enough memory for the stack of " + name);
    }
    mprotect(stack_, kGuardBytes, PROT_NONE);  // what overflows the stack ends here
    getcontext(&context);
    context.uc_stack.ss_sp = stack_;
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber() { munmap(stack_, kStackBytes); }

  struct Withheld {
    std::uint64_t iteration;
    Channel* channel;
  };

  ucontext_t context;
  std::string name;
  std::function<void()> body;
  std::vector<Channel*> channels;
  bool is_done = false;
  // What it waits for, if for anything.
  Channel* awaited = nullptr;
  bool is_writing = false;
  // Its pipeline: how long it is, the words read in this iteration, and those on their way.
  std::uint64_t stages = 0;
  std::uint64_t iteration = 0;
  std::vector<Channel*> taken;
  std::deque<Withheld> withheld;

 private:
  static constexpr std::size_t kStackBytes = std::size_t(1) << 23;
  static constexpr std::size_t kGuardBytes = std::size_t(1) << 16;
  void* stack_;
};

// Runs the processes. A design is dead when all of them wait; then FIFOs that hold up each other
// are made deeper until it goes on, and the failure says which, and by how much.
//
// With an adversary, every process is a pipeline that moves as a whole: an iteration begins if all
// words that it reads are there, and room for those of the iteration `stages` before it, which only
// then come out. The last ones come out at the end of an image. And whoever goes on next is drawn.
class Scheduler {
 public:
  static Scheduler& get() {
    static Scheduler scheduler;
    return scheduler;
  }

  // Run `units`, each of which spawns its processes and then holds; `images` times each process.
  // `adversary` is the seed of one, or negative.
  void run(int images, const std::vector<std::function<void()> >& units, int adversary) {
    images_ = images;
    is_adverse_ = adversary >= 0;
    random_.seed(static_cast<std::mt19937::result_type>(adversary));
    is_dead_ = false;
    error_.clear();
    waits_.clear();
    shallow_.clear();
    std::vector<std::unique_ptr<Fiber> > holders;
    for (const std::function<void()>& unit : units) {
      holders.emplace_back(new Fiber("a unit", unit));
      makecontext(&holders.back()->context, &enter_unit, 0);
      resume(*holders.back());
    }
    for (const std::unique_ptr<Fiber>& process : processes_) {
      ready_.push_back(process.get());
    }
    while (next()) {
    }
    is_failing() = is_dead_;
    for (const std::unique_ptr<Fiber>& holder : holders) {
      resume(*holder);
    }
    is_failing() = false;
    processes_.clear();
    if (!waits_.empty()) {
      error_ = report();
    }
    if (!error_.empty()) {
      throw Failure(error_);
    }
  }

  // Add a process of `stages` stages that reads and writes `channels`.
  void spawn(const char* name, std::uint64_t stages, std::initializer_list<Channel*> channels,
             std::function<void()> process) {
    processes_.emplace_back(new Fiber(name, process));
    processes_.back()->stages = stages;
    processes_.back()->channels = channels;
    makecontext(&processes_.back()->context, &enter_process, 0);
  }

  // Wait for all processes of all units, whose streams live until then.
  void hold() { leave(); }

  // Whether words are withheld: in a process, with an adversary.
  bool is_adverse() const { return is_adverse_ && current_ != nullptr; }

  // Called by a stream before it is read or written.
  void wait(Channel& channel, bool is_writing) {
    if (current_ == nullptr) {
      return;
    }
    while (!is_dead_ && !(is_writing ? channel.has_room() : channel.has_word())) {
      current_->awaited = &channel;
      current_->is_writing = is_writing;
      channel.waiting[is_writing] = current_;
      leave();
    }
    if (is_dead_) {
      throw Failure("stopped");
    }
  }

  // Called by a stream that has a word more, or room for one.
  void changed(Channel& channel, bool has_room) {
    Fiber* fiber = channel.waiting[has_room];
    if (fiber != nullptr) {
      channel.waiting[has_room] = nullptr;
      fiber->awaited = nullptr;
      ready_.push_back(fiber);
    }
  }

  void take(Channel& channel) { current_->taken.push_back(&channel); }
  void withhold(Channel& channel) { current_->withheld.push_back({current_->iteration, &channel}); }

  // Called when an iteration of a process begins.
  void tick() {
    if (!is_adverse()) {
      return;
    }
    Fiber& fiber = *current_;
    advance(fiber);
    ++fiber.iteration;
    for (const Fiber::Withheld& word : fiber.withheld) {
      if (word.iteration + fiber.stages != fiber.iteration) {
        break;
      }
      wait(*word.channel, true);
    }
    if (random_() % 8 == 0) {
      ready_.push_back(&fiber);
      leave();
      if (is_dead_) {
        throw Failure("stopped");
      }
    }
  }

 private:
  struct Shallow {
    std::string text;
    std::size_t needed = 0;
  };

  static void enter_unit() {
    Scheduler& scheduler = get();
    Fiber& unit = *scheduler.current_;
    try {
      unit.body();
    } catch (const std::exception& error) {
      scheduler.stop(error.what());
    }
    scheduler.leave();
  }

  static void enter_process() {
    Scheduler& scheduler = get();
    scheduler.run_images(*scheduler.current_);
    scheduler.leave();
  }

  void run_images(Fiber& process) {
    try {
      for (int image = 0; image < images_ && !is_dead_; ++image) {
        process.body();
        drain(process);
      }
    } catch (const std::exception& error) {
      stop(error.what());
    }
    process.is_done = true;
  }

  // What is at the end of the pipeline comes out, and what the last iteration read gives up its
  // place.
  void advance(Fiber& fiber) {
    while (!fiber.withheld.empty() &&
           fiber.withheld.front().iteration + fiber.stages <= fiber.iteration) {
      come_out(fiber);
    }
    for (Channel* channel : fiber.taken) {
      channel->leave();
    }
    fiber.taken.clear();
  }

  void come_out(Fiber& fiber) {
    Channel& channel = *fiber.withheld.front().channel;
    wait(channel, true);
    fiber.withheld.pop_front();
    channel.enter();
  }

  void drain(Fiber& fiber) {
    if (is_adverse()) {
      advance(fiber);
      while (!fiber.withheld.empty()) {
        come_out(fiber);
      }
    }
    fiber.iteration = 0;
  }

  void resume(Fiber& fiber) {
    current_ = &fiber;
    swapcontext(&main_, &fiber.context);
    current_ = nullptr;
  }

  void leave() { swapcontext(&current_->context, &main_); }

  // Let one process go on; false if all are done.
  bool next() {
    if (ready_.empty()) {
      const std::vector<Fiber*> circle = waiting_circle();
      if (circle.empty()) {
        return false;
      }
      if (is_dead_ || !deepen(circle)) {
        is_dead_ = true;
        for (const std::unique_ptr<Fiber>& process : processes_) {
          if (!process->is_done) {
            ready_.push_back(process.get());
          }
        }
      }
      return true;
    }
    if (is_adverse_) {
      std::swap(ready_.front(), ready_[random_() % ready_.size()]);
    }
    Fiber& fiber = *ready_.front();
    ready_.pop_front();
    if (!fiber.is_done) {
      resume(fiber);
    }
    return true;
  }

  // The process at the other end of what `fiber` waits for.
  Fiber* other_end(const Fiber& fiber) const {
    for (const std::unique_ptr<Fiber>& process : processes_) {
      for (const Channel* channel : process->channels) {
        if (channel == fiber.awaited && process.get() != &fiber && !process->is_done) {
          return process.get();
        }
      }
    }
    return nullptr;
  }

  // Processes that wait for each other, in a circle; all that wait, if there is none.
  std::vector<Fiber*> waiting_circle() const {
    std::vector<Fiber*> waiting;
    for (const std::unique_ptr<Fiber>& process : processes_) {
      if (!process->is_done) {
        waiting.push_back(process.get());
      }
    }
    for (Fiber* start : waiting) {
      std::vector<Fiber*> chain;
      for (Fiber* fiber = start; fiber != nullptr; fiber = other_end(*fiber)) {
        const auto seen = std::find(chain.begin(), chain.end(), fiber);
        if (seen != chain.end()) {
          return std::vector<Fiber*>(seen, chain.end());
        }
        chain.push_back(fiber);
      }
    }
    return waiting;
  }

  // Make one of the full FIFOs of `circle` a word deeper; false if there is none.
  bool deepen(const std::vector<Fiber*>& circle) {
    Channel* smallest = nullptr;
    for (const Fiber* fiber : circle) {
      Channel* channel = fiber->is_writing ? fiber->awaited : nullptr;
      if (channel != nullptr && (smallest == nullptr || (smallest->number < 0 && channel->number >= 0) ||
                                 ((smallest->number < 0) == (channel->number < 0) &&
                                  channel->depth < smallest->depth))) {
        smallest = channel;
      }
    }
    if (waits_.empty()) {
      for (const Fiber* fiber : circle) {
        waits_ += "wait\t" + fiber->name + (fiber->is_writing ? "\tfull\t" : "\tempty\t") +
                  fiber->awaited->name() + "\n";
      }
    }
    if (smallest == nullptr) {
      return false;
    }
    Shallow& entry = shallow_[std::make_pair(smallest->number, smallest->name())];
    if (entry.needed == 0) {
      entry.text = smallest->name() + "\t" + std::to_string(smallest->number) + "\t" +
                   std::to_string(smallest->held()) + "\t" + std::to_string(smallest->depth);
    }
    ++smallest->depth;
    entry.needed = smallest->depth;
    changed(*smallest, true);
    return true;
  }

  std::string report() const {
    std::string text = "deadlock\n";
    for (const auto& entry : shallow_) {
      text += "shallow\t" + entry.second.text + "\t" + std::to_string(entry.second.needed) + "\n";
    }
    return text + waits_;
  }

  void stop(const std::string& error) {
    if (!is_dead_) {
      is_dead_ = true;
      error_ = error;
    }
    for (const std::unique_ptr<Fiber>& process : processes_) {
      if (!process->is_done) {
        ready_.push_back(process.get());
      }
    }
  }

  ucontext_t main_;
  Fiber* current_ = nullptr;
  std::vector<std::unique_ptr<Fiber> > processes_;
  std::deque<Fiber*> ready_;
  std::mt19937 random_;
  std::string error_;
  std::string waits_;
  // By number and name.
  std::map<std::pair<int, std::string>, Shallow> shallow_;
  int images_ = 0;
  bool is_adverse_ = false;
  bool is_dead_ = false;
};

inline void tick() { Scheduler::get().tick(); }

#endif

}  // namespace lutloom_csim

#endif
