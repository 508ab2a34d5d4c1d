// How fast each instruction of the engine's kernels can be issued, by one thread and by several.
//
// peak THREADS MILLISECONDS: a line for each instruction of this machine, with how often THREADS
// threads at once issue it a second, in the best of several windows of that time together. Twelve
// independent chains hide every latency; nothing touches memory.
#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr int CHAINS = 12;
constexpr int TURNS = 5000;
constexpr int WINDOWS = 8;

#define TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

// A function that issues `instruction` TURNS * CHAINS times, on registers of `type`.
#define LOOP(name, type, zero, instruction)                       \
  void name() {                                                   \
    type a = zero, b = zero;                                      \
    asm volatile("" : "+v"(a), "+v"(b));                          \
    type c0 = a, c1 = a, c2 = a, c3 = a, c4 = a, c5 = a;          \
    type c6 = a, c7 = a, c8 = a, c9 = a, c10 = a, c11 = a;        \
    for (int i = 0; i < TURNS; ++i) {                             \
      TWELVE(instruction)                                         \
    }                                                             \
    TWELVE(USED)                                                  \
  }
#define USED(k) asm volatile("" ::"v"(c##k));

#define POPCNT(k) asm volatile("popcnt %1, %0" : "=r"(t##k) : "r"(x));
void popcnt() {
  std::uint64_t x = 12345, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11;
  for (int i = 0; i < TURNS; ++i) {
    TWELVE(POPCNT)
  }
}

#ifdef __AVX2__
#define VPMADDUBSW_YMM(k) asm volatile("vpmaddubsw %1, %2, %0" : "=v"(c##k) : "v"(a), "v"(b));
#define VPXOR_YMM(k) asm volatile("vpxor %1, %2, %0" : "=v"(c##k) : "v"(a), "v"(b));
#define VPSHUFB_YMM(k) asm volatile("vpshufb %1, %2, %0" : "=v"(c##k) : "v"(a), "v"(b));
LOOP(vpmaddubsw_ymm, __m256i, _mm256_setzero_si256(), VPMADDUBSW_YMM)
LOOP(vpxor_ymm, __m256i, _mm256_setzero_si256(), VPXOR_YMM)
LOOP(vpshufb_ymm, __m256i, _mm256_setzero_si256(), VPSHUFB_YMM)
#endif
#ifdef __AVX512BW__
#define VPMADDUBSW(k) asm volatile("vpmaddubsw %1, %2, %0" : "=v"(c##k) : "v"(a), "v"(b));
#define VPTERNLOGD(k) \
  asm volatile("vpternlogd $0x96, %1, %2, %0" : "+v"(c##k) : "v"(a), "v"(b));
#define VPSHUFB(k) asm volatile("vpshufb %1, %2, %0" : "=v"(c##k) : "v"(a), "v"(b));
LOOP(vpmaddubsw, __m512i, _mm512_setzero_si512(), VPMADDUBSW)
LOOP(vpternlogd, __m512i, _mm512_setzero_si512(), VPTERNLOGD)
LOOP(vpshufb, __m512i, _mm512_setzero_si512(), VPSHUFB)
#endif
#ifdef __AVX512VNNI__
#define VPDPBUSD(k) asm volatile("vpdpbusd %1, %2, %0" : "+v"(c##k) : "v"(a), "v"(b));
LOOP(vpdpbusd, __m512i, _mm512_setzero_si512(), VPDPBUSD)
#endif
#ifdef __AVX512VPOPCNTDQ__
#define VPOPCNTQ(k) asm volatile("vpopcntq %1, %0" : "=v"(c##k) : "v"(a));
LOOP(vpopcntq, __m512i, _mm512_setzero_si512(), VPOPCNTQ)
#endif

struct Instruction {
  const char* name;
  void (*run)();
};

constexpr Instruction INSTRUCTIONS[] = {
    {"popcnt", popcnt},
#ifdef __AVX2__
    {"vpmaddubsw ymm", vpmaddubsw_ymm}, {"vpxor ymm", vpxor_ymm}, {"vpshufb ymm", vpshufb_ymm},
#endif
#ifdef __AVX512BW__
    {"vpmaddubsw zmm", vpmaddubsw}, {"vpternlogd zmm", vpternlogd}, {"vpshufb zmm", vpshufb},
#endif
#ifdef __AVX512VNNI__
    {"vpdpbusd zmm", vpdpbusd},
#endif
#ifdef __AVX512VPOPCNTDQ__
    {"vpopcntq zmm", vpopcntq},
#endif
};

// Instructions a second of all `threads` together, over a window of that length.
double measured(const Instruction& instruction, int threads, double seconds) {
  using Clock = std::chrono::steady_clock;
  std::atomic<std::int64_t> loops{0};
  std::atomic<bool> stop{false};
  const auto work = [&] {
    instruction.run();
    for (; !stop; ++loops) instruction.run();
  };
  std::vector<std::thread> others;
  const Clock::time_point begin = Clock::now();
  for (int t = 0; t < threads; ++t) others.emplace_back(work);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (std::thread& thread : others) thread.join();
  const std::chrono::duration<double> passed = Clock::now() - begin;
  // Those that warmed up were within the window too.
  return static_cast<double>(loops + threads) * TURNS * CHAINS / passed.count();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const int threads = std::atoi(arguments[1]);
  const double seconds = std::atof(arguments[2]) / 1000 / WINDOWS;
  for (const Instruction& instruction : INSTRUCTIONS) {
    double best = 0;
    for (int w = 0; w < WINDOWS; ++w) best = std::max(best, measured(instruction, threads, seconds));
    std::printf("%s,%.6g\n", instruction.name, best);
  }
}
