// Stand-in for Vitis' header of the same name: for C simulation without Vitis only.
//
// Streams are unbounded by default. With LUTLOOM_BOUNDED they block at the depth they are given,
// each process runs in a thread of its own, and a deadlock is reported. A stream that is read
// while it is empty, or destroyed while it is not, is an error that names it.
#ifndef LUTLOOM_CSIM_HLS_STREAM_H
#define LUTLOOM_CSIM_HLS_STREAM_H

#include <cstddef>
#include <string>
#include <vector>

#include "simulation.h"

namespace hls {

template <typename T>
class stream {
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

  T read() {
#ifdef LUTLOOM_BOUNDED
    lutloom_csim::Scheduler::get().wait_until([this] { return size() != 0; }, waits_, "read");
#endif
    if (size() == 0) {
      throw lutloom_csim::Failure(name_ + " is read while it is empty");
    }
    T value = items_[head_++];
    if (head_ == items_.size()) {
      items_.clear();
      head_ = 0;
    } else if (head_ >= 4096 && 2 * head_ >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
#ifdef LUTLOOM_BOUNDED
    lutloom_csim::Scheduler::get().changed(waits_);
#endif
    return value;
  }
  void read(T& value) { value = read(); }

  void write(const T& value) {
#ifdef LUTLOOM_BOUNDED
    lutloom_csim::Scheduler::get().wait_until([this] { return size() < depth_; }, waits_, "write");
#endif
    items_.push_back(value);
    if (lutloom_csim::is_tracing()) {
      lutloom_csim::record(name_, value);
    }
#ifdef LUTLOOM_BOUNDED
    lutloom_csim::Scheduler::get().changed(waits_);
#endif
  }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return items_.size() - head_; }

#ifdef LUTLOOM_BOUNDED
  // What `#pragma HLS STREAM` says.
  void set_depth(std::size_t depth) {
    depth_ = depth;
    waits_.describe = [this] {
      return name_ + " (" + std::to_string(size()) + " of " + std::to_string(depth_) + ")";
    };
  }
#endif

 private:
  std::string name_;
  std::vector<T> items_;
  std::size_t head_ = 0;
#ifdef LUTLOOM_BOUNDED
  std::size_t depth_ = static_cast<std::size_t>(-1);
  lutloom_csim::Waits waits_;
#endif
};

}  // namespace hls

#endif
