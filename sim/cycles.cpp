// Processes joined by bounded FIFOs: in which clock cycle each word is written and read.
//
// A process goes through the iterations of its pipelined loop, one a cycle at most: which words it
// reads when an iteration begins, and writes when it ends, `stages` cycles later, is its schedule.
// - An iteration begins when there is a word in every stream it reads, and room in the pipeline.
// - It ends when there is room in every stream it writes; iterations end in order.
// - A pipeline that flushes moves on by itself: an iteration that has to wait holds up those behind
//   it once they have moved up to it. One that stalls moves as a whole or not at all: an iteration
//   begins in the very cycle in which the one `stages` before it ends, or, when the frame has no
//   more iterations, nothing does.
// - A frame begins when the last iteration of the one before has ended, `gap` cycles later.
// - A word can be read in the cycle after it was written, `latency` cycles later; the registers on
//   that way hold `latency` words of their own. Its place can be written in the cycle after it was
//   read. So a FIFO of two words runs at full rate.
// Every one of these times is a sum or a maximum of earlier ones. So there is no clock: a process
// goes on as long as the times that it depends on are known, in whatever order.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

namespace {

typedef std::uint64_t Cycle;
constexpr Cycle kNever = ~Cycle(0);
constexpr int kBorder = -1;

// Some consecutive entries of a growing list of times.
class Times {
 public:
  Cycle count() const { return count_; }
  Cycle operator[](Cycle index) const { return ring_[index & (ring_.size() - 1)]; }

  // Add a time; what lies before `needed` may be forgotten.
  void add(Cycle time, Cycle needed) {
    if (count_ - needed >= ring_.size()) {
      std::vector<Cycle> larger(2 * ring_.size());
      for (Cycle index = needed; index < count_; ++index) {
        larger[index & (larger.size() - 1)] = (*this)[index];
      }
      ring_.swap(larger);
    }
    ring_[count_ & (ring_.size() - 1)] = time;
    ++count_;
  }

 private:
  std::vector<Cycle> ring_ = std::vector<Cycle>(16);
  Cycle count_ = 0;
};

struct Fifo {
  Cycle depth = 0;
  int writer = kBorder;
  int reader = kBorder;
  Times written;
  Times read;
  // Writes whose fill is known, and the reads before the last of them.
  Cycle seen_writes = 0;
  Cycle seen_reads = 0;
  Cycle fill = 0;

  // The most words held so far, as far as all reads up to `time` are known.
  void measure(Cycle time) {
    while (seen_writes < written.count() && written[seen_writes] <= time) {
      while (seen_reads < read.count() && read[seen_reads] < written[seen_writes]) {
        ++seen_reads;
      }
      ++seen_writes;
      fill = std::max(fill, seen_writes - seen_reads);
    }
  }
};

enum State { kBusy, kWaitsForInput, kWaitsForOutput, kStates };

struct Ending {
  Cycle iteration;
  Cycle time;
  std::uint32_t ports;
};

struct Spent {
  Cycle cycles[kStates];
};

struct Process {
  std::vector<int> ports;
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
  // Iterations of a frame: runs of equal ones, all of them `repeats` times.
  std::vector<std::uint32_t> masks;
  std::vector<std::uint32_t> counts;
  Cycle repeats = 0;
  Cycle iterations = 0;
  Cycle stages = 0;
  bool is_sink = false;

  std::size_t run = 0;
  Cycle left_in_run = 0;
  Cycle left_repeats = 0;
  Cycle iteration = 0;
  // When the next iteration may begin, and the next one end, as far as the process itself goes.
  Cycle earliest = 0;
  Cycle earliest_end = 0;
  // Iterations in the pipeline that write; and those that have ended, but would have held up the
  // next one if they had not. `gate`: when the last one ended that could hold it up.
  std::deque<Ending> endings;
  std::deque<Ending> ended;
  Cycle gate = 0;
  // The FIFOs that it waits for, to read and to write.
  int awaited[2] = {kBorder, kBorder};
  bool is_queued = false;
  Cycle spent[kStates] = {};
  // For each frame: when it ended, and what had been spent by then.
  std::vector<Cycle> finished;
  std::vector<Spent> spent_by;
};

class Model {
 public:
  std::vector<Fifo> fifos;
  std::vector<Process> processes;
  Cycle gap = 0;
  Cycle latency = 0;
  bool stalls = false;

