// What C simulation without Vitis adds to the generated design: problems found, values traced, and
// with LUTLOOM_BOUNDED the threads of the processes.
#ifndef LUTLOOM_CSIM_SIMULATION_H
#define LUTLOOM_CSIM_SIMULATION_H

#include <ap_int.h>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef LUTLOOM_BOUNDED
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
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

// The thread that waits for one stream, if any: never both its writer and its reader.
struct Waits {
  std::function<std::string()> describe;
  std::condition_variable changed;
  bool is_waiting = false;
};

// One thread runs at a time: it holds the lock until it has to wait. A design is dead when all
// threads wait.
class Scheduler {
 public:
  static Scheduler& get() {
    static Scheduler scheduler;
    return scheduler;
  }

  // Run `units`, each of which spawns its processes and then holds; `images` times each process.
  void run(int images, const std::vector<std::function<void()> >& units) {
    images_ = images;
    units_ = units.size();
    arrived_ = 0;
    alive_ = 0;
    waiting_ = 0;
    is_dead_ = false;
    error_.clear();
    entries_.clear();
    std::vector<std::thread> threads;
    for (const std::function<void()>& unit : units) {
      threads.emplace_back(unit);
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (std::thread& thread : processes_) {
      thread.join();
    }
    processes_.clear();
    is_failing() = false;
    if (!error_.empty()) {
      throw Failure(error_);
    }
  }

  // Make a thread for a process; it starts when all units hold.
  void spawn(const char* name, std::function<void()> process) {
    const std::unique_lock<std::mutex> lock(mutex_);
    ++alive_;
    processes_.emplace_back([this, name, process] { run_process(name, process); });
  }

  // Wait for all processes of all units, whose streams live until then.
  void hold() {
    std::unique_lock<std::mutex> lock(mutex_);
    ++arrived_;
    start_.notify_all();
    done_.wait(lock, [this] { return arrived_ == units_ && alive_ == 0; });
    done_.notify_all();
  }

  // Called by a stream before it is read or written.
  template <typename Ready>
  void wait_until(const Ready& ready, Waits& waits, const char* what) {
    if (current().lock == nullptr) {
      return;
    }
    if (is_dead_) {
      throw Failure("stopped");
    }
    if (ready()) {
      return;
    }
    const Entry entry = {&waits, current().name + std::string(" waits to ") + what + " " +
                                     (waits.describe ? waits.describe() : "a stream")};
    entries_[current().name] = entry;
    waits.is_waiting = true;
    ++waiting_;
    if (waiting_ == alive_) {
      stop_dead();
    }
    waits.changed.wait(*current().lock, [&] { return is_dead_ || ready(); });
    entries_.erase(current().name);
    if (is_dead_) {
      throw Failure("stopped");
    }
  }

  // Called by a stream after it was read or written: who waits for that counts as running again.
  void changed(Waits& waits) {
    if (waits.is_waiting) {
      waits.is_waiting = false;
      --waiting_;
      waits.changed.notify_all();
    }
  }

 private:
  struct Current {
    std::unique_lock<std::mutex>* lock = nullptr;
    std::string name;
  };
  struct Entry {
    Waits* waits;
    std::string text;
  };

  static Current& current() {
    static thread_local Current value;
    return value;
  }

  void run_process(const char* name, const std::function<void()>& process) {
    std::unique_lock<std::mutex> lock(mutex_);
    start_.wait(lock, [this] { return arrived_ == units_; });
    current().lock = &lock;
    current().name = name;
    try {
      for (int image = 0; image < images_; ++image) {
        process();
      }
    } catch (const std::exception& error) {
      stop(error.what());
    }
    current().lock = nullptr;
    --alive_;
    if (alive_ != 0 && waiting_ == alive_) {
      stop_dead();
    }
    if (alive_ == 0) {
      done_.notify_all();
    }
  }

  void stop_dead() {
    std::string text = "deadlock: ";
    const char* separator = "";
    // Full FIFOs first: they say what should be deeper.
    for (const bool is_writer : {true, false}) {
      for (const auto& entry : entries_) {
        if ((entry.second.text.find(" waits to write ") != std::string::npos) == is_writer) {
          text += separator + entry.second.text;
          separator = "; ";
        }
      }
    }
    stop(text);
  }

  void stop(const std::string& error) {
    if (is_dead_) {
      return;
    }
    is_dead_ = true;
    is_failing() = true;
    error_ = error;
    for (const auto& entry : entries_) {
      entry.second.waits->changed.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  std::vector<std::thread> processes_;
  std::map<std::string, Entry> entries_;
  std::string error_;
  std::size_t units_ = 0;
  std::size_t arrived_ = 0;
  int images_ = 0;
  int alive_ = 0;
  int waiting_ = 0;
  bool is_dead_ = false;
};

#endif

}  // namespace lutloom_csim

#endif
