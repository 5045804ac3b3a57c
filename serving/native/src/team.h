// The threads that compute one step together. Knows nothing of what they compute.
//
// A step meets at a hundred barriers, each some microseconds after the last: whoever arrives first spins for a
// moment, then lets others have the core, then sleeps, so that a core busy elsewhere costs little. A team as large as
// the cores it may use has one each: were two of its threads on one core for a moment, each would wait a time slice.
#pragma once

#include <immintrin.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>

class Team {
 public:
  // Runs body(rank) for ranks 0 to size-1 at once, rank 0 on the calling thread; one job at a time.
  template <class Body>
  static void run(int size, const Body& body) {
    if (size <= 1) {
      Solo solo;
      body(0, solo);
      return;
    }
    Team& team = instance();
    std::lock_guard<std::mutex> one_job(team.jobs_);
    team.grow(size);
    team.size_ = size;
    team.argument_ = &body;
    team.call_ = [](const void* argument, int rank, Team& of) { (*static_cast<const Body*>(argument))(rank, of); };
    team.num_done_.store(0, std::memory_order_relaxed);
    team.job_.fetch_add(1, std::memory_order_release);
    team.job_.notify_all();
    settle(0, size);
    body(0, team);
    // all members acknowledge, those without a rank in this job too: the next one overwrites what they read
    for (int tries = 0; team.num_done_.load(std::memory_order_acquire) != team.num_members_; ++tries)
      tries < kSpins ? _mm_pause() : std::this_thread::yield();
    settle(0, 0);  // the calling thread is its owner's, who may have others do something on all cores next
  }

  void barrier() {
    const uint32_t phase = phase_.load(std::memory_order_relaxed);
    if (num_arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
      num_arrived_.store(0, std::memory_order_relaxed);
      phase_.fetch_add(1, std::memory_order_release);
      phase_.notify_all();
    } else {
      wait_beyond(phase_, phase, kSpins);
    }
  }

  int size() const { return size_; }

  // A team of one: nobody to wait for.
  struct Solo {
    void barrier() {}
    int size() const { return 1; }
  };

 private:
  static constexpr int kSpins = 2000;      // about 30 microseconds
  static constexpr int kYields = 8;
  static constexpr int kIdleSpins = 300;   // between jobs: others want the core

  // A fork has none of its parent's threads: it gets a team of its own. The parent's is never freed.
  static Team& instance() {
    static std::mutex guard;
    static Team* team = nullptr;
    static pid_t owner = 0;
    std::lock_guard<std::mutex> hold(guard);
    if (owner != getpid()) {
      team = new Team;
      owner = getpid();
    }
    return *team;
  }

  // Gives the current thread a core of its own where the team has as many threads as there are cores, and lets it go
  // where it has not: which cores are free then is the system's to know, who sees the other processes.
  static void settle(int rank, int size) {
    static const cpu_set_t allowed = [] {
      cpu_set_t set;
      CPU_ZERO(&set);
      sched_getaffinity(0, sizeof(set), &set);
      return set;
    }();
    static thread_local int settled = -2;  // the core; -1 is any, -2 what its maker had
    int wanted = -1;
    if (size > 1 && size == CPU_COUNT(&allowed)) {
      for (int core = 0, left = rank; core < CPU_SETSIZE && wanted < 0; ++core)
        if (CPU_ISSET(core, &allowed) && left-- == 0) wanted = core;
    }
    if (wanted == settled) return;
    settled = wanted;
    cpu_set_t set = allowed;
    if (wanted >= 0) {
      CPU_ZERO(&set);
      CPU_SET(wanted, &set);
    }
    sched_setaffinity(0, sizeof(set), &set);  // a hint: where it is refused, all stays as it was
  }

  static void wait_beyond(std::atomic<uint32_t>& value, uint32_t old, int spins) {
    for (int i = 0; i < spins; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      _mm_pause();
    }
    for (int i = 0; i < kYields; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      std::this_thread::yield();
    }
    while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
  }

  void grow(int size) {
    while (num_members_ + 1 < size) {
      const int rank = ++num_members_;
      std::thread([this, rank, begin = job_.load()] { serve(rank, begin); }).detach();
    }
  }

  void serve(int rank, uint32_t seen) {
    for (;;) {
      wait_beyond(job_, seen, kIdleSpins);
      seen = job_.load(std::memory_order_acquire);
      if (rank < size_) {
        settle(rank, size_);
        call_(argument_, rank, *this);
      }
      num_done_.fetch_add(1, std::memory_order_release);
    }
  }

  std::mutex jobs_;
  int num_members_ = 0;
  int size_ = 1;
  const void* argument_ = nullptr;
  void (*call_)(const void*, int, Team&) = nullptr;
  alignas(64) std::atomic<uint32_t> job_{0};
  alignas(64) std::atomic<int> num_done_{0};
  alignas(64) std::atomic<int> num_arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};
};

// The part of `count` pieces that falls to `rank`.
struct Share {
  int64_t begin, end;
  Share(int64_t count, int rank, int size) : begin(count * rank / size), end(count * (rank + 1) / size) {}
};
