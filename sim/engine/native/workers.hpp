// Threads that wait for work: they are started once, and wake for each call.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lutloom {

class Workers {
 public:
  static Workers& shared() {
    static Workers* workers = new Workers;  // never deleted: threads may outlive main
    return *workers;
  }

  // Call `task(thread)` on `threads` threads, the caller's own as number 0, and wait for them all.
  void run(int threads, const std::function<void(int)>& task) {
    const std::lock_guard<std::mutex> only(calls_);
    while (static_cast<int>(threads_.size()) < threads - 1) start();
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      task_ = &task;
      wanted_ = threads - 1;
      left_ = threads - 1;
      ++call_;
    }
    wake_.notify_all();
    task(0);
    std::unique_lock<std::mutex> guard(mutex_);
    done_.wait(guard, [this] { return left_ == 0; });
  }

 private:
  Workers() {
    // A forked child has none of the threads: it starts its own.
    pthread_atfork(nullptr, nullptr, [] { new (&shared()) Workers; });
  }

  void start() {
    const int number = static_cast<int>(threads_.size());
    threads_.emplace_back([this, number, seen = call_]() mutable {
      for (;;) {
        const std::function<void(int)>* task;
        {
          std::unique_lock<std::mutex> guard(mutex_);
          wake_.wait(guard, [&] { return call_ != seen; });
          seen = call_;
          if (number >= wanted_) continue;
          task = task_;
        }
        (*task)(number + 1);
        const std::lock_guard<std::mutex> guard(mutex_);
        if (--left_ == 0) done_.notify_one();
      }
    });
    threads_.back().detach();
  }

  std::mutex calls_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  const std::function<void(int)>* task_ = nullptr;
  int wanted_ = 0, left_ = 0;
  std::uint64_t call_ = 0;
};

}  // namespace lutloom