  // Forget all frames.
  void reset() {
    for (Fifo& fifo : fifos) {
      Fifo fresh;
      fresh.depth = fifo.depth;
      fifo = fresh;
    }
    for (std::size_t p = 0; p < processes.size(); ++p) {
      Process& process = processes[p];
      Process fresh;
      fresh.ports.swap(process.ports);
      fresh.masks.swap(process.masks);
      fresh.counts.swap(process.counts);
      fresh.reads = process.reads;
      fresh.writes = process.writes;
      fresh.repeats = process.repeats;
      fresh.iterations = process.iterations;
      fresh.stages = process.stages;
      process = fresh;
      restart(process);
      for (std::size_t port = 0; port < process.ports.size(); ++port) {
        const int fifo = process.ports[port];
        const bool is_read = process.reads >> port & 1;
        if (fifo != kBorder) {
          (is_read ? fifos[fifo].reader : fifos[fifo].writer) = int(p);
        }
        process.is_sink = process.is_sink || (fifo == kBorder && !is_read);
      }
    }
    frames_ = 0;
    queue_.clear();
  }

  // Go on until every process has done `frames` frames, or for `turns` turns of processes. Returns
  // whether that is so; if not, and `is_dead`, nothing can go on.
  bool run(Cycle frames, Cycle turns) {
    if (frames > frames_) {
      frames_ = frames;
      for (std::size_t p = 0; p < processes.size(); ++p) {
        enqueue(int(p));
      }
    }
    for (; !queue_.empty() && turns != 0; --turns) {
      const int next = queue_.front();
      queue_.pop_front();
      processes[next].is_queued = false;
      go_on(processes[next]);
    }
    return done();
  }

  bool is_dead() const { return queue_.empty() && !done(); }

  void deepen(int fifo) {
    ++fifos[fifo].depth;
    if (fifos[fifo].writer != kBorder) {
      enqueue(fifos[fifo].writer);
    }
  }

  // When the last beat of `frame` left the design.
  Cycle finished(Cycle frame) const {
    Cycle last = 0;
    for (const Process& process : processes) {
      if (process.is_sink) {
        last = std::max(last, process.finished[frame]);
      }
    }
    return last;
  }

 private:
  bool done() const {
    return std::all_of(processes.begin(), processes.end(), [this](const Process& process) {
      return process.finished.size() >= frames_;
    });
  }

  void enqueue(int process) {
    if (!processes[process].is_queued) {
      processes[process].is_queued = true;
      queue_.push_back(process);
    }
  }

  static void restart(Process& process) {
    process.run = 0;
    process.left_in_run = process.counts[0];
    process.left_repeats = process.repeats;
    process.iteration = 0;
    process.ended.clear();
  }

  static void pass(Process& process, Cycle iterations) {
    process.iteration += iterations;
    process.left_in_run -= iterations;
    if (process.left_in_run == 0) {
      ++process.run;
      if (process.run == process.counts.size()) {
        process.run = 0;
        --process.left_repeats;
      }
      process.left_in_run = process.counts[process.run];
    }
  }

  void go_on(Process& process) {
    process.awaited[0] = process.awaited[1] = kBorder;
    while (process.finished.size() < frames_ && (stalls ? step(process) : flow(process))) {
    }
  }

  void finish(Process& process, Cycle last, Cycle unhindered) {
    process.spent[kWaitsForOutput] += last - unhindered;
    process.earliest = last + 1 + gap;
    process.gate = 0;
    process.finished.push_back(last);
    process.spent_by.push_back({{process.spent[0], process.spent[1], process.spent[2]}});
    restart(process);
  }

  // Whether all words of `mask` are there; if so, `time` is put off until they can be read.
  bool can_read(Process& process, std::uint32_t mask, Cycle& time) {
    for (std::size_t port = 0; mask >> port; ++port) {
      const int number = process.ports[port];
      if ((mask >> port & 1) == 0 || number == kBorder) {
        continue;
      }
      const Fifo& fifo = fifos[number];
      if (fifo.read.count() == fifo.written.count()) {
        process.awaited[0] = number;
        return false;
      }
      time = std::max(time, fifo.written[fifo.read.count()] + 1 + latency);
    }
    return true;
  }

