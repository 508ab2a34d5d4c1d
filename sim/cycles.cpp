// Processes joined by bounded FIFOs, clock cycle by clock cycle.
//
// A process goes through the iterations of its pipelined loop, one a cycle at most: which words it
// reads when an iteration begins, and writes when it ends, `stages` cycles later, is its schedule.
// - An iteration begins when there is a word in every stream it reads, and room in the pipeline.
// - It ends when there is room in every stream it writes; iterations end in order. One that has to
//   wait holds up those behind it once they have moved up to it: a pipeline that flushes.
// - A frame begins when the last iteration of the one before has ended, `gap` cycles later.
// - A word can be read in the cycle after it was written, `latency` cycles later; the registers on
//   that way hold `latency` words of their own. Its place can be written in the cycle after it was
//   read. So a FIFO of two words runs at full rate.
// What happens in a cycle follows from what was so before it: the order of processes is of no
// account. Cycles in which nothing can happen are skipped.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

namespace {

typedef std::uint64_t Cycle;
constexpr Cycle kNever = ~Cycle(0);
constexpr int kBorder = -1;

struct Fifo {
  Cycle depth = 0;
  int writer = 0;
  int reader = 0;
  // When each word in it was written.
  std::deque<Cycle> words;
  Cycle last_read = kNever;
  Cycle fill = 0;
};

enum State { kBusy, kWaitsForInput, kWaitsForOutput, kRestarts, kStates };

struct Ending {
  Cycle iteration;
  Cycle due;
  std::uint32_t ports;
};

struct Process {
  std::vector<int> ports;
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
  // Iterations of a frame: runs of equal ones, all of them `repeats` times.
  std::vector<std::uint32_t> masks;
  std::vector<std::uint32_t> counts;
  Cycle repeats = 0;
  Cycle stages = 0;

  std::size_t run = 0;
  Cycle left_in_run = 0;
  Cycle left_repeats = 0;
  Cycle iteration = 0;
  Cycle earliest = 0;
  Cycle ended = 0;
  std::deque<Ending> endings;
  Cycle frames = 0;
  Cycle wake = 0;
  State state = kRestarts;
  Cycle since = 0;
  Cycle spent[kStates] = {};
};

class Model {
 public:
  std::vector<Fifo> fifos;
  std::vector<Process> processes;
  Cycle gap = 0;
  Cycle latency = 0;
  // For each frame that left the last process: when, and what each process had spent by then.
  std::vector<Cycle> finished;
  std::vector<std::vector<Cycle> > spent;

  void prepare() {
    for (std::size_t p = 0; p < processes.size(); ++p) {
      restart(processes[p]);
      for (std::size_t port = 0; port < processes[p].ports.size(); ++port) {
        const int fifo = processes[p].ports[port];
        if (fifo != kBorder) {
          (processes[p].reads >> port & 1 ? fifos[fifo].reader : fifos[fifo].writer) = int(p);
        }
      }
    }
  }

  // Go on until `frames` frames have left or `cycles` cycles have passed; false in a deadlock.
  bool run(Cycle frames, Cycle cycles) {
    const Cycle end = now_ + cycles;
    while (finished.size() < frames && now_ < end) {
      for (Process& process : processes) {
        if (process.wake <= now_) {
          step(process);
        }
      }
      Cycle next = kNever;
      for (const Process& process : processes) {
        next = std::min(next, process.wake);
      }
      if (next == kNever) {
        return false;
      }
      now_ = std::max(next, now_ + 1);
    }
    return true;
  }

  bool is_readable(const Fifo& fifo) const {
    return !fifo.words.empty() && fifo.words.front() + 1 + latency <= now_;
  }

  bool has_room(const Fifo& fifo) const {
    const Cycle held = fifo.words.size() + (fifo.last_read == now_ ? 1 : 0);
    return held < fifo.depth + latency;
  }

