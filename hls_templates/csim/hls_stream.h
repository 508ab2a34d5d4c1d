// Stand-in for Vitis' header of the same name: for C simulation without Vitis only.
//
// Streams are unbounded by default. With LUTLOOM_BOUNDED they block at the depth they are given,
// processes run beside each other, and a deadlock is reported. A stream that is read while it is
// empty, or destroyed while it is not, is an error that names it.
#ifndef LUTLOOM_CSIM_HLS_STREAM_H
#define LUTLOOM_CSIM_HLS_STREAM_H

#include <cstddef>
#include <string>
#include <vector>

#include "simulation.h"

namespace hls {

// The words of a stream, the first one first.
template <typename T>
class words {
 public:
  std::size_t size() const { return items_.size() - head_; }
  const T& operator[](std::size_t index) const { return items_[head_ + index]; }
  void push(const T& value) { items_.push_back(value); }
  void pop() {
    ++head_;
    if (head_ == items_.size()) {
      items_.clear();
      head_ = 0;
    } else if (head_ >= 4096 && 2 * head_ >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }

 private:
  std::vector<T> items_;
  std::size_t head_ = 0;
};

template <typename T>
class stream
#ifdef LUTLOOM_BOUNDED
    : public lutloom_csim::Channel
#endif
{
 public:
  stream() : name_("unnamed") {}
  explicit stream(const char* name) : name_(name) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  ~stream() {
    if (size() != 0 && !lutloom_csim::is_failing()) {
      lutloom_csim::problems().push_back(name_ + " still holds " + std::to_string(size()) +
                                         " words after the last image");
    }
  }

  void read(T& value) { value = read(); }
  bool empty() const { return size() == 0; }
  std::size_t size() const { return words_.size(); }

#ifndef LUTLOOM_BOUNDED
  T read() {
    if (empty()) {
      throw lutloom_csim::Failure(name_ + " is read while it is empty");
    }
    const T value = words_[0];
    words_.pop();
    return value;
  }

  void write(const T& value) {
    words_.push(value);
    trace(value);
  }
#else
  T read() {
    lutloom_csim::Scheduler& scheduler = lutloom_csim::Scheduler::get();
    scheduler.wait(*this, false);
    if (!has_word()) {
      throw lutloom_csim::Failure(name_ + " is read while it is empty");
    }
    const T value = words_[taken_];
    ++taken_;
    if (scheduler.is_adverse()) {
      scheduler.take(*this);
    } else {
      leave();
    }
    return value;
  }

  void write(const T& value) {
    lutloom_csim::Scheduler& scheduler = lutloom_csim::Scheduler::get();
    withheld_.push(value);
    trace(value);
    if (scheduler.is_adverse()) {
      scheduler.withhold(*this);
      return;
    }
    scheduler.wait(*this, true);
    enter();
  }

  // What `#pragma HLS STREAM` says, and the number of the FIFO if the plan has a say in that.
  void set_depth(std::size_t words, int planned = -1) {
    depth = words;
    number = planned;
  }

  std::string name() const override { return name_; }
  bool has_word() const override { return size() > taken_; }
  bool has_room() const override { return size() < depth; }
  std::size_t held() const override { return size(); }
  void leave() override {
    words_.pop();
    --taken_;
    lutloom_csim::Scheduler::get().changed(*this, true);
  }
  void enter() override {
    words_.push(withheld_[0]);
    withheld_.pop();
    lutloom_csim::Scheduler::get().changed(*this, false);
  }
#endif

 private:
  void trace(const T& value) const {
    if (lutloom_csim::is_tracing()) {
      lutloom_csim::record(name_, value);
    }
  }

  std::string name_;
  words<T> words_;
#ifdef LUTLOOM_BOUNDED
  // Written, but not yet in a place; and read, but still in theirs.
  words<T> withheld_;
  std::size_t taken_ = 0;
#endif
};

}  // namespace hls

#endif