  // Whether there is room for all words of `mask`; if so, `time` is put off until there is.
  bool can_write(Process& process, std::uint32_t mask, Cycle& time) {
    for (std::size_t port = 0; mask >> port; ++port) {
      const int number = process.ports[port];
      if ((mask >> port & 1) == 0 || number == kBorder) {
        continue;
      }
      const Fifo& fifo = fifos[number];
      const Cycle room = fifo.depth + latency;
      if (fifo.written.count() < room) {
        continue;
      }
      const Cycle place = fifo.written.count() - room;
      if (fifo.read.count() <= place) {
        process.awaited[1] = number;
        return false;
      }
      time = std::max(time, fifo.read[place] + 1);
    }
    return true;
  }

  void read(Process& process, std::uint32_t mask, Cycle time) {
    for (std::size_t port = 0; mask >> port; ++port) {
      const int number = process.ports[port];
      if ((mask >> port & 1) == 0 || number == kBorder) {
        continue;
      }
      Fifo& fifo = fifos[number];
      const Cycle room = fifo.depth + latency;
      const Cycle written = fifo.written.count();
      fifo.read.add(time, std::min(fifo.seen_reads, written > room ? written - room : 0));
      fifo.measure(time);
      if (processes[fifo.writer].awaited[1] == number) {
        enqueue(fifo.writer);
      }
    }
  }

  void write(Process& process, std::uint32_t mask, Cycle time) {
    for (std::size_t port = 0; mask >> port; ++port) {
      const int number = process.ports[port];
      if ((mask >> port & 1) == 0 || number == kBorder) {
        continue;
      }
      Fifo& fifo = fifos[number];
      fifo.written.add(time, std::min(fifo.read.count(), fifo.seen_writes));
      if (processes[fifo.reader].awaited[0] == number) {
        enqueue(fifo.reader);
      }
    }
  }

  // What a pipeline that flushes does next; false if it has to wait.
  bool flow(Process& process) {
    process.awaited[1] = kBorder;
    while (end_iteration(process)) {
    }
    return begin_iteration(process);
  }

  bool end_iteration(Process& process) {
    if (process.endings.empty()) {
      return false;
    }
    Ending ending = process.endings.front();
    ending.time = std::max(ending.time, process.earliest_end);
    if (!can_write(process, ending.ports, ending.time)) {
      return false;
    }
    process.endings.pop_front();
    process.ended.push_back(ending);
    process.earliest_end = ending.time + 1;
    write(process, ending.ports, ending.time);
    return true;
  }

  bool begin_iteration(Process& process) {
    const Cycle stages = process.stages;
    if (process.left_repeats == 0) {
      if (!process.endings.empty()) {
        return false;
      }
      const Cycle unhindered = process.earliest - 1 + stages;
      finish(process, std::max(unhindered + 1, process.earliest_end) - 1, unhindered);
      return true;
    }
    while (!process.ended.empty() && process.ended.front().iteration + stages < process.iteration) {
      process.gate = process.ended.front().time;
      process.ended.pop_front();
    }
    Cycle free = kNever;  // iterations that nothing can hold up
    for (const std::deque<Ending>* list : {&process.ended, &process.endings}) {
      if (!list->empty()) {
        free = std::min(free, list->front().iteration + stages + 1 - process.iteration);
      }
    }
    const std::uint32_t mask = process.masks[process.run];
    const Cycle ready = std::max(process.earliest, process.gate);
    Cycle time = ready;
    if (free == 0 || !can_read(process, mask & process.reads, time)) {
      return false;
    }
    const Cycle done = mask == 0 ? std::min(process.left_in_run, free) : 1;
    process.spent[kBusy] += done;
    process.spent[kWaitsForOutput] += ready - process.earliest;
    process.spent[kWaitsForInput] += time - ready;
    read(process, mask & process.reads, time);
    if ((mask & process.writes) != 0) {
      process.endings.push_back({process.iteration, time + stages, mask & process.writes});
    }
    pass(process, done);
    process.earliest = time + done;
    return true;
  }