  // The FIFO that `process` waits for, to read or to write; kBorder if for none.
  int obstacle(const Process& process, bool is_output) const {
    const std::uint32_t mask = is_output ? (process.endings.empty() ? 0 : process.endings.front().ports)
                                         : process.masks[process.run] & process.reads;
    for (std::size_t port = 0; port < process.ports.size(); ++port) {
      const int fifo = process.ports[port];
      if ((mask >> port & 1) == 0 || fifo == kBorder) {
        continue;
      }
      if (is_output ? !has_room(fifos[fifo]) : !is_readable(fifos[fifo])) {
        return fifo;
      }
    }
    return kBorder;
  }

 private:
  static void restart(Process& process) {
    process.run = 0;
    process.left_in_run = process.counts[0];
    process.left_repeats = process.repeats;
    process.iteration = 0;
  }

  void account(Process& process, State state) {
    process.spent[process.state] += now_ - process.since;
    process.since = now_;
    process.state = state;
  }

  void step(Process& process) {
    process.wake = kNever;
    bool has_ended = end_iteration(process);
    const bool has_begun = begin_iteration(process);
    has_ended = has_ended || end_iteration(process);  // of one stage: in the cycle it began
    const bool holds = !process.endings.empty();
    if (has_begun || has_ended) {
      account(process, has_begun ? kBusy : kRestarts);
      const bool is_asleep = has_begun && !holds && process.earliest > now_ + 1;
      process.wake = std::min(process.wake, is_asleep ? process.earliest : now_ + 1);
      return;
    }
    // What comes by itself; the rest is for the neighbours to bring.
    if (holds && process.endings.front().due > now_) {
      process.wake = std::min(process.wake, process.endings.front().due);
    }
    if (process.earliest > now_) {
      process.wake = std::min(process.wake, process.earliest);
    }
    const bool is_full = holds && process.endings.front().due <= now_;
    const bool may_begin = process.left_repeats != 0 && process.earliest <= now_;
    const int awaited = may_begin ? obstacle(process, false) : kBorder;
    if (awaited != kBorder && !fifos[awaited].words.empty()) {
      process.wake = std::min(process.wake, fifos[awaited].words.front() + 1 + latency);
    }
    // Within a frame, what is not yet due is a run of iterations without words.
    const State otherwise = process.iteration != 0 && process.earliest > now_ ? kBusy : kRestarts;
    account(process, is_full ? kWaitsForOutput : awaited != kBorder ? kWaitsForInput : otherwise);
  }

  bool end_iteration(Process& process) {
    if (process.endings.empty() || process.endings.front().due > now_ ||
        obstacle(process, true) != kBorder) {
      return false;
    }
    const std::uint32_t mask = process.endings.front().ports;
    process.endings.pop_front();
    process.ended = now_;
    for (std::size_t port = 0; port < process.ports.size(); ++port) {
      if ((mask >> port & 1) != 0 && process.ports[port] != kBorder) {
        Fifo& fifo = fifos[process.ports[port]];
        fifo.words.push_back(now_);
        fifo.fill = std::max<Cycle>(fifo.fill, fifo.words.size() + (fifo.last_read == now_ ? 1 : 0));
        Process& reader = processes[fifo.reader];
        reader.wake = std::min(reader.wake, now_ + 1 + latency);
      }
    }
    if (&process == &processes.back() && process.left_repeats == 0 && process.endings.empty()) {
      finish();
    }
    return true;
  }

