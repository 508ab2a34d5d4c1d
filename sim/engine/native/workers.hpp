// Threads that wait for work: they are started once, and wake for each call.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

namespace lutloom {

class Workers {
 public:
  static Workers& shared() {
    static Workers* workers = new Workers;  // never deleted: threads may outlive main
    return *workers;
  }

  // Call `task` on `threads` threads, the caller's own among them, and wait for them all. Returns
  // how many there were: fewer where the machine gives no more, and only the caller's where another
  // call has the threads.
  int run(int threads, const std::function<void()>& task) {
    const std::unique_lock<std::mutex> only(calls_, std::try_to_lock);
    if (threads < 2 || !only.owns_lock()) {
      task();
      return 1;
    }
    while (started_ < threads - 1 && start()) {
    }
    const int helpers = std::min(threads - 1, started_);
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      task_ = &task;
      wanted_ = helpers;
      left_ = helpers;
      ++call_;
    }
    if (helpers > 0) wake_.notify_all();
    task();
    std::unique_lock<std::mutex> guard(mutex_);
    done_.wait(guard, [this] { return left_ == 0; });
    return helpers + 1;
  }

  // Guards what threads leave for later ones.
  std::mutex& arenas() { return arenas_; }

 private:
  Workers() {
    // A forked child has none of the threads: it starts its own. Nobody holds the locks then but
    // those who use the threads, who are gone: all begins anew, once nobody changes the arenas.
    pthread_atfork([] { shared().arenas_.lock(); }, [] { shared().arenas_.unlock(); },
                   [] { new (&shared()) Workers(Forked{}); });
  }

  struct Forked {};
  explicit Workers(Forked) {}

  // Start a thread. False where the machine has no more.
  bool start() {
    // Signals are for Python's thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = true;
    try {
      std::thread([this, number = started_, seen = call_] { serve(number, seen); }).detach();
      ++started_;
    } catch (const std::system_error&) {
      is_started = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return is_started;
  }

  void serve(int number, std::uint64_t seen) {
    for (;;) {
      const std::function<void()>* task;
      {
        std::unique_lock<std::mutex> guard(mutex_);
        wake_.wait(guard, [&] { return call_ != seen; });
        seen = call_;
        if (number >= wanted_) continue;
        task = task_;
      }
      (*task)();
      const std::lock_guard<std::mutex> guard(mutex_);
      if (--left_ == 0) done_.notify_one();
    }
  }

  std::mutex calls_, mutex_, arenas_;
  std::condition_variable wake_, done_;
  const std::function<void()>* task_ = nullptr;
  int started_ = 0, wanted_ = 0, left_ = 0;
  std::uint64_t call_ = 0;
};

}  // namespace lutloom