  // What a pipeline that stalls does next: in one cycle an iteration begins, one ends, or both.
  bool step(Process& process) {
    const Cycle stages = process.stages;
    if (process.left_repeats == 0) {
      return drain(process);
    }
    const std::uint32_t mask = process.masks[process.run];
    if ((mask & process.writes) != 0) {
      process.endings.push_back({process.iteration, 0, mask & process.writes});
    }
    const bool holds = !process.endings.empty();
    const Cycle free = holds ? process.endings.front().iteration + stages - process.iteration : kNever;
    const std::uint32_t ending = free == 0 ? process.endings.front().ports : 0;
    Cycle readable = process.earliest;
    const bool can = can_read(process, mask & process.reads, readable);
    Cycle time = readable;
    if (!can || !can_write(process, ending, time)) {
      if ((mask & process.writes) != 0) {
        process.endings.pop_back();
      }
      return false;
    }
    const Cycle done = mask == 0 && ending == 0 ? std::min(process.left_in_run, free) : 1;
    process.spent[kBusy] += done;
    process.spent[kWaitsForInput] += readable - process.earliest;
    process.spent[kWaitsForOutput] += time - readable;
    read(process, mask & process.reads, time);
    if (ending != 0) {
      process.endings.pop_front();
      write(process, ending, time);
    }
    pass(process, done);
    process.earliest = time + done;
    return true;
  }

  // The end of a frame: with no more iterations to wait for, a pipeline moves on.
  bool drain(Process& process) {
    if (process.endings.empty()) {
      const Cycle left = process.iterations + process.stages - process.iteration;
      const Cycle last = process.earliest + left - 1;
      finish(process, last, last);
      return true;
    }
    const Ending ending = process.endings.front();
    const Cycle due = process.earliest + ending.iteration + process.stages - process.iteration;
    Cycle time = due;
    if (!can_write(process, ending.ports, time)) {
      return false;
    }
    process.spent[kWaitsForOutput] += time - due;
    process.endings.pop_front();
    write(process, ending.ports, time);
    process.iteration = ending.iteration + process.stages + 1;
    process.earliest = time + 1;
    return true;
  }

  Cycle frames_ = 0;
  std::deque<int> queue_;
};

}  // namespace

#define LUTLOOM_EXPORT extern "C" __attribute__((visibility("default")))

LUTLOOM_EXPORT Model* lutloom_new(std::uint64_t gap, std::uint64_t latency, int stalls) {
  Model* model = new Model;
  model->gap = gap;
  model->latency = latency;
  model->stalls = stalls != 0;
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
  for (std::uint64_t run = 0; run < runs; ++run) {
    process.iterations += counts[run] * repeats;
  }
  process.stages = stages;
}

LUTLOOM_EXPORT void lutloom_set_depth(Model* model, std::uint64_t fifo, std::uint64_t depth) {
  model->fifos[fifo].depth = depth;
}

LUTLOOM_EXPORT void lutloom_reset(Model* model) { model->reset(); }

// Returns 1 when all frames are done, -1 in a deadlock, else 0: call it again.
LUTLOOM_EXPORT int lutloom_run(Model* model, std::uint64_t frames, std::uint64_t turns) {
  return model->run(frames, turns) ? 1 : model->is_dead() ? -1 : 0;
}

// Make a FIFO a word deeper in the middle of a run.
LUTLOOM_EXPORT void lutloom_deepen(Model* model, std::uint64_t fifo) { model->deepen(int(fifo)); }

LUTLOOM_EXPORT std::uint64_t lutloom_finished(const Model* model, std::uint64_t frame) {
  return model->finished(frame);
}

// When a process ended `frame`.
LUTLOOM_EXPORT std::uint64_t lutloom_ended(const Model* model, std::uint64_t frame,
                                           std::uint64_t process) {
  return model->processes[process].finished[frame];
}

LUTLOOM_EXPORT std::uint64_t lutloom_spent(const Model* model, std::uint64_t frame,
                                           std::uint64_t process, int state) {
  return model->processes[process].spent_by[frame].cycles[state];
}

// The most words that a FIFO held.
LUTLOOM_EXPORT std::uint64_t lutloom_fill(Model* model, std::uint64_t fifo) {
  model->fifos[fifo].measure(kNever);
  return model->fifos[fifo].fill;
}

// The words that a FIFO holds.
LUTLOOM_EXPORT std::uint64_t lutloom_held(const Model* model, std::uint64_t fifo) {
  return model->fifos[fifo].written.count() - model->fifos[fifo].read.count();
}

// The FIFO that a process waits for, -1 if for none.
LUTLOOM_EXPORT int lutloom_awaited(const Model* model, std::uint64_t process, int is_output) {
  return model->processes[process].awaited[is_output != 0];
}