  bool begin_iteration(Process& process) {
    if (process.left_repeats == 0) {
      if (!process.endings.empty()) {
        return false;
      }
      const Cycle last = std::max(process.ended, process.earliest - 1 + process.stages);
      ++process.frames;
      process.earliest = last + 1 + gap;
      restart(process);
    }
    if (process.earliest > now_ ||
        (!process.endings.empty() &&
         process.iteration - process.endings.front().iteration > process.stages) ||
        obstacle(process, false) != kBorder) {
      return false;
    }
    const std::uint32_t mask = process.masks[process.run];
    for (std::size_t port = 0; port < process.ports.size(); ++port) {
      if ((mask & process.reads) >> port & 1 && process.ports[port] != kBorder) {
        Fifo& fifo = fifos[process.ports[port]];
        fifo.words.pop_front();
        fifo.last_read = now_;
        Process& writer = processes[fifo.writer];
        writer.wake = std::min(writer.wake, now_ + 1);
      }
    }
    Cycle done = 1;
    if ((mask & process.writes) != 0) {
      process.endings.push_back({process.iteration, now_ + process.stages, mask & process.writes});
    } else if (mask == 0 && process.endings.empty()) {
      done = process.left_in_run;  // nothing can hold them up
    }
    process.iteration += done;
    process.earliest = now_ + done;
    process.left_in_run -= done;
    if (process.left_in_run == 0) {
      ++process.run;
      if (process.run == process.counts.size()) {
        process.run = 0;
        --process.left_repeats;
      }
      process.left_in_run = process.counts[process.run];
    }
    return true;
  }

  void finish() {
    finished.push_back(now_);
    spent.emplace_back();
    for (const Process& process : processes) {
      for (int state = 0; state < kStates; ++state) {
        const Cycle current = process.state == state ? now_ - process.since : 0;
        spent.back().push_back(process.spent[state] + current);
      }
    }
  }

  Cycle now_ = 0;
};

}  // namespace

#define LUTLOOM_EXPORT extern "C" __attribute__((visibility("default")))

LUTLOOM_EXPORT Model* lutloom_new(std::uint64_t gap, std::uint64_t latency) {
  Model* model = new Model;
  model->gap = gap;
  model->latency = latency;
  return model;
}

LUTLOOM_EXPORT void lutloom_delete(Model* model) { delete model; }

LUTLOOM_EXPORT void lutloom_add_fifo(Model* model, std::uint64_t depth) {
  model->fifos.emplace_back();
  model->fifos.back().depth = depth;
}

// The first `reads` of `ports` are read, the others written: numbers of FIFOs, or -1 for the border.
// Bit `p` of a mask stands for port `p`.
LUTLOOM_EXPORT void lutloom_add_process(Model* model, const int* ports, int port_count, int reads,
                                        const std::uint32_t* masks, const std::uint32_t* counts,
                                        std::uint64_t runs, std::uint64_t repeats,
                                        std::uint64_t stages) {
  model->processes.emplace_back();
  Process& process = model->processes.back();
  process.ports.assign(ports, ports + port_count);
  process.reads = (std::uint32_t(1) << reads) - 1;
  process.writes = ~process.reads;
  process.masks.assign(masks, masks + runs);
  process.counts.assign(counts, counts + runs);
  process.repeats = repeats;
  process.stages = stages;
}

LUTLOOM_EXPORT void lutloom_prepare(Model* model) { model->prepare(); }

// Returns 0 in a deadlock.
LUTLOOM_EXPORT int lutloom_run(Model* model, std::uint64_t frames, std::uint64_t cycles) {
  return model->run(frames, cycles) ? 1 : 0;
}

LUTLOOM_EXPORT std::uint64_t lutloom_frames(const Model* model) { return model->finished.size(); }

LUTLOOM_EXPORT std::uint64_t lutloom_finished(const Model* model, std::uint64_t frame) {
  return model->finished[frame];
}

LUTLOOM_EXPORT std::uint64_t lutloom_spent(const Model* model, std::uint64_t frame,
                                           std::uint64_t process, int state) {
  return model->spent[frame][process * kStates + state];
}

LUTLOOM_EXPORT std::uint64_t lutloom_fill(const Model* model, std::uint64_t fifo) {
  return model->fifos[fifo].fill;
}

// The FIFO that a process waits for, -1 if for none.
LUTLOOM_EXPORT int lutloom_obstacle(const Model* model, std::uint64_t process, int is_output) {
  return model->obstacle(model->processes[process], is_output != 0);
}
